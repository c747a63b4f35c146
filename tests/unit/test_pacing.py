"""Backoff and token bucket, with time as plain numbers."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.pacing import Backoff, TokenBucket

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
