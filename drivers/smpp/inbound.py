"""What an SMSC delivers: a delivery report or a received part, told apart by esm_class and never by the text.

Spec: SMPP 3.4 4.6.1, 4.7.1, 5.2.12, 5.3.2.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Final

from drivers.base import Concat, Encoding, InboundPart, Receipt, ReceiptState
from drivers.codec.udh import decode_udh
from drivers.errors import DecodeError
from drivers.smpp.alphabet import PLAIN, TextPlan
from drivers.smpp.text import decode_address, decode_content
from drivers.smpp.wire import constants as c
from drivers.smpp.wire.constants import MessageState, Tag
from drivers.smpp.wire.fields import Tlv, find_int_tlv, find_text_tlv, find_tlv
from drivers.smpp.wire.pdus import DataSm, DeliverSm
from drivers.smpp.wire.receipt import parse_receipt, parse_receipt_date, state_of
from drivers.smpp.wire.spellings import AUTO, given_references, spell_references

Delivery = DeliverSm | DataSm

_RECEIPT_TYPES: Final = frozenset({c.ESM_TYPE_RECEIPT, c.ESM_TYPE_INTERMEDIATE})
_RECEIPT_STATE: Final = {
    MessageState.SCHEDULED: ReceiptState.ENROUTE,
    MessageState.ENROUTE: ReceiptState.ENROUTE,
    MessageState.DELIVERED: ReceiptState.DELIVERED,
    MessageState.EXPIRED: ReceiptState.EXPIRED,
    MessageState.DELETED: ReceiptState.DELETED,
    MessageState.UNDELIVERABLE: ReceiptState.UNDELIVERABLE,
    MessageState.ACCEPTED: ReceiptState.ENROUTE,
    MessageState.UNKNOWN: ReceiptState.UNKNOWN,
    MessageState.REJECTED: ReceiptState.REJECTED,
    MessageState.SKIPPED: ReceiptState.DELETED,
}


def receipt_state_of(state: MessageState) -> ReceiptState:
    """A ``message_state`` in the terms of receipts."""
    return _RECEIPT_STATE[state]


def is_receipt(body: Delivery) -> bool:
    """Whether esm_class says that this reports on a message of ours."""
    return body.esm_class & c.ESM_TYPE_MASK in _RECEIPT_TYPES


def decode_receipt(body: Delivery, zone: tzinfo, receipt_id: str = AUTO) -> Receipt | None:
    """Read a delivery report; total.

    Args:
        body: one for which `is_receipt` holds.
        zone: of the dates in the text, which don't say it.
        receipt_id: how ids are respelled, one of `drivers.smpp.wire.spellings.RULES`.

    Returns:
        None when the report names neither a message nor a handset: nobody could ever use it.
    """
    content = _content(body)
    if body.data_coding == c.DATA_CODING_UCS2:
        content = content.decode("utf-16-be", "replace").encode("latin-1", "replace")
    text = parse_receipt(content)
    spellings = spell_references(given_references(text, body.tlvs), receipt_id)
    recipient = decode_address(body.source_addr_ton, body.source_addr) or None
    if not spellings and recipient is None:
        return None
    state = state_of(text, body.tlvs)
    if body.esm_class & c.ESM_TYPE_MASK == c.ESM_TYPE_INTERMEDIATE:
        state = MessageState.ENROUTE
    return Receipt(
        references=tuple(spellings),
        dialects=tuple(spellings.values()),
        recipient=recipient,
        state=ReceiptState.UNKNOWN if state is None else _RECEIPT_STATE[state],
        code=_network_code(text.err, body.tlvs),
        done_at=_read_done_date(text.done_date, zone),
    )


def decode_part(body: Delivery, texts: TextPlan = PLAIN) -> InboundPart:
    """Read a mobile-originated part; total: what can't be read stays as octets.

    Args:
        texts: what was agreed with the carrier.
    """
    content = _content(body)
    concat, udh = None, b""
    header_unreadable = False
    if body.esm_class & c.ESM_UDHI and content:
        try:
            concat = decode_udh(content).concat
            udh, content = content[: 1 + content[0]], content[1 + content[0] :]
        except DecodeError:
            header_unreadable = True
    encoding, payload, flash = decode_content(body.data_coding, content, texts, udh)
    if header_unreadable:
        encoding, payload = Encoding.BINARY, content
    return InboundPart(
        sender=decode_address(body.source_addr_ton, body.source_addr),
        recipient=decode_address(body.dest_addr_ton, body.destination_addr) or None,
        encoding=encoding,
        payload=payload,
        concat=concat if concat is not None else _sar_concat(body.tlvs),
        flash=flash,
        # The only identity that the wire may give; most SMSCs send it with receipts alone.
        dedupe_key=find_text_tlv(body.tlvs, Tag.RECEIPTED_MESSAGE_ID),
    )


def _content(body: Delivery) -> bytes:
    if isinstance(body, DeliverSm) and body.short_message:
        return body.short_message
    return find_tlv(body.tlvs, Tag.MESSAGE_PAYLOAD) or b""


def _sar_concat(tlvs: tuple[Tlv, ...]) -> Concat | None:
    reference = find_int_tlv(tlvs, Tag.SAR_MSG_REF_NUM)
    total = find_int_tlv(tlvs, Tag.SAR_TOTAL_SEGMENTS)
    part = find_int_tlv(tlvs, Tag.SAR_SEGMENT_SEQNUM)
    if reference is None or total is None or part is None:
        return None
    if not 1 <= part <= total <= 0xFF or total == 1 or reference > 0xFFFF:
        return None
    return Concat(reference=reference, total=total, part=part, width=16)


def _read_done_date(text: str, zone: tzinfo) -> datetime | None:
    at = parse_receipt_date(text, zone)
    try:
        return None if at is None else at.astimezone(UTC)
    except OverflowError:  # some write the first or the last day of the calendar for "never"
        return None


def _network_code(err: str, tlvs: tuple[Tlv, ...]) -> str:
    if err:
        return f"err:{err}"
    value = find_tlv(tlvs, Tag.NETWORK_ERROR_CODE)
    if value is None or len(value) != 3:
        return ""
    return f"network:{value[0]}:{int.from_bytes(value[1:], 'big')}"
