"""A transaction on one PostgreSQL connection."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

from gateway.model.events import Event
from gateway.model.message import Message
from gateway.routing.costs import Charge
from gateway.routing.load import Coming, coming
from gateway.routing.prices import NO_PRICES, Prices
from gateway.store.ports import Row, placeholders
from gateway.store.postgres.session import Session

_NOW = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"

STOPS: Final = 0x686F6E69
"""Advisory lock: shared by those who look at what is stopped, and taken alone by who stops something."""
_STOP: Final = f"SELECT pg_advisory_xact_lock({STOPS})"


class PostgresTx:
    """One transaction.

    Args:
        session: its connection; nobody else uses it meanwhile.
        careful: write the sign for NUL instead of NUL, which PostgreSQL's texts can't hold.

    Attributes:
        prices: see `gateway.store.ports.Tx.prices`.
        charges: so far.
        coming: see `gateway.store.ports.Tx.count_waiting`; so far.
        events: recorded so far.
        queues: said to be claimable so far, in that order; some perhaps twice.
    """

    __slots__ = ("_careful", "_session", "charges", "coming", "events", "prices", "queues")
    for_update = " FOR UPDATE"
    skip_locked = " FOR UPDATE SKIP LOCKED"

    def __init__(self, session: Session, *, careful: bool = False, prices: Prices = NO_PRICES) -> None:
        self._session = session
        self.prices = prices
        self.charges: list[Charge] = []
        self.coming: list[Coming] = []
        self._careful = careful
        self.events: list[Event] = []
        self.queues: list[str] = []

    async def fetch(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        """All rows."""
        return await self._session.fetch(sql, _without_nul(params) if self._careful else params)

    async def execute(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Run a statement; the number of rows it changed."""
        return await self._session.execute(sql, _without_nul(params) if self._careful else params)

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement once per row."""
        if self._careful:
            rows = [_without_nul(row) for row in rows]
        await self._session.execute_many(sql, rows)

    async def insert(self, into: str, rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows; the server gets them without waiting for each answer."""
        if rows:
            await self.execute_many(f"{into} VALUES ({placeholders(rows[0])})", rows)

    async def now_ms(self) -> int:
        """The server's clock."""
        ((now,),) = await self._session.fetch(_NOW)
        return int(now)

    async def change_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> int:
        """Run a statement once per row; how many rows were changed."""
        return len(await self.fetch_many(f"{sql} RETURNING 1", rows))

    async def fetch_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> list[Row]:
        """Run a statement with RETURNING once per row."""
        if self._careful:
            rows = [_without_nul(row) for row in rows]
        return await self._session.fetch_many(sql, rows)

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

    async def stop(self, _recipients: Collection[str]) -> None:
        """Wait for those who look at what is stopped, and keep others from it until the commit."""
        await self._session.run(_STOP)


def _without_nul(params: Sequence[Any]) -> Sequence[Any]:
    return [value.replace("\0", "\u2400") if isinstance(value, str) else value for value in params]
