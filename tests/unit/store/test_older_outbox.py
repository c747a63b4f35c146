"""Stores of 0.1.0: calls that Kannel's applications are owed, in the outbox of today."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.clock import parse_instant
from gateway.store.migration import load_migrations
from gateway.store.outbox import Busy, Lane, find_due
from gateway.store.outbox_gone import Debts, count_owed
from gateway.store.sqlite.engine import SqliteStore

pytestmark = pytest.mark.unit

CALLS = [
    # id, subject, host, call, route, attempts, due_at, created_at, owner
    ("c1", "m1", "a.example", b"1", None, 3, 9_000, 1_000, "account app"),
    ("c2", "m1", "a.example", b"2", None, 0, 2_000, 2_000, "account app"),
    ("c3", "i1", "b.example", b"3", "votes", 0, 3_000, 3_000, ""),
    ("c4", "m2", "a.example", b"4", None, 1, 4_000, 1_500, "account app"),
]


async def test_calls_are_all_owed_still(tmp_path: Path):
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for migration in load_migrations():
            if migration.number < 16:
                db.executescript(str(migration.work))
        db.execute("PRAGMA user_version = 15")
        db.executemany("INSERT INTO kannel_calls VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", CALLS)
    store = await SqliteStore.open(path)

    async def due(ms: int) -> dict[str, int]:
        found = await store.read(
            lambda tx: find_due(tx, "kannel", parse_instant(ms), Busy({}), limit=9, of_owner=9, of_host=9)
        )
        return {owed.id: owed.attempts for owed in found.rows}

    try:
        assert await store.read(count_owed) == {"kannel": Debts(pending=4, resting=0, dead=0)}
        assert await due(2_999) == {}
        assert await due(4_000) == {"c3": 0, "c4": 1}, "c2 waits for c1"
        assert await due(9_000) == {"c1": 3, "c3": 0, "c4": 1}
        found = await store.read(
            lambda tx: find_due(tx, "kannel", parse_instant(3_000), Busy({}), limit=9, of_owner=9, of_host=9)
        )
        (owed,) = found.rows
        assert (owed.lane, owed.payload) == (Lane("kannel", "route votes", "b.example"), b"3")
        assert owed.give_up_at == owed.created_at + timedelta(days=1)
        assert found.next_at == parse_instant(4_000)
    finally:
        await store.close()
