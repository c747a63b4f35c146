"""Numbered migrations: each file of `migrations/` runs once, in order; all that are due, or none."""

from __future__ import annotations

import sqlite3
from importlib import resources

from gateway.errors import MigrationError


def load_migrations() -> list[tuple[int, str, str]]:
    """All migrations as ``(number, name, sql)``, ascending."""
    folder = resources.files("gateway.store") / "migrations"
    found = [
        (int(entry.name.split("_", 1)[0]), entry.name, entry.read_text(encoding="utf-8"))
        for entry in folder.iterdir()
        if entry.name.endswith(".sql")
    ]
    return sorted(found)


def schema_version(db: sqlite3.Connection) -> int:
    """The number of the last migration that ran; 0 for an empty database."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def migrate(db: sqlite3.Connection) -> list[str]:
    """Bring the schema up to date.

    Args:
        db: a connection in autocommit mode.

    Returns:
        Names of the migrations that ran now; empty when nothing was to do.

    Raises:
        MigrationError: the database is newer than this program, or a migration failed (nothing of it stays).
    """
    migrations = load_migrations()
    newest = migrations[-1][0]
    ran = []
    db.execute("BEGIN IMMEDIATE")  # a second process that starts at the same moment waits here
    try:
        version = schema_version(db)
        if version > newest:
            raise MigrationError(
                f"the database has schema {version}, this program knows {newest}: install the newer hongyan",
            )
        for number, name, sql in migrations:
            if number > version:
                for statement in _split(sql):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {number}")
                ran.append(name)
        db.execute("COMMIT")
    except sqlite3.Error as exc:
        db.execute("ROLLBACK")
        raise MigrationError(f"migration failed, nothing was changed: {exc}") from exc
    except MigrationError:
        db.execute("ROLLBACK")
        raise
    return ran


def _split(sql: str) -> list[str]:
    """Statements of a migration; our files keep ``;`` out of literals and comments."""
    lines = [line for line in sql.splitlines() if not line.lstrip().startswith("--")]
    return [statement for part in "\n".join(lines).split(";") if (statement := part.strip())]
