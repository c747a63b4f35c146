"""Segments to submit_sm, and deliveries to parts: addresses, alphabets, headers, validity."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from drivers.base import Concat, Encoding, OutboundSegment, SegmentId
from drivers.smpp.client.inbound import decode_part
from drivers.smpp.text import AddressPlan, decode_content, encode_segment, format_relative_time
from drivers.smpp.times import parse_time
from drivers.smpp.wire.codec import encode_pdu
from drivers.smpp.wire.pdus import DeliverSm, SubmitSm

pytestmark = pytest.mark.unit


def submit(plan: AddressPlan | None = None, **changes) -> SubmitSm:
    values: dict[str, Any] = {
        "segment_id": SegmentId("s"),
        "recipient": "+8613800138000",
        "encoding": Encoding.GSM7,
        "payload": b"hello",
    }
    return encode_segment(OutboundSegment(**(values | changes)), "10690000", plan or AddressPlan())


@pytest.mark.parametrize(
    ("encoding", "flash", "data_coding"),
    [
        (Encoding.GSM7, False, 0x00),
        (Encoding.UCS2, False, 0x08),
        (Encoding.BINARY, False, 0x04),
        (Encoding.GSM7, True, 0x10),
        (Encoding.UCS2, True, 0x18),
    ],
)
def test_encodings_have_their_data_coding_and_are_read_back(encoding, flash, data_coding):
    body = submit(encoding=encoding, flash=flash, payload=b"\0A")
    assert body.data_coding == data_coding
    assert decode_content(body.data_coding, body.short_message) == (encoding, b"\0A", flash)


def test_a_header_goes_before_the_text_and_sets_the_udhi_bit():
    udh = bytes.fromhex("050003cc0201")
    body = submit(udh=udh)
    assert body.short_message == udh + b"hello"
    assert body.esm_class == 0x40
    assert submit().esm_class == 0


@pytest.mark.parametrize(
    ("number", "ton", "npi", "address"),
    [
        ("+8613800138000", 1, 1, "8613800138000"),
        ("10086", 0, 1, "10086"),
        ("Hongyan", 5, 0, "Hongyan"),
    ],
)
def test_addresses_carry_their_type(number, ton, npi, address):
    body = submit(recipient=number, sender=number)
    assert (body.dest_addr_ton, body.dest_addr_npi, body.destination_addr) == (ton, npi, address)
    assert (body.source_addr_ton, body.source_addr_npi, body.source_addr) == (ton, npi, address)


def test_the_carriers_own_address_plan_is_followed():
    body = submit(AddressPlan(digits=(3, 0)), recipient="10086")
    assert (body.dest_addr_ton, body.dest_addr_npi) == (3, 0)


def test_the_channels_own_source_is_used_when_none_is_asked_for():
    assert submit().source_addr == "10690000"
    assert submit(sender="10691111").source_addr == "10691111"


def test_reports_are_asked_for_only_when_wanted():
    assert submit(report=True).registered_delivery == 1
    assert submit(report=False).registered_delivery == 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "000000000001000R"),
        (59.2, "000000000100000R"),
        (3600, "000000010000000R"),
        (72 * 3600, "000003000000000R"),
        (360 * 86400, "001130000000000R"),
        (364 * 86400, "001134000000000R"),
        (365 * 86400, "010000000000000R"),
        (400 * 86400, "010105000000000R"),
        (1e12, "990000000000000R"),
    ],
)
def test_validity_is_relative_and_always_fits(seconds, text):
    assert format_relative_time(seconds) == text
    body = submit(valid_for_s=seconds)
    assert body.validity_period == text
    encode_pdu(body, 1)


@pytest.mark.parametrize(
    "days", [1, 29, 30, 31, 59, 60, 329, 330, 359, 360, 361, 364, 365, 366, 729, 730, 36135]
)
def test_a_span_reads_as_long_as_it_was_meant(days):
    now = datetime(2026, 1, 1, tzinfo=UTC)
    until = parse_time(format_relative_time(days * 86_400.0), now)
    assert until is not None
    assert until - now == timedelta(days=days)


def test_no_validity_leaves_it_to_the_network():
    assert submit().validity_period == ""


@pytest.mark.parametrize(("priority", "flag"), [(0, 0), (5, 0), (7, 1), (9, 3)])
def test_priority_is_a_hint_within_what_gsm_knows(priority, flag):
    assert submit(priority=priority).priority_flag == flag


@pytest.mark.parametrize(
    ("data_coding", "content", "encoding", "text"),
    [
        (1, b"STOP", Encoding.UCS2, "STOP"),
        (3, "Grüße".encode("latin-1"), Encoding.UCS2, "Grüße"),
        (6, "Стоп".encode("iso8859-5"), Encoding.UCS2, "Стоп"),
        (0, "é".encode("latin-1"), Encoding.UCS2, "é"),
        (8, "退订".encode("utf-16-be"), Encoding.UCS2, "退订"),
    ],
)
def test_alphabets_become_ucs2(data_coding, content, encoding, text):
    part = decode_part(DeliverSm(source_addr="1", data_coding=data_coding, short_message=content))
    assert (part.encoding, part.payload.decode("utf-16-be")) == (encoding, text)


@pytest.mark.parametrize("data_coding", [2, 4, 9, 0x0D, 0xF5])
def test_octets_stay_octets(data_coding):
    part = decode_part(DeliverSm(data_coding=data_coding, short_message=b"\xff\0"))
    assert (part.encoding, part.payload) == (Encoding.BINARY, b"\xff\0")


def test_octets_that_are_not_of_their_alphabet_are_kept_as_they_are():
    part = decode_part(DeliverSm(data_coding=0x0E, short_message=b"\xff\xff"))
    assert (part.encoding, part.payload) == (Encoding.BINARY, b"\xff\xff")


def test_a_flash_message_is_told():
    assert decode_part(DeliverSm(data_coding=0x10, short_message=b"x")).flash
    assert decode_part(DeliverSm(data_coding=0xF0, short_message=b"x")).flash
    assert not decode_part(DeliverSm(data_coding=0xF1, short_message=b"x")).flash


def test_parts_are_told_by_the_header_or_by_parameters():
    by_header = decode_part(DeliverSm(esm_class=0x40, short_message=bytes.fromhex("050003cc0201") + b"hello"))
    assert by_header.concat == Concat(reference=0xCC, total=2, part=1)
    assert by_header.payload == b"hello"
    sar = ((0x020C, b"\1\2"), (0x020E, b"\3"), (0x020F, b"\2"))
    by_parameters = decode_part(DeliverSm(short_message=b"hello", tlvs=sar))
    assert by_parameters.concat == Concat(reference=0x0102, total=3, part=2, width=16)


@pytest.mark.parametrize(("total", "part"), [(1, 1), (2, 0), (2, 3), (0, 0)])
def test_parameters_that_make_no_sense_make_no_parts(total, part):
    sar = ((0x020C, b"\1\2"), (0x020E, bytes((total,))), (0x020F, bytes((part,))))
    assert decode_part(DeliverSm(short_message=b"hello", tlvs=sar)).concat is None


def test_a_header_that_cannot_be_read_loses_no_octet():
    part = decode_part(DeliverSm(esm_class=0x40, short_message=b"\x20ab"))
    assert (part.encoding, part.payload, part.concat) == (Encoding.BINARY, b"\x20ab", None)


def test_a_long_text_in_message_payload_is_taken():
    part = decode_part(DeliverSm(source_addr="1", tlvs=((0x0424, b"x" * 300),)))
    assert part.payload == b"x" * 300


@pytest.mark.parametrize(
    ("ton", "address", "sender"),
    [(1, "8613800138000", "+8613800138000"), (0, "10086", "10086"), (5, "Bank", "Bank"), (1, "Bank", "Bank")],
)
def test_senders_are_spelled_our_way(ton, address, sender):
    assert decode_part(DeliverSm(source_addr_ton=ton, source_addr=address)).sender == sender
