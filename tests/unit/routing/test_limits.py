"""Cool-down and breaker."""

from __future__ import annotations

import pytest

from gateway.routing.limits import COOLDOWN_CAP_S, SERIES, Breaker, BreakerState, Cooldown

pytestmark = pytest.mark.unit


def test_a_pause_doubles_while_the_channel_goes_on_refusing():
    cooldown, now, pauses = Cooldown(), 100.0, []
    for _ in range(9):
        cooldown = cooldown.after_fault(now)
        pauses.append(cooldown.left_s(now))
        now += cooldown.left_s(now)
    assert pauses == [1, 2, 4, 8, 16, 32, COOLDOWN_CAP_S, COOLDOWN_CAP_S, COOLDOWN_CAP_S]


def test_a_window_that_fails_together_is_one_failure():
    cooldown = Cooldown()
    for _ in range(50):
        cooldown = cooldown.after_fault(100.0)
    assert cooldown.failures == 1
    assert cooldown.left_s(100.0) <= 2.0


def test_the_peers_own_wish_counts():
    assert Cooldown().after_fault(100.0, 30.0).left_s(100.0) == 30.0
    assert Cooldown().after_fault(100.0, 0.0).left_s(100.0) == 0.0


def test_a_success_ends_the_pause_and_forgets():
    cooldown = Cooldown().after_fault(100.0).after_fault(101.5).after_success()
    assert cooldown.left_s(101.5) == 0
    assert cooldown.after_fault(200.0).left_s(200.0) == 1.0


def failed(times: int, breaker: Breaker | None = None, now: float = 100.0) -> Breaker:
    breaker = breaker or Breaker()
    for _ in range(times):
        breaker = breaker.after_failure(now)
    return breaker


def test_a_breaker_opens_after_failures_in_series_and_not_before():
    assert failed(SERIES - 1).state(100.0) is BreakerState.CLOSED
    opened = failed(SERIES)
    assert opened.state(100.0) is BreakerState.OPEN
    assert opened.left_s(100.0) == 1.0
    assert opened.state(101.0) is BreakerState.HALF_OPEN


def test_an_answer_between_two_failures_begins_the_series_anew():
    assert failed(SERIES - 1, failed(SERIES - 1).after_answer()).state(100.0) is BreakerState.CLOSED


def test_a_half_open_breaker_opens_again_at_the_first_failure_for_twice_as_long():
    breaker, now, pauses = failed(SERIES), 100.0, []
    for _ in range(8):
        pauses.append(breaker.left_s(now))
        now += breaker.left_s(now)
        assert breaker.state(now) is BreakerState.HALF_OPEN
        breaker = breaker.after_failure(now)
    assert pauses == [1, 2, 4, 8, 16, 32, COOLDOWN_CAP_S, COOLDOWN_CAP_S]


def test_a_half_open_breaker_closes_with_the_first_answer():
    breaker = failed(SERIES).after_answer()
    assert breaker == Breaker()
    assert breaker.state(101.0) is BreakerState.CLOSED


def test_a_channel_that_says_itself_that_it_cannot_opens_at_once():
    breaker = Breaker().after_failure(100.0, at_once=True)
    assert breaker.state(100.0) is BreakerState.OPEN
    assert Breaker().after_failure(100.0, at_once=True, asked_s=30.0).left_s(100.0) == 30.0


def test_what_fails_while_it_is_open_was_sent_before_and_prolongs_nothing():
    opened = failed(SERIES)
    assert failed(50, opened) == opened


def test_a_link_that_comes_up_again_cures_a_refusal_but_no_series():
    assert Breaker().after_failure(100.0, at_once=True).after_up() == Breaker()
    assert failed(SERIES - 1).after_up() == Breaker()
    assert failed(SERIES).after_up() == failed(SERIES)
