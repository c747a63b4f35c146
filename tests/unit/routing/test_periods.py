"""Days, months and hours of the day, also where the clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.routing.periods import ActiveHours, Period, period_end, period_start

pytestmark = pytest.mark.unit

SHANGHAI, BERLIN, KATHMANDU = (
    ZoneInfo(name) for name in ("Asia/Shanghai", "Europe/Berlin", "Asia/Kathmandu")
)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("period", "zone", "at", "start", "end"),
    [
        (Period.DAY, SHANGHAI, "2026-03-14 15:59:59", "2026-03-13 16:00", "2026-03-14 16:00"),
        (Period.DAY, SHANGHAI, "2026-03-14 16:00:00", "2026-03-14 16:00", "2026-03-15 16:00"),
        (Period.MONTH, SHANGHAI, "2026-02-28 15:59", "2026-01-31 16:00", "2026-02-28 16:00"),
        (Period.MONTH, UTC, "2026-12-31 23:59", "2026-12-01 00:00", "2027-01-01 00:00"),
        (Period.DAY, BERLIN, "2026-03-29 12:00", "2026-03-28 23:00", "2026-03-29 22:00"),  # 23 hours long
        (Period.DAY, BERLIN, "2026-10-25 12:00", "2026-10-24 22:00", "2026-10-25 23:00"),  # 25 hours long
        (Period.MONTH, BERLIN, "2026-03-31 12:00", "2026-02-28 23:00", "2026-03-31 22:00"),
        (Period.HOUR, KATHMANDU, "2026-03-14 09:26", "2026-03-14 09:15", "2026-03-14 10:15"),
        (Period.MINUTE, UTC, "2026-03-14 09:26:53", "2026-03-14 09:26", "2026-03-14 09:27"),
        (Period.SECOND, UTC, "2026-03-14 09:26:53.589", "2026-03-14 09:26:53", "2026-03-14 09:26:54"),
    ],
)
def test_a_period_begins_and_ends_by_local_time(period, zone, at, start, end):
    assert period_start(period, utc(at), zone) == utc(start)
    assert period_end(period, utc(at), zone) == utc(end)


@given(
    st.sampled_from(Period),
    st.sampled_from([None, UTC, SHANGHAI, BERLIN, KATHMANDU]),
    st.floats(946_684_800, 2_145_916_800).map(lambda s: datetime.fromtimestamp(s, UTC)),
)
def test_every_instant_lies_in_its_period_and_the_next_follows_at_once(period, zone, at):
    start, end = period_start(period, at, zone), period_end(period, at, zone)
    assert start <= at < end
    assert end - start <= timedelta(days=32)
    assert period_start(period, end, zone) == end


@pytest.mark.parametrize(
    ("hours", "at", "opens"),
    [
        (ActiveHours(480, 1320), "2026-03-14 00:00", "2026-03-14 00:00"),  # 08:00 in Shanghai
        (ActiveHours(480, 1320), "2026-03-13 23:59", "2026-03-14 00:00"),
        (ActiveHours(480, 1320), "2026-03-14 13:59", "2026-03-14 13:59"),
        (ActiveHours(480, 1320), "2026-03-14 14:00", "2026-03-15 00:00"),
        (ActiveHours(1320, 360), "2026-03-14 14:00", "2026-03-14 14:00"),  # over midnight
        (ActiveHours(1320, 360), "2026-03-14 21:59", "2026-03-14 21:59"),
        (ActiveHours(1320, 360), "2026-03-14 22:00", "2026-03-15 14:00"),
        (ActiveHours(0, 1440), "2026-03-14 16:00", "2026-03-14 16:00"),
    ],
)
def test_hours_of_the_day(hours, at, opens):
    assert hours.opens_at(utc(at), SHANGHAI) == utc(opens)
    assert hours.holds(utc(at), SHANGHAI) == (at == opens)


def test_hours_are_written_as_in_the_config():
    assert str(ActiveHours(480, 1320)) == "08:00-22:00"
    assert str(ActiveHours(0, 1440)) == "00:00-24:00"
