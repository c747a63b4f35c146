"""PostgreSQL behind the store's ports: one connection that commits in groups, a few that read, one that listens.

Operations run on the event loop. When the server is away, writers wait `writer.PATIENCE_S` for it and are then told;
the connections come back by themselves.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from gateway.errors import StoreUnavailable
from gateway.ids import make_id
from gateway.store.events import last_seq
from gateway.store.groups import NEWEST_ROWS, Committed, Waiting, run_each, take_group
from gateway.store.migration import Progress
from gateway.store.ports import CommitFigures, Item, JointOperation, OnClaimable, Operation, Tx
from gateway.store.postgres.errors import explain_open
from gateway.store.postgres.listener import Listener
from gateway.store.postgres.migrate import migrate
from gateway.store.postgres.notices import Notice
from gateway.store.postgres.readers import Readers
from gateway.store.postgres.session import Session
from gateway.store.postgres.transaction import PostgresTx
from gateway.store.postgres.writer import GroupWriter
from gateway.store.target import Target

T = TypeVar("T")


class PostgresStore:
    """An open PostgreSQL database; made by `open`.

    Args:
        target: the database.
        exclusive: be its one daemon.
        on_commit: told of each group commit, for metrics.
    """

    def __init__(
        self, target: Target, *, exclusive: bool, on_commit: Callable[[CommitFigures], None] | None = None
    ) -> None:
        name = make_id()
        self._target = target
        self._exclusive = exclusive
        self._on_commit = on_commit
        self._groups = GroupWriter(target, name, exclusive=exclusive)
        self._readers = Readers(target)
        self._listener = Listener(target, name, self._hear)
        self._waiting: deque[Waiting] = deque()
        self._wake = asyncio.Event()
        self._last_seq = 0
        self._committed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tell_claimable: list[OnClaimable] = []
        self._closing = False
        self._task: asyncio.Task[None]
        self._listening: asyncio.Task[None]

    @classmethod
    async def open(
        cls,
        target: Target,
        *,
        exclusive: bool = False,
        on_commit: Callable[[CommitFigures], None] | None = None,
        on_migration: Callable[[Progress], None] | None = None,
    ) -> PostgresStore:
        """Open the database, migrated if need be.

        Args:
            target: the database.
            exclusive: be the one daemon of this store.
            on_commit: told of each group commit.
            on_migration: told of each step by which an older store is migrated.

        Raises:
            StoreBusy: ``exclusive``, and another daemon runs on this store.
            StoreUnavailable: it can't be reached, or is none for us.
            MigrationError: its schema does not fit this program, or the role may not make it.
        """
        store = cls(target, exclusive=exclusive, on_commit=on_commit)
        session = await store._groups.open()
        try:
            await store._prepare(session, on_migration, exclusive=exclusive)
        except Exception as exc:
            session.cut()
            raise explain_open(exc, target.shown) from exc
        store._task = asyncio.create_task(store._write_groups(), name="store-writer")
        store._listening = asyncio.create_task(store._listener.run(), name="store-listener")
        return store

    async def _prepare(
        self, session: Session, on_migration: Callable[[Progress], None] | None, *, exclusive: bool
    ) -> None:
        await migrate(session, self._target.shown, on_migration)
        if exclusive:
            await session.execute("DELETE FROM store_marks WHERE made_at < now() - interval '1 day'")
        self._last_seq = await last_seq(PostgresTx(session))

    async def close(self) -> None:
        """Commit what waits, then close. Cancel: may leave connections open until the process ends."""
        if self._closing:
            return
        self._closing = self._groups.closing = True
        self._wake.set()
        await self._task
        self._listening.cancel()
        await asyncio.wait([self._listening])
        await self._readers.close()
        await self._groups.close()
        if not self._committed.done():
            self._committed.set_result(None)

    @property
    def is_exclusive(self) -> bool:
        """See `gateway.store.ports.Store.is_exclusive`."""
        return self._exclusive

    @property
    def stays_exclusive(self) -> bool:
        """See `gateway.store.ports.Store.stays_exclusive`: the lock ends with its connection."""
        return False

    async def write(self, op: Operation[T], *, n_rows: int = 1) -> T:
        """See `gateway.store.ports.Store.write`."""
        return await self._gather(run_each, op, n_rows)

    async def write_jointly(self, op: JointOperation[Item, T], item: Item) -> T:
        """See `gateway.store.ports.Store.write_jointly`."""
        return await self._gather(op, item, 1)

    async def _gather(self, op: JointOperation[Item, T], item: Item, n_rows: int) -> T:
        if self._closing:
            raise StoreUnavailable("the store is closed")
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append(Waiting(op, item, done, n_rows))
        self._wake.set()
        return await done

    async def read(self, op: Operation[T]) -> T:
        """See `gateway.store.ports.Store.read`."""
        if self._closing:
            raise StoreUnavailable("the store is closed")
        return await self._readers.run(op)

    async def prove(self) -> None:
        """See `gateway.store.ports.Store.prove`."""

        async def op(tx: Tx) -> None:
            await tx.execute("UPDATE schema_version SET version = version")
            for newest in NEWEST_ROWS:
                await tx.fetch(newest)

        await self.write(op)

    async def wait_events(self, after_seq: int) -> int:
        """See `gateway.store.ports.Store.wait_events`."""
        while self._last_seq <= after_seq and not self._closing:
            await asyncio.shield(self._committed)
        if self._closing:
            raise StoreUnavailable("the store is closed")
        return self._last_seq

    def on_claimable(self, tell: OnClaimable) -> None:
        """See `gateway.store.ports.Store.on_claimable`."""
        self._tell_claimable.append(tell)

    # --- gather, commit, tell, release ---

    async def _write_groups(self) -> None:
        while True:
            if not self._waiting:
                if self._closing:
                    return
                self._wake.clear()
                await self._wake.wait()
                continue
            group = take_group(self._waiting)
            committed, figures = await self._groups.commit(group)
            if self._on_commit is not None:
                self._on_commit(figures)
            self._tell(committed)
            for done, result, error in committed.ended:
                if done.cancelled():
                    continue
                if error is None:
                    done.set_result(result)
                else:
                    done.set_exception(error)

    def _tell(self, committed: Committed) -> None:
        self._advance(committed.last_seq)
        if committed.queues:
            for tell in self._tell_claimable:
                tell(committed.queues)

    def _hear(self, notice: Notice) -> None:
        if not notice.store and notice.last_seq <= self._last_seq:
            return  # looked up, and known already
        self._advance(notice.last_seq)
        if notice.queues is None or notice.queues:
            for tell in self._tell_claimable:
                tell(notice.queues)

    def _advance(self, newest: int) -> None:
        if newest > self._last_seq:
            self._last_seq = newest
            self._committed.set_result(None)
            self._committed = asyncio.get_running_loop().create_future()
