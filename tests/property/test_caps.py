"""Caps, whatever a number had: no stretch of time is ever too full, and what waits waits no longer than that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.message import Category
from gateway.policy.decision import Allow, Later, Refuse
from gateway.policy.rules.frequency import Cap, Frequency, Limit
from gateway.policy.subject import Facts, Subject, Touch

pytestmark = pytest.mark.property

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOW_MS = 1_000_000_000
limits = st.lists(
    st.builds(lambda most, per_ms: Limit(most, per_ms, "?"), st.integers(1, 4), st.integers(1, 60)),
    min_size=1,
    max_size=3,
)
touches = st.lists(st.tuples(st.integers(-90, 90), st.booleans()), max_size=10)


def instant(ms: int) -> datetime:
    return EPOCH + timedelta(milliseconds=ms)


def is_full(times: list[int], limit: Limit) -> bool:
    """Whether some stretch holds more than it may, told by looking at each that begins with a message."""
    return any(sum(begin <= time < begin + limit.per_ms for time in times) > limit.most for begin in times)


def fits(before: list[int], at_ms: int, limits: list[Limit]) -> bool:
    """One more is too many only in stretches that hold it."""
    for limit in limits:
        for begin in range(at_ms - limit.per_ms + 1, at_ms + 1):
            if sum(begin <= time < begin + limit.per_ms for time in before) + 1 > limit.most:
                return False
    return True


@given(limits, touches, st.integers(0, 60), st.booleans(), st.booleans())
def test_one_more_goes_where_and_when_every_stretch_has_room(limits, drawn, ahead_ms, waits, claiming):
    had = [
        Touch(f"m{n}", NOW_MS + ms, is_out, Category.MARKETING, "default", None, None)
        for n, (ms, is_out) in enumerate(drawn)
    ]
    before = [one.at_ms if one.is_out else max(one.at_ms, NOW_MS) for one in had]
    rule = Frequency(caps=(Cap(limits=tuple(limits), category=frozenset({Category.MARKETING}), waits=waits),))
    at_ms = NOW_MS + ahead_ms
    subject = Subject("+8613800138000", Category.MARKETING, instant(at_ms), "x", message_id="new")
    decision = rule.decide(subject, Facts(touches=tuple(had), claiming=claiming), instant(NOW_MS))
    if fits(before, at_ms, limits):
        assert isinstance(decision, Allow)
    elif waits or claiming:
        assert isinstance(decision, Later)
        until_ms = (decision.until - EPOCH) // timedelta(milliseconds=1)
        assert until_ms == next(ms for ms in range(at_ms, at_ms + 400) if fits(before, ms, limits))
    else:
        assert isinstance(decision, Refuse)


@given(limits, st.lists(st.integers(0, 30), max_size=25))
def test_however_they_come_no_stretch_is_too_full(limits, pauses):
    rule = Frequency(caps=(Cap(limits=tuple(limits), category=frozenset({Category.MARKETING})),))
    now_ms = NOW_MS
    had: tuple[Touch, ...] = ()
    for n, pause_ms in enumerate(pauses):
        now_ms += pause_ms
        subject = Subject("+8613800138000", Category.MARKETING, instant(now_ms), "x", message_id=f"m{n}")
        if isinstance(rule.decide(subject, Facts(touches=had), instant(now_ms)), Allow):
            had = (*had, Touch(f"m{n}", now_ms, True, Category.MARKETING, "default", None, None))
    assert not any(is_full([one.at_ms for one in had], limit) for limit in limits)
