"""Delivery reports in Kannel's terms: which change of a message is which value, and what is told of it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from gateway.kannel.escapes import Facts, expand
from gateway.model.events import Event, MessageEvent
from gateway.model.message import Message

DELIVERED, FAILED, BUFFERED, ACCEPTED, REJECTED, INTERMEDIATE = 1, 2, 4, 8, 16, 32

DLR_OF: Mapping[str, int] = {
    "message.sent": ACCEPTED,
    "message.delivered": DELIVERED,
    "message.undelivered": FAILED,
    # It never came as far as an SMSC's yes:
    "message.failed": REJECTED,
    "message.expired": REJECTED,
    "message.canceled": REJECTED,
    "message.blocked": REJECTED,
    # Word from the network on the way; these leave the message's status as it is.
    "receipt.enroute": BUFFERED | INTERMEDIATE,
    "receipt.unknown": INTERMEDIATE,
}
"""Event -> value of the mask; of two the smaller one that is wanted. An ``uncertain`` message is told of when its fate
is known."""

_STATES = {
    "receipt_expired": "EXPIRED",
    "receipt_rejected": "REJECTD",
    "receipt_undeliverable": "UNDELIV",
    "receipt_deleted": "DELETED",
}
_CODE = re.compile(r"\[([^\[\]]*)\]$")
_TP_STATUS = re.compile(r"tp_st_0x([0-9a-f]{1,2})", re.IGNORECASE)
_DATE = "%y%m%d%H%M"


class _Told(msgspec.Struct):
    """What the timeline has of a receipt that ended nothing."""

    ref: str | None = None


_decode = msgspec.json.Decoder(MessageEvent).decode
_decode_told = msgspec.json.Decoder(_Told).decode
_encode = msgspec.json.Encoder().encode


class Wish(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a client wants to be told of one message, and what of its call goes into the telling.

    Args:
        mask: the values that are wanted, added.
        sender: what ``%P`` says.
        service: the account's name.
        ours: the URL is that of our config, not one that came with the call.
    """

    url: str
    mask: int
    sender: str = ""
    service: str = ""
    account: str = ""
    ours: bool = False


def complete_receipt(event: Event, message: Message) -> Event:
    """Word of a receipt that ended nothing, with what `plan_report` needs to know of its message."""
    told = _decode_told(event.data)
    data = MessageEvent(
        id=message.id,
        to=message.recipient,
        status=event.type.partition(".")[2],
        channel=message.channel,
        ref=told.ref,
    )
    return msgspec.structs.replace(event, data=_encode(data))


def plan_report(event: Event, wish: Wish) -> str | None:
    """The URL to call for a change of a message; None when it was not asked for.

    Args:
        event: of a message, or a receipt that `complete_receipt` made whole.
    """
    wanted = DLR_OF.get(event.type, 0) & wish.mask
    if not wanted:
        return None
    value = wanted & -wanted
    data = _decode(event.data)
    facts = Facts(
        phone=data.to,
        ours=wish.sender,
        text=_describe(value, data, event.at),
        at=event.at,
        smsc=data.channel or "",
        message_id=data.id,
        foreign_id=data.ref or "",
        service=wish.service,
        dlr=value,
        binfo=_network_code(data) if value in {DELIVERED, FAILED} else "",
        account=wish.account,
        dlr_url=wish.url,
        meta_data=f"?orig_msg?dlr_mask={wish.mask}&",
    )
    return expand(wish.url, facts)


def _describe(value: int, data: MessageEvent, at: datetime) -> str:
    """What ``%A`` says: ``ACK/`` or ``NACK/`` and why at the SMSC's door, then a receipt as SMPP has it."""
    if value == ACCEPTED:
        return "ACK/"
    if value == REJECTED:
        return f"NACK/{data.error or data.status}"
    if value not in {DELIVERED, FAILED}:
        state = "ENROUTE" if data.status == "enroute" else "UNKNOWN"
    else:
        reason = (data.error or "").partition(":")[0]
        state = "DELIVRD" if value == DELIVERED else _STATES.get(reason, "UNDELIV")
    done = at.astimezone(UTC).strftime(_DATE)
    arrived = 1 if state == "DELIVRD" else 0
    return (
        f"id:{data.ref or data.id} sub:001 dlvrd:{arrived:03d} submit date:{done} done date:{done}"
        f" stat:{state} err:{_network_code(data) or '000'} text:"
    )


def _network_code(data: MessageEvent) -> str:
    """The network's number for what went wrong, without the words that tell whose number it is; empty if none."""
    found = _CODE.search(data.error or "")
    code = found[1].rpartition(":")[2] if found else ""
    if status := _TP_STATUS.fullmatch(code):
        return f"{int(status[1], 16):03d}"
    return code.rjust(3, "0") if code.isdecimal() else code
