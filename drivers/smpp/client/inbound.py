"""What an SMSC delivers: delivery reports or a received part, told apart by `drivers.smpp.client.evidence`.

Spec: SMPP 3.4 4.6.1, 4.7.1, 5.2.12, 5.3.2.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Final

import msgspec

from drivers.base import MOST_OCTETS, Concat, Encoding, InboundPart, Receipt, ReceiptState
from drivers.codec.udh import decode_udh
from drivers.errors import DecodeError
from drivers.smpp.alphabet import PLAIN, TextPlan
from drivers.smpp.client.evidence import Verdict, decide, find_signs, is_on_the_way, may_be_report
from drivers.smpp.text import decode_address, decode_content
from drivers.smpp.wire import constants as c
from drivers.smpp.wire.constants import MessageState, Tag
from drivers.smpp.wire.fields import Tlv, find_int_tlv, find_text_tlv, find_tlv
from drivers.smpp.wire.pdus import DataSm, DeliverSm
from drivers.smpp.wire.receipt import DeliveryReceipt, parse_receipt_date, parse_receipts, state_of
from drivers.smpp.wire.spellings import AUTO, Dialect, given_references, spell_references
from drivers.smpp.wire.states import StateTable, find_state, is_own_word

Delivery = DeliverSm | DataSm

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptRules:
    """What was agreed with the carrier about receipts, or found out.

    Args:
        zone: of the dates in the text, which don't say it.
        receipt_id: how ids are respelled, one of `drivers.smpp.wire.spellings.RULES`.
        states: what words and error codes of the carrier's own mean.
        one_report: a long message is reported once, under the id of one of its parts.
        network_tags: parameters whose digits, one behind the other, are MCC and MNC of the handset's network.
    """

    zone: tzinfo = UTC
    receipt_id: str = AUTO
    states: StateTable = field(default_factory=dict)
    one_report: bool = False
    network_tags: tuple[int, ...] = ()


USUAL_RECEIPTS: Final = ReceiptRules()


def decode_delivery(
    body: Delivery, texts: TextPlan = PLAIN, rules: ReceiptRules = USUAL_RECEIPTS
) -> tuple[Receipt | InboundPart, ...]:
    """What an SMSC delivers: reports, or a person's part; total. `drivers.smpp.client.evidence` tells them apart."""
    content = _content(body)
    if not may_be_report(body.esm_class, body.tlvs, content):
        return (decode_part(body, texts),)
    reports = tuple(parse_receipts(content))
    verdict = decide(find_signs(body.esm_class, body.source_addr, body.tlvs, content, reports[0]))
    if verdict is Verdict.TEXT:
        return (decode_part(body, texts),)
    # Nobody writes several receipts into one text but an SMSC.
    is_certain = verdict is Verdict.REPORT or len(reports) > 1
    otherwise = None if is_certain else decode_part(body, texts)
    return tuple(_make_receipt(body, content, text, rules, otherwise) for text in reports)


def decode_receipts(body: Delivery, rules: ReceiptRules = USUAL_RECEIPTS) -> tuple[Receipt, ...]:
    """Read delivery reports, at least one, whatever else the delivery may be; total."""
    content = _content(body)
    return tuple(_make_receipt(body, content, text, rules, None) for text in parse_receipts(content))


def _make_receipt(
    body: Delivery, content: bytes, text: DeliveryReceipt, rules: ReceiptRules, otherwise: InboundPart | None
) -> Receipt:
    if not text.stat:
        text = msgspec.structs.replace(text, stat=_bare_word(content, text))
    given = given_references(text, body.tlvs)
    spellings = spell_references(given, rules.receipt_id) or dict.fromkeys(given, Dialect.AS_IS)
    state = state_of(text, body.tlvs, rules.states)
    if is_on_the_way(body.esm_class):
        state = MessageState.ENROUTE
    return Receipt(
        references=tuple(spellings),
        dialects=tuple(spellings.values()),
        recipient=decode_address(body.source_addr_ton, body.source_addr) or None,
        state=ReceiptState.UNKNOWN if state is None else _RECEIPT_STATE[state],
        code=_network_code(text.err, body.tlvs),
        done_at=_read_done_date(text.done_date, rules.zone),
        agreed=rules.receipt_id != AUTO,
        other=decode_address(body.dest_addr_ton, body.destination_addr) or None,
        whole=rules.one_report,
        word="" if is_own_word(text.stat) else text.stat,
        understood=state is not None,
        octets=content[:MOST_OCTETS],
        otherwise=otherwise,
        network=_network(body.tlvs, rules.network_tags) if rules.network_tags else "",
    )


def _bare_word(content: bytes, text: DeliveryReceipt) -> str:
    """The whole text, where it is nothing but the word for a state."""
    word = "" if text.message_id else content.decode("latin-1").strip("\0 \t\r\n")
    return word if find_state(word) is not None else ""


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
    concat = concat if concat is not None else _sar_concat(body.tlvs)
    encoding, payload, flash = decode_content(body.data_coding, content, texts, udh, whole=concat is None)
    if header_unreadable:
        encoding, payload = Encoding.BINARY, content
    return InboundPart(
        sender=decode_address(body.source_addr_ton, body.source_addr),
        recipient=decode_address(body.dest_addr_ton, body.destination_addr) or None,
        encoding=encoding,
        payload=payload,
        concat=concat,
        flash=flash,
        # The only identity that the wire may give; most SMSCs send it with receipts alone.
        dedupe_key=find_text_tlv(body.tlvs, Tag.RECEIPTED_MESSAGE_ID),
    )


def _content(body: Delivery) -> bytes:
    short = body.short_message if isinstance(body, DeliverSm) else b""
    # Some fill short_message with blanks where the text is in the parameter.
    if short.strip(b"\0 "):
        return short
    return find_tlv(body.tlvs, Tag.MESSAGE_PAYLOAD) or short


def _sar_concat(tlvs: tuple[Tlv, ...]) -> Concat | None:
    reference = find_int_tlv(tlvs, Tag.SAR_MSG_REF_NUM)
    total = find_int_tlv(tlvs, Tag.SAR_TOTAL_SEGMENTS)
    part = find_int_tlv(tlvs, Tag.SAR_SEGMENT_SEQNUM)
    if reference is None or total is None or part is None:
        return None
    if not 1 <= part <= total <= 0xFF or total == 1 or reference > 0xFFFF:
        return None
    return Concat(reference=reference, total=total, part=part, width=16)


@lru_cache(maxsize=1_000)  # receipts of one minute, or second, have the same
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


def _network(tlvs: tuple[Tlv, ...], tags: tuple[int, ...]) -> str:
    """MCC and MNC; empty when a parameter is missing, or they are none together."""
    parts = [find_text_tlv(tlvs, tag) or "" for tag in tags]
    network = "".join(parts)
    return (
        network if all(parts) and network.isascii() and network.isdigit() and len(network) in {5, 6} else ""
    )
