"""TPDUs: formats that vectors don't show, bounds, and what broken ones say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from drivers.base import Concat, Encoding
from drivers.codec.times import encode_enhanced_vp
from drivers.codec.tpdu import (
    SmsDeliver,
    SmsStatusReport,
    SmsSubmit,
    decode_deliver,
    decode_incoming,
    decode_status_report,
    decode_submit,
    encode_deliver,
    encode_status_report,
    encode_submit,
)
from drivers.codec.udh import encode_concat_udh
from drivers.errors import DecodeError, EncodeError

pytestmark = pytest.mark.unit

CONCAT_8 = encode_concat_udh(Concat(reference=7, total=2, part=1))
CONCAT_16 = encode_concat_udh(Concat(reference=7, total=2, part=1, width=16))

SUBMIT = SmsSubmit(tp_da="+8613800138000", encoding=Encoding.GSM7, payload=b"hello")
DELIVER = SmsDeliver(
    tp_oa="10086", tp_scts=datetime(2026, 3, 1, tzinfo=UTC), encoding=Encoding.GSM7, payload=b"hello"
)
REPORT = SmsStatusReport(
    tp_mr=7,
    tp_ra="+8613800138000",
    tp_scts=datetime(2026, 3, 1, tzinfo=UTC),
    tp_dt=datetime(2026, 3, 1, 0, 0, 5, tzinfo=UTC),
    tp_st=0x46,
)


@pytest.mark.parametrize(
    ("encoding", "udh", "n_payload"),
    [
        (Encoding.GSM7, b"", 160),
        (Encoding.GSM7, CONCAT_8, 153),
        (Encoding.GSM7, CONCAT_16, 152),
        (Encoding.UCS2, b"", 140),
        (Encoding.UCS2, CONCAT_8, 134),
        (Encoding.BINARY, CONCAT_16, 133),
    ],
)
def test_as_much_as_fits_and_not_one_more(encoding: Encoding, udh: bytes, n_payload: int) -> None:
    full = replace(SUBMIT, encoding=encoding, udh=udh, payload=b"\x01" * n_payload)
    assert decode_submit(encode_submit(full)) == full
    with pytest.raises(EncodeError) as caught:
        encode_submit(replace(full, payload=b"\x01" * (n_payload + 1)))
    assert caught.value.field == "tp_ud"


def test_user_data_length_counts_septets_with_header() -> None:
    octets = encode_submit(replace(SUBMIT, udh=CONCAT_8))
    assert octets[0] == 0x41
    assert octets[13] == 7 + len("hello")  # 48 bits and one fill bit are seven septets
    assert octets[14:20] == CONCAT_8


def test_every_flag_of_submit() -> None:
    pdu = replace(
        SUBMIT,
        tp_mr=255,
        tp_da="10086",
        tp_da_toa=0xB1,
        tp_srr=True,
        tp_rd=True,
        tp_rp=True,
        tp_pid=0x41,
        flash=True,
        tp_dcs=0x50,
        valid_for_s=3_600,
        udh=CONCAT_8,
    )
    octets = encode_submit(pdu)
    assert octets[0] == 0b1111_0101
    assert decode_submit(octets) == pdu


def test_every_flag_of_deliver() -> None:
    pdu = replace(
        DELIVER,
        tp_oa_toa=0xA1,
        tp_mms=False,
        tp_lp=True,
        tp_sri=True,
        tp_rp=True,
        tp_pid=0x41,
        flash=True,
        udh=CONCAT_8,
    )
    octets = encode_deliver(pdu)
    assert octets[0] == 0b1110_1000
    assert decode_deliver(octets) == replace(pdu, concat=Concat(reference=7, total=2, part=1))


@pytest.mark.parametrize(
    ("first", "vp", "valid_for_s"),
    [
        (0x01, "", None),
        (0x11, "aa", 345_600),
        (0x19, "62301112131400", None),  # absolute: no clock here
        (0x19, "ffffffffffffff", None),  # and no instant either
        (0x09, "021e0000000000", 30),  # enhanced
        (0x09, "00000000000000", None),
    ],
)
def test_formats_of_the_validity_period(first: int, vp: str, valid_for_s: int | None) -> None:
    octets = bytes((first, 0)) + bytes.fromhex("05810180f60000" + vp + "05e8329bfd06")
    pdu = decode_submit(octets)
    assert (pdu.payload, pdu.valid_for_s) == (b"hello", valid_for_s)


@pytest.mark.parametrize(
    "change",
    [
        {"valid_until": datetime(2026, 11, 21, 20, tzinfo=UTC)},
        {"valid_for_s": 345_600},
        {"valid_for_s": 30, "enhanced_vp": encode_enhanced_vp(30, single_shot=True)},
        {"enhanced_vp": encode_enhanced_vp(None, single_shot=True)},
        {},
    ],
)
def test_every_format_of_validity_comes_back(change: dict[str, Any]) -> None:
    pdu = replace(SUBMIT, **change)
    assert decode_submit(encode_submit(pdu)) == pdu


def test_unreadable_times_are_none_and_stay_so() -> None:
    assert decode_deliver(encode_deliver(replace(DELIVER, tp_scts=None))).tp_scts is None
    report = replace(REPORT, tp_scts=None, tp_dt=None)
    assert decode_status_report(encode_status_report(report)) == report


@pytest.mark.parametrize("tail", ["", "00", "04", "80", "ff", "0702", "78"])
def test_optional_fields_that_end_early_do_not_cost_the_report(tail: str) -> None:
    report = decode_status_report(encode_status_report(REPORT) + bytes.fromhex(tail))
    assert replace(report, tp_pid=None) == REPORT


def test_octets_behind_the_user_data_are_tolerated() -> None:
    assert decode_deliver(encode_deliver(DELIVER) + b"\xff" * 20) == DELIVER


def test_storage_mixes_kinds() -> None:
    assert decode_incoming(encode_deliver(DELIVER)) == DELIVER
    assert decode_incoming(encode_status_report(REPORT)) == REPORT
    reserved = bytes((encode_deliver(DELIVER)[0] | 0b11,)) + encode_deliver(DELIVER)[1:]
    assert decode_incoming(reserved) == DELIVER
    with pytest.raises(DecodeError) as caught:
        decode_incoming(encode_submit(SUBMIT))
    assert (caught.value.field, caught.value.offset) == ("tp_mti", 0)


def test_a_broken_header_is_reported_and_skipped_as_a_whole() -> None:
    octets = encode_deliver(
        replace(DELIVER, encoding=Encoding.BINARY, udh=bytes.fromhex("0300050a"), payload=b"data")
    )
    pdu = decode_deliver(octets)
    assert (pdu.payload, pdu.udh, pdu.concat) == (b"data", bytes.fromhex("0300050a"), None)
    assert pdu.udh_fault == "tp_ud.udh.ie at octet 17: is longer than the header"


@pytest.mark.parametrize(
    ("octets", "payload"),
    [
        ("4005810180f60004 62301112131400 03 050003", "050003"),
        ("4005810180f60004 62301112131400 05 050003 0702", "0500030702"),  # by one octet
        ("4005810180f60004 62301112131400 00", ""),  # announced, and nothing is there
        ("4005810180f60000 62301112131400 05 e8329bfd06", b"hello".hex()),  # never was one
    ],
)
def test_what_is_no_header_is_text(octets: str, payload: str) -> None:
    pdu = decode_deliver(bytes.fromhex(octets))
    assert (pdu.udh, pdu.payload) == (b"", bytes.fromhex(payload))
    assert pdu.udh_fault.startswith("tp_ud.udh.udhl at octet 16: ")


def test_a_header_that_ends_in_the_spare_bits_leaves_no_text() -> None:
    pdu = decode_deliver(bytes.fromhex("4005810180f6000062301112131400 06 050003070201"))
    assert (pdu.payload, pdu.concat) == (b"", Concat(reference=7, total=2, part=1))


def test_compressed_text_comes_as_octets() -> None:
    octets = bytearray(encode_deliver(replace(DELIVER, encoding=Encoding.BINARY, payload=b"zip")))
    octets[7] = 0x20
    pdu = decode_deliver(bytes(octets))
    assert (pdu.encoding, pdu.payload) == (Encoding.BINARY, b"zip")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"tp_mr": 256}, "tp_mr"),
        ({"tp_mr": -1}, "tp_mr"),
        ({"tp_pid": 256}, "tp_pid"),
        ({"tp_da": "+123456789012345678901"}, "tp_da"),
        ({"tp_da": "鸿雁"}, "tp_da"),
        ({"payload": b"\x80"}, "ud"),
        ({"udh": b"\x05\x00\x03\x07\x02"}, "tp_ud.udh.udhl"),
        ({"tp_dcs": 0x08}, "tp_dcs"),  # says UCS-2, the payload is not
        ({"tp_dcs": 256}, "tp_dcs"),
        ({"tp_da_toa": 0xD0, "tp_da": "x" * 12}, "tp_da"),
        ({"tp_da_toa": 0x91, "tp_da": "Tele2"}, "tp_da"),
        ({"enhanced_vp": b"\x01"}, "tp_vp"),
        ({"valid_until": datetime(2100, 1, 1, tzinfo=UTC)}, "tp_vp"),
        ({"valid_until": datetime(2026, 1, 1, tzinfo=UTC), "valid_for_s": 60}, "tp_vp"),
    ],
)
def test_fields_out_of_range(change: dict[str, Any], field: str) -> None:
    with pytest.raises(EncodeError) as caught:
        encode_submit(replace(SUBMIT, **change))
    assert caught.value.field == field


@pytest.mark.parametrize("change", [{"tp_st": 256}, {"tp_mr": -1}, {"tp_ra": "x" * 12}])
def test_report_fields_out_of_range(change: dict[str, Any]) -> None:
    with pytest.raises(EncodeError):
        encode_status_report(replace(REPORT, **change))


@pytest.mark.parametrize(
    ("decode", "octets"),
    [
        (decode_submit, encode_submit(replace(SUBMIT, valid_for_s=60, udh=CONCAT_8))),
        (decode_deliver, encode_deliver(replace(DELIVER, udh=CONCAT_8))),
        (decode_status_report, encode_status_report(REPORT)),
    ],
)
def test_cut_anywhere_is_a_decode_error_within_the_octets(
    decode: Callable[[bytes], object], octets: bytes
) -> None:
    for n_octets in range(len(octets)):
        with pytest.raises(DecodeError) as caught:
            decode(octets[:n_octets])
        assert 0 <= caught.value.offset <= n_octets


@pytest.mark.parametrize(
    ("octets", "field", "offset"),
    [
        ("", "tp_mti", 0),
        ("00", "tp_oa.n_digits", 1),
        ("0005810180", "tp_oa.digits", 5),
        ("0005810180f6", "tp_pid", 6),
        ("0005810180f600", "tp_dcs", 7),
        ("0005810180f60000623011", "tp_scts", 8),
        ("0005810180f6000062301112131400", "tp_udl", 15),
        ("0005810180f600006230111213140005e832", "tp_ud", 16),
    ],
)
def test_decode_errors_name_field_and_offset(octets: str, field: str, offset: int) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_deliver(bytes.fromhex(octets))
    assert (caught.value.field, caught.value.offset) == (field, offset)
