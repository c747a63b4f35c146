"""The timeline, as repositories see it."""

from __future__ import annotations

from gateway.clock import parse_instant
from gateway.model.events import Event
from gateway.store.ports import Row, Tx

_COLUMNS = "seq, type, at, subject, data"


async def load_timeline(tx: Tx, subject: str) -> list[Event]:
    """All events of one message (or number, or channel), oldest first."""
    rows = await tx.fetch(f"SELECT {_COLUMNS} FROM events WHERE subject = ? ORDER BY seq", (subject,))
    return [_event(row) for row in rows]


async def load_events(tx: Tx, after_seq: int, limit: int) -> list[Event]:
    """At most ``limit`` events with a greater ``seq``, in order of commit."""
    sql = f"SELECT {_COLUMNS} FROM events WHERE seq > ? ORDER BY seq LIMIT ?"
    return [_event(row) for row in await tx.fetch(sql, (after_seq, limit))]


async def load_events_before(tx: Tx, before_seq: int, limit: int) -> list[Event]:
    """At most ``limit`` events with a smaller ``seq``, newest first."""
    sql = f"SELECT {_COLUMNS} FROM events WHERE seq < ? ORDER BY seq DESC LIMIT ?"
    return [_event(row) for row in await tx.fetch(sql, (before_seq, limit))]


async def last_seq(tx: Tx) -> int:
    """The newest ``seq``; 0 in an empty store."""
    rows = await tx.fetch("SELECT coalesce(max(seq), 0) FROM events")
    return int(rows[0][0])


def _event(row: Row) -> Event:
    seq, kind, at, subject, data = row
    return Event(seq=seq, type=kind, at=parse_instant(at), subject=subject, data=data)
