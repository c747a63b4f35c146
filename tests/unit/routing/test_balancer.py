"""Who takes what of the messages that are due."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.routing.balancer import Candidate, Taker, choose_channels, unfilled, wanted_per_queue
from gateway.routing.budgets import Budget, Need, Quota, RecipientCap
from gateway.routing.periods import Period

pytestmark = pytest.mark.unit

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)


def due(*ids: str, priority: int = 5, queue: str = "group:default") -> list[Candidate]:
    return [Candidate(message_id, -priority, queue) for message_id in ids]


def taker(name: str, free: int, *queues: str) -> Taker:
    return Taker(name, queues or ("group:default",), free)


def test_the_oldest_goes_first_and_the_channel_with_the_most_room_takes_it():
    chosen = choose_channels(due("m3", "m1", "m2"), [taker("modem", 1), taker("bind", 3)])
    assert list(chosen) == ["m1", "m2", "m3"]
    assert chosen["m1"] == "bind"
    assert sorted(chosen.values()) == ["bind", "bind", "modem"]


def test_a_high_priority_goes_before_an_older_message():
    chosen = choose_channels(due("m1") + due("m2", priority=9), [taker("a", 1)])
    assert chosen == {"m2": "a"}


def test_no_channel_is_given_more_than_it_has_room_for():
    chosen = choose_channels(due(*(f"m{n}" for n in range(9))), [taker("a", 2), taker("b", 3)])
    assert sorted(chosen.values()) == ["a", "a", "b", "b", "b"]


def test_a_full_queue_does_not_hold_up_another():
    candidates = due("m1", "m2", queue="channel:a") + due("m3", queue="channel:b")
    chosen = choose_channels(candidates, [taker("a", 1, "channel:a"), taker("b", 1, "channel:b")])
    assert chosen == {"m1": "a", "m3": "b"}


def test_a_queue_that_nobody_serves_waits():
    assert choose_channels(due("m1", queue="group:otp"), [taker("a", 5)]) == {}
    assert choose_channels(due("m1"), []) == {}


def test_no_more_is_asked_for_than_could_be_placed():
    takers = [taker("a", 2, "channel:a", "group:x"), taker("b", 3, "channel:b", "group:x", "group:y")]
    assert wanted_per_queue(takers) == {"channel:a": 2, "group:x": 5, "channel:b": 3, "group:y": 3}


# --- budgets ---


def to(recipient: str, message_id: str, *, n: int = 1, urgent: bool = False) -> Candidate:
    return Candidate(message_id, 5, "group:default", Need(recipient, n, urgent))


def test_a_budget_counts_what_is_given_in_the_same_breath():
    budget = Budget(quotas=(Quota(limit=3, period=Period.DAY),), zone=UTC)
    sim = Taker("sim", ("group:default",), 10, budget)
    chosen = choose_channels([to("a", "m1", n=2), to("a", "m2", n=2), to("a", "m3")], [sim], NOON)
    assert list(chosen) == ["m1", "m3"], "m2 does not fit any more, and holds up nobody"


def test_a_message_that_one_budget_refuses_goes_by_the_channel_without_one():
    full = Budget(caps=(RecipientCap(limit=1, period=Period.MONTH),), zone=UTC).take(Need("a"), NOON)
    takers = [Taker("sim", ("group:default",), 10, full), taker("carrier", 1)]
    chosen = choose_channels([to("b", "m1"), to("a", "m2"), to("b", "m3")], takers, NOON)
    assert chosen == {"m1": "carrier", "m2": "sim"}


def test_only_a_taker_with_a_budget_and_room_is_unfilled():
    budget = Budget(quotas=(Quota(limit=3, period=Period.DAY),), zone=UTC)
    takers = [Taker("a", ("q",), 2, budget), Taker("b", ("q",), 1, budget), taker("c", 5, "q")]
    assert unfilled(takers, {"m1": "a", "m2": "b"}) == [Taker("a", ("q",), 1, budget)]


# --- binds without optional parameters ---


def test_a_message_with_parameters_goes_by_a_channel_that_takes_them():
    plain = taker("old", 10)._replace(takes_options=False)
    with_some = to("a", "m1")._replace(has_options=True)
    assert choose_channels([with_some, to("b", "m2")], [plain, taker("new", 1)]) == {"m1": "new", "m2": "old"}
    assert choose_channels([with_some], [plain]) == {}


def test_a_taker_without_parameters_that_has_room_is_unfilled():
    plain = taker("old", 3)._replace(takes_options=False)
    assert unfilled([plain, taker("new", 3)], {"m1": "old"}) == [plain._replace(free=2)]
