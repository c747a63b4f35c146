"""Whatever waits and whatever was sent: no budget is overrun, and nothing waits that could go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.message import MessageStatus
from gateway.routing.balancer import Candidate, Taker, choose_channels
from gateway.routing.budgets import Budget, Need, Quota, RecipientCap
from gateway.routing.channel import ChannelSnapshot, ChannelState, Standing
from gateway.routing.limits import LOST_CAP_S, SERIES, Breaker, BreakerState
from gateway.routing.periods import Period
from gateway.routing.waiting import Waiting, explain_wait

pytestmark = pytest.mark.property

NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)
QUEUE = "group:default"

needs = st.builds(Need, st.sampled_from("abcdef"), st.integers(1, 4), st.booleans())


@st.composite
def budgets(draw: st.DrawFn) -> Budget:
    quotas = [
        Quota(limit=limit, period=period, reserve=draw(st.integers(0, limit - 1)))
        for period in draw(st.sets(st.sampled_from([Period.HOUR, Period.DAY, Period.MONTH])))
        for limit in [draw(st.integers(1, 12))]
    ]
    caps = [
        RecipientCap(limit=draw(st.integers(1, 4)), period=period)
        for period in draw(st.sets(st.sampled_from([Period.DAY, Period.MONTH])))
    ]
    budget = Budget(quotas=tuple(quotas), caps=tuple(caps), zone=UTC)
    for need in draw(st.lists(needs, max_size=4)):
        if budget.admits(need, NOW):
            budget = budget.take(need, NOW)
    return budget


def respected(budget: Budget, sent: list[Need]) -> bool:
    """Whether a period's traffic is within what was left of a budget."""
    n_segments = sum(need.n_segments for need in sent)
    n_plain = sum(need.n_segments for need in sent if not need.urgent)
    return all(
        n_segments <= q.left(NOW) and n_plain <= q.left(NOW, urgent=False) for q in budget.quotas
    ) and all(len(c.known(NOW) | {need.recipient for need in sent}) <= c.limit for c in budget.caps)


@given(
    st.lists(st.tuples(needs, st.integers(0, 9)), max_size=20),
    st.lists(st.tuples(st.none() | budgets(), st.integers(1, 8)), min_size=1, max_size=3),
)
def test_no_budget_is_overrun_and_nothing_waits_that_could_go(waiting, channels):
    due = {f"m{i:02}": Candidate(f"m{i:02}", p, QUEUE, need) for i, (need, p) in enumerate(waiting)}
    takers = [Taker(f"c{i}", (QUEUE,), free, budget) for i, (budget, free) in enumerate(channels)]
    chosen = choose_channels(due.values(), takers, NOW)
    for taker in takers:
        sent = [due[i].need for i, name in chosen.items() if name == taker.name]
        assert len(sent) <= taker.free
        left = taker.budget
        if left is not None:
            assert respected(left, sent)
            for need in sent:
                left = left.take(need, NOW)
        if len(sent) < taker.free:
            could_go = [i for i in due if i not in chosen and (left is None or left.admits(due[i].need, NOW))]
            assert could_go == []


@given(budgets(), needs)
def test_what_is_not_admitted_has_a_reason_and_what_is_has_none(budget, need):
    blocks = budget.blocks(need, NOW)
    assert bool(blocks) == (not budget.admits(need, NOW))
    for block in blocks:
        assert block.until is None or block.until > NOW
    if blocks and all(block.until is not None for block in blocks):
        assert budget.admits(need, max(block.until for block in blocks if block.until)), "as was promised"


@given(budgets(), needs, st.integers(0, 3))
def test_a_waiting_message_always_has_a_reason(budget, need, in_flight):
    snapshot = ChannelSnapshot(
        name="sim", kind="modem", state=ChannelState.UP, since=NOW, in_flight=in_flight, capacity=2
    )
    waiting = Waiting(status=MessageStatus.QUEUED, queue=QUEUE, need=need)
    reasons = explain_wait(waiting, [Standing(snapshot=snapshot, queues=(QUEUE,), budget=budget)], NOW)
    assert reasons
    assert any(reason.code == "turn" for reason in reasons) == (budget.admits(need, NOW) and in_flight < 2)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["failure", "refusal", "lost", "answer", "up"]),
            st.floats(0.1, 100.0),
            st.sampled_from("abcdef"),
        )
    )
)
def test_a_breaker_opens_for_a_reason_rests_no_longer_than_its_cap_and_an_answer_closes_it(history):
    failed: set[str] = set()
    shunned: set[str] = set()
    breaker, now, refused = Breaker(), 100.0, False
    for what, pause_s, recipient in history:
        now += pause_s
        before = breaker.state(now)
        match what:
            case "answer":
                breaker, shunned, failed, refused = breaker.after_answer(), shunned | failed, set(), False
                assert breaker.state(now) is BreakerState.CLOSED
            case "up":
                breaker = breaker.after_up()
            case _:
                at_once, is_new = what == "refusal", recipient not in failed
                if what == "failure" and recipient in shunned:
                    assert breaker.after_failure(now, recipient) == breaker
                    continue
                breaker = breaker.after_failure(now, recipient, at_once=at_once, lost=what == "lost")
                failed.add(recipient)
                refused = refused or at_once
                reopened = breaker.state(now) is BreakerState.OPEN
                assert reopened or before is BreakerState.CLOSED or not (is_new or at_once)
        if breaker.state(now) is not BreakerState.CLOSED:
            assert refused or len(failed) >= SERIES
        assert breaker.left_s(now) <= LOST_CAP_S + 1e-6  # of differences of large numbers


@given(budgets(), st.lists(needs, max_size=6), st.integers(0, 40))
def test_a_restart_makes_no_difference(budget, sent, days):
    """What is counted from the store is what was counted as it went."""
    fresh = Budget(
        quotas=tuple(Quota(limit=q.limit, period=q.period, reserve=q.reserve) for q in budget.quotas),
        caps=tuple(RecipientCap(limit=c.limit, period=c.period) for c in budget.caps),
        zone=UTC,
    )
    running, ledger, now = fresh, [], NOW
    for need in sent:
        running = running.take(need, now)
        ledger.append((now, need))
        now += timedelta(hours=days)
    restored = fresh
    for period in fresh.periods():
        since = [need for at, need in ledger if at >= fresh.starts_at(period, now)]
        n_segments = sum(need.n_segments for need in since)
        restored = restored.restored(period, n_segments, {need.recipient for need in since}, now)
    assert [(a.what, a.period, a.used) for a in restored.accounts(now)] == [
        (a.what, a.period, a.used) for a in running.accounts(now)
    ]
