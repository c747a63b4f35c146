"""The migration of 0.1.0's store, killed after each of its transactions and begun again: always the same store."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from gateway.store.migration import Progress, load_migrations
from gateway.store.sqlite.file import connect
from gateway.store.sqlite.migrate import migrate, schema_version
from tests.support.old_store import dump, unpack

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

LIMIT = 60
"""Rows in a piece: some ten pieces of the few hundred messages."""
MAX_STEPS = 200


def _die(_: Progress) -> None:
    os._exit(0)


def _migrate_once(path: Path) -> None:
    """Migrate in a process of its own, that is gone right behind its first commit."""
    child = os.fork()
    if child == 0:
        try:
            migrate(connect(path), _die, LIMIT)
        finally:
            os._exit(1)  # there was nothing to do, or it failed
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status):
        with closing(connect(path)) as db:
            migrate(db, None, LIMIT)


def test_killed_after_each_transaction_the_store_is_the_same(tmp_path: Path):
    unpack(tmp_path / "killed.db")
    shutil.copy(tmp_path / "killed.db", tmp_path / "whole.db")
    with closing(connect(tmp_path / "whole.db")) as db:
        steps: list[Progress] = []
        migrate(db, steps.append, LIMIT)
    whole = dump(tmp_path / "whole.db")
    assert steps, "0.1.0 had another schema"

    # A kill behind each of them, one after the other, is a kill behind every one.
    newest = load_migrations()[-1].number
    for n in count():
        assert n < MAX_STEPS
        _migrate_once(tmp_path / "killed.db")
        with closing(connect(tmp_path / "killed.db")) as db:
            if schema_version(db) == newest and not _half_done(db):
                break
    assert n + 1 >= len(steps)
    assert dump(tmp_path / "killed.db") == whole
    with closing(sqlite3.connect(tmp_path / "killed.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def _half_done(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'migration_place'").fetchone() is not None
