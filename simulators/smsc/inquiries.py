"""What an ESME asks about messages that the SMSC has: query_sm, cancel_sm, replace_sm.

Whoever asks must name the sender as the submit_sm did; what another account submitted is unknown to him.

Spec: SMPP 3.4 4.8, 4.9, 4.10.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from drivers.smpp.wire.constants import CommandStatus, Tag
from drivers.smpp.wire.pdus import (
    Body,
    CancelSm,
    CancelSmResp,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    ReplaceSmResp,
    SubmitSm,
)
from simulators.smsc.receipts import error_of, message_state_of
from simulators.smsc.translate import Unacceptable, read_submit

if TYPE_CHECKING:
    from simulators.network import Network

REMEMBERED: Final = 20_000
"""Submits of one account that can be asked after; the oldest gives way."""

LaterRequest = QuerySm | CancelSm | ReplaceSm


class Answer(NamedTuple):
    """A response and its status."""

    body: Body
    status: CommandStatus = CommandStatus.ROK


class _Submitted(NamedTuple):
    reference: str
    body: SubmitSm


class Submissions:
    """What one account has submitted, by the message ids that it was told.

    Args:
        network: knows what became of it.
        number: the account's, for submits without a source address.
        via: the account's name.
    """

    def __init__(self, network: Network, *, number: str, via: str) -> None:
        self._network = network
        self._number = number
        self._via = via
        self._by_id: dict[str, _Submitted] = {}

    def add(self, message_id: str, reference: str, body: SubmitSm) -> None:
        """The network took it."""
        self._by_id[message_id] = _Submitted(reference, body)
        if len(self._by_id) > REMEMBERED:
            del self._by_id[next(iter(self._by_id))]

    def answer(self, request: LaterRequest) -> Answer:
        """Do what is asked, and say whether it was done."""
        match request:
            case QuerySm():
                return self._query(request)
            case CancelSm():
                return self._cancel(request)
            case ReplaceSm():
                return self._replace(request)

    def _query(self, request: QuerySm) -> Answer:
        found = self._find(request)
        if found is None:
            return Answer(QuerySmResp(), CommandStatus.RINVMSGID)
        fate = self._network.find_fate(found.reference)
        if fate is None:  # the network has forgotten how it ended
            return Answer(QuerySmResp(), CommandStatus.RQUERYFAIL)
        return Answer(
            QuerySmResp(
                message_id=request.message_id,
                final_date="" if fate.done_at is None else f"{fate.done_at:%y%m%d%H%M%S}000+",
                message_state=message_state_of(fate.state),
                error_code=error_of(fate.state),
            )
        )

    def _cancel(self, request: CancelSm) -> Answer:
        if not request.message_id:
            return self._cancel_all(request)
        found = self._find(request)
        if found is None:
            return Answer(CancelSmResp(), CommandStatus.RINVMSGID)
        done = self._network.take_back(found.reference)
        return Answer(CancelSmResp(), CommandStatus.ROK if done else CommandStatus.RCANCELFAIL)

    def _cancel_all(self, request: CancelSm) -> Answer:
        """Without an id it means all to this recipient from this sender, and of this service type if one is named."""
        meant = [
            reference
            for reference, body in self._by_id.values()
            if _is_sender(request, body)
            and body.destination_addr == request.destination_addr
            and request.service_type in {"", body.service_type}
        ]
        done = [self._network.take_back(reference) for reference in meant]
        return Answer(CancelSmResp(), CommandStatus.ROK if any(done) else CommandStatus.RCANCELFAIL)

    def _replace(self, request: ReplaceSm) -> Answer:
        found = self._find(request)
        if found is None:
            return Answer(ReplaceSmResp(), CommandStatus.RINVMSGID)
        body = msgspec.structs.replace(
            found.body,
            short_message=request.short_message,
            registered_delivery=request.registered_delivery,
            tlvs=tuple(tlv for tlv in found.body.tlvs if tlv[0] != Tag.MESSAGE_PAYLOAD),
        )
        try:
            message = read_submit(body, number=self._number, via=self._via)
        except Unacceptable as refusal:
            return Answer(ReplaceSmResp(), refusal.command_status)
        if not self._network.replace(found.reference, message):
            return Answer(ReplaceSmResp(), CommandStatus.RREPLACEFAIL)
        self._by_id[request.message_id] = _Submitted(found.reference, body)
        return Answer(ReplaceSmResp())

    def _find(self, request: LaterRequest) -> _Submitted | None:
        found = self._by_id.get(request.message_id)
        return found if found is not None and _is_sender(request, found.body) else None


def _is_sender(request: LaterRequest, body: SubmitSm) -> bool:
    return request.source_addr == body.source_addr
