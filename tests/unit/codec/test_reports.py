"""Reports and commands: causes, optional fields, limits, and which kind goes which way."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from drivers.base import Encoding
from drivers.codec.command import CommandType, SmsCommand, decode_command, encode_command
from drivers.codec.direction import decode_from_mobile, decode_to_mobile, encode_tpdu
from drivers.codec.reports import (
    SmsDeliverReport,
    SmsStatusReport,
    SmsSubmitReport,
    decode_deliver_report,
    decode_status_report,
    decode_submit_report,
    encode_deliver_report,
    encode_status_report,
    encode_submit_report,
)
from drivers.codec.tpdu import SmsDeliver, SmsSubmit
from drivers.errors import DecodeError, EncodeError

pytestmark = pytest.mark.unit

AT = datetime(2026, 11, 21, 20, tzinfo=UTC)
STATUS = SmsStatusReport(tp_mr=1, tp_ra="10086", tp_scts=AT, tp_dt=AT, tp_st=0)


@pytest.mark.parametrize(
    ("octets", "report"),
    [
        ("0000", SmsDeliverReport()),
        ("00d300", SmsDeliverReport(tp_fcs=0xD3)),
        ("00 01 7f", SmsDeliverReport(tp_pid=0x7F)),
        ("00 07 00 04 02 abcd", SmsDeliverReport(tp_pid=0, tp_dcs=4, payload=b"\xab\xcd")),
        ("00 04 05 e8329bfd06", SmsDeliverReport(payload=b"hello")),  # without TP-DCS it is GSM 7-bit
        ("00 ff 04 05 e8329bfd06", SmsDeliverReport(tp_fcs=0xFF, payload=b"hello")),
    ],
)
def test_deliver_report(octets: str, report: SmsDeliverReport) -> None:
    assert decode_deliver_report(bytes.fromhex(octets)) == report
    assert encode_deliver_report(report) == bytes.fromhex(octets)


@pytest.mark.parametrize(
    ("octets", "report"),
    [
        ("0100 62111202000000", SmsSubmitReport(tp_scts=AT)),
        ("01c400 62111202000000", SmsSubmitReport(tp_fcs=0xC4, tp_scts=AT)),
        ("0102 62111202000000 08", SmsSubmitReport(tp_scts=AT, tp_dcs=8)),
        ("0106 00000000000000 08 02 4f60", SmsSubmitReport(tp_scts=None, tp_dcs=8, payload=b"\x4f\x60")),
    ],
)
def test_submit_report(octets: str, report: SmsSubmitReport) -> None:
    assert decode_submit_report(bytes.fromhex(octets)) == report
    assert encode_submit_report(report) == bytes.fromhex(octets)


def test_reports_tell_their_text() -> None:
    report = decode_submit_report(bytes.fromhex("0106 00000000000000 08 02 4f60"))
    assert (report.text, report.encoding, report.dcs.message_class) == ("你", Encoding.UCS2, None)
    assert SmsDeliverReport().text == ""


def test_optional_fields_of_a_status_report() -> None:
    octets = encode_status_report(STATUS) + bytes.fromhex("07 41 08 02 4f60")
    report = decode_status_report(octets)
    assert (report.tp_pid, report.tp_dcs, report.text) == (0x41, 8, "你")
    assert encode_status_report(report) == octets


def test_reserved_and_extended_bits_of_tp_pi_are_passed_over() -> None:
    octets = encode_status_report(STATUS)
    assert decode_status_report(octets + bytes.fromhex("79 41")).tp_pid == 0x41
    assert decode_status_report(octets + bytes.fromhex("81 80 00 41")).tp_pid == 0x41


def test_user_data_may_fill_the_tpdu_and_no_more() -> None:
    head = len(encode_status_report(STATUS))
    full = 164 - head - 3  # TP-PI, TP-DCS, TP-UDL
    octets = encode_tpdu(SmsStatusReport(**fields_of(STATUS), tp_dcs=4, payload=bytes(full)))
    assert len(octets) == 164
    with pytest.raises(EncodeError, match="tp_ud"):
        encode_tpdu(SmsStatusReport(**fields_of(STATUS), tp_dcs=4, payload=bytes(full + 1)))


def fields_of(report: SmsStatusReport) -> dict[str, Any]:
    return {name: getattr(report, name) for name in ("tp_mr", "tp_ra", "tp_scts", "tp_dt", "tp_st")}


@pytest.mark.parametrize(
    ("report", "field"),
    [
        (SmsDeliverReport(tp_fcs=0x7F), "tp_fcs"),
        (SmsDeliverReport(tp_fcs=256), "tp_fcs"),
        (SmsDeliverReport(tp_pid=256), "tp_pid"),
        (SmsDeliverReport(tp_dcs=-1), "tp_dcs"),
        (SmsDeliverReport(udh=b"\x00"), "tp_ud.udh"),
        (SmsSubmitReport(tp_scts=datetime(1980, 1, 1, tzinfo=UTC)), "tp_scts"),
        (SmsCommand(tp_ct=256, tp_mn=0, tp_da="1"), "tp_ct"),
        (SmsCommand(tp_ct=0, tp_mn=0, tp_da="1", tp_cd=bytes(158)), "tp_cd"),
    ],
)
def test_fields_out_of_range(report: SmsDeliverReport | SmsSubmitReport | SmsCommand, field: str) -> None:
    with pytest.raises(EncodeError) as caught:
        encode_tpdu(report)
    assert caught.value.field == field


def test_command() -> None:
    command = SmsCommand(
        tp_mr=7, tp_ct=CommandType.ENQUIRE, tp_mn=6, tp_da="+8613800138000", tp_cd=b"\x01\x02", tp_srr=True
    )
    octets = encode_command(command)
    assert octets == bytes.fromhex("22 07 00 00 06 0d91683108108300f0 02 0102")
    assert decode_command(octets) == command


@pytest.mark.parametrize(
    ("octets", "field", "offset"),
    [
        ("", "tp_mti", 0),
        ("02", "tp_mr", 1),
        ("020700", "tp_ct", 3),
        ("0207000006", "tp_da.n_digits", 5),
        ("0207000006 00 81", "tp_cdl", 7),
        ("0207000006 00 81 02 01", "tp_cd", 8),
        ("03", "tp_mti", 0),
        ("00", "tp_pi", 1),
        ("00d3", "tp_pi", 2),
    ],
)
def test_what_ends_too_early_from_a_mobile(octets: str, field: str, offset: int) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_from_mobile(bytes.fromhex(octets))
    assert (caught.value.field, caught.value.offset) == (field, offset)


@pytest.mark.parametrize(
    ("octets", "field"), [("01", "tp_pi"), ("0100", "tp_scts"), ("02", "tp_mr"), ("", "tp_mti")]
)
def test_what_ends_too_early_to_a_mobile(octets: str, field: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_to_mobile(bytes.fromhex(octets))
    assert caught.value.field == field


def test_the_same_first_octet_means_another_kind_each_way() -> None:
    deliver = SmsDeliver(tp_oa="10086", tp_scts=AT, encoding=Encoding.GSM7, payload=b"hi")
    submit = SmsSubmit(tp_da="10086", encoding=Encoding.GSM7, payload=b"hi")
    command = SmsCommand(tp_ct=0, tp_mn=0, tp_da="10086")
    for pdu in (submit, SmsDeliverReport(), command):
        assert decode_from_mobile(encode_tpdu(pdu)) == pdu
    for answer in (deliver, SmsSubmitReport(tp_scts=AT), STATUS):
        assert decode_to_mobile(encode_tpdu(answer)) == answer
