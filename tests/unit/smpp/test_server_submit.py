"""Times and submissions as applications write them."""

from __future__ import annotations

import doctest
from datetime import UTC, datetime

import pytest

from drivers.base import Encoding
from drivers.smpp import times
from drivers.smpp.server.submit import Refusal, read_submission
from drivers.smpp.times import format_time, parse_time
from drivers.smpp.wire.constants import CommandStatus, Tag
from drivers.smpp.wire.pdus import SubmitSm

pytestmark = pytest.mark.unit

NOW = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)


def test_the_examples_of_times_are_true():
    assert doctest.testmod(times).failed == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("260314172653000+", datetime(2026, 3, 14, 17, 26, 53, tzinfo=UTC)),
        ("260314172653532+", datetime(2026, 3, 14, 9, 26, 53, 500_000, tzinfo=UTC)),
        ("260314012653032-", datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)),
        ("000001000000000R", datetime(2026, 3, 15, 9, 26, 53, tzinfo=UTC)),
        ("000100000000000R", datetime(2026, 4, 13, 9, 26, 53, tzinfo=UTC)),
    ],
)
def test_times_are_read(text, expected):
    assert parse_time(text, NOW) == expected


@pytest.mark.parametrize(
    "text", ["1", "2603141726530++", "261314172653000+", "26031417265300x+", "260314172653099+"]
)
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        parse_time(text, NOW)


def test_a_time_that_we_write_is_read_back():
    assert parse_time(format_time(NOW), NOW) == NOW


def read(**fields: object):
    values: dict[str, object] = {"destination_addr": "8613800138000", "short_message": b"x"}
    return read_submission(SubmitSm(**(values | fields)), NOW)  # type: ignore[arg-type]


def test_gsm_text_that_calls_itself_ascii_is_read_as_what_it_is():
    submitted = read(data_coding=1, short_message=b"5 \x1be \x00")
    assert (submitted.encoding, submitted.payload) == (Encoding.GSM7, b"5 \x1be \x00")
    plain = read(data_coding=1, short_message=b"a@b$ {x}\n")
    assert plain.payload.decode("utf-16-be") == "a@b$ {x}\n"


def test_sar_parts_leave_room_for_the_text():
    tlvs = (
        (Tag.SAR_MSG_REF_NUM, b"\x12\x34"),
        (Tag.SAR_TOTAL_SEGMENTS, b"\x03"),
        (Tag.SAR_SEGMENT_SEQNUM, b"\x02"),
    )
    submitted = read(tlvs=tlvs)
    assert submitted.udh == bytes.fromhex("050003340302")
    assert submitted.concat is not None
    assert (submitted.concat.total, submitted.concat.part) == (3, 2)


@pytest.mark.parametrize(
    ("tlvs", "status"),
    [
        (((Tag.SAR_TOTAL_SEGMENTS, b"\x03"),), CommandStatus.RMISSINGOPTPARAM),
        (
            (
                (Tag.SAR_MSG_REF_NUM, b"\x00\x01"),
                (Tag.SAR_TOTAL_SEGMENTS, b"\x03"),
                (Tag.SAR_SEGMENT_SEQNUM, b"\x04"),
            ),
            CommandStatus.RINVOPTPARAMVAL,
        ),
    ],
)
def test_half_a_set_of_sar_is_refused(tlvs, status):
    with pytest.raises(Refusal) as refused:
        read(tlvs=tlvs)
    assert refused.value.command_status == status


def test_a_header_with_ports_is_no_part_of_a_text():
    ported = bytes.fromhex("0b0003010201" + "05040b8423f0")
    assert not read(esm_class=0x40, short_message=ported + b"x").joinable
    assert read(esm_class=0x40, short_message=bytes.fromhex("050003010201") + b"x").joinable
