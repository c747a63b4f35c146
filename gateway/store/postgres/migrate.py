"""The same numbered migrations as SQLite's, in PostgreSQL's words, one transaction after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import asyncpg

from gateway.errors import MigrationError
from gateway.store.migration import Progress, advance, find_place, is_due, load_migrations
from gateway.store.postgres.errors import explain_open
from gateway.store.postgres.portable import translate_migration
from gateway.store.postgres.session import Session
from gateway.store.postgres.transaction import PostgresTx

_LOCK: Final = 0x686F6E66
"""Advisory lock: two processes that start at once wait for each other."""
_VERSION: Final = "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)"
_MARKS: Final = """
CREATE TABLE IF NOT EXISTS store_marks (
    store   TEXT PRIMARY KEY,
    n       BIGINT NOT NULL,
    made_at TIMESTAMPTZ NOT NULL
) WITH (fillfactor = 20)"""
"""The number of each store's last commit; see `gateway.store.postgres.writer`. It changes often."""


async def schema_version(session: Session) -> int:
    """The number of the last migration that ran; 0 for an empty database."""
    ((table,),) = await session.fetch("SELECT to_regclass('schema_version')::text")
    if table is None:
        return 0
    rows = await session.fetch("SELECT version FROM schema_version")
    return int(rows[0][0]) if rows else 0


async def migrate(
    session: Session, shown: str, on_progress: Callable[[Progress], None] | None = None
) -> list[str]:
    """Bring the schema up to date; where it ends early, the next call goes on from there.

    Args:
        shown: the database, for people.
        on_progress: told after each transaction.

    Returns:
        Names of the migrations that were finished now; empty when nothing was to do.

    Raises:
        MigrationError: the database is newer than this program, the role may not make tables, or a migration failed.
    """
    migrations = load_migrations()
    ground = _Ground(session)
    try:
        if not await is_due(ground, migrations):
            return []
    except MigrationError as exc:
        raise MigrationError(f"{shown}: {exc}") from exc
    ran: list[str] = []
    while True:
        await session.run(f"BEGIN; SET LOCAL lock_timeout = 0; SELECT pg_advisory_xact_lock({_LOCK})")
        try:
            for table in (_VERSION, _MARKS):
                await session.run(table)
            progress = await advance(ground, migrations)
            await session.run("COMMIT")
        except asyncpg.InsufficientPrivilegeError as exc:
            await session.run("ROLLBACK")
            raise explain_open(exc, shown) from exc
        except asyncpg.PostgresError as exc:
            await session.run("ROLLBACK")
            raise MigrationError(f"{shown}: {await _where(ground)}: {exc}") from exc
        if progress is None:
            return ran
        ran += progress.ran
        if on_progress is not None:
            on_progress(progress)


async def _where(ground: _Ground) -> str:
    place = await find_place(ground)
    return "migration failed, nothing was changed" if place is None else str(place)


class _Ground(PostgresTx):
    """A transaction as `gateway.store.migration.Ground`."""

    async def version(self) -> int:
        return await schema_version(self._session)

    async def set_version(self, number: int) -> None:
        if not await self.execute("UPDATE schema_version SET version = ?", (number,)):
            await self.execute("INSERT INTO schema_version (version) VALUES (?)", (number,))

    async def has_table(self, name: str) -> bool:
        ((table,),) = await self.fetch("SELECT to_regclass(?)::text", (name,))
        return table is not None

    async def define(self, statement: str) -> None:
        await self._session.run(translate_migration(statement))

    async def require_room(self, share: float) -> None:
        """A server does not tell how much room its disk has."""
