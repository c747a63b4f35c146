"""The same numbered migrations as SQLite's, in PostgreSQL's words: all that are due, or none."""

from __future__ import annotations

from typing import Final

import asyncpg

from gateway.errors import MigrationError
from gateway.store.postgres.errors import explain_open
from gateway.store.postgres.portable import translate_migration
from gateway.store.postgres.session import Session
from gateway.store.sqlite.migrate import _split as split
from gateway.store.sqlite.migrate import load_migrations

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


async def migrate(session: Session, shown: str) -> list[str]:
    """Bring the schema up to date.

    Args:
        shown: the database, for people.

    Returns:
        Names of the migrations that ran now; empty when nothing was to do.

    Raises:
        MigrationError: the database is newer than this program, the role may not make tables, or a migration failed
            (nothing of it stays).
    """
    newest = load_migrations()[-1][0]
    version = await schema_version(session)
    if version > newest:
        raise MigrationError(
            f"{shown}: the database has schema {version}, this program knows {newest}: install the newer hongyan"
        )
    if version == newest:
        return []
    await session.run(f"BEGIN; SET LOCAL lock_timeout = 0; SELECT pg_advisory_xact_lock({_LOCK})")
    try:
        ran = await _run_due(session)
        await session.run("COMMIT")
    except asyncpg.InsufficientPrivilegeError as exc:
        await session.run("ROLLBACK")
        raise explain_open(exc, shown) from exc
    except asyncpg.PostgresError as exc:
        await session.run("ROLLBACK")
        raise MigrationError(f"{shown}: migration failed, nothing was changed: {exc}") from exc
    return ran


async def _run_due(session: Session) -> list[str]:
    for table in (_VERSION, _MARKS):
        await session.run(table)
    version = await schema_version(session)
    if version == 0:
        await session.run(
            "INSERT INTO schema_version (version) SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM schema_version)"
        )
    ran = []
    for number, name, sql in load_migrations():
        if number > version:
            for statement in split(sql):
                await session.run(translate_migration(statement))
            await session.run(f"UPDATE schema_version SET version = {number:d}")
            ran.append(name)
    return ran
