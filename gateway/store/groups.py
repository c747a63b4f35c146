"""Groups of operations that commit together: what both engines share.

`GroupedStore` is the loop's side of a store: it gathers what waits, has it committed, tells and releases. An engine
says how a group is committed, and how others' commits are noticed.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeVar

from gateway.errors import StoreUnavailable
from gateway.model.events import Event
from gateway.routing.costs import Spent
from gateway.routing.load import Coming
from gateway.store.ports import CommitFigures, Item, JointOperation, OnClaimable, OnStop, Operation, Place, Tx

_log = logging.getLogger(__name__)

T = TypeVar("T")

MAX_ROWS: Final = 150
"""Rows that are written in one commit; of larger operations there is one in a commit.

Some ten milliseconds: who comes to the door waits for two such commits at most, the one under way and its own.
"""
MAX_DOOR_ROWS: Final = 300
"""The same for those at the door, besides."""
BUSY: Final = 4
"""Operations of one commit, from which on more are about to come."""
GATHER_S: Final = 0.004
"""How long those have to come before the next commit: a large one costs hardly more than a small one."""
NEWEST_ROWS: Final = (
    "SELECT * FROM messages ORDER BY id DESC LIMIT 1",
    "SELECT * FROM segments ORDER BY message_id DESC LIMIT 1",
    "SELECT * FROM event_groups ORDER BY seq DESC LIMIT 1",
)
"""Where the next ones go, too."""


class Waiting(NamedTuple):
    """One that waits for its commit."""

    op: JointOperation[Any, Any]
    item: Any
    done: asyncio.Future[Any]
    n_rows: int = 1


class Line:
    """Those that wait for the writer, in the order in which they are committed: see `gateway.store.ports.Place`."""

    def __init__(self) -> None:
        self._waiting: dict[Place, deque[Waiting]] = {place: deque() for place in Place}
        self._turn, self._following = Place.WORK, Place.PIECE

    def __bool__(self) -> bool:
        return any(self._waiting.values())

    def add(self, waiting: Waiting, place: Place) -> None:
        """One more."""
        self._waiting[place].append(waiting)

    @property
    def is_long(self) -> bool:
        """Whether the next commit is large as it is; while pieces come there are always enough."""
        if self._waiting[Place.PIECE]:
            return True
        return any(_has_rows(waiting, MAX_ROWS) for waiting in self._waiting.values())

    def take_group(self) -> list[Waiting]:
        """Take what is committed next: those at the door, and some of the work or of what comes in pieces, in turn."""
        group = _take(self._waiting[Place.DOOR], MAX_DOOR_ROWS)
        if not self._waiting[self._turn]:
            self._turn, self._following = self._following, self._turn
        group += _take(self._waiting[self._turn], MAX_ROWS)
        self._turn, self._following = self._following, self._turn
        return group


def _has_rows(waiting: Iterable[Waiting], most: int) -> bool:
    """Whether so many rows or more wait; it looks at no more of them than that."""
    return any(n >= most for n in accumulate(one.n_rows for one in waiting))


def _take(waiting: deque[Waiting], most_rows: int) -> list[Waiting]:
    """Take from the front one, if any waits, and what else fits."""
    taken: list[Waiting] = []
    while waiting and (not taken or waiting[0].n_rows <= most_rows):
        taken.append(waiting.popleft())
        most_rows -= taken[-1].n_rows
    return taken


class Ended(NamedTuple):
    """How a caller's wait ends."""

    done: asyncio.Future[Any]
    result: Any
    error: BaseException | None


class Committed(NamedTuple):
    """What became of a group.

    Args:
        ended: for each of its callers.
        last_seq: of the timeline after it; 0 when it got nothing.
        queues: where it left something claimable.
    """

    ended: list[Ended]
    last_seq: int = 0
    events: Sequence[Event] = ()
    queues: frozenset[str] = frozenset()
    spent: Mapping[tuple[str, str], Spent] = MappingProxyType({})
    coming: Sequence[Coming] = ()


async def run_each(tx: Tx, ops: Sequence[Operation[T]]) -> list[T]:
    """The joint operation of those that are nothing but themselves."""
    return [await op(tx) for op in ops]


def by_operation(group: Iterable[Waiting]) -> Iterable[list[Waiting]]:
    """Those of one operation together, where its first one is; nobody waits for two of a group, one after the other."""
    found: dict[JointOperation[Any, Any], list[Waiting]] = {}
    for waiting in group:
        found.setdefault(waiting.op, []).append(waiting)
    return found.values()


def _call(told: Callable[[T], None], word: T) -> None:
    """Tell somebody who is no part of the store; what he makes of it must not stop who writes."""
    try:
        told(word)
    except Exception:  # noqa: BLE001 - a supervisor: the writer must not end
        _log.exception("who is told of commits failed")


class GroupedStore(ABC):
    """The half of `gateway.store.ports.Store` that is the same on every engine.

    Args:
        on_commit: told of each group commit, for metrics.
    """

    def __init__(self, on_commit: Callable[[CommitFigures], None] | None) -> None:
        self._on_commit = on_commit
        self._waiting = Line()
        self._wake = asyncio.Event()
        self._last_seq = 0
        self._committed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tell_claimable: list[OnClaimable] = []
        self._tell_stops: list[OnStop] = []
        self._closing = False
        self._task: asyncio.Task[None]

    @abstractmethod
    async def _commit(self, group: list[Waiting]) -> tuple[Committed, CommitFigures]:
        """Commit a group; what became of it."""

    async def write(self, op: Operation[T], *, n_rows: int = 1, place: Place = Place.WORK) -> T:
        """See `gateway.store.ports.Store.write`."""
        return await self.write_jointly(run_each, op, n_rows=n_rows, place=place)

    async def write_jointly(
        self, op: JointOperation[Item, T], item: Item, *, n_rows: int = 1, place: Place = Place.WORK
    ) -> T:
        """See `gateway.store.ports.Store.write_jointly`."""
        self._check_open()
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.add(Waiting(op, item, done, n_rows), place)
        self._wake.set()
        return await done

    def _check_open(self) -> None:
        if self._closing:
            raise StoreUnavailable("the store is closed")

    async def wait_events(self, after_seq: int) -> int:
        """See `gateway.store.ports.Store.wait_events`."""
        while self._last_seq <= after_seq and not self._closing:
            await asyncio.shield(self._committed)
        self._check_open()
        return self._last_seq

    def on_claimable(self, tell: OnClaimable) -> None:
        """See `gateway.store.ports.Store.on_claimable`."""
        self._tell_claimable.append(tell)

    def on_stop(self, tell: OnStop) -> None:
        """See `gateway.store.ports.Store.on_stop`."""
        self._tell_stops.append(tell)

    def _begin_writing(self) -> None:
        """The engine can commit from now on."""
        self._task = asyncio.create_task(self._write_groups(), name="store-writer")

    async def _end_writing(self) -> None:
        """Take nothing more, and commit what waits."""
        self._closing = True
        self._wake.set()
        await self._task

    def _release_readers(self) -> None:
        """Let go who waits for events of a store that is closed."""
        if not self._committed.done():
            self._committed.set_result(None)

    async def _write_groups(self) -> None:
        n_before = 0
        while True:
            if not self._waiting:
                if self._closing:
                    return
                self._wake.clear()
                await self._wake.wait()
                continue
            if n_before >= BUSY and not self._closing and not self._waiting.is_long:
                await asyncio.sleep(GATHER_S)
            group = self._waiting.take_group()
            n_before = len(group)
            committed, figures = await self._commit(group)
            if self._on_commit is not None:
                _call(self._on_commit, figures)
            self._advance(committed.last_seq)
            if committed.queues:
                self._tell(committed.queues)
            for done, result, error in committed.ended:
                if done.cancelled():
                    continue
                if error is None:
                    done.set_result(result)
                else:
                    done.set_exception(error)

    def _tell(self, queues: frozenset[str] | None) -> None:
        """Something is claimable on these queues; None for nobody knows which."""
        for tell in self._tell_claimable:
            _call(tell, queues)

    def _advance(self, newest: int) -> None:
        """The timeline goes up to here by now, as far as is known."""
        if newest > self._last_seq:
            self._last_seq = newest
            self._committed.set_result(None)
            self._committed = asyncio.get_running_loop().create_future()
