"""The window: each waiter leaves once."""

from __future__ import annotations

import pytest

from drivers.smpp.session.window import Window

pytestmark = pytest.mark.unit


def test_a_waiter_leaves_with_its_answer_and_only_once():
    window: Window[str] = Window()
    window.add(7, "a", deadline=10.0)
    assert window.take(7) == "a"
    assert window.take(7) is None
    assert len(window) == 0


def test_waiters_expire_by_their_own_deadlines_oldest_first():
    window: Window[str] = Window()
    window.add(1, "slow", deadline=60.0)
    window.add(2, "a", deadline=10.0)
    window.add(3, "b", deadline=5.0)
    assert window.take_expired(4.9) == []
    assert window.take_expired(10.0) == [(2, "a"), (3, "b")]
    assert window.take(2) is None
    assert len(window) == 1


def test_all_who_wait_are_handed_back_when_the_link_is_gone():
    window: Window[str] = Window()
    window.add(2, "a", deadline=1.0)
    window.add(1, "b", deadline=1.0)
    assert window.take_all() == [(2, "a"), (1, "b")]
    assert window.take_all() == []
    assert window.take_expired(100.0) == []


def test_a_number_still_waiting_keeps_its_waiter():
    window: Window[str] = Window()
    window.add(1, "a", deadline=1.0)
    with pytest.raises(ValueError, match="still waiting"):
        window.add(1, "b", deadline=1.0)
    assert window.take(1) == "a"


def test_time_in_which_no_answer_could_be_read_does_not_count():
    window: Window[str] = Window()
    window.add(1, "a", deadline=10.0)
    window.postpone(5.0)
    assert window.take_expired(14.9) == []
    assert window.take_expired(15.0) == [(1, "a")]
