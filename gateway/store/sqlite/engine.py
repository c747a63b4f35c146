"""SQLite behind the store's ports: one writer thread that commits in groups, a few reader threads.

Operations are coroutines over a `Tx` that never suspends here: the engine drives each to its end on the
writer's thread, so a group of any size costs one hop between threads and one durable commit.

It does not retry and does not decide: what fails is rolled back and raised to its caller.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar

from gateway.clock import format_ms
from gateway.errors import StoreError, StoreUnavailable
from gateway.model.events import Event
from gateway.store.ports import Item, JointOperation, Operation, Row, Tx
from gateway.store.sqlite.errors import Condition, translate
from gateway.store.sqlite.file import connect, explain_open, lock, make_file
from gateway.store.sqlite.migrate import migrate

T = TypeVar("T")

MAX_GROUP = 500
"""Operations in one commit; more wait for the next, so that no caller waits for an endless one."""
READERS = 2
WRITE_PATIENCE_S = 2.0
"""How long a group waits for another process that holds the store; who waits behind it waits as long at most again."""
_NEWEST_ROWS = (
    "SELECT * FROM messages ORDER BY id DESC LIMIT 1",
    "SELECT * FROM segments ORDER BY message_id DESC LIMIT 1",
    "SELECT * FROM events ORDER BY seq DESC LIMIT 1",
)
"""Where the next ones go, too."""


class SqliteTx:
    """One transaction on one connection; used on that connection's thread only."""

    __slots__ = ("_db", "events")

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.events: list[Event] = []

    async def fetch(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        """All rows."""
        return self._db.execute(sql, params).fetchall()

    async def execute(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Run a statement; the number of rows it changed."""
        return self._db.execute(sql, params).rowcount

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement once per row."""
        self._db.executemany(sql, rows)

    def record(self, event: Event) -> None:
        """Append to the timeline when the group commits."""
        self.events.append(event)


class _NotBegun(Exception):
    """Not even the transaction could be opened, so nobody's operation is to blame, and trying one by one is no use."""


class _Waiting(NamedTuple):
    op: JointOperation[Any, Any]
    item: Any
    done: asyncio.Future[Any]


class _Ended(NamedTuple):
    """How a caller's wait ends."""

    done: asyncio.Future[Any]
    result: Any
    error: BaseException | None


class CommitFigures(NamedTuple):
    """What one group commit cost.

    Args:
        n_operations: operations in the group.
        seconds: from BEGIN to the end of COMMIT.
        events: what the timeline got by it, in order.
    """

    n_operations: int
    seconds: float
    events: Sequence[Event] = ()


class SqliteStore:
    """An open SQLite database file (WAL, ``synchronous=FULL``); made by `open`.

    Args:
        path: the database file.
        on_commit: told of each group commit, for metrics.
    """

    def __init__(self, path: Path, on_commit: Callable[[CommitFigures], None] | None = None) -> None:
        self._path = path
        self._on_commit = on_commit
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="store-reader")
        self._idle_readers: SimpleQueue[sqlite3.Connection] = SimpleQueue()
        self._waiting: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self._last_seq = 0
        self._committed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lock_file: int | None = None
        self._closing = False
        self._condition = Condition()
        self._db: sqlite3.Connection
        self._task: asyncio.Task[None]

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        exclusive: bool = False,
        on_commit: Callable[[CommitFigures], None] | None = None,
    ) -> SqliteStore:
        """Open the file, made and migrated if need be.

        Args:
            path: the database file; its folder is made.
            exclusive: be the one daemon of this store.
            on_commit: told of each group commit.

        Raises:
            StoreBusy: ``exclusive``, and another daemon runs on this store.
            StoreFull: there is no room for the little that opening needs.
            StoreUnavailable: the file can't be opened or is not a database.
            MigrationError: its schema does not fit this program.
        """
        store = cls(path, on_commit)
        loop = asyncio.get_running_loop()
        try:
            make_file(path)
            if exclusive:
                store._lock_file = lock(path)
            store._db = await loop.run_in_executor(store._writer, store._open_writer)
            for _ in range(READERS):
                store._idle_readers.put(connect(path))
        except (sqlite3.Error, OSError, StoreError) as exc:
            store._writer.shutdown()
            store._readers.shutdown()
            store._unlock()
            raise explain_open(path, exc) from exc
        store._task = asyncio.create_task(store._write_groups(), name="store-writer")
        return store

    def _open_writer(self) -> sqlite3.Connection:
        db = connect(self._path)
        try:
            migrate(db)
            self._last_seq = _newest_seq(db)
            db.execute(f"PRAGMA busy_timeout = {int(WRITE_PATIENCE_S * 1_000)}")
        except BaseException:
            db.close()
            raise
        return db

    async def close(self) -> None:
        """Commit what waits, then close. Cancel: may leave the files open until the process ends."""
        if self._closing:
            return
        self._closing = True
        self._wake.set()
        await self._task
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._writer, self._db.close)
        self._writer.shutdown()
        self._readers.shutdown()
        while not self._idle_readers.empty():
            self._idle_readers.get().close()
        self._unlock()
        if not self._committed.done():
            self._committed.set_result(None)

    def _unlock(self) -> None:
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    async def write(self, op: Operation[T]) -> T:
        """See `gateway.store.ports.Store.write`."""
        return await self.write_jointly(_run_each, op)

    async def write_jointly(self, op: JointOperation[Item, T], item: Item) -> T:
        """See `gateway.store.ports.Store.write_jointly`."""
        if self._closing:
            raise StoreUnavailable("the store is closed")
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(op, item, done))
        self._wake.set()
        return await done

    async def read(self, op: Operation[T]) -> T:
        """See `gateway.store.ports.Store.read`."""
        if self._closing:
            raise StoreUnavailable("the store is closed")
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, op)

    async def prove(self) -> None:
        """See `gateway.store.ports.Store.prove`."""

        async def op(tx: Tx) -> None:
            version = (await tx.fetch("PRAGMA user_version"))[0][0]
            await tx.execute(
                f"PRAGMA user_version = {version:d}"
            )  # the first page is written, though with the same
            for newest in _NEWEST_ROWS:
                await tx.fetch(newest)

        await self.write(op)
        if self._condition.damage is not None:
            raise self._condition.damage

    async def wait_events(self, after_seq: int) -> int:
        """See `gateway.store.ports.Store.wait_events`."""
        while self._last_seq <= after_seq and not self._closing:
            await asyncio.shield(self._committed)
        if self._closing:
            raise StoreUnavailable("the store is closed")
        return self._last_seq

    # --- on the loop: gather, hand over, release ---

    async def _write_groups(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if not self._waiting:
                if self._closing:
                    return
                self._wake.clear()
                await self._wake.wait()
                continue
            group = [self._waiting.popleft() for _ in range(min(MAX_GROUP, len(self._waiting)))]
            ended, last_seq, figures = await loop.run_in_executor(self._writer, self._commit_group, group)
            if self._on_commit is not None:
                self._on_commit(figures)
            if last_seq > self._last_seq:
                self._last_seq = last_seq
                self._committed.set_result(None)
                self._committed = loop.create_future()
            for done, result, error in ended:
                if done.cancelled():
                    continue
                if error is None:
                    done.set_result(result)
                else:
                    done.set_exception(error)

    # --- on the writer's thread ---

    def _commit_group(self, group: list[_Waiting]) -> tuple[list[_Ended], int, CommitFigures]:
        started = time.perf_counter()
        events: Sequence[Event] = ()
        try:
            ended, last_seq, events = self._run_group(group, guarded=False)
        except _NotBegun as exc:
            ended, last_seq = self._fail_all(group, exc), 0
        except Exception:  # noqa: BLE001 - one operation failed: run the group again, each in a savepoint
            try:
                ended, last_seq, events = self._run_group(group, guarded=True)
            except Exception as exc:  # noqa: BLE001 - the commit itself failed: every caller learns it
                ended, last_seq = self._fail_all(group, exc), 0
        return ended, last_seq, CommitFigures(len(group), time.perf_counter() - started, events)

    def _fail_all(self, group: Iterable[_Waiting], exc: BaseException) -> list[_Ended]:
        reason = exc.__cause__ if isinstance(exc, _NotBegun) and exc.__cause__ is not None else exc
        error = self._condition.note(reason)
        return [_Ended(waiting.done, None, error) for waiting in group]

    def _run_group(
        self, group: list[_Waiting], *, guarded: bool
    ) -> tuple[list[_Ended], int, Sequence[Event]]:
        db = self._db
        tx = SqliteTx(db)
        ended: list[_Ended] = []
        try:
            db.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as exc:
            raise _NotBegun from exc
        try:
            if guarded:
                ended = [self._run_guarded(tx, waiting) for waiting in group]
            else:
                for together in _by_operation(group):
                    ended += _run_together(tx, together)
            last_seq = 0
            if tx.events:
                db.executemany(
                    "INSERT INTO events (type, at, subject, data) VALUES (?, ?, ?, ?)",
                    [(e.type, format_ms(e.at), e.subject, e.data) for e in tx.events],
                )
                last_seq = _newest_seq(db)
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:  # SQLite itself rolls back on some errors, a full disk among them
                db.execute("ROLLBACK")
            raise
        return ended, last_seq, tx.events

    def _run_guarded(self, tx: SqliteTx, waiting: _Waiting) -> _Ended:
        n_events = len(tx.events)
        self._db.execute("SAVEPOINT op")
        try:
            (ended,) = _run_together(tx, [waiting])
        except Exception as exc:
            if not self._db.in_transaction:
                raise
            del tx.events[n_events:]
            self._db.execute("ROLLBACK TO op")
            self._db.execute("RELEASE op")
            return _Ended(waiting.done, None, self._condition.note(exc))
        self._db.execute("RELEASE op")
        return ended

    def _read(self, op: Operation[T]) -> T:
        db = self._idle_readers.get()
        try:
            db.execute("BEGIN")
            try:
                return _drive(op(SqliteTx(db)))
            finally:
                db.execute("ROLLBACK")
        except sqlite3.Error as exc:
            raise self._condition.note(exc) from exc
        finally:
            self._idle_readers.put(db)

    async def backup(self, target: Path) -> None:
        """Copy the whole store into ``target`` while it is in use.

        Raises:
            StoreFull, StoreUnavailable: the copy is not usable.
        """

        def copy() -> None:
            source = connect(self._path)
            copied = sqlite3.connect(target)
            try:
                source.backup(copied)
            except sqlite3.Error as exc:
                raise translate(exc) from exc
            finally:
                copied.close()
                source.close()

        await asyncio.get_running_loop().run_in_executor(self._readers, copy)


def _newest_seq(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0])


async def _run_each(tx: Tx, ops: Sequence[Operation[T]]) -> list[T]:
    """The joint operation of those that are nothing but themselves."""
    return [await op(tx) for op in ops]


def _by_operation(group: Iterable[_Waiting]) -> Iterable[list[_Waiting]]:
    """Those of one operation together, where its first one is; nobody waits for two of a group, one after the other."""
    found: dict[JointOperation[Any, Any], list[_Waiting]] = {}
    for waiting in group:
        found.setdefault(waiting.op, []).append(waiting)
    return found.values()


def _run_together(tx: SqliteTx, together: Sequence[_Waiting]) -> list[_Ended]:
    results = _drive(together[0].op(tx, [waiting.item for waiting in together]))
    return [_Ended(w.done, result, None) for w, result in zip(together, results, strict=True)]


def _drive(coroutine: Awaitable[T]) -> T:
    """Run an operation to its end; it can't suspend, since `SqliteTx` never does."""
    steps = coroutine.__await__()
    try:
        next(steps)
    except StopIteration as end:
        result: T = end.value
        return result
    raise RuntimeError("a store operation awaited something other than its transaction")
