"""What a carrier wants in a submit_sm besides its text and addresses. Pure.

Where the concatenation goes, validity, priority, service type, parameters of its own.

Spec: SMPP 3.4 4.4.1, 5.2.11, 5.2.14-5.2.18, 5.3.2.22-5.3.2.24, 5.3.2.32.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from msgspec.structs import replace

from drivers.base import OutboundSegment
from drivers.carrier_options import read_options
from drivers.codec.udh import IEI_CONCAT_8, IEI_CONCAT_16, decode_udh, encode_udh
from drivers.errors import DecodeError
from drivers.smpp.times import format_time
from drivers.smpp.wire import constants as c
from drivers.smpp.wire.constants import Tag
from drivers.smpp.wire.fields import Tlv
from drivers.smpp.wire.pdus import SubmitSm

PLAIN_PRIORITIES: Final = (0, 0, 0, 0, 0, 0, 1, 1, 2, 3)
"""``priority_flag`` by our priority 0..9; the ordinary 5 is the network's ordinary 0."""


class LongText(StrEnum):
    """Where a part says which part of what it is."""

    UDH = "udh"
    SAR = "sar"
    """In the ``sar_*`` parameters; the rest of a header stays where it is."""


class Validity(StrEnum):
    """How ``validity_period`` is written."""

    RELATIVE = "relative"
    ABSOLUTE = "absolute"
    NONE = "none"
    """Not at all: the SMSC's own default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitRules:
    """See the module.

    Args:
        long_text: see `LongText`.
        in_payload: the content goes into ``message_payload``, and ``short_message`` stays empty.
        validity: see `Validity`.
        service_type: such as ``CMT``.
        replace_if_present: a message of the same addresses and service type that still waits is replaced.
        priorities: ``priority_flag`` by our priority 0..9.
        intermediate: ask for intermediate notifications, too, where a report is asked for.
        source_ton, source_npi, dest_ton, dest_npi: instead of what the form of an address says.
        tlvs: parameters of the carrier's own, in every submit_sm; one that a message brings itself takes its place.
    """

    long_text: LongText = LongText.UDH
    in_payload: bool = False
    validity: Validity = Validity.RELATIVE
    service_type: str = ""
    replace_if_present: bool = False
    priorities: tuple[int, ...] = PLAIN_PRIORITIES
    intermediate: bool = False
    source_ton: int | None = None
    source_npi: int | None = None
    dest_ton: int | None = None
    dest_npi: int | None = None
    tlvs: tuple[Tlv, ...] = ()

    def __post_init__(self) -> None:
        if len(self.priorities) != len(PLAIN_PRIORITIES) or not all(0 <= p <= 0xFF for p in self.priorities):
            raise ValueError("priorities are ten, each within an octet")

    @property
    def needs_parameters(self) -> bool:
        """Whether optional parameters are part of the agreement; SMPP 3.3 has none."""
        return self.in_payload or bool(self.tlvs) or self.long_text is LongText.SAR


DEFAULT_RULES: Final = SubmitRules()


def apply_rules(body: SubmitSm, segment: OutboundSegment, rules: SubmitRules, now: datetime) -> SubmitSm:
    """A submit_sm as the carrier wants it.

    Args:
        body: as `drivers.smpp.text.encode_segment` made it.
        segment: what it was made of.
        rules: see `SubmitRules`.
        now: aware; where an absolute validity counts from.
    """
    tlvs = rules.tlvs
    if segment.carrier_options:
        tlvs = _merge(tlvs, read_options(segment.carrier_options))
    if rules is DEFAULT_RULES:
        return replace(body, tlvs=tlvs) if tlvs else body
    changes: dict[str, Any] = {
        "service_type": rules.service_type,
        "replace_if_present_flag": int(rules.replace_if_present),
        "priority_flag": rules.priorities[min(max(segment.priority, 0), 9)],
        "validity_period": _validity(body, segment, rules.validity, now),
    }
    types = {
        "source_addr_ton": rules.source_ton,
        "source_addr_npi": rules.source_npi,
        "dest_addr_ton": rules.dest_ton,
        "dest_addr_npi": rules.dest_npi,
    }
    changes |= {field: value for field, value in types.items() if value is not None}
    if rules.intermediate and segment.report:
        changes["registered_delivery"] = body.registered_delivery | c.REGISTERED_INTERMEDIATE
    esm_class, content = body.esm_class, body.short_message
    if rules.long_text is LongText.SAR and segment.udh:
        sar, header = _split_concat(segment.udh)
        tlvs = (*sar, *tlvs)
        content = header + content[len(segment.udh) :]
        esm_class = esm_class | c.ESM_UDHI if header else esm_class & ~c.ESM_UDHI
    if rules.in_payload:
        tlvs = (*tlvs, (int(Tag.MESSAGE_PAYLOAD), content))
        content = b""
    return replace(body, **changes, esm_class=esm_class, short_message=content, tlvs=tlvs)


def _merge(agreed: tuple[Tlv, ...], own: tuple[Tlv, ...]) -> tuple[Tlv, ...]:
    if not (agreed and own):
        return agreed or own
    brought = {tag for tag, _ in own}
    return (*(tlv for tlv in agreed if tlv[0] not in brought), *own)


def _validity(body: SubmitSm, segment: OutboundSegment, validity: Validity, now: datetime) -> str:
    if validity is Validity.RELATIVE or segment.valid_for_s is None:
        return body.validity_period
    if validity is Validity.NONE:
        return ""
    return format_time(now + timedelta(seconds=segment.valid_for_s))


def _split_concat(udh: bytes) -> tuple[tuple[Tlv, ...], bytes]:
    """The ``sar_*`` parameters that say what a header says of concatenation, and the header without it."""
    try:
        header = decode_udh(udh)
    except DecodeError:  # the caller's own, sent as it is
        return (), udh
    concat = header.concat
    if concat is None:
        return (), udh
    sar = (
        (int(Tag.SAR_MSG_REF_NUM), concat.reference.to_bytes(2, "big")),
        (int(Tag.SAR_TOTAL_SEGMENTS), bytes((concat.total,))),
        (int(Tag.SAR_SEGMENT_SEQNUM), bytes((concat.part,))),
    )
    rest = [element for element in header.elements if element[0] not in {IEI_CONCAT_8, IEI_CONCAT_16}]
    return sar, encode_udh(rest) if rest else b""
