"""Wireshark reads our TPDUs: nothing malformed, and the same numbers, texts and times as ours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from drivers.base import Concat
from drivers.codec.segment import plan_segments
from drivers.codec.tpdu import (
    SmsDeliver,
    SmsStatusReport,
    SmsSubmit,
    encode_deliver,
    encode_status_report,
    encode_submit,
)
from drivers.codec.udh import encode_concat_udh
from tests.support.pcap import Direction, write_pdu_capture
from tests.support.peers import need_peer
from tests.support.tshark import dissect, find_complaints

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.interop

SENT_AT = datetime(2026, 11, 21, 20, 0, 5, tzinfo=timezone(timedelta(hours=8)))
NO_REASSEMBLY = ("-o", "gsm_sms.reassemble:FALSE")
TEXTS = [
    "Your code is 4711.",
    "€ 5 for [you] & {me} ~ ^ | \\ @£$¥èéùìòÇØøÅå",
    "ΔΦΓΛΩΠΨΣΘΞ ÆæßÉ ÄÖÑÜ§¿äöñüà ¡",
    "您的验证码是 4711,请勿转发。😀",
    "x" * 160,
    "好" * 70,
    "long " * 90,
    "[€]" * 100,
    "长消息" * 60 + "👨\u200d👩\u200d👧" * 5,
]


@pytest.fixture(autouse=True)
def _tshark():
    need_peer("tshark")


@pytest.fixture
def capture(tmp_path) -> Path:
    return tmp_path / "tpdu.pcap"


def headers_and_segments(text: str, width: int):
    plan = plan_segments(text)
    total = len(plan.segments)
    for part, segment in enumerate(plan.segments, start=1):
        concat = Concat(reference=0xA5, total=total, part=part, width=width)
        yield plan.encoding, segment, encode_concat_udh(concat) if total > 1 else b""


@pytest.mark.parametrize("width", [8, 16])
def test_submit_and_deliver_carry_the_text_that_we_planned(capture, width):
    pdus, expected = [], []
    for text in TEXTS:
        for encoding, segment, udh in headers_and_segments(text, width):
            if width == 16 and udh and len(segment.payload) in {134, 153}:
                continue  # planned for the shorter header
            submit = SmsSubmit(
                tp_mr=7,
                tp_da="+8613800138000",
                encoding=encoding,
                payload=segment.payload,
                udh=udh,
                tp_srr=True,
                valid_for_s=86_400,
            )
            deliver = SmsDeliver(
                tp_oa="10690000", tp_scts=SENT_AT, encoding=encoding, payload=segment.payload, udh=udh
            )
            pdus += [
                (Direction.FROM_MOBILE, encode_submit(submit)),
                (Direction.TO_MOBILE, encode_deliver(deliver)),
            ]
            expected += [(1, segment.text), (0, segment.text)]
    write_pdu_capture(capture, "gsm_sms", pdus)

    read = dissect(capture, ["gsm_sms.tp-mti", "gsm_sms.sms_text"], NO_REASSEMBLY)
    assert [(int(packet["gsm_sms.tp-mti"][0]), packet["gsm_sms.sms_text"][0]) for packet in read] == expected
    assert find_complaints(capture) == []


def test_wireshark_joins_the_parts_into_our_text(capture):
    text = "第一部分和第二部分" * 12
    pdus = [
        (
            Direction.FROM_MOBILE,
            encode_submit(
                SmsSubmit(tp_da="+8613800138000", encoding=encoding, payload=segment.payload, udh=udh)
            ),
        )
        for encoding, segment, udh in headers_and_segments(text, 8)
    ]
    write_pdu_capture(capture, "gsm_sms", pdus)

    *_, last = dissect(capture, ["gsm_sms.sms_text", "gsm_sms.fragment.count"])
    assert last["gsm_sms.fragment.count"] == [str(len(pdus))]
    assert "".join(last["gsm_sms.sms_text"]) == text


def test_addresses_and_flags_are_read_as_meant(capture):
    submits = [
        SmsSubmit(tp_da=number, encoding=plan_segments("x").encoding, payload=b"x", tp_srr=srr, flash=flash)
        for number, srr, flash in [("+8613800138000", True, False), ("10086", False, True)]
    ]
    write_pdu_capture(
        capture, "gsm_sms", [(Direction.FROM_MOBILE, encode_submit(submit)) for submit in submits]
    )

    fields = [
        "gsm_sms.tp-da",
        "gsm_sms.dis_field_addr.num_type",
        "gsm_sms.tp-srr",
        "gsm_sms.dcs.message_class",
    ]
    read = [
        [[int(value, 0) for value in packet[field]] for field in fields]
        for packet in dissect(capture, fields)
    ]
    assert read == [[[8613800138000], [1], [1], []], [[10086], [0], [0], [0]]]


@pytest.mark.parametrize("tp_st", [0x00, 0x01, 0x20, 0x41, 0x46, 0x62])
def test_a_status_report_is_read_with_its_reference_times_and_status(capture, tp_st):
    report = SmsStatusReport(
        tp_mr=255,
        tp_ra="+8613800138000",
        tp_scts=SENT_AT,
        tp_dt=datetime(2026, 11, 21, 12, 1, 59, tzinfo=UTC),
        tp_st=tp_st,
    )
    write_pdu_capture(capture, "gsm_sms", [(Direction.TO_MOBILE, encode_status_report(report))])

    clock = ["gsm_sms.scts.hour", "gsm_sms.scts.minutes", "gsm_sms.scts.seconds"]
    status = ["gsm_sms.dis_field.st_error", "gsm_sms.dis.field_st_reason"]
    (read,) = dissect(capture, ["gsm_sms.tp-mti", "gsm_sms.tp-mr", "gsm_sms.tp-ra", *clock, *status])
    assert read["gsm_sms.tp-mti"] == ["2"]
    assert (read["gsm_sms.tp-mr"], read["gsm_sms.tp-ra"]) == (["255"], ["8613800138000"])
    assert [read[field] for field in clock] == [["20", "12"], ["0", "1"], ["5", "59"]]
    assert [int(read[field][0], 0) for field in status] == [tp_st >> 5, tp_st & 0x1F]
    assert find_complaints(capture) == []


def test_the_judge_does_object_to_a_broken_tpdu(capture):
    whole = encode_submit(
        SmsSubmit(tp_da="10086", encoding=plan_segments("hello").encoding, payload=b"hello")
    )
    write_pdu_capture(capture, "gsm_sms", [(Direction.FROM_MOBILE, whole[:4])])
    assert find_complaints(capture)
