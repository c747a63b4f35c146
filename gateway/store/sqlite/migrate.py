"""Migrations of an SQLite store: `gateway.store.migration` on this engine, one transaction after the other."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gateway.errors import MigrationError, StoreError, StoreFull
from gateway.store.migration import PIECE, Place, Progress, advance, find_place, is_due, load_migrations
from gateway.store.sqlite.file import lock
from gateway.store.sqlite.transaction import SqliteTx, drive

ROOM_BESIDE: Final = 64 * 1024 * 1024
"""Octets that are wanted free beyond what the rows take: of the WAL, and so that a full disk is not the next fault."""


def schema_version(db: sqlite3.Connection) -> int:
    """The number of the last migration that ran or was begun; 0 for an empty database."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def unfinished(db: sqlite3.Connection) -> Place | None:
    """The migration that is half done, if one is."""
    return drive(find_place(_Ground(db)))


def bring_up_to_date(
    db: sqlite3.Connection, path: Path, *, alone: bool, on_progress: Callable[[Progress], None] | None = None
) -> list[str]:
    """`migrate`, where no daemon of an older version works on the same file meanwhile.

    Args:
        db: a connection to ``path``, in autocommit mode.
        alone: whether the caller holds the lock of the one daemon already.
        on_progress: see `migrate`.

    Raises:
        StoreBusy: a daemon runs on this store.
    """
    version = schema_version(db)
    if alone or version == 0 or not drive(is_due(_Ground(db), load_migrations())):
        return migrate(db, on_progress)
    handle = lock(path)
    try:
        return migrate(db, on_progress)
    finally:
        os.close(handle)


def migrate(
    db: sqlite3.Connection,
    on_progress: Callable[[Progress], None] | None = None,
    limit: int = PIECE,
) -> list[str]:
    """Bring the schema up to date.

    Where it ends early (killed, cancelled by ``on_progress``, no room left) the next call goes on from there.

    Args:
        db: a connection in autocommit mode.
        on_progress: told after each transaction; what it raises ends the migration.
        limit: rows that are moved in one transaction.

    Returns:
        Names of the migrations that were finished now; empty when nothing was to do.

    Raises:
        MigrationError: the database is newer than this program, or a migration failed.
        StoreFull: there is no room for what is to be moved.
    """
    migrations = load_migrations()
    ground = _Ground(db)
    ran: list[str] = []
    while True:
        with _transaction(db):
            progress = drive(advance(ground, migrations, limit))
        if progress is None:
            return ran
        ran += progress.ran
        if on_progress is not None:
            on_progress(progress)


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All of it or nothing; a second process that starts at the same moment waits at its beginning."""
    try:
        db.execute("BEGIN IMMEDIATE")
        yield
        db.execute("COMMIT")
    except sqlite3.Error as exc:
        _roll_back(db)
        raise _explain(db, exc) from exc
    except BaseException:
        _roll_back(db)
        raise


def _roll_back(db: sqlite3.Connection) -> None:
    if db.in_transaction:
        db.execute("ROLLBACK")


def _explain(db: sqlite3.Connection, exc: sqlite3.Error) -> StoreError:
    """What failed, and what is to be done about it."""
    if exc.sqlite_errorcode & 0xFF == sqlite3.SQLITE_FULL:
        return StoreFull(
            "no room left where the store is; make room there and start again: the migration goes on"
        )
    if (place := unfinished(db)) is not None:
        return MigrationError(f"{place}: {exc}")
    return MigrationError(f"migration failed, nothing was changed: {exc}")


class _Ground(SqliteTx):
    """A transaction as `gateway.store.migration.Ground`."""

    async def version(self) -> int:
        return schema_version(self._db)

    async def set_version(self, number: int) -> None:
        self._db.execute(f"PRAGMA user_version = {number:d}")

    async def has_table(self, name: str) -> bool:
        sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?"
        return self._db.execute(sql, (name,)).fetchone() is not None

    async def define(self, statement: str) -> None:
        self._db.execute(statement)

    async def require_room(self, share: float) -> None:
        pages, page_size = (
            self._db.execute(f"PRAGMA {key}").fetchone()[0] for key in ("page_count", "page_size")
        )
        file = self._db.execute("PRAGMA database_list").fetchone()[2]
        if not file:
            return  # in memory
        needed = int(pages * page_size * share) + ROOM_BESIDE
        free = shutil.disk_usage(Path(file).parent).free
        if free < needed:
            raise StoreFull(
                f"the store is to be brought to a new form, which needs {_megabytes(needed)} of room beside"
                f" {file}; there are {_megabytes(free)}: make room and start again"
            )


def _megabytes(n_octets: int) -> str:
    return f"{-(-n_octets // 1_000_000):,} MB"
