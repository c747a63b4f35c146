"""A loop whose time passes only while it sleeps, with timers that are early or late, and a store that lives in it.

Hours of a queue pass in milliseconds, and every reading of the clock may differ from the one before, as in life.
"""

from __future__ import annotations

import asyncio
import selectors
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from gateway.store.ports import OnClaimable, OnStop
from gateway.store.sqlite.migrate import migrate
from gateway.store.sqlite.transaction import SqliteTx, drive

START = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)


class Stuck(AssertionError):
    """Nothing is left that would ever wake the loop."""


class PassingClock:
    """Stands still but for a little that passes at each reading.

    Args:
        tick_s: so much.
    """

    def __init__(self, tick_s: float) -> None:
        self.at = 1_000.0
        self._tick_s = tick_s

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        self.at += self._tick_s
        return self.at

    def now(self) -> datetime:
        """The instant."""
        return START + timedelta(seconds=self.monotonic() - 1_000.0)


class _Selector(selectors.DefaultSelector):
    """Instead of waiting it moves the clock."""

    clock: PassingClock
    early_s = late_s = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise Stuck("the loop sleeps for ever")
        self.clock.at += max(timeout / 10, timeout - self.early_s) + self.late_s
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """See the module.

    Args:
        clock: moved by it.
        early_s: so much before their time timers fire.
        late_s: so much after it.
    """

    def __init__(self, clock: PassingClock, early_s: float, late_s: float) -> None:
        selector = _Selector()
        selector.clock, selector.early_s, selector.late_s = clock, early_s, late_s
        super().__init__(selector)
        self._clock = clock
        self._clock_resolution = max(early_s, 1e-9)

    def time(self) -> float:
        """The clock's."""
        return self._clock.at


class MemoryStore:
    """A store in memory; each write is a transaction of its own, and takes its time.

    Args:
        commit_s: how long.
    """

    def __init__(self, commit_s: float) -> None:
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        self._commit_s = commit_s
        self._tell: list[OnClaimable] = []
        migrate(self.db)

    is_exclusive = stays_exclusive = hears_all_stops = True

    async def write(self, op: Callable[[Any], Awaitable[Any]], **_line: Any) -> Any:
        """See `gateway.store.ports.Store.write`."""
        await asyncio.sleep(self._commit_s)
        return self._told(lambda tx: drive(op(tx)))

    async def write_jointly(
        self, op: Callable[[Any, Sequence[Any]], Awaitable[Any]], item: Any, **_line: Any
    ) -> Any:
        """See `gateway.store.ports.Store.write_jointly`."""
        await asyncio.sleep(self._commit_s)
        (result,) = cast("list[Any]", self._told(lambda tx: drive(op(tx, [item]))))
        return result

    def _told(self, do: Callable[[SqliteTx], Any]) -> Any:
        tx = SqliteTx(self.db)
        result = do(tx)
        for tell in self._tell if tx.queues else ():
            tell(frozenset(tx.queues))
        return result

    async def read(self, op: Callable[[Any], Awaitable[Any]]) -> Any:
        """See `gateway.store.ports.Store.read`."""
        return drive(op(SqliteTx(self.db)))

    async def prove(self) -> None:
        """It always takes what comes."""

    async def wait_events(self, after_seq: int) -> int:
        """No event ever comes."""
        return await asyncio.get_running_loop().create_future()

    def on_claimable(self, tell: OnClaimable) -> None:
        """See `gateway.store.ports.Store.on_claimable`."""
        self._tell.append(tell)

    def on_stop(self, tell: OnStop) -> None:
        """Nobody opts out."""

    async def read_steady(
        self, op: Callable[[Any], Awaitable[Any]], use: Callable[[Any], Awaitable[None]]
    ) -> None:
        """See `gateway.store.ports.Store.read_steady`."""
        await use(await self.read(op))


def run_virtually(clock: PassingClock, early_s: float, late_s: float, main: Awaitable[Any]) -> None:
    """Run a coroutine on a loop of its own."""
    loop = VirtualLoop(clock, early_s, late_s)
    try:
        loop.run_until_complete(main)
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
