"""Fair shares: by weight, whatever comes when; and nobody waits for somebody else's million."""

from __future__ import annotations

import heapq
from collections import Counter
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.routing.shares import STEP, Shares

QUEUE, BAND = "group:default", 0x24
WEIGHTS = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 100), min_size=2)


class Line:
    """A queue in memory that takes by tag, as the store does by rank."""

    def __init__(self, weights: dict[str, int]) -> None:
        self.shares = Shares(1_000, weights)
        self._ids = count()
        self._heap: list[tuple[int, int, str]] = []

    def put(self, owner: str, n: int = 1) -> None:
        for _ in range(n):
            heapq.heappush(self._heap, (self.shares.join(QUEUE, BAND, owner), next(self._ids), owner))

    def take(self) -> str | None:
        if not self._heap:
            return None
        tag, _, owner = heapq.heappop(self._heap)
        self.shares.note_served(QUEUE, BAND, tag)
        return owner

    def restart(self) -> None:
        """Another process takes over, which knows what the store knows."""
        kept, weights = self.shares.ahead(), self.shares._weights
        self.shares = Shares(5_000, weights)
        self.shares.restore(kept)
        if self._heap:
            self.shares.begin_at(QUEUE, BAND, self._heap[0][0])


@given(weights=WEIGHTS, restarts=st.sets(st.integers(1, 9_999), max_size=3))
@settings(max_examples=10, deadline=None)
def test_who_has_enough_to_send_gets_the_share_of_his_weight(weights: dict[str, int], restarts: set[int]):
    line = Line(weights)
    taken: Counter[str] = Counter()
    waiting: Counter[str] = Counter()
    for n in range(10_000):
        if n in restarts:
            line.restart()
        for owner in weights:
            if waiting[owner] < 20:
                line.put(owner, 150)
                waiting[owner] += 150
        first = line.take() or ""
        taken[first] += 1
        waiting[first] -= 1
    for owner, weight in weights.items():
        share = weight / sum(weights.values())
        assert abs(taken[owner] / 10_000 - share) < 0.02, (owner, share, taken)


@given(
    weights=WEIGHTS,
    moves=st.lists(
        st.tuples(st.sampled_from("abcdef"), st.integers(0, 300), st.integers(0, 200)), max_size=40
    ),
)
@settings(max_examples=60, deadline=None)
def test_whoever_comes_late_does_not_wait_for_what_was_there_before(
    weights: dict[str, int], moves: list[tuple[str, int, int]]
):
    line = Line(weights)
    for owner, n_put, n_taken in moves:
        line.put(owner, n_put)
        for _ in range(n_taken):
            line.take()
    line.put("z", 1)
    others = set("abcdef")
    # At most what each of the others may have between two of its own messages, and those that stand level with it.
    bound = sum(weights.get(owner, 1) + 2 for owner in others)
    passed = 0
    while (first := line.take()) != "z":
        assert first is not None
        passed += 1
        assert passed <= bound


def test_a_million_of_one_do_not_hold_up_ten_of_another():
    line = Line({})
    line.put("a", 100_000)
    assert [line.take() for _ in range(50)] == ["a"] * 50
    line.put("b", 10)
    assert Counter(line.take() for _ in range(21))["b"] == 10


def test_what_was_sent_while_nobody_else_wanted_to_is_not_held_against_anybody():
    line = Line({})
    line.put("a", 1_000)
    for _ in range(1_000):
        line.take()
    line.put("b", 100)
    line.put("a", 100)
    assert abs(Counter(line.take() for _ in range(100))["a"] - 50) <= 1


def test_a_long_message_counts_by_its_segments():
    shares = Shares(0)
    shares.join(QUEUE, BAND, "a", n_segments=4)
    assert shares.join(QUEUE, BAND, "a") == 4 * STEP


def test_memory_is_bounded_by_those_who_have_something_waiting():
    shares = Shares(0)
    for n in range(100_000):
        shares.note_served(QUEUE, BAND, shares.join(QUEUE, BAND, f"owner {n}") + STEP)
    assert len(shares._bands[QUEUE, BAND].lines) <= 10_000
