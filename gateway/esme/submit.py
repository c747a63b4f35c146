"""From a submission to a request of the intake, with the account's rights; and from a refusal to a status. Pure."""

from __future__ import annotations

from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Final, NamedTuple

from drivers.base import Encoding
from drivers.codec.reassembly import decode_run
from drivers.codec.segment import MAX_UD_OCTETS, Plan, PlannedSegment, decode_payload
from drivers.codec.text import decode_text, to_plain
from drivers.smpp.server.submit import Refusal, Submitted, WireAddress
from drivers.smpp.text import MAX_ADDRESS_CHARS
from drivers.smpp.wire.constants import CommandStatus
from gateway.errors import Backlogged, GatewayError, InvalidRequest, Overloaded, QueueFull, QuotaExceeded
from gateway.esme.account import EsmeAccount
from gateway.model.request import MessageRequest

_REPORTS: Final = 0x03
_LONGEST_S: Final = 30 * 86_400
_STATUS_BY_CODE: Final = {
    "invalid_number": CommandStatus.RINVDSTADR,
    "too_far": CommandStatus.RINVSCHED,
    "empty_text": CommandStatus.RINVMSGLEN,
    "empty_data": CommandStatus.RINVMSGLEN,
    "text_too_long": CommandStatus.RINVMSGLEN,
    "data_too_long": CommandStatus.RINVMSGLEN,
    "text_not_encodable": CommandStatus.RINVMSGLEN,
    "bad_udh": CommandStatus.RINVESMCLASS,
    "no_parameters": CommandStatus.ROPTPARNOTALLWD,
}


class Prepared(NamedTuple):
    """What the intake is asked for.

    Args:
        plan: the segment as it came, where it stays one; None when the text is cut by us.
    """

    request: MessageRequest
    plan: Plan | None = None


def check_source(account: EsmeAccount, source: WireAddress) -> None:
    """Whether the account may send as this.

    Raises:
        Refusal: it may not.
    """
    named = source.address in account.groups
    if not (named or account.may_send_as(source.number) or account.may_send_as(source.address)):
        raise Refusal(CommandStatus.RINVSRCADR, "the account may not send as this source address")
    if account.senders and not named and len(source.address) > MAX_ADDRESS_CHARS:
        raise Refusal(CommandStatus.RINVSRCADR, "the source address is longer than a carrier can be told")


def is_part(account: EsmeAccount, submitted: Submitted) -> bool:
    """Whether it waits for other parts: binary parts stay apart, as one message can't hold them joined."""
    return (
        account.join
        and submitted.concat is not None
        and submitted.concat.total > 1
        and submitted.joinable
        and submitted.encoding is not Encoding.BINARY
        and len(submitted.destinations) == 1
    )


def prepare(account: EsmeAccount, submitted: Submitted, to: WireAddress, now: datetime) -> Prepared:
    """One submission to one destination.

    Raises:
        Refusal: it can't be.
    """
    udh, payload, encoding = submitted.udh, submitted.payload, submitted.encoding
    header = udh.hex() or None
    if encoding is Encoding.BINARY:
        if len(udh) + len(payload) > MAX_UD_OCTETS:
            raise Refusal(CommandStatus.RINVMSGLEN, "more than one segment holds")
        return Prepared(_request(account, submitted, to, now, data=payload.hex(), udh=header))
    if not udh:
        return Prepared(_request(account, submitted, to, now, text=decode_payload(encoding, payload)))
    if not _fits(encoding, udh, payload):
        raise Refusal(CommandStatus.RINVMSGLEN, "more than one segment holds")
    text = decode_text(encoding, payload, udh)
    plan = Plan(encoding=encoding, segments=(PlannedSegment(text=text, payload=payload),))
    return Prepared(_request(account, submitted, to, now, text=text, udh=header), plan)


def prepare_joined(account: EsmeAccount, parts: list[Submitted], now: datetime) -> Prepared:
    """All parts of one text, in order, as one message; what they say besides is taken from the first."""
    first = parts[0]
    registered = 0
    for part in parts:
        registered |= part.registered_delivery
    text = _join_text(parts)
    return Prepared(_request(account, first, first.destinations[0], now, text=text, registered=registered))


def status_for(error: GatewayError) -> CommandStatus:
    """How a refusal of the product is said in SMPP."""
    if isinstance(error, InvalidRequest):
        return _STATUS_BY_CODE.get(error.errors[0].code, CommandStatus.RSUBMITFAIL)
    if isinstance(error, QueueFull | Backlogged):
        return CommandStatus.RMSGQFUL
    if isinstance(error, QuotaExceeded):
        return CommandStatus.RTHROTTLED
    if isinstance(error, Overloaded):
        return CommandStatus.RTHROTTLED
    return CommandStatus.RSYSERR  # the store can't now; the application may try again


def format_address(address: WireAddress) -> str:
    """An address in the store's spelling; reversible."""
    return f"{address.ton} {address.npi} {address.address}"


def parse_address(text: str) -> WireAddress:
    """The same back."""
    ton, npi, address = text.split(" ", 2)
    return WireAddress(int(ton), int(npi), address)


def _request(
    account: EsmeAccount,
    submitted: Submitted,
    to: WireAddress,
    now: datetime,
    *,
    text: str | None = None,
    data: str | None = None,
    udh: str | None = None,
    registered: int | None = None,
) -> MessageRequest:
    starts_at = max(submitted.schedule_at or now, now)
    valid_for = None
    if submitted.expires_at is not None:
        valid_for = min(max(1, round((submitted.expires_at - starts_at).total_seconds())), _LONGEST_S)
    wanted = submitted.registered_delivery if registered is None else registered
    group = account.group_for(submitted.source.address)
    return MessageRequest(
        to=to.number,
        text=text,
        data=data,
        udh=udh,
        category=account.category,
        sender=None if group == "default" else group,
        priority=submitted.priority,
        flash=submitted.flash,
        schedule_at=submitted.schedule_at,
        valid_for=valid_for,
        report=bool(wanted & _REPORTS),
        smpp_tlvs={f"0x{tag:04x}": value.hex() for tag, value in submitted.tlvs},
    )


def _fits(encoding: Encoding, udh: bytes, payload: bytes) -> bool:
    if encoding is Encoding.GSM7:
        return -(-len(udh) * 8 // 7) + len(payload) <= MAX_UD_OCTETS * 8 // 7
    return len(udh) + len(payload) <= MAX_UD_OCTETS


def _join_text(parts: list[Submitted]) -> str:
    """A surrogate pair may be cut between two parts, so those of one encoding are read together."""
    plain = [to_plain(part.encoding, part.payload, part.udh) for part in parts]
    runs = groupby(plain, key=itemgetter(0))
    return "".join(decode_run(encoding, [payload for _, payload in run]) for encoding, run in runs)
