"""Hours, whatever the zones and however their clocks are changed: nothing goes outside, and everything goes in the end.

What is allowed is said here once more, minute by minute, by what `zoneinfo` shows on the wall.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from gateway.model.message import Category
from gateway.policy.decision import Allow, Later, Refuse
from gateway.policy.opening import Holidays, Hours, Opening
from gateway.policy.rules.hours import HoursOf, HoursRule
from gateway.policy.subject import NO_FACTS, Subject
from gateway.policy.zones import Zones

pytestmark = pytest.mark.property

ZONES = sorted(
    name for name in available_timezones() if "/" in name and not name.startswith(("Etc/", "posix", "right"))
)
MINUTE = timedelta(minutes=1)
EVERY_DAY = frozenset(range(7))


def find_changes() -> list[tuple[str, datetime]]:
    """Each change of a clock in 2026 and 2027, to the minute."""
    found = []
    for name in ZONES[::3]:
        zone, at = ZoneInfo(name), datetime(2026, 1, 1, tzinfo=UTC)
        while at < datetime(2028, 1, 1, tzinfo=UTC):
            later = at + timedelta(days=7)
            if at.astimezone(zone).utcoffset() != later.astimezone(zone).utcoffset():
                low, high = at, later
                while high - low > MINUTE:
                    middle = low + (high - low) / 2
                    middle = middle.replace(second=0, microsecond=0)
                    same = middle.astimezone(zone).utcoffset() == at.astimezone(zone).utcoffset()
                    low, high = (middle, high) if same else (low, middle)
                found.append((name, high))
            at = later
    return found


CHANGES = find_changes()
minutes = st.integers(0, 1439)
windows = st.lists(
    st.tuples(minutes, st.integers(1, 1440)).filter(lambda w: w[0] != w[1]), min_size=1, max_size=3
)
weekdays = st.frozensets(st.integers(0, 6), min_size=1)
moments = st.integers(0, 2 * 365 * 86_400).map(
    lambda s: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=s)
)
near_changes = st.tuples(st.sampled_from(CHANGES), st.integers(-2 * 86_400, 2 * 86_400)).map(
    lambda drawn: (drawn[0][0], drawn[0][1] + timedelta(seconds=drawn[1]))
)
places = st.one_of(st.tuples(st.sampled_from(ZONES), moments), near_changes)
hours = st.lists(st.builds(Hours, weekdays, windows.map(tuple)), min_size=1, max_size=2).map(tuple)
days = st.dates(date(2026, 1, 1), date(2027, 12, 31))


def is_allowed(
    at: datetime, hours: tuple[Hours, ...], zone: ZoneInfo, off: frozenset[date] = frozenset()
) -> bool:
    wall = at.astimezone(zone)
    minute = wall.hour * 60 + wall.minute
    for weekdays, windows in hours:
        for opens, closes in windows:
            begins_today = opens <= minute and (minute < closes or closes <= opens)
            began_yesterday = closes <= opens and minute < closes
            for day, holds in (
                (wall.date(), begins_today),
                (wall.date() - timedelta(days=1), began_yesterday),
            ):
                if holds and day.weekday() in weekdays and day not in off:
                    return True
    return False


def decide(hours, zones, at, *, spread_s=0.0, message_id="m", holidays=(), expires_at=None):
    opening = Opening(hours=hours, holidays=holidays)
    rule = HoursRule(
        hours=(HoursOf(opening=opening, spread_s=spread_s),), zones=Zones(areas={}, home=tuple(zones))
    )
    subject = Subject("+8613800138000", Category.MARKETING, at, "x", key=("k",), message_id=message_id)
    return rule.decide(subject._replace(expires_at=expires_at), NO_FACTS, at)


@given(hours, places)
@example((Hours(EVERY_DAY, ((150, 240),)),), ("Europe/Berlin", datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC)))
@example((Hours(EVERY_DAY, ((480, 90),)),), ("America/New_York", datetime(2026, 11, 1, 5, 45, tzinfo=UTC)))
def test_nothing_goes_outside_and_all_goes_as_soon_as_it_may(hours, place):
    name, at = place
    zone = ZoneInfo(name)
    decision = decide(hours, [zone], at)
    if isinstance(decision, Allow):
        assert is_allowed(at, hours, zone)
        return
    assert isinstance(decision, Later)
    assert not is_allowed(at, hours, zone)
    assert is_allowed(decision.until, hours, zone)
    assert at < decision.until <= at + timedelta(days=15)
    assert isinstance(decide(hours, [zone], decision.until), Allow)
    before = decision.until - MINUTE
    for _ in range(300):
        if before <= at:
            break
        assert not is_allowed(before, hours, zone)
        before -= MINUTE * 7


@given(hours, places, st.lists(st.sampled_from(ZONES), min_size=1, max_size=3))
def test_with_several_zones_all_must_allow_it(hours, place, others):
    name, at = place
    zones = [ZoneInfo(one) for one in {name, *others}]
    decision = decide(hours, zones, at)
    if isinstance(decision, Refuse):
        # In no hour of the next days do all allow it.
        assert not any(
            all(is_allowed(at + MINUTE * 13 * n, hours, zone) for zone in zones)
            for n in range(14 * 24 * 60 // 13)
        )
        return
    goes_at = decision.until if isinstance(decision, Later) else at
    assert all(is_allowed(goes_at, hours, zone) for zone in zones)


@given(hours, places, st.text(max_size=30), st.integers(1, 86_400))
def test_the_spread_stays_inside_the_hours_and_is_the_same_each_time(hours, place, message_id, spread_s):
    name, at = place
    zone = ZoneInfo(name)
    first, decision = (
        decide(hours, [zone], at),
        decide(hours, [zone], at, spread_s=spread_s, message_id=message_id),
    )
    assert type(first) is type(decision)
    if isinstance(first, Later) and isinstance(decision, Later):
        assert first.until <= decision.until < first.until + timedelta(seconds=spread_s)
        at_last = first.until
        while at_last <= decision.until:
            assert is_allowed(at_last, hours, zone)
            at_last += MINUTE
        assert is_allowed(decision.until, hours, zone)
        assert decision == decide(hours, [zone], at, spread_s=spread_s, message_id=message_id)


@given(hours, places, st.frozensets(days, max_size=8))
def test_days_off_are_as_forbidden_as_nights(hours, place, off):
    name, at = place
    zone = ZoneInfo(name)
    decision = decide(hours, [zone], at, holidays=(Holidays("86", off, frozenset()),))
    assume(not isinstance(decision, Refuse))
    goes_at = decision.until if isinstance(decision, Later) else at
    assert is_allowed(goes_at, hours, zone, off)


@given(hours, places, st.integers(1, 3 * 86_400))
def test_what_waits_goes_within_its_time_or_is_refused_at_once(hours, place, left_s):
    name, at = place
    expires_at = at + timedelta(seconds=left_s)
    decision = decide(hours, [ZoneInfo(name)], at, spread_s=1_800, expires_at=expires_at)
    if isinstance(decision, Later):
        assert decision.until < expires_at
    elif isinstance(decision, Refuse):
        assert decision.code == "expires_before_hours"
        unhurried = decide(hours, [ZoneInfo(name)], at)
        assert isinstance(unhurried, Later)
        assert unhurried.until >= expires_at
