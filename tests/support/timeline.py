"""The timeline of a store, read beside a daemon."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from gateway.model.lines import read_lines, unpack_lines

LOGGED = {"message", "inbound", "subscription"}


def logged_seqs(database: Path) -> list[int]:
    """Of every event that belongs into the delivery log."""
    with closing(sqlite3.connect(database)) as db:
        groups = db.execute("SELECT lines, form FROM event_groups ORDER BY seq").fetchall()
    events = [event for lines, form in groups for event in read_lines(unpack_lines(lines, form))]
    return [event.seq for event in events if event.type.partition(".")[0] in LOGGED]
