"""query_sm, cancel_sm and replace_sm: what an application may ask of what it submitted.

Spec: SMPP 3.4 4.8, 4.9, 4.10.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from drivers.base import Encoding
from drivers.codec.segment import decode_payload
from drivers.smpp.server.submit import Refusal, WireAddress
from drivers.smpp.text import decode_content
from drivers.smpp.times import format_time, parse_time
from drivers.smpp.wire.constants import CommandStatus
from drivers.smpp.wire.pdus import CancelSm, QuerySm, QuerySmResp, ReplaceSm
from gateway.clock import Clock, truncate_ms
from gateway.errors import Conflict, InvalidRequest, NotFound
from gateway.esme.account import EsmeAccount
from gateway.esme.receipts import state_of_message
from gateway.esme.submit import format_address, status_for
from gateway.model.actor import actor_of
from gateway.model.events import message_event
from gateway.model.lifecycle import TERMINAL
from gateway.model.message import Message, MessageStatus, SegmentStatus, concat_width
from gateway.model.request import MessageRequest
from gateway.pipeline.intake.accept import Intake
from gateway.pipeline.intake.admission import DEED_OCTETS
from gateway.pipeline.intake.replacing import judge_and_replace
from gateway.pipeline.operator.recall import TakeBack, cancel_or_recall
from gateway.store.audit import record_audit
from gateway.store.esme import EsmeSubmit, find_told, find_waiting_between
from gateway.store.messages import find_message, find_to_change, take_concat_ref
from gateway.store.ports import Store, Tx

_REPLACEABLE: Final = frozenset({MessageStatus.SCHEDULED, MessageStatus.QUEUED})


class Requests:
    """Serves them; each answers with a body or raises a `Refusal`, or a StoreError.

    Args:
        take_back: asks the network of a channel to forget what it has.
    """

    def __init__(self, store: Store, clock: Clock, intake: Intake, take_back: TakeBack) -> None:
        self._store = store
        self._clock = clock
        self._intake = intake
        self._take_back = take_back

    async def query(self, account: EsmeAccount, body: QuerySm) -> QuerySmResp:
        """The state of a message."""
        message_id = await self._find(account, body.message_id, CommandStatus.RINVMSGID)
        message = await self._store.read(lambda tx: find_message(tx, message_id))
        if message is None:
            raise Refusal(CommandStatus.RINVMSGID, "no such message")
        error = f"{message.error.code}: {message.error.detail}" if message.error else None
        ended_at = message.delivered_at or message.updated_at
        return QuerySmResp(
            message_id=body.message_id,
            final_date=format_time(ended_at) if message.status in TERMINAL else "",
            message_state=state_of_message(message.status, error),
        )

    async def cancel(self, account: EsmeAccount, body: CancelSm) -> None:
        """Take back one message, from the network too, or without an id all that wait between two addresses.

        It may take as long as a network takes to answer.
        """
        if body.message_id:
            told = await self._store.read(lambda tx: find_told(tx, account.system_id, body.message_id))
        else:
            source = format_address(WireAddress(body.source_addr_ton, body.source_addr_npi, body.source_addr))
            destination = format_address(
                WireAddress(body.dest_addr_ton, body.dest_addr_npi, body.destination_addr)
            )
            told = await self._store.read(
                lambda tx: find_waiting_between(tx, account.system_id, source, destination)
            )
        ids = list(dict.fromkeys(one.message_id for one in told if one.message_id is not None))
        if not ids:
            raise Refusal(CommandStatus.RCANCELFAIL, "no such message, or a part that waits for others")
        canceled, by = 0, actor_of(account.as_key(), "smpp")
        for message_id in ids:
            try:
                with self._intake.room.hold_octets(DEED_OCTETS):
                    await cancel_or_recall(
                        self._store, self._clock, message_id, by=by, take_back=self._take_back
                    )
                canceled += 1
            except (Conflict, NotFound):
                continue
        if canceled == 0:
            raise Refusal(
                CommandStatus.RCANCELFAIL, "it is on its way, has ended, or the network does not forget it"
            )

    async def replace(self, account: EsmeAccount, body: ReplaceSm) -> None:
        """Give a message that waits another text, and perhaps other times."""
        if body.sm_default_msg_id:
            raise Refusal(CommandStatus.RINVDFTMSGID, "there are no predefined messages here")
        now = truncate_ms(self._clock.now())
        with self._intake.room.hold_octets(DEED_OCTETS + len(body.short_message)):
            await self._store.write(lambda tx: self._replace(tx, account, body, now))

    async def _find(self, account: EsmeAccount, told_id: str, otherwise: CommandStatus) -> str:
        told = await self._store.read(lambda tx: find_told(tx, account.system_id, told_id))
        if not told:
            raise Refusal(otherwise, "no such message")
        if told[0].message_id is None:
            raise Refusal(CommandStatus.RQUERYFAIL, "it is a part that waits for the others")
        return told[0].message_id

    async def _replace(self, tx: Tx, account: EsmeAccount, body: ReplaceSm, now: datetime) -> None:
        told = await find_told(tx, account.system_id, body.message_id)
        submit, message = await _replaceable(tx, told)
        request = _new_request(message, submit, body, now)
        try:
            draft = self._intake.draft(request, key=account.as_key(), now=now)
        except InvalidRequest as error:
            raise Refusal(status_for(error), error.errors[0].code) from None
        fresh = msgspec.structs.replace(
            draft.message,
            id=message.id,
            created_at=message.created_at,
            concat_ref=message.concat_ref,
            source_address=message.source_address,
            carrier_options=message.carrier_options,
            epoch=message.epoch,
        )
        bits = draft.reference_bits
        if fresh.n_segments > 1 and (fresh.concat_ref is None or concat_width(fresh.concat_ref) != bits):
            reference = await take_concat_ref(tx, fresh.recipient, bits)
            fresh = msgspec.structs.replace(fresh, concat_ref=reference)
        refused = await judge_and_replace(tx, message, fresh, draft.segments, draft.judged, now)
        if refused is not None:
            raise Refusal(CommandStatus.RREPLACEFAIL, refused.code)
        tx.record(message_event(fresh, now, by=draft.by))
        by = draft.by._replace(origin="smpp")
        await record_audit(tx, by, "message.replaced", fresh.id, {"n_segments": fresh.n_segments}, at=now)


async def _replaceable(tx: Tx, told: list[EsmeSubmit]) -> tuple[EsmeSubmit, Message]:
    if not told:
        raise Refusal(CommandStatus.RINVMSGID, "no such message")
    submit = told[0]
    whole = await find_to_change(tx, submit.message_id) if submit.message_id else None
    message = whole.message if whole else None
    if whole is None or message is None or len(told) > 1 or message.text is None or message.udh is not None:
        raise Refusal(CommandStatus.RREPLACEFAIL, "only a text of one submission can be replaced")
    untouched = all(s.status is SegmentStatus.QUEUED and s.attempts == 0 for s in whole.segments)
    if message.status not in _REPLACEABLE or not untouched:
        raise Refusal(CommandStatus.RREPLACEFAIL, "it is on its way, or has ended")
    return submit, message


def _new_request(message: Message, submit: EsmeSubmit, body: ReplaceSm, now: datetime) -> MessageRequest:
    encoding, payload, _ = decode_content(submit.data_coding, body.short_message)
    if encoding is Encoding.BINARY:
        raise Refusal(CommandStatus.RREPLACEFAIL, "only a text can be replaced")
    try:
        schedule_at = parse_time(body.schedule_delivery_time, now) or message.schedule_at
    except (ValueError, OverflowError):
        raise Refusal(CommandStatus.RINVSCHED, "not a time") from None
    try:
        expires_at = parse_time(body.validity_period, schedule_at or now)
    except (ValueError, OverflowError):
        raise Refusal(CommandStatus.RINVEXPIRY, "not a time") from None
    valid_for = message.valid_for_s
    if expires_at is not None:
        valid_for = max(1, round((expires_at - (schedule_at or now)).total_seconds()))
    return MessageRequest(
        to=message.recipient,
        text=decode_payload(encoding, payload),
        category=message.category,
        sender=message.sender,
        channel=message.channel,
        priority=message.priority,
        flash=message.flash,
        schedule_at=schedule_at,
        valid_for=valid_for,
        report=bool(body.registered_delivery & 0x03) or message.report,
        reference=message.reference,
        tags=message.tags,
    )
