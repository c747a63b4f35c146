"""What carriers want in a submit_sm besides text and addresses."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from drivers.base import Concat, Encoding, OutboundSegment, SegmentId
from drivers.carrier_options import write_options
from drivers.codec.udh import concat_element, encode_concat_udh, encode_udh
from drivers.smpp.client.submit_rules import DEFAULT_RULES, LongText, SubmitRules, Validity, apply_rules
from drivers.smpp.text import AddressPlan, encode_segment
from drivers.smpp.wire.pdus import SubmitSm

pytestmark = pytest.mark.unit

NOW = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
CONCAT = Concat(reference=0xCC, total=3, part=2)
PORTS = (0x05, bytes.fromhex("0B8423F0"))


def submit(rules: SubmitRules, **changes: Any) -> SubmitSm:
    values: dict[str, Any] = {
        "segment_id": SegmentId("s"),
        "recipient": "+8613800138000",
        "encoding": Encoding.GSM7,
        "payload": b"hello",
    }
    segment = OutboundSegment(**(values | changes))
    return apply_rules(encode_segment(segment, "10690000", AddressPlan()), segment, rules, NOW)


def test_without_rules_nothing_changes():
    plain = submit(DEFAULT_RULES, udh=encode_concat_udh(CONCAT), valid_for_s=90)
    assert submit(SubmitRules(), udh=encode_concat_udh(CONCAT), valid_for_s=90) == plain
    assert plain.tlvs == ()


def test_sar_says_in_parameters_what_the_header_said():
    body = submit(SubmitRules(long_text=LongText.SAR), udh=encode_concat_udh(CONCAT))
    assert body.tlvs == ((0x020C, b"\x00\xcc"), (0x020E, b"\x03"), (0x020F, b"\x02"))
    assert (body.esm_class, body.short_message) == (0, b"hello")


def test_sar_leaves_the_rest_of_the_header_where_it_is():
    udh = encode_udh([PORTS, concat_element(CONCAT)])
    body = submit(SubmitRules(long_text=LongText.SAR), udh=udh)
    assert (body.esm_class, body.short_message) == (0x40, encode_udh([PORTS]) + b"hello")
    assert len(body.tlvs) == 3


@pytest.mark.parametrize("udh", [b"", encode_udh([PORTS]), b"\x05\x00\x03"])
def test_sar_leaves_alone_what_is_no_part(udh: bytes):
    body = submit(SubmitRules(long_text=LongText.SAR), udh=udh)
    assert (body.short_message, body.tlvs) == (udh + b"hello", ())


def test_the_content_can_go_into_the_payload_parameter():
    body = submit(SubmitRules(in_payload=True), udh=encode_concat_udh(CONCAT))
    assert (body.short_message, body.esm_class) == (b"", 0x40)
    assert body.tlvs == ((0x0424, encode_concat_udh(CONCAT) + b"hello"),)


@pytest.mark.parametrize(
    ("validity", "written"),
    [
        (Validity.RELATIVE, "000000010000000R"),
        (Validity.ABSOLUTE, "260314102653000+"),
        (Validity.NONE, ""),
    ],
)
def test_validity_is_a_span_an_instant_or_left_out(validity: Validity, written: str):
    assert submit(SubmitRules(validity=validity), valid_for_s=3_600).validity_period == written
    assert submit(SubmitRules(validity=validity)).validity_period == ""


def test_the_single_fields_are_as_agreed():
    rules = SubmitRules(
        service_type="CMT",
        replace_if_present=True,
        priorities=(3,) * 10,
        intermediate=True,
        source_ton=5,
        source_npi=0,
        dest_ton=2,
        dest_npi=8,
    )
    body = submit(rules)
    assert (body.service_type, body.replace_if_present_flag, body.priority_flag) == ("CMT", 1, 3)
    assert (body.source_addr_ton, body.source_addr_npi, body.dest_addr_ton, body.dest_addr_npi) == (
        5,
        0,
        2,
        8,
    )
    assert body.registered_delivery == 0x11
    assert submit(rules, report=False).registered_delivery == 0


def test_parameters_of_the_carrier_and_of_the_message_go_along():
    rules = SubmitRules(tlvs=((0x1400, b"1"),))
    assert submit(rules, carrier_options=write_options({"0x1403": "32"})).tlvs == (
        (0x1400, b"1"),
        (0x1403, b"2"),
    )
    assert submit(DEFAULT_RULES, carrier_options=write_options({"0x1403": "32"})).tlvs == ((0x1403, b"2"),)


def test_a_parameter_of_the_message_takes_the_place_of_the_carriers():
    rules = SubmitRules(tlvs=((0x1400, b"1"), (0x1401, b"2")))
    assert submit(rules, carrier_options=write_options({"0x1400": "33"})).tlvs == (
        (0x1401, b"2"),
        (0x1400, b"3"),
    )


def test_priorities_are_ten_octets():
    for wrong in ((1, 2), (0,) * 9 + (256,)):
        with pytest.raises(ValueError, match="ten"):
            SubmitRules(priorities=wrong)


def test_only_some_agreements_need_parameters():
    assert not DEFAULT_RULES.needs_parameters
    for rules in (
        replace(DEFAULT_RULES, in_payload=True),
        replace(DEFAULT_RULES, long_text=LongText.SAR),
        replace(DEFAULT_RULES, tlvs=((1, b""),)),
    ):
        assert rules.needs_parameters
