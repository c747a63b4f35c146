"""Quota and cool-down."""

from __future__ import annotations

import pytest

from gateway.routing.limits import COOLDOWN_CAP_S, Cooldown, Quota

pytestmark = pytest.mark.unit

DAY_S = 86_400.0


def test_a_quota_is_used_up_and_comes_back_with_the_next_period():
    quota = Quota(limit=3, period_s=DAY_S)
    assert quota.left(10.0) == 3
    quota = quota.take(2, 10.0)
    assert quota.left(20.0) == 1
    quota = quota.take(2, 30.0)
    assert quota.left(40.0) == 0, "a message of several parts may overrun it; it is never negative"
    assert quota.left(DAY_S - 0.001) == 0
    assert quota.left(DAY_S) == 3
    assert quota.take(1, DAY_S).left(DAY_S) == 2


def test_a_day_begins_at_local_midnight():
    shanghai = Quota(limit=3, period_s=DAY_S, offset_s=8 * 3_600.0)
    midnight = 20 * DAY_S - 8 * 3_600.0
    assert shanghai.starts_at(midnight) == midnight
    assert shanghai.starts_at(midnight - 1) == midnight - DAY_S
    used = shanghai.take(3, midnight - 1)
    assert (used.left(midnight - 1), used.left(midnight)) == (0, 3)


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
