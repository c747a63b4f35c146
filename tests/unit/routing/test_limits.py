"""Cool-down and breaker."""

from __future__ import annotations

from itertools import count, pairwise

import pytest

from gateway.routing.limits import (
    COOLDOWN_CAP_S,
    LOST_CAP_S,
    RENEW_CAP_S,
    SERIES,
    SUSPECTS,
    Breaker,
    BreakerState,
    Cooldown,
    Renewals,
)

pytestmark = pytest.mark.unit

PHONE = "+8613800138000"


def test_a_pause_doubles_while_the_channel_goes_on_refusing():
    cooldown, now, pauses = Cooldown(), 100.0, []
    for _ in range(9):
        cooldown = cooldown.after_fault(now, PHONE)
        pauses.append(cooldown.left_s(now))
        now += cooldown.left_s(now)
    assert pauses == [1, 2, 4, 8, 16, 32, COOLDOWN_CAP_S, COOLDOWN_CAP_S, COOLDOWN_CAP_S]


def test_a_window_that_fails_together_is_one_failure():
    cooldown = Cooldown()
    for _ in range(50):
        cooldown = cooldown.after_fault(100.0, PHONE)
    assert cooldown.failures == 1
    assert cooldown.left_s(100.0) <= 2.0


def test_the_peers_own_wish_counts():
    assert Cooldown().after_fault(100.0, PHONE, 30.0).left_s(100.0) == 30.0
    assert Cooldown().after_fault(100.0, PHONE, 0.0).left_s(100.0) == 0.0


def test_a_success_ends_the_pause_and_forgets():
    cooldown = Cooldown().after_fault(100.0, PHONE).after_fault(101.5, PHONE).after_success()
    assert cooldown.left_s(101.5) == 0
    assert cooldown.after_fault(200.0, PHONE).left_s(200.0) == 1.0


RECIPIENTS = (f"+86138{n:08}" for n in count())
"""Another one each time."""


def failed(times: int, breaker: Breaker | None = None, now: float = 100.0) -> Breaker:
    breaker = breaker or Breaker()
    for _ in range(times):
        breaker = breaker.after_failure(now, next(RECIPIENTS))
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
        breaker = breaker.after_failure(now, next(RECIPIENTS))
    assert pauses == [1, 2, 4, 8, 16, 32, COOLDOWN_CAP_S, COOLDOWN_CAP_S]


def test_a_half_open_breaker_closes_with_the_first_answer():
    breaker = failed(SERIES).after_answer()
    assert breaker == Breaker(shunned=breaker.shunned)
    assert breaker.state(101.0) is BreakerState.CLOSED


def test_a_channel_that_says_itself_that_it_cannot_opens_at_once():
    breaker = Breaker().after_failure(100.0, PHONE, at_once=True)
    assert breaker.state(100.0) is BreakerState.OPEN
    assert Breaker().after_failure(100.0, PHONE, at_once=True, asked_s=30.0).left_s(100.0) == 30.0


def test_what_fails_while_it_is_open_was_sent_before_and_prolongs_nothing():
    opened = failed(SERIES)
    later = failed(50, opened)
    assert (later.until, later.openings, later.failures) == (opened.until, opened.openings, opened.failures)


def test_a_link_that_comes_up_again_cures_what_the_channel_said_of_itself_but_no_series():
    assert Breaker().after_failure(100.0, PHONE, at_once=True).after_up().state(100.0) is BreakerState.CLOSED
    assert (series := failed(SERIES)).after_up() == series


def test_the_failures_of_several_recipients_are_a_series_also_when_the_link_came_up_between_them():
    breaker = failed(SERIES - 1).after_up()
    assert failed(1, breaker).state(100.0) is BreakerState.OPEN


def test_one_recipient_opens_no_breaker_however_often_it_fails():
    breaker = Breaker()
    for second in range(100, 1_000, 10):
        breaker = breaker.after_failure(float(second), PHONE)
    assert breaker.state(1_000.0) is BreakerState.CLOSED


def test_a_trial_with_a_recipient_known_to_be_in_trouble_is_none():
    opened = failed(SERIES - 1, Breaker().after_failure(100.0, PHONE))
    tried = opened.after_failure(150.0, PHONE)
    assert (tried.state(150.0), tried.openings) == (BreakerState.HALF_OPEN, opened.openings)
    assert tried.after_failure(150.0, next(RECIPIENTS)).state(150.0) is BreakerState.OPEN


def test_what_failed_before_the_channel_proved_itself_is_no_sign_of_it_later():
    numbers = ["+1", "+2", "+3", "+4"]
    breaker = Breaker()
    for number in numbers:
        breaker = breaker.after_failure(100.0, number)
    proved = breaker.after_answer()
    again = proved
    for number in numbers:
        again = again.after_failure(200.0, number)
    assert again == proved
    assert failed(SERIES, proved).state(100.0) is BreakerState.OPEN, "others tell as before"
    assert again.after_failure(200.0, "+1", lost=True).suspects == ("+1",), "and silence does"
    assert proved.after_answer("+1").shunned == ("+2", "+3", "+4"), "whom a message reached is well"


def test_where_each_trial_costs_a_message_the_pauses_grow_faster():
    breaker, now, pauses = failed(SERIES), 100.0, []
    for _ in range(6):
        now += breaker.left_s(now)
        breaker = breaker.after_failure(now, next(RECIPIENTS), lost=True)
        pauses.append(breaker.left_s(now))
    assert pauses == [4, 16, 64, 256, LOST_CAP_S, LOST_CAP_S]


def test_what_was_learned_of_recipients_is_bounded():
    assert len(failed(1_000).suspects) == SUSPECTS


def test_a_new_session_is_asked_for_after_two_failures_and_then_ever_more_seldom():
    breaker, renewals, now, asked_at = Breaker(), Renewals(), 100.0, []
    while now < 100_000.0:
        breaker = breaker.after_failure(now, PHONE)
        if renewals.is_due(breaker, now):
            renewals = renewals.after_one(now)
            asked_at.append(now - 100.0)
        now += 10.0
    assert asked_at[:5] == [10, 30, 60, 120, 240]
    assert max(b - a for a, b in pairwise(asked_at)) == RENEW_CAP_S
    assert not Renewals().is_due(Breaker().after_failure(100.0, PHONE), 100.0)


def test_messages_to_one_number_that_were_sent_together_are_one_failure():
    breaker = Breaker()
    for _ in range(20):
        breaker = breaker.after_failure(100.0, PHONE)
    assert breaker.failures == 1


def test_messages_to_one_number_that_follow_each_other_at_once_are_one_failure_however_long_each_takes():
    breaker = Breaker().after_failure(160.0, PHONE, began=100.0, lost=True)
    breaker = breaker.after_failure(220.0, PHONE, began=160.0, lost=True)
    assert breaker.failures == 1
    assert breaker.after_failure(300.0, PHONE, began=240.0, lost=True).failures == 2
