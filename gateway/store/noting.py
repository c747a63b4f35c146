"""A transaction that notes what is recorded in it: events get into the timeline only at the end of their commit."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from gateway.model.events import Event
from gateway.model.message import Message
from gateway.routing.costs import Charge
from gateway.routing.prices import Prices
from gateway.store.ports import Row, Tx


class NotingTx:
    """Another transaction, and the events that were recorded through this one.

    Attributes:
        events: in their order; they have no ``seq`` yet.
    """

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self.events: list[Event] = []

    async def fetch(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        """See `gateway.store.ports.Tx`."""
        return await self._tx.fetch(sql, params)

    async def execute(self, sql: str, params: Sequence[Any] = ()) -> int:
        """See `gateway.store.ports.Tx`."""
        return await self._tx.execute(sql, params)

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """See `gateway.store.ports.Tx`."""
        await self._tx.execute_many(sql, rows)

    async def insert(self, into: str, rows: Sequence[Sequence[Any]]) -> None:
        """See `gateway.store.ports.Tx`."""
        await self._tx.insert(into, rows)

    async def change_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> int:
        """See `gateway.store.ports.Tx`."""
        return await self._tx.change_many(sql, rows)

    async def fetch_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> list[Row]:
        """See `gateway.store.ports.Tx`."""
        return await self._tx.fetch_many(sql, rows)

    @property
    def for_update(self) -> str:
        """See `gateway.store.ports.Tx`."""
        return self._tx.for_update

    @property
    def skip_locked(self) -> str:
        """See `gateway.store.ports.Tx`."""
        return self._tx.skip_locked

    async def now_ms(self) -> int:
        """See `gateway.store.ports.Tx`."""
        return await self._tx.now_ms()

    @property
    def prices(self) -> Prices:
        """See `gateway.store.ports.Tx`."""
        return self._tx.prices

    def charge(self, charge: Charge) -> None:
        """See `gateway.store.ports.Tx`."""
        self._tx.charge(charge)

    def count_waiting(self, message: Message, sign: int) -> None:
        """See `gateway.store.ports.Tx`."""
        self._tx.count_waiting(message, sign)

    def record(self, event: Event) -> None:
        """See `gateway.store.ports.Tx`."""
        self.events.append(event)
        self._tx.record(event)

    def veil(self, subject: str) -> str:
        """See `gateway.store.ports.Tx`."""
        return self._tx.veil(subject)

    def claimable(self, queue: str) -> None:
        """See `gateway.store.ports.Tx`."""
        self._tx.claimable(queue)

    async def stop(self, recipients: Collection[str]) -> None:
        """See `gateway.store.ports.Tx`."""
        await self._tx.stop(recipients)
