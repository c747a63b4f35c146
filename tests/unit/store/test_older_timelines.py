"""Stores of 0.1.0: their events and the places of those who read them, in the form of today."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway.clock import parse_instant
from gateway.store.events import last_seq, load_events_before, load_timeline
from gateway.store.migration import load_migrations
from gateway.store.readers import load_readers
from gateway.store.sqlite.engine import SqliteStore
from tests.support.product import load_events

pytestmark = pytest.mark.unit

N = 5_250


def make_old_store(path: Path) -> None:
    """With events of 50 messages, some of which were deleted by hand, and two readers."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for migration in load_migrations():
            if migration.number < 16:
                db.executescript(str(migration.work))
        db.execute("PRAGMA user_version = 15")
        db.executemany(
            "INSERT INTO events VALUES (?, 'message.sent', ?, ?, ?)",
            [(seq, seq, f"m{seq % 50}", b'{"id":"m%d","n":%d}' % (seq % 50, seq)) for seq in range(1, N)],
        )
        db.execute("INSERT INTO events VALUES (?, 'channel.up', ?, 'sim-1', ?)", (N, N, b"{}"))
        db.execute("DELETE FROM events WHERE seq BETWEEN 130 AND 140")
        db.execute("INSERT INTO esme_place VALUES ('esme', 4)")
        db.execute("INSERT INTO kannel_place VALUES ('timeline', 6)")


async def test_events_and_places_are_all_there(tmp_path: Path):
    make_old_store(tmp_path / "old.db")
    store = await SqliteStore.open(tmp_path / "old.db")
    try:
        seqs = [*range(1, 130), *range(141, N + 1)]
        seen, after = [], 0
        while events := await store.read(lambda tx, after=after: load_events(tx, after, 500)):  # type: ignore[misc]
            seen += events
            after = events[-1].seq
        assert [event.seq for event in seen] == seqs
        assert (seen[-1].type, seen[-1].subject, seen[-1].data) == ("channel.up", "sim-1", b"{}")
        assert seen[0].at == parse_instant(1)
        assert seen[0].data == b'{"id":"m1","n":1}'
        timeline = await store.read(lambda tx: load_timeline(tx, "m7"))
        assert [event.seq for event in timeline] == [seq for seq in seqs[:-1] if seq % 50 == 7]
        newest = await store.read(lambda tx: load_events_before(tx, 145, 10))
        assert [event.seq for event in newest] == [144, 143, 142, 141, 129, 128, 127, 126, 125, 124]
        assert await store.read(last_seq) == N
        assert {reader.name: reader.seq for reader in await store.read(load_readers)} == {
            "smpp_server": 4,
            "kannel": 6,
        }
    finally:
        await store.close()
