"""What a carrier wants in a submit_sm, and how it spells its receipts: the settings, and the same for the driver."""

from __future__ import annotations

import math
import re
from typing import Annotated, Final, Literal

import msgspec

from drivers.smpp.client.inbound import ReceiptRules
from drivers.smpp.client.submit_rules import PLAIN_PRIORITIES, LongText, SubmitRules, Validity
from drivers.smpp.wire.constants import MessageState
from drivers.smpp.wire.states import fold_state
from gateway.settings.forms import (
    BadValue,
    Flag,
    Form,
    one_of,
    parse_duration,
    parse_filled,
    short_text,
    show,
    whole_number,
)
from gateway.settings.kinds.carrier_texts import CarrierTexts

_TLV = re.compile(r"0x([0-9A-Fa-f]{1,4}) ?= ?(.+)", re.DOTALL)
_TAG = re.compile(r"0x[0-9A-Fa-f]{1,4}")
_MAX_VALUE = 254
_Nibble = Annotated[int, Form(whole_number(0, 255))]


def parse_tlv(text: str) -> tuple[int, bytes]:
    """``"0x1400=1234567890"``, or with octets in hex ``"0x1403=hex:0001"``.

    Raises:
        BadValue: it is neither.
    """
    match = _TLV.fullmatch(text)
    value: bytes | None = None
    if match is not None:
        value = _read_octets(match[2])
    if match is None or value is None or len(value) > _MAX_VALUE:
        raise BadValue(
            f'{show(text)} is no parameter; write its tag and value: "0x1400=1234" or "0x1403=hex:00"'
        )
    return int(match[1], 16), value


def _read_octets(text: str) -> bytes | None:
    try:
        return bytes.fromhex(text[4:]) if text.startswith("hex:") else text.encode("latin-1")
    except ValueError:
        return None


def _parse_tlvs(value: object) -> tuple[tuple[int, bytes], ...]:
    if not isinstance(value, list):
        raise BadValue(f'{show(value)} is not a list; write it in brackets: ["0x1400=1234"]')
    return tuple(parse_tlv(parse_filled(element)) for element in value)


def _parse_tags(value: object) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(isinstance(v, str) and _TAG.fullmatch(v) for v in value):
        raise BadValue(f'{show(value)} will not do; write tags of parameters in brackets: ["0x1402"]')
    return tuple(int(tag, 16) for tag in value)


def _parse_priorities(value: object) -> tuple[int, ...]:
    read = whole_number(0, 255)
    if not isinstance(value, list) or len(value) != len(PLAIN_PRIORITIES):
        raise BadValue(
            "will not do; write ten numbers, for our priorities 0 to 9: [0, 0, 0, 0, 0, 0, 1, 1, 2, 3]"
        )
    return tuple(read(element) for element in value)


def _parse_words(value: object) -> tuple[tuple[str, MessageState], ...]:
    if not isinstance(value, list):
        raise BadValue(f'{show(value)} is not a list; write it in brackets: ["HLRERR=undeliverable"]')
    table: dict[str, MessageState] = {}
    for element in value:
        word, sign, state = parse_filled(element).rpartition("=")
        folded = fold_state(word)
        if not sign or not folded or state.strip() not in _STATE_BY_NAME:
            raise BadValue(
                f'{show(element)} does not tell what a word means; write "WORD=STATE" or "err:CODE=STATE", with one of'
                f" {', '.join(_STATE_BY_NAME)}"
            )
        table[folded] = _STATE_BY_NAME[state.strip()]
    return tuple(table.items())


_STATE_BY_NAME: Final = {
    "delivered": MessageState.DELIVERED,
    "enroute": MessageState.ENROUTE,
    "expired": MessageState.EXPIRED,
    "rejected": MessageState.REJECTED,
    "undeliverable": MessageState.UNDELIVERABLE,
    "deleted": MessageState.DELETED,
    "unknown": MessageState.UNKNOWN,
}


def _parse_patience(value: object) -> float:
    try:
        return math.inf if value == "never" else parse_duration(value)
    except BadValue as fault:
        raise BadValue(f'{fault}; or "never"') from None


class CarrierRules(CarrierTexts, frozen=True, kw_only=True):
    """The part of ``[[smpp]]`` that is about the fields of submit_sm and about receipts.

    Args:
        long_text: where the parts of a long text say which part they are: udh (a header) or sar (parameters).
        message_payload: the text goes into a parameter of that name instead of short_message.
        validity: how validity_period is written: as a span (relative), an instant (absolute) or not at all (none).
        service_type: such as CMT; only where the carrier asks for one.
        replace_if_present: a message to the same number that still waits at the SMSC is replaced.
        priority_flags: the priority_flag for each of our priorities 0 to 9.
        intermediate_receipts: ask for reports on the way, too.
        source_ton: type of the sender's number, when its form does not tell.
        source_npi: its numbering plan.
        dest_ton: type of the recipient's number.
        dest_npi: its numbering plan.
        smpp_tlvs: the carrier's own parameters, sent in every submit_sm.
        query_after_s: how long a receipt may take before the SMSC is asked what became of the segment;
            infinite for never.
        receipt_id: how receipts spell the ids of submit_sm_resp: as-is, hex-to-decimal, decimal-to-hex; or auto, which
            learns it.
        receipt_words: what the carrier's own words and error codes mean in receipts.
        one_receipt: a long message is reported once, under the id of one of its parts.
        receipt_network: the carrier's parameters of receipts that hold MCC and MNC of the handset's network, together
            or one behind the other.
    """

    long_text: Annotated[Literal["udh", "sar"], Form(one_of("udh", "sar"))] = "udh"
    message_payload: Flag = False
    validity: Annotated[
        Literal["relative", "absolute", "none"], Form(one_of("relative", "absolute", "none"))
    ] = "relative"
    service_type: Annotated[str, Form(short_text(5))] = ""
    replace_if_present: Flag = False
    priority_flags: Annotated[tuple[int, ...], Form(_parse_priorities)] = PLAIN_PRIORITIES
    intermediate_receipts: Flag = False
    source_ton: _Nibble | None = None
    source_npi: _Nibble | None = None
    dest_ton: _Nibble | None = None
    dest_npi: _Nibble | None = None
    smpp_tlvs: Annotated[tuple[tuple[int, bytes], ...], Form(_parse_tlvs)] = ()
    query_after_s: Annotated[float, Form(_parse_patience)] = msgspec.field(
        default=3_600.0, name="query_after"
    )
    receipt_id: Annotated[
        Literal["auto", "as-is", "hex-to-decimal", "decimal-to-hex"],
        Form(one_of("auto", "as-is", "hex-to-decimal", "decimal-to-hex")),
    ] = "auto"
    receipt_words: Annotated[tuple[tuple[str, MessageState], ...], Form(_parse_words)] = ()
    one_receipt: Flag = False
    receipt_network: Annotated[tuple[int, ...], Form(_parse_tags)] = ()


def make_submit_rules(settings: CarrierRules) -> SubmitRules:
    """What the driver is told."""
    return SubmitRules(
        long_text=LongText(settings.long_text),
        in_payload=settings.message_payload,
        validity=Validity(settings.validity),
        service_type=settings.service_type,
        replace_if_present=settings.replace_if_present,
        priorities=settings.priority_flags,
        intermediate=settings.intermediate_receipts,
        source_ton=settings.source_ton,
        source_npi=settings.source_npi,
        dest_ton=settings.dest_ton,
        dest_npi=settings.dest_npi,
        tlvs=settings.smpp_tlvs,
    )


def make_receipt_rules(settings: CarrierRules) -> ReceiptRules:
    """The same about receipts."""
    return ReceiptRules(
        receipt_id=settings.receipt_id,
        states=dict(settings.receipt_words),
        one_report=settings.one_receipt,
        network_tags=settings.receipt_network,
    )
