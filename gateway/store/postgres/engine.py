"""PostgreSQL behind the store's ports: one connection that commits in groups, a few that read, one that listens.

Operations run on the event loop. When the server is away, writers wait `writer.PATIENCE_S` for it and are then told;
the connections come back by themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from gateway.ids import make_id
from gateway.routing.prices import Prices
from gateway.store.events import last_seq
from gateway.store.groups import NEWEST_ROWS, Committed, GroupedStore, Waiting
from gateway.store.migration import Progress
from gateway.store.ports import CommitFigures, Operation, Tx
from gateway.store.postgres.errors import explain_open
from gateway.store.postgres.listener import Listener
from gateway.store.postgres.migrate import migrate
from gateway.store.postgres.notices import Notice
from gateway.store.postgres.readers import Readers
from gateway.store.postgres.session import Session
from gateway.store.postgres.steady import SteadyReader
from gateway.store.postgres.tables import list_tables
from gateway.store.postgres.transaction import PostgresTx
from gateway.store.postgres.writer import GroupWriter
from gateway.store.sealing.opening import find_dress
from gateway.store.sealing.terms import NO_KEY, Dress, Unlocking
from gateway.store.target import Target

T = TypeVar("T")


class PostgresStore(GroupedStore):
    """An open PostgreSQL database; made by `open`.

    Args:
        target: the database.
        exclusive: be its one daemon.
        on_commit: told of each group commit, for metrics.
    """

    list_tables = staticmethod(list_tables)

    def __init__(
        self, target: Target, *, exclusive: bool, on_commit: Callable[[CommitFigures], None] | None = None
    ) -> None:
        super().__init__(on_commit)
        name = make_id()
        self._target = target
        self._exclusive = exclusive
        self._groups = GroupWriter(target, name, exclusive=exclusive)
        self._readers = Readers(target)
        self._steady = SteadyReader(target)
        self._listener = Listener(target, name, self._hear)
        self._listening: asyncio.Task[None]

    @classmethod
    async def open(
        cls,
        target: Target,
        *,
        exclusive: bool = False,
        on_commit: Callable[[CommitFigures], None] | None = None,
        on_migration: Callable[[Progress], None] | None = None,
        unlocking: Unlocking = NO_KEY,
    ) -> PostgresStore:
        """Open the database, migrated if need be.

        Args:
            target: the database.
            exclusive: be the one daemon of this store.
            on_commit: told of each group commit.
            on_migration: told of each step by which an older store is migrated.
            unlocking: with what an encrypted store is opened.

        Raises:
            StoreLocked: it is encrypted, and not with this key.
            StoreBusy: ``exclusive``, and another daemon runs on this store.
            StoreUnavailable: it can't be reached, or is none for us.
            MigrationError: its schema does not fit this program, or the role may not make it.
        """
        store = cls(target, exclusive=exclusive, on_commit=on_commit)
        session = await store._groups.open()
        try:
            await store._prepare(session, on_migration, exclusive=exclusive)
            dress = await store._find_dress(session, unlocking)
            store._groups.dress = store._readers.dress = store._steady.dress = dress
        except Exception as exc:
            session.cut()
            raise explain_open(exc, target.shown) from exc
        store._begin_writing()
        store._listening = asyncio.create_task(store._listener.run(), name="store-listener")
        return store

    async def _prepare(
        self, session: Session, on_migration: Callable[[Progress], None] | None, *, exclusive: bool
    ) -> None:
        await migrate(session, self._target.shown, on_migration)
        if exclusive:
            await session.execute("DELETE FROM store_marks WHERE made_at < now() - interval '1 day'")
        self._last_seq = await last_seq(PostgresTx(session))

    async def _find_dress(self, session: Session, unlocking: Unlocking) -> Dress | None:
        if unlocking.key is None:
            return await find_dress(PostgresTx(session), unlocking, list_tables)
        # A new store may get its first key: who opens it at the same moment waits.
        await session.run("BEGIN; LOCK TABLE store_keys IN EXCLUSIVE MODE")
        dress = await find_dress(PostgresTx(session), unlocking, list_tables)
        await session.run("COMMIT")
        return dress

    async def close(self) -> None:
        """Commit what waits, then close. Cancel: may leave connections open until the process ends."""
        if self._closing:
            return
        self._groups.closing = True
        await self._end_writing()
        self._listening.cancel()
        await asyncio.wait([self._listening])
        await self._readers.close()
        await self._steady.close()
        await self._groups.close()
        self._release_readers()

    @property
    def is_exclusive(self) -> bool:
        """See `gateway.store.ports.Store.is_exclusive`."""
        return self._exclusive

    @property
    def stays_exclusive(self) -> bool:
        """See `gateway.store.ports.Store.stays_exclusive`: the lock ends with its connection."""
        return False

    async def read(self, op: Operation[T]) -> T:
        """See `gateway.store.ports.Store.read`."""
        self._check_open()
        return await self._readers.run(op)

    @property
    def hears_all_stops(self) -> bool:
        """See `gateway.store.ports.Store.hears_all_stops`: other gateways may share the database."""
        return False

    async def read_steady(self, op: Operation[T], use: Callable[[T], Awaitable[None]]) -> None:
        """See `gateway.store.ports.Store.read_steady`."""
        self._check_open()
        await self._steady.run(op, use)

    def adopt_prices(self, prices: Prices) -> None:
        """Charge by this price list what is handed to channels from the next transaction on."""
        self._groups.prices = prices

    async def prove(self) -> None:
        """See `gateway.store.ports.Store.prove`."""

        async def op(tx: Tx) -> None:
            await tx.execute("UPDATE schema_version SET version = version")
            for newest in NEWEST_ROWS:
                await tx.fetch(newest)

        await self.write(op)

    async def _commit(self, group: list[Waiting]) -> tuple[Committed, CommitFigures]:
        return await self._groups.commit(group)

    def _hear(self, notice: Notice) -> None:
        if not notice.store and notice.last_seq <= self._last_seq:
            return  # looked up, and known already
        self._advance(notice.last_seq)
        if notice.queues is None or notice.queues:
            self._tell(notice.queues)
