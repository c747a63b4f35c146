"""What the rest of the product sees of the store: two ways in, and a transaction that speaks portable SQL.

Repositories (`gateway.store.messages` ...) are functions over a `Tx`; callers compose them into one operation and hand
it to `Store.write`, which commits operations of many callers together and returns when the commit is durable.

Rules for operations:

- *Where they run.* On SQLite an operation runs on the writer's thread (`Store.read`: on a reader's thread), beside the
  event loop. On PostgreSQL it runs on the event loop. It must be right on both.
- *What they touch.* Values that they were given, and their `Tx`. Never the caller's live state: what an operation
  needs of a lane, a cache or a counter is read before, and what it finds is returned. The clock may be asked.
- *What they await.* Nothing but their `Tx`.
- *How often they run.* Once or more: a group that had to be rolled back is run again. Only the last run counts, so
  an operation keeps nothing between runs and changes none of its arguments.
- *In which order.* Operations that one store was given one after the other for one `Place` commit in that order or
  together; those of another may overtake them, and must not build on them before they have returned. Inside a commit
  all items of one joint operation run where the first of them stands. Operations of different stores (other
  processes) on one database commit in any order; what one found must be checked in the statement that builds on it.
- *What comes of them together.* All that one operation writes, records (`Tx.record`) and says (`Tx.claimable`) is
  committed, or nothing of it.

What every message needs is written as a `JointOperation`, over all that wait for the same commit: a statement for
many costs little more than a statement for one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence, Sized
from enum import IntEnum, auto
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeVar

from gateway.model.events import Event
from gateway.model.message import Message
from gateway.routing.costs import Charge, Spent
from gateway.routing.load import Coming
from gateway.routing.prices import Prices

Item = TypeVar("Item")
T = TypeVar("T")
Row = Sequence[Any]
"""One row: values in the order of the SELECT list."""


def placeholders(values: Sized) -> str:
    """One ``?`` for each value, as the list behind an ``IN`` or ``VALUES`` wants them."""
    return ", ".join("?" * len(values))


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

    async def insert(self, into: str, rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows, all of one length.

        Args:
            into: ``INSERT INTO table (columns)``, without what follows.
        """
        ...

    async def now_ms(self) -> int:
        """Milliseconds since 1970 by the store's clock, which is one for all who share the database.

        It is this machine's for SQLite and the server's for PostgreSQL.
        """
        ...

    async def change_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> int:
        """Run an UPDATE or DELETE once per row of parameters; how many rows they changed, all together."""
        ...

    async def fetch_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> list[Row]:
        """Run a statement with RETURNING once per row of parameters; all that they gave back, in that order."""
        ...

    @property
    def for_update(self) -> str:
        """Ends a SELECT whose rows nobody else may change until this transaction ends; empty where nobody can."""
        ...

    @property
    def skip_locked(self) -> str:
        """The same, and rows that another transaction holds so are left out, as if they were not there."""
        ...

    @property
    def prices(self) -> Prices:
        """The price list of this transaction; empty where it is none of the store's writer."""
        ...

    def charge(self, charge: Charge) -> None:
        """Have something charged at the end of this transaction, by `gateway.store.costs.save_charges`."""
        ...

    def count_waiting(self, message: Message, sign: int) -> None:
        """A message begins to wait for the network (1), or waits no more (-1); told with the commit."""
        ...

    def record(self, event: Event) -> None:
        """Append to the timeline; it commits with this transaction, in this order.

        The events of a commit get their ``seq`` at its end, by `gateway.store.events.append_events`, so that numbers
        are in the order of commits: who has read up to n never finds an event with a smaller number later.
        """
        ...

    def veil(self, subject: str) -> str:
        """What an index calls a subject from which it makes a hash: itself, but a number in an encrypted store."""
        ...

    def claimable(self, queue: str) -> None:
        """Say that this transaction leaves a message on a queue that may be claimed at once.

        Every repository function that inserts queued rows, unhides or requeues them says it. `Store.on_claimable` is
        told after the commit, once, whoever wrote.
        """
        ...

    async def stop(self, recipients: Collection[str]) -> None:
        """Say that this transaction stops something for some recipients that may be about to go out to them.

        From now on until the commit nobody is in the middle of `Store.read_steady`, in any process; who looks without
        that is told before the commit (`Store.on_stop`).
        """
        ...


Operation = Callable[[Tx], Awaitable[T]]
JointOperation = Callable[[Tx, Sequence[Item]], Awaitable[Sequence[T]]]
"""Does for one or many items what their callers want; the results in the order of the items."""
OnStop = Callable[[Collection[str]], None]
"""Told of recipients; perhaps on another thread, perhaps of some for whom nothing is committed. Must not block."""
OnClaimable = Callable[["frozenset[str] | None"], None]
"""Told of queues; of None where the store can't say which, and any may be meant. Called on the loop; must not block."""


class Place(IntEnum):
    """Where an operation waits for the writer.

    Attributes:
        DOOR: somebody waits for it at a door, and it is small: it joins the next commit, whatever else waits.
        PIECE: a piece of much that one client brings: it takes turns with the work.
        WORK: all that the gateway itself does.
    """

    DOOR = auto()
    PIECE = auto()
    WORK = auto()


class CommitFigures(NamedTuple):
    """What one group commit cost.

    Args:
        n_operations: operations in the group.
        seconds: from BEGIN to the end of COMMIT.
        events: what the timeline got by it, in order.
        spent: what it was charged with, by channel and currency.
        coming: messages that began to wait for the network, or wait no more.
    """

    n_operations: int
    seconds: float
    events: Sequence[Event] = ()
    spent: Mapping[tuple[str, str], Spent] = MappingProxyType({})
    coming: Sequence[Coming] = ()


class Store(Protocol):
    """An open store. Its methods are called on the event loop."""

    @property
    def is_exclusive(self) -> bool:
        """Whether it was opened as the one daemon's: what other daemons left in it they left for good."""
        ...

    @property
    def stays_exclusive(self) -> bool:
        """Whether that can't be lost while it is open, as a lock on this machine can't; one of a connection can."""
        ...

    async def write(self, op: Operation[T], *, n_rows: int = 1, place: Place = Place.WORK) -> T:
        """Run ``op`` in a transaction and return its result once that is durable.

        Args:
            n_rows: about how many rows it writes; so much is committed together, and no more.
            place: in the line of those that wait for the writer.

        Raises:
            StoreFull: no room; nothing was changed.
            StoreUnavailable: the store is closed or its medium fails; nothing was changed.
            Exception: whatever ``op`` raised; nothing of ``op`` was changed.

        Cancel: the operation may still commit.
        """
        ...

    async def write_jointly(
        self, op: JointOperation[Item, T], item: Item, *, n_rows: int = 1, place: Place = Place.WORK
    ) -> T:
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
        """Wait until an event with a greater ``seq`` than ``after_seq`` is committed; the newest ``seq``.

        Commits of other processes count, too; they may be noticed a second late.
        """
        ...

    def on_claimable(self, tell: OnClaimable) -> None:
        """Have ``tell`` called after each commit that left something claimable, before its callers go on.

        Commits of other processes count, too; they may be noticed a second late, and without naming a queue. A word
        may get lost in a crash or with a connection: who depends on it looks by itself from time to time.
        """
        ...

    @property
    def hears_all_stops(self) -> bool:
        """Whether `on_stop` is told of all that stops something: nobody else writes into the database."""
        ...

    def on_stop(self, tell: OnStop) -> None:
        """Have ``tell`` called by `Tx.stop`: before its transaction commits, in this process."""
        ...

    async def read_steady(self, op: Operation[T], use: Callable[[T], Awaitable[None]]) -> None:
        """Run ``op`` on all that is committed, then ``use`` with what it found; a `Tx.stop` waits until that is over.

        Where `hears_all_stops` it does not wait: compare with what `on_stop` was told meanwhile.

        Raises:
            StoreError: it could not be read; ``use`` was not called.
        """
        ...
