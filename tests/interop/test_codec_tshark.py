"""Wireshark reads the TPDUs that test_tshark_gsm does not have: reports, commands, every validity format."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from drivers.base import Encoding
from drivers.codec.command import CommandType, SmsCommand
from drivers.codec.direction import FromMobile, ToMobile, encode_tpdu
from drivers.codec.gsm7 import encode_gsm7
from drivers.codec.reports import SmsDeliverReport, SmsStatusReport, SmsSubmitReport
from drivers.codec.times import encode_enhanced_vp
from drivers.codec.tpdu import SmsDeliver, SmsSubmit
from tests.support.pcap import Direction, write_pdu_capture
from tests.support.peers import need_peer
from tests.support.tshark import dissect, find_complaints

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.interop

AT = datetime(2026, 11, 21, 20, 0, 5, tzinfo=timezone(timedelta(hours=-8)))
SUBMIT = SmsSubmit(tp_mr=9, tp_da="+8613800138000", encoding=Encoding.GSM7, payload=encode_gsm7("hello €"))
DELIVER = SmsDeliver(tp_oa="10690000", tp_scts=AT, encoding=Encoding.UCS2, payload="你好".encode("utf-16-be"))

FROM_MOBILE: list[FromMobile] = [
    replace(SUBMIT, valid_for_s=86_400),
    replace(SUBMIT, valid_until=AT),
    replace(SUBMIT, enhanced_vp=encode_enhanced_vp(45, single_shot=True)),
    replace(SUBMIT, enhanced_vp=encode_enhanced_vp(45_296)),
    replace(SUBMIT, tp_rp=True, tp_rd=True, tp_srr=True, tp_pid=0x41, tp_da="13800138000", tp_da_toa=0xA1),
    SmsCommand(tp_mr=5, tp_ct=CommandType.DELETE, tp_mn=4, tp_da="+8613800138000", tp_cd=b"\x01\x02"),
    SmsDeliverReport(),
    SmsDeliverReport(tp_pid=0x7F, tp_dcs=0x04, payload=b"\x01\x02\x03"),
    SmsDeliverReport(tp_fcs=0xD3, tp_pid=0, tp_dcs=0, payload=encode_gsm7("full")),
]
TO_MOBILE: list[ToMobile] = [
    replace(DELIVER, tp_rp=True, tp_mms=False, tp_sri=True),
    replace(DELIVER, tp_oa="Tele2"),
    SmsSubmitReport(tp_scts=AT),
    SmsSubmitReport(tp_fcs=0xC4, tp_scts=AT, tp_pid=0, tp_dcs=0, payload=encode_gsm7("no")),
    SmsStatusReport(tp_mr=3, tp_ra="10086", tp_scts=AT, tp_dt=AT, tp_st=0x41, tp_srq=True),
    SmsStatusReport(
        tp_mr=3,
        tp_ra="10086",
        tp_scts=AT,
        tp_dt=AT,
        tp_st=0,
        tp_pid=0,
        tp_dcs=0,
        payload=encode_gsm7("there"),
    ),
]
KINDS = {
    SmsSubmit: 1,
    SmsCommand: 2,
    SmsDeliverReport: 0,
    SmsDeliver: 0,
    SmsSubmitReport: 1,
    SmsStatusReport: 2,
}


@pytest.fixture(autouse=True)
def _tshark() -> None:
    need_peer("tshark")


def test_nothing_is_malformed_and_kinds_references_and_times_are_read_as_meant(tmp_path: Path) -> None:
    capture = tmp_path / "tpdu.pcap"
    pdus = [(Direction.FROM_MOBILE, encode_tpdu(pdu)) for pdu in FROM_MOBILE]
    pdus += [(Direction.TO_MOBILE, encode_tpdu(pdu)) for pdu in TO_MOBILE]
    write_pdu_capture(capture, "gsm_sms", pdus)

    assert find_complaints(capture) == []
    fields = [
        "gsm_sms.tp-mti",
        "gsm_sms.tp-mr",
        "gsm_sms.sms_text",
        "gsm_sms.scts.year",
        "gsm_sms.scts.timezone",
    ]
    read = dissect(capture, fields)
    for pdu, packet in zip([*FROM_MOBILE, *TO_MOBILE], read, strict=True):
        assert int(packet["gsm_sms.tp-mti"][0]) == KINDS[type(pdu)], pdu
        assert packet["gsm_sms.tp-mr"] == ([str(pdu.tp_mr)] if hasattr(pdu, "tp_mr") else []), pdu
        if isinstance(pdu, SmsSubmit | SmsDeliver):
            assert packet["gsm_sms.sms_text"] == [pdu.text], pdu
        if getattr(pdu, "tp_scts", None):
            assert packet["gsm_sms.scts.year"][0] == "26", pdu
