"""The recovery ladder as a value: order, bounds, pauses, and when an episode is over."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.modem.recovery.ladder import Ladder, LadderPolicy, Rung, Trouble

pytestmark = pytest.mark.unit

POLICY = LadderPolicy(
    reopen_tries=2, reopen_s=1, reopen_cap_s=8, quarantine_s=60, quarantine_cap_s=200, calm_s=300
)
ALL = frozenset(Rung)


def climb(ladder: Ladder, trouble: Trouble, times: int, able: frozenset[Rung] = ALL):
    rungs, pauses = [], []
    for _ in range(times):
        step, ladder = ladder.climb(trouble, 0.0, able)
        rungs.append(step.rung)
        pauses.append(step.pause_s)
    return rungs, pauses, ladder


def test_a_stick_that_answers_and_does_not_work_gets_the_whole_ladder_from_gentle_to_rough():
    rungs, _, _ = climb(Ladder(policy=POLICY), Trouble.UNWELL, 8)
    assert rungs == [
        Rung.SOFT_RESET, Rung.RADIO_CYCLE, Rung.REOPEN, Rung.REOPEN,
        Rung.MODEM_RESET, Rung.USB_REBIND, Rung.COMMAND, Rung.QUARANTINE,
    ]  # fmt: skip


def test_a_silent_stick_is_not_asked_for_what_it_would_have_to_hear():
    rungs, _, _ = climb(Ladder(policy=POLICY), Trouble.SILENT, 6)
    assert rungs == [
        Rung.REOPEN, Rung.REOPEN, Rung.MODEM_RESET, Rung.USB_REBIND, Rung.COMMAND, Rung.QUARANTINE,
    ]  # fmt: skip


def test_what_is_not_possible_here_is_left_out():
    rungs, _, _ = climb(Ladder(policy=POLICY), Trouble.SILENT, 3, frozenset())
    assert rungs == [Rung.REOPEN, Rung.REOPEN, Rung.QUARANTINE]


def test_a_port_that_somebody_else_holds_is_only_tried_again_ever_more_rarely():
    rungs, pauses, _ = climb(Ladder(policy=POLICY), Trouble.BLOCKED, 6)
    assert set(rungs) == {Rung.REOPEN}
    assert pauses == [1, 2, 4, 8, 8, 8]


def test_quarantines_grow_and_after_each_everything_is_tried_again():
    ladder = Ladder(policy=POLICY)
    pauses = []
    for _ in range(4):
        rungs, waits, ladder = climb(ladder, Trouble.SILENT, 3, frozenset())
        assert rungs == [Rung.REOPEN, Rung.REOPEN, Rung.QUARANTINE]
        pauses.append(waits[-1])
    assert pauses == [60, 120, 200, 200]
    assert ladder.counts == {Rung.REOPEN: 8, Rung.QUARANTINE: 4}


def test_a_stick_that_served_between_two_quarantines_is_not_left_alone_for_ever_longer():
    _, pauses, ladder = climb(Ladder(policy=POLICY), Trouble.GONE, 3, frozenset())
    served = ladder.in_service(0.0).climb(Trouble.GONE, POLICY.well_s, frozenset())[1]
    _, (*_, pause), _ = climb(served, Trouble.GONE, 2, frozenset())
    assert (pauses[-1], pause) == (60, 60)
    _, (*_, pause), _ = climb(ladder.in_service(0.0), Trouble.GONE, 3, frozenset())
    assert pause == 120


def test_a_stick_that_fails_again_soon_goes_on_where_it_was_and_later_begins_anew():
    _, _, ladder = climb(Ladder(policy=POLICY), Trouble.UNWELL, 2)
    soon, _ = ladder.in_service(100.0).climb(Trouble.UNWELL, 399.0, ALL)
    assert soon.rung is Rung.REOPEN
    later, _ = ladder.in_service(100.0).climb(Trouble.UNWELL, 400.0, ALL)
    assert later.rung is Rung.SOFT_RESET


@given(
    st.lists(st.tuples(st.sampled_from(Trouble), st.floats(0, 100), st.booleans()), max_size=60),
    st.sets(st.sampled_from(Rung)),
)
def test_whatever_happens_no_loop_is_tight(troubles, able):
    """Between two quarantines every rung comes a few times at most, so that the long pauses bound the rate."""
    ladder, now = Ladder(policy=POLICY), 0.0
    since_rest: list[Rung] = []
    for trouble, seconds, well in troubles:
        now += seconds
        step, after = ladder.climb(trouble, now, frozenset(able))
        assert step.rung in able or step.rung in {Rung.REOPEN, Rung.QUARANTINE}
        assert after.n_recoveries == ladder.n_recoveries + 1
        if step.rung is Rung.QUARANTINE:
            assert step.pause_s >= POLICY.quarantine_s
            since_rest = []
        elif step.pause_s == 0:
            since_rest.append(step.rung)
            assert len(since_rest) == len(set(since_rest)), "a rung without a pause came twice"
        ladder = after.in_service(now) if well else after
        if well and seconds >= POLICY.calm_s:
            since_rest = []
