"""A transaction on one SQLite connection, and operations run to their end on its thread."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Awaitable, Collection, Iterable, Sequence
from functools import cache
from itertools import chain
from typing import Any, Final, TypeVar

from gateway.model.events import Event
from gateway.model.message import Message
from gateway.routing.costs import Charge
from gateway.routing.load import Coming, coming
from gateway.routing.prices import NO_PRICES, Prices
from gateway.store.ports import OnStop, Row, placeholders

T = TypeVar("T")

_AT_ONCE: Final = 50
"""Rows of one INSERT; always so many, so that its statement stays prepared."""


@cache
def _insert(into: str, n_columns: int) -> str:
    row = f"({placeholders(range(n_columns))})"
    return f"{into} VALUES {', '.join([row] * _AT_ONCE)}"


class SqliteTx:
    """One transaction on one connection; used on that connection's thread only.

    Attributes:
        prices: see `gateway.store.ports.Tx.prices`.
        charges: so far.
        coming: see `gateway.store.ports.Tx.count_waiting`; so far.
        events: recorded so far.
        queues: said to be claimable so far, in that order; some perhaps twice.
        for_update, skip_locked: nothing: a transaction that writes is the only one from its beginning on.
    """

    __slots__ = ("_db", "_tell_stops", "charges", "coming", "events", "prices", "queues")
    for_update = skip_locked = ""

    def __init__(
        self, db: sqlite3.Connection, prices: Prices = NO_PRICES, tell_stops: Sequence[OnStop] = ()
    ) -> None:
        self._db = db
        self._tell_stops = tell_stops
        self.prices = prices
        self.charges: list[Charge] = []
        self.coming: list[Coming] = []
        self.events: list[Event] = []
        self.queues: list[str] = []

    async def fetch(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        """All rows."""
        return self._db.execute(sql, params).fetchall()

    async def execute(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Run a statement; the number of rows it changed."""
        return self._db.execute(sql, params).rowcount

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement once per row."""
        self._db.executemany(sql, rows)

    async def insert(self, into: str, rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows: many with one statement, which opens the table and its indexes once for them."""
        if not rows:
            return
        if len(rows) < _AT_ONCE:
            await self.execute_many(f"{into} VALUES ({placeholders(rows[0])})", rows)
            return
        sql = _insert(into, len(rows[0]))
        whole = len(rows) // _AT_ONCE * _AT_ONCE
        for start in range(0, whole, _AT_ONCE):
            self._db.execute(sql, list(chain.from_iterable(rows[start : start + _AT_ONCE])))
        await self.insert(into, rows[whole:])

    async def now_ms(self) -> int:
        """This machine's clock."""
        return time.time_ns() // 1_000_000

    async def change_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> int:
        """Run a statement once per row; how many rows were changed."""
        return self._db.executemany(sql, rows).rowcount

    async def fetch_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> list[Row]:
        """Run a statement with RETURNING once per row."""
        run = self._db.execute
        return [found for params in rows for found in run(sql, params)]

    def charge(self, charge: Charge) -> None:
        """Write it when the group commits."""
        self.charges.append(charge)

    def count_waiting(self, message: Message, sign: int) -> None:
        """Tell it with the commit."""
        self.coming.append(coming(message, sign))

    def record(self, event: Event) -> None:
        """Append to the timeline when the group commits."""
        self.events.append(event)

    def veil(self, subject: str) -> str:
        """Itself."""
        return subject

    def claimable(self, queue: str) -> None:
        """Tell it after the commit."""
        self.queues.append(queue)

    async def stop(self, recipients: Collection[str]) -> None:
        """Tell it at once."""
        for tell in self._tell_stops:
            tell(recipients)


def drive(coroutine: Awaitable[T]) -> T:
    """Run an operation to its end; it can't suspend, since `SqliteTx` never does."""
    steps = coroutine.__await__()
    try:
        next(steps)
    except StopIteration as end:
        result: T = end.value
        return result
    raise RuntimeError("a store operation awaited something other than its transaction")
