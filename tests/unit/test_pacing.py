"""Backoff and token bucket, with time as plain numbers."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.pacing import AdaptivePace, Backoff, TokenBucket

pytestmark = pytest.mark.unit


def test_backoff_grows_to_the_cap_and_is_never_nothing():
    backoff = Backoff(1.0, 60.0, random.Random(1))
    bounds = [1, 2, 4, 8, 16, 32, 60, 60, 60]
    for bound in bounds:
        assert 0 < backoff.next_s() <= bound


def test_backoff_spreads_channels_that_lost_the_same_peer():
    waits = {Backoff(8.0, 60.0, random.Random(seed)).next_s() for seed in range(50)}
    assert len(waits) == 50
    assert max(waits) - min(waits) > 4


def test_backoff_starts_again_after_reset():
    backoff = Backoff(1.0, 60.0, random.Random(1))
    for _ in range(10):
        backoff.next_s()
    backoff.reset()
    assert backoff.next_s() <= 1.0


@pytest.mark.parametrize(("base_s", "cap_s"), [(0, 1), (-1, 1), (2, 1)])
def test_backoff_refuses_bounds_that_make_no_sense(base_s, cap_s):
    with pytest.raises(ValueError, match="base_s"):
        Backoff(base_s, cap_s)


def test_bucket_allows_its_burst_then_its_rate():
    bucket = TokenBucket(10, 5, now=100.0)
    assert bucket.available(100.0) == 5
    bucket.take(5, 100.0)
    assert bucket.available(100.0) == 0
    assert bucket.ready_in_s(100.0) == pytest.approx(0.1)
    assert bucket.available(100.25) == 2


def test_bucket_never_holds_more_than_its_burst():
    bucket = TokenBucket(10, 5, now=0.0)
    assert bucket.available(3600.0) == 5
    bucket.take(0, 3600.0)
    assert bucket.available(7200.0) == 5


def test_debt_is_paid_back_before_the_next_take():
    bucket = TokenBucket(1, 2, now=0.0)
    bucket.take(5, 0.0)
    assert bucket.available(1.0) == 0
    assert bucket.ready_in_s(1.0) == pytest.approx(3.0)
    assert bucket.available(4.0) == 1


def test_more_than_the_burst_is_ready_when_the_bucket_is_full():
    bucket = TokenBucket(1, 2, now=0.0)
    assert bucket.ready_in_s(0.0, 10) == 0.0
    bucket.take(2, 0.0)
    assert bucket.ready_in_s(0.0, 10) == pytest.approx(2.0)


def test_a_clock_that_steps_back_gives_nothing_away():
    bucket = TokenBucket(1, 2, now=100.0)
    bucket.take(2, 100.0)
    bucket.take(0, 50.0)
    assert bucket.available(100.0) == 0
    assert bucket.available(101.0) == 1


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (1, 0), (-1, 1)])
def test_bucket_refuses_a_rate_of_nothing(rate, burst):
    with pytest.raises(ValueError, match="above 0"):
        TokenBucket(rate, burst, now=0.0)


@given(
    rate=st.floats(0.01, 1000),
    burst=st.integers(1, 100),
    steps=st.lists(st.floats(0, 10), max_size=50),
)
def test_waiting_as_told_gives_a_token_and_the_rate_is_kept(rate, burst, steps):
    now = 0.0
    taken = 0
    bucket = TokenBucket(rate, burst, now)
    for step in steps:
        now += step
        now += bucket.ready_in_s(now)
        assert bucket.available(now) >= 1
        bucket.take(1, now)
        taken += 1
    assert taken <= burst + rate * now + 0.001


# --- a pace found by trying ---


def send_for(pace: AdaptivePace, seconds: float, at: float, wanted: float) -> tuple[int, float]:
    """Send as fast as wanted and allowed; how many went, and when it ended."""
    end, sent = at + seconds, 0
    while at < end:
        allowed = pace.available(at)
        if allowed is None or allowed > 0:
            pace.take(at)
            sent += 1
        at += 1 / wanted
    return sent, at


def test_nobody_is_paced_before_a_complaint():
    pace = AdaptivePace(0.0)
    assert pace.available(0.0) is None
    assert send_for(pace, 2.0, 0.0, 100)[0] >= 200
    assert (pace.rate(2.0), pace.ready_in_s(2.0)) == (None, 0.0)


def test_a_complaint_halves_what_was_sent_and_time_wins_it_back():
    pace = AdaptivePace(0.0)
    _, now = send_for(pace, 3.0, 0.0, 100)
    pace.slow_down(now)
    rate = pace.rate(now)
    assert rate is not None
    assert rate == pytest.approx(50, rel=0.1)
    assert pace.rate(now + 4) == pytest.approx(rate + 20, rel=0.1)


def test_complaints_about_one_window_count_once():
    pace = AdaptivePace(0.0)
    _, now = send_for(pace, 3.0, 0.0, 100)
    for number in range(20):
        pace.slow_down(now + number * 0.01)
    assert pace.rate(now + 0.2) == pytest.approx(50, rel=0.1)


def test_it_finds_the_pace_that_a_peer_bears():
    """A peer that refuses what is above 40 a second, for ten minutes."""
    pace, now = AdaptivePace(0.0), 0.0
    taken = refused = 0
    second, count = 0, 0
    while now < 600:
        if pace.available(now) != 0:
            pace.take(now)
            if int(now) != second:
                second, count = int(now), 0
            count += 1
            if count > 40:
                refused += 1
                pace.slow_down(now)
            else:
                taken += 1
        now += 1 / 200
    assert taken >= 0.65 * 40 * 600
    assert refused <= 0.10 * taken


def test_a_bound_that_has_long_been_kept_is_forgotten():
    pace = AdaptivePace(0.0)
    _, now = send_for(pace, 2.0, 0.0, 10)
    pace.slow_down(now)
    assert pace.rate(now + 3_600) is None


def test_it_never_stops_altogether():
    pace = AdaptivePace(0.0)
    for now in range(2, 100, 2):
        pace.slow_down(float(now))
    assert 0 < pace.ready_in_s(100.0) <= 2.0 or pace.available(100.0)
