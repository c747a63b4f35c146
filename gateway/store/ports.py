"""What the rest of the product sees of the store: two ways in, and a transaction that speaks portable SQL.

Repositories (`gateway.store.messages` ...) are functions over a `Tx`; callers compose them into one
operation and hand it to `Store.write`, which commits operations of many callers together and returns
when the commit is durable. Operations are coroutine functions that await nothing but the `Tx`: an
engine may drive them on a thread of its own, and may run one again when its group had to be rolled back.

What every message needs is written as a `JointOperation`, over all that wait for the same commit: a statement for
many costs little more than a statement for one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from gateway.model.events import Event

Item = TypeVar("Item")
T = TypeVar("T")
Row = Sequence[Any]
"""One row: values in the order of the SELECT list."""


class Tx(Protocol):
    """One transaction. SQL is portable: ``?`` placeholders, ``ON CONFLICT``, ``RETURNING``, CTEs."""

    async def fetch(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        """All rows of a query, or of a statement with RETURNING."""
        ...

    async def execute(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Run a statement; the number of rows it changed."""
        ...

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement once per row of parameters."""
        ...

    def record(self, event: Event) -> None:
        """Append to the timeline; it gets its ``seq`` and commits with this transaction, in this order."""
        ...


Operation = Callable[[Tx], Awaitable[T]]
JointOperation = Callable[[Tx, Sequence[Item]], Awaitable[Sequence[T]]]
"""Does for one or many items what their callers want; the results in the order of the items."""


class Store(Protocol):
    """An open store."""

    async def write(self, op: Operation[T]) -> T:
        """Run ``op`` in a transaction and return its result once that is durable.

        Raises:
            StoreFull: no room; nothing was changed.
            StoreUnavailable: the store is closed or its medium fails; nothing was changed.
            Exception: whatever ``op`` raised; nothing of ``op`` was changed.

        Cancel: the operation may still commit.
        """
        ...

    async def write_jointly(self, op: JointOperation[Item, T], item: Item) -> T:
        """As `write`, together with the items that others gave to the same ``op`` meanwhile.

        An item that makes ``op`` fail is its own caller's trouble: the others are then done one by one.
        """
        ...

    async def read(self, op: Operation[T]) -> T:
        """Run ``op`` on a snapshot, beside writers."""
        ...

    async def prove(self) -> None:
        """Write something, though nothing new, and read where new messages go.

        Raises:
            StoreError: that is not possible, or the store was found to be damaged before.
        """
        ...

    async def wait_events(self, after_seq: int) -> int:
        """Wait until an event with a greater ``seq`` than ``after_seq`` is committed; the newest ``seq``."""
        ...
