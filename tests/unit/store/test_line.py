"""The line before the writer: who is at the door goes with the next commit, and nobody waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from gateway.store.groups import MAX_DOOR_ROWS, MAX_ROWS, Line, Waiting, run_each
from gateway.store.ports import Place


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


class Filled:
    """A line, and who stands in it by name."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.line = Line()
        self._loop = loop

    def add(self, place: Place, *names: str, n_rows: int = 1) -> None:
        for name in names:
            self.line.add(Waiting(run_each, name, self._loop.create_future(), n_rows), place)

    def commits(self) -> Iterator[list[str]]:
        while self.line:
            yield [waiting.item for waiting in self.line.take_group()]


@pytest.fixture
def filled(loop: asyncio.AbstractEventLoop) -> Filled:
    return Filled(loop)


def test_who_comes_to_the_door_goes_with_the_next_commit(filled: Filled):
    filled.add(Place.WORK, *(f"work {n}" for n in range(5_000)), n_rows=3)
    filled.add(Place.PIECE, *(f"piece {n}" for n in range(10)), n_rows=MAX_ROWS)
    for n in range(5):
        filled.add(Place.DOOR, f"code {n}")
        assert next(filled.commits())[0] == f"code {n}"


def test_a_line_is_long_once_a_commit_is_full_or_a_piece_waits(filled: Filled):
    filled.add(Place.WORK, "work 0", n_rows=MAX_ROWS - 1)
    filled.add(Place.DOOR, "code 0", n_rows=MAX_ROWS - 1)
    assert not filled.line.is_long
    filled.add(Place.WORK, "work 1")
    assert filled.line.is_long
    list(filled.commits())
    assert not filled.line.is_long
    filled.add(Place.PIECE, "piece 0")
    assert filled.line.is_long


def test_work_and_pieces_take_turns_beside_a_crowded_door(filled: Filled):
    filled.add(Place.WORK, "work 0", "work 1", n_rows=MAX_ROWS)
    filled.add(Place.PIECE, "piece 0", "piece 1", n_rows=2 * MAX_ROWS)
    filled.add(Place.DOOR, *"abcd", n_rows=MAX_DOOR_ROWS)
    assert list(filled.commits()) == [
        ["a", "work 0"], ["b", "piece 0"], ["c", "work 1"], ["d", "piece 1"],
    ]  # fmt: skip


def test_a_turn_that_nobody_wants_is_not_lost(filled: Filled):
    filled.add(Place.PIECE, "piece 0", "piece 1", "piece 2", n_rows=MAX_ROWS)
    assert list(filled.commits()) == [["piece 0"], ["piece 1"], ["piece 2"]]
    filled.add(Place.DOOR, "code")
    assert list(filled.commits()) == [["code"]]


def test_all_of_one_place_keep_their_order_and_no_commit_is_large(filled: Filled):
    names = {place: [f"{place.name} {n}" for n in range(1_000)] for place in Place}
    for place, its in names.items():
        filled.add(place, *its, n_rows=3)
    commits = list(filled.commits())
    assert max(map(len, commits)) <= (MAX_ROWS + MAX_DOOR_ROWS) // 3
    for place, its in names.items():
        assert [name for group in commits for name in group if name.startswith(place.name)] == its
