"""A rate that grows after an outage: never more than was asked for, and no less than could go."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.ramp import Ramp

pytestmark = pytest.mark.unit


def run(ramp: Ramp, until: float, steps: list[float]) -> list[float]:
    """When each send went, of one who asks whenever a step is over and sends all that is allowed."""
    now, sent, k = 0.0, [], 0
    while now < until:
        for _ in range(ramp.available(now)):
            ramp.take(now)
            sent.append(now)
        wait_s = ramp.ready_in_s(now)
        assert wait_s > 0, "all that was allowed has been taken"
        now += wait_s + steps[k % len(steps)]
        k += 1
    return sent


def asked(full: float, over: float, t0: float, t1: float) -> float:
    first = min(full, max(full * 0.1, 0.2))

    def total(t: float) -> float:
        grown = min(t, over)
        return first * grown + (full - first) * grown * grown / (2 * over) + full * max(0.0, t - over)

    return total(t1) - total(t0)


@given(
    st.floats(0.5, 2_000),
    st.floats(5, 300),
    st.lists(st.sampled_from([0.0, 0.001, 0.05, 1.0]), min_size=1, max_size=5),
)
def test_no_second_has_more_than_the_ramp_asks_for(full: float, over: float, steps: list[float]):
    over = min(over, 20_000 / full)
    sent = run(Ramp(full, over, 0.0), over, steps)
    for second in range(math.floor(over)):
        n = sum(second <= at < second + 1 for at in sent)
        # What gathers may go on top: a quarter of a second's worth, and one.
        assert n <= asked(full, over, second, second + 1) + max(1.0, full * 0.25) + 1


@given(st.floats(1, 2_000), st.floats(10, 60))
def test_who_takes_what_is_allowed_gets_nearly_all_of_it(full: float, over: float):
    over = min(over, 20_000 / full)
    sent = run(Ramp(full, over, 0.0), over, [0.0])
    wanted = asked(full, over, 0, over)
    assert wanted * 0.95 - 2 <= len(sent) <= wanted + 1


def test_what_could_not_wait_is_paid_back():
    ramp = Ramp(100.0, 100.0, 0.0)
    for _ in range(50):
        ramp.take(0.0)  # urgent
    assert ramp.available(1.0) == 0
    assert 3.0 < ramp.ready_in_s(0.0) < 6.0


def test_its_course():
    ramp = Ramp(500.0, 120.0, 0.0)
    assert [round(ramp.per_s(t)) for t in (0, 60, 120, 500)] == [50, 275, 500, 500]
    assert (ramp.is_over(119.9), ramp.is_over(120.0)) == (False, True)
    assert Ramp(0.1, 60.0, 0.0).per_s(0.0) == 0.1, "slow is not made slower"
