"""SQLite behind the store's ports: one writer thread that commits in groups, a few reader threads.

Operations are coroutines over a `Tx` that never suspends here: the engine drives each to its end on the
writer's thread, so a group of any size costs one hop between threads and one durable commit.

It does not retry and does not decide: what fails is rolled back and raised to its caller.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from gateway.errors import StoreError, StoreUnavailable
from gateway.routing.prices import Prices
from gateway.store.events import last_seq
from gateway.store.groups import NEWEST_ROWS, Committed, GroupedStore, Waiting
from gateway.store.migration import Progress
from gateway.store.ports import CommitFigures, Operation, Tx
from gateway.store.sealing.opening import find_dress
from gateway.store.sealing.terms import NO_KEY, Dress, Unlocking
from gateway.store.sqlite.errors import Condition, translate
from gateway.store.sqlite.file import connect, explain_open, lock, make_file
from gateway.store.sqlite.migrate import bring_up_to_date
from gateway.store.sqlite.tables import list_tables
from gateway.store.sqlite.transaction import SqliteTx, drive
from gateway.store.sqlite.writer import GroupWriter

_log = logging.getLogger(__name__)

T = TypeVar("T")

READERS = 2
WRITE_PATIENCE_S = 2.0
"""How long a group waits for another process that holds the store; who waits behind it waits as long at most again."""
OTHERS_S = 1.0
"""How often it is asked whether another process has written: nobody tells us of that."""


class SqliteStore(GroupedStore):
    """An open SQLite database file (WAL, ``synchronous=FULL``); made by `open`.

    Args:
        path: the database file.
        on_commit: told of each group commit, for metrics.
        unlocking: with what an encrypted store is opened.
    """

    list_tables = staticmethod(list_tables)

    def __init__(
        self,
        path: Path,
        on_commit: Callable[[CommitFigures], None] | None = None,
        unlocking: Unlocking = NO_KEY,
    ) -> None:
        super().__init__(on_commit)
        self._path = path
        self._unlocking = unlocking
        self._dress: Dress | None = None
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="store-reader")
        self._idle_readers: SimpleQueue[sqlite3.Connection] = SimpleQueue()
        self._lock_file: int | None = None
        self._condition = Condition()
        self._db: sqlite3.Connection
        self._groups: GroupWriter
        self._watch: asyncio.Task[None]

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        exclusive: bool = False,
        on_commit: Callable[[CommitFigures], None] | None = None,
        on_migration: Callable[[Progress], None] | None = None,
        unlocking: Unlocking = NO_KEY,
    ) -> SqliteStore:
        """Open the file, made and migrated if need be.

        Args:
            path: the database file; its folder is made.
            exclusive: be the one daemon of this store.
            on_commit: told of each group commit.
            on_migration: told of each step by which an older store is migrated, on the writer's thread.
            unlocking: with what an encrypted store is opened.

        Raises:
            StoreLocked: it is encrypted, and not with this key.
            StoreBusy: ``exclusive`` or to be migrated, and another daemon runs on this store.
            StoreFull: there is no room for the little that opening needs.
            StoreUnavailable: the file can't be opened or is not a database.
            MigrationError: its schema does not fit this program.

        Cancel: a migration ends after the piece it is at, and goes on there when the store is opened again.
        """
        store = cls(path, on_commit, unlocking)
        loop = asyncio.get_running_loop()
        try:
            make_file(path)
            if exclusive:
                store._lock_file = lock(path)
            store._db = await loop.run_in_executor(store._writer, store._open_writer, on_migration)
            for _ in range(READERS):
                store._idle_readers.put(connect(path))
        except (sqlite3.Error, OSError, StoreError) as exc:
            store._writer.shutdown()
            store._readers.shutdown()
            store._unlock()
            raise explain_open(path, exc) from exc
        except asyncio.CancelledError:
            store._closing = True
            store._writer.shutdown()
            store._readers.shutdown()
            store._unlock()
            raise
        store._begin_writing()
        store._watch = asyncio.create_task(store._watch_others(), name="store-watch")
        return store

    def _open_writer(self, on_migration: Callable[[Progress], None] | None) -> sqlite3.Connection:
        def tell(progress: Progress) -> None:
            if self._closing:
                raise StoreUnavailable("stopped while the store was migrated; it goes on at the next start")
            if on_migration is not None:
                on_migration(progress)

        db = connect(self._path)
        try:
            bring_up_to_date(db, self._path, alone=self._lock_file is not None, on_progress=tell)
            self._dress = self._find_dress(db)
            self._groups = GroupWriter(db, self._condition, self._tell_stops, self._dress)
            self._last_seq = drive(last_seq(SqliteTx(db)))
            db.execute(f"PRAGMA busy_timeout = {int(WRITE_PATIENCE_S * 1_000)}")
        except BaseException:
            db.close()
            raise
        return db

    def _find_dress(self, db: sqlite3.Connection) -> Dress | None:
        if self._unlocking.key is None:
            return drive(find_dress(SqliteTx(db), self._unlocking, list_tables))
        db.execute("BEGIN IMMEDIATE")  # a new store may get its first key
        try:
            dress = drive(find_dress(SqliteTx(db), self._unlocking, list_tables))
            db.execute("COMMIT")
        except BaseException:
            db.execute("ROLLBACK")
            raise
        return dress

    async def close(self) -> None:
        """Commit what waits, then close. Cancel: may leave the files open until the process ends."""
        if self._closing:
            return
        await self._end_writing()
        self._watch.cancel()
        await asyncio.wait([self._watch])
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._writer, self._db.close)
        self._writer.shutdown()
        self._readers.shutdown()
        while not self._idle_readers.empty():
            self._idle_readers.get().close()
        self._unlock()
        self._release_readers()

    def _unlock(self) -> None:
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    @property
    def is_exclusive(self) -> bool:
        """See `gateway.store.ports.Store.is_exclusive`."""
        return self._lock_file is not None

    @property
    def stays_exclusive(self) -> bool:
        """See `gateway.store.ports.Store.stays_exclusive`: the lock is this process's."""
        return self._lock_file is not None

    async def read(self, op: Operation[T]) -> T:
        """See `gateway.store.ports.Store.read`."""
        self._check_open()
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, op)

    @property
    def hears_all_stops(self) -> bool:
        """See `gateway.store.ports.Store.hears_all_stops`: a second gateway can't run on the file."""
        return True

    async def read_steady(self, op: Operation[T], use: Callable[[T], Awaitable[None]]) -> None:
        """See `gateway.store.ports.Store.read_steady`: it waits for its turn behind what is being committed."""
        await use(await self.write(op))

    def adopt_prices(self, prices: Prices) -> None:
        """Charge by this price list what is handed to channels from the next transaction on."""
        self._groups.prices = prices

    async def prove(self) -> None:
        """See `gateway.store.ports.Store.prove`."""

        async def op(tx: Tx) -> None:
            version = (await tx.fetch("PRAGMA user_version"))[0][0]
            await tx.execute(
                f"PRAGMA user_version = {version:d}"
            )  # the first page is written, though with the same
            for newest in NEWEST_ROWS:
                await tx.fetch(newest)

        await self.write(op)
        if self._condition.damage is not None:
            raise self._condition.damage

    async def _commit(self, group: list[Waiting]) -> tuple[Committed, CommitFigures]:
        return await asyncio.get_running_loop().run_in_executor(self._writer, self._groups.commit, group)

    async def _watch_others(self) -> None:
        """Notice what other processes commit. Cancel: nothing is left behind."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(OTHERS_S)
            try:
                newest = await loop.run_in_executor(self._writer, self._groups.look_for_news)
            except sqlite3.Error as exc:
                _log.warning("nobody looked what other processes wrote: %s", self._condition.note(exc))
                continue
            if newest is not None:
                self._advance(newest)
                self._tell(None)

    # --- on a reader's thread ---

    def _read(self, op: Operation[T]) -> T:
        db = self._idle_readers.get()
        try:
            db.execute("BEGIN")
            try:
                tx = SqliteTx(db)
                return drive(op(tx if self._dress is None else self._dress(tx)))
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
