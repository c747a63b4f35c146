"""What a SIM may send."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.routing.budgets import Budget, Need, Quota, RecipientCap
from gateway.routing.periods import ActiveHours, Period

pytestmark = pytest.mark.unit

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
TOMORROW = NOON + timedelta(days=1)
MIDNIGHT = datetime(2026, 3, 15, tzinfo=UTC)
NEXT_MONTH = datetime(2026, 4, 1, tzinfo=UTC)


def a_day(limit: int, reserve: int = 0) -> Budget:
    return Budget(quotas=(Quota(limit=limit, period=Period.DAY, reserve=reserve),), zone=UTC)


def recipients(a_month: int, a_day: int | None = None) -> Budget:
    caps = [RecipientCap(limit=a_month, period=Period.MONTH)]
    if a_day is not None:
        caps.append(RecipientCap(limit=a_day, period=Period.DAY))
    return Budget(caps=tuple(caps), zone=UTC)


def need(recipient: str = "a", n: int = 1, *, urgent: bool = False) -> Need:
    return Need(recipient, n, urgent)


def test_a_quota_is_used_up_and_comes_back_with_the_next_period():
    budget = a_day(3)
    assert budget.left(NOON) == 3
    budget = budget.take(need(n=2), NOON)
    assert budget.left(NOON) == 1
    budget = budget.take(need(n=2), NOON)
    assert budget.left(NOON) == 0, "a resend by an operator may overrun it; it is never negative"
    assert not budget.admits(need(), MIDNIGHT - timedelta(milliseconds=1))
    assert budget.left(MIDNIGHT) == 3
    assert budget.take(need(), MIDNIGHT).left(MIDNIGHT) == 2


def test_a_message_goes_whole_or_not_at_all():
    budget = a_day(3).take(need(), NOON)
    assert budget.admits(need(n=2), NOON)
    assert not budget.admits(need(n=3), NOON)


def test_the_day_and_the_month_must_both_have_room():
    quotas = (Quota(limit=10, period=Period.DAY), Quota(limit=15, period=Period.MONTH))
    budget = Budget(quotas=quotas, zone=UTC).take(need(n=10), NOON)
    assert budget.left(NOON) == 0
    assert budget.left(TOMORROW) == 5
    budget = budget.take(need(n=5), TOMORROW)
    assert budget.left(TOMORROW + timedelta(days=1)) == 0
    assert budget.left(NEXT_MONTH) == 10


def test_the_reserve_is_for_urgent_messages_alone():
    budget = a_day(10, reserve=4).take(need(n=6), NOON)
    assert budget.left(NOON, urgent=False) == 0
    assert not budget.admits(need(), NOON)
    assert budget.admits(need(n=4, urgent=True), NOON)
    assert not budget.take(need(n=4, urgent=True), NOON).admits(need(urgent=True), NOON)


def test_known_recipients_may_be_written_to_when_no_new_one_may():
    budget = recipients(2).take(need("a"), NOON).take(need("b"), NOON)
    assert budget.admits(need("a"), NOON)
    assert not budget.admits(need("c"), NOON)
    assert budget.take(need("a"), NOON) == budget
    assert budget.left(NOON) is None, "segments are not limited"
    assert budget.admits(need("c"), NEXT_MONTH)


def test_recipients_of_a_day_are_fewer_than_those_of_a_month():
    budget = recipients(3, a_day=2).take(need("a"), NOON).take(need("b"), NOON)
    assert not budget.admits(need("c"), NOON)
    budget = budget.take(need("c"), TOMORROW)
    assert not budget.admits(need("d"), TOMORROW), "the month's three"
    assert budget.admits(need("a"), TOMORROW)


def test_outside_its_hours_it_has_nothing_left():
    budget = replace(a_day(3), hours=ActiveHours(8 * 60, 22 * 60))
    night = datetime(2026, 3, 14, 23, tzinfo=UTC)
    assert (budget.left(NOON), budget.left(night)) == (3, 0)
    assert budget.ready_at(night) == datetime(2026, 3, 15, 8, tzinfo=UTC)
    assert Budget(hours=ActiveHours(0, 720), zone=UTC).left(NOON - timedelta(hours=1)) is None


def test_time_gives_room_when_the_first_period_ends():
    quotas = (Quota(limit=10, period=Period.DAY), Quota(limit=15, period=Period.MONTH))
    assert Budget(quotas=quotas, zone=UTC).ready_at(NOON) is None, "nothing is used yet"
    assert Budget(quotas=quotas, zone=UTC).take(need(), NOON).ready_at(NOON) == MIDNIGHT
    assert recipients(1).take(need(), NOON).ready_at(NOON) == NEXT_MONTH


def test_what_was_sent_before_a_restart_counts():
    fresh = Budget(
        quotas=(Quota(limit=10, period=Period.DAY), Quota(limit=15, period=Period.MONTH)),
        caps=(RecipientCap(limit=2, period=Period.MONTH),),
        zone=UTC,
    )
    assert fresh.periods() == {Period.DAY, Period.MONTH}
    assert fresh.starts_at(Period.DAY, NOON) == datetime(2026, 3, 14, tzinfo=UTC)
    assert fresh.starts_at(Period.MONTH, NOON) == datetime(2026, 3, 1, tzinfo=UTC)
    restored = fresh.restored(Period.DAY, 4, ["a"], NOON).restored(Period.MONTH, 12, ["a", "b"], NOON)
    assert restored.left(NOON) == 3
    assert not restored.admits(need("c"), NOON)
    assert [(a.what, a.period, a.used) for a in restored.accounts(NOON)] == [
        ("segments", "day", 4),
        ("segments", "month", 12),
        ("recipients", "month", 2),
    ]
    assert [a.used for a in restored.accounts(NEXT_MONTH)] == [0, 0, 0]


def test_every_block_says_why_and_until_when():
    budget = replace(recipients(1), quotas=a_day(10, reserve=8).quotas, hours=ActiveHours(8 * 60, 22 * 60))
    budget = budget.take(need("a", 2), NOON)
    assert budget.blocks(need("a", urgent=True), NOON) == []
    night = datetime(2026, 3, 14, 23, tzinfo=UTC)
    blocks = budget.blocks(need("b"), night)
    assert [(b.code, b.until) for b in blocks] == [
        ("active_hours", datetime(2026, 3, 15, 8, tzinfo=UTC)),
        ("quota", MIDNIGHT),
        ("recipients", NEXT_MONTH),
    ]
    assert (
        blocks[1].detail == "2 of its 10 segments of this day are used, 8 of them kept for urgent messages."
    )


def test_a_message_that_can_never_fit_is_told_so():
    [block] = a_day(10, reserve=8).blocks(need(n=3), NOON)
    assert block.until is None
    assert block.detail == "It needs 3 segments, and 2 a day are all that may go."
