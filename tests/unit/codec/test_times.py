"""Time stamps and validity periods: zones, centuries, nonsense, rounding."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from drivers.codec.times import (
    decode_enhanced_vp,
    decode_relative_vp,
    decode_scts,
    encode_enhanced_vp,
    encode_relative_vp,
    encode_scts,
    is_single_shot,
)
from drivers.errors import DecodeError, EncodeError

pytestmark = pytest.mark.unit

HOUR, DAY, WEEK = 3_600, 86_400, 604_800


@pytest.mark.parametrize(
    "octets",
    [
        "",
        "623011121314",  # an octet short
        "00000000000000",
        "ffffffffffffff",
        "62310112131400",  # month 13
        "62201312131400",  # 31 February
        "62301142131400",  # hour 24
        "62a01112131400",  # a semi-octet that is no digit
        "621011121314fa",  # nor is one of the zone
    ],
)
def test_nonsense_is_no_time(octets: str) -> None:
    assert decode_scts(bytes.fromhex(octets)) is None


def test_times_come_back_in_utc() -> None:
    at = decode_scts(encode_scts(datetime(2026, 3, 1, 7, 30, tzinfo=timezone(timedelta(hours=8)))))
    assert at is not None
    assert at.tzinfo is UTC
    assert at.isoformat() == "2026-02-28T23:30:00+00:00"


def test_two_digits_of_a_year() -> None:
    for year in (1990, 1999, 2000, 2026, 2089):
        at = datetime(year, 1, 1, tzinfo=UTC)
        assert decode_scts(encode_scts(at)) == at


@pytest.mark.parametrize("year", [1989, 2090])
def test_years_out_of_reach(year: int) -> None:
    with pytest.raises(EncodeError):
        encode_scts(datetime(year, 1, 1, tzinfo=UTC))


def test_naive_time_is_refused() -> None:
    with pytest.raises(EncodeError):
        encode_scts(datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point


@pytest.mark.parametrize("zone", [timedelta(minutes=7), timedelta(hours=-23)])
def test_zones_that_quarters_can_not_say_become_utc(zone: timedelta) -> None:
    at = datetime(2026, 1, 1, 12, tzinfo=timezone(zone))
    assert encode_scts(at)[6] == 0
    assert decode_scts(encode_scts(at)) == at


@pytest.mark.parametrize("quarters", [-48, -1, 0, 1, 23, 32, 56, 79])
def test_zones_in_quarters(quarters: int) -> None:
    at = datetime(2026, 6, 1, 12, tzinfo=timezone(quarters * timedelta(minutes=15)))
    assert decode_scts(encode_scts(at)) == at


def test_every_relative_period_round_trips_and_grows() -> None:
    seconds = [decode_relative_vp(tp_vp) for tp_vp in range(256)]
    assert seconds == sorted(set(seconds))
    assert [encode_relative_vp(period) for period in seconds] == list(range(256))


def test_a_period_is_never_shorter_than_asked() -> None:
    for tp_vp in range(255):
        assert encode_relative_vp(decode_relative_vp(tp_vp) + 0.5) == tp_vp + 1


@pytest.mark.parametrize(
    ("seconds", "tp_vp"),
    [(-5, 0), (0, 0), (60, 0), (300, 0), (12 * HOUR, 143), (DAY, 167), (2 * DAY, 168), (30 * DAY, 196),
     (31 * DAY, 197), (5 * WEEK, 197), (63 * WEEK, 255), (64 * WEEK, 255), (float("inf"), 255)],
)  # fmt: skip
def test_edges_of_the_relative_period(seconds: float, tp_vp: int) -> None:
    assert encode_relative_vp(seconds) == tp_vp


@pytest.mark.parametrize("tp_vp", [-1, 256])
def test_a_relative_period_is_an_octet(tp_vp: int) -> None:
    with pytest.raises(DecodeError):
        decode_relative_vp(tp_vp)


@pytest.mark.parametrize(
    ("octets", "seconds"),
    [
        ("00000000000000", None),  # no period
        ("01aa0000000000", 4 * DAY),
        ("021e0000000000", 30),
        ("03214365000000", 12 * HOUR + 34 * 60 + 56),
        ("03a14365000000", None),  # no digits
        ("05000000000000", None),  # reserved
        ("82001e00000000", None),  # an extension octet
        ("021e00000000", None),  # an octet short
    ],
)
def test_enhanced_period(octets: str, seconds: int | None) -> None:
    assert decode_enhanced_vp(bytes.fromhex(octets)) == seconds


@pytest.mark.parametrize(
    ("seconds", "octets"),
    [
        (None, "00000000000000"),
        (0, "02010000000000"),
        (255, "02ff0000000000"),
        (256, "03004061000000"),
        (99 * HOUR + 59 * 60 + 59, "03999595000000"),
        (100 * HOUR, "01ab0000000000"),
        (float("inf"), "01ff0000000000"),
    ],
)
def test_enhanced_period_takes_the_finest_format(seconds: float | None, octets: str) -> None:
    assert encode_enhanced_vp(seconds) == bytes.fromhex(octets)
    single = encode_enhanced_vp(seconds, single_shot=True)
    assert (single[0], single[1:]) == (bytes.fromhex(octets)[0] | 0x40, bytes.fromhex(octets)[1:])
    assert is_single_shot(single)
    assert not is_single_shot(bytes.fromhex(octets))
    if seconds not in {None, 0, float("inf")}:
        assert (decode_enhanced_vp(single) or 0) >= (seconds or 0)


def test_no_octets_are_no_single_shot() -> None:
    assert not is_single_shot(b"")
