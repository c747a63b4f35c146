"""The timeline, as repositories see it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from gateway.clock import format_ms, parse_instant
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


async def append_events(tx: Tx, events: Sequence[Event]) -> int:
    """Give events their ``seq`` and store them; the last one's. Engines call it as the last thing before the commit.

    Writes ``timeline_head``, whose row is held from here to the commit: who commits later gets greater numbers, in
    whatever process, and nobody sees a number before all smaller ones. A transaction that is rolled back leaves no gap.
    """
    ((last,),) = await tx.fetch(
        "UPDATE timeline_head SET last_seq = last_seq + ? RETURNING last_seq", (len(events),)
    )
    await tx.execute_many(
        "INSERT INTO events (seq, type, at, subject, data) VALUES (?, ?, ?, ?, ?)",
        [
            (seq, e.type, format_ms(e.at), e.subject, e.data)
            for seq, e in enumerate(events, last - len(events) + 1)
        ],
    )
    return int(last)


async def last_seq(tx: Tx) -> int:
    """The newest ``seq`` ever given; 0 in an empty store."""
    ((last,),) = await tx.fetch("SELECT last_seq FROM timeline_head")
    return int(last)


async def forget_events(tx: Tx, before: datetime, limit: int, *, read_to: int) -> int:
    """Drop the oldest events from before ``before``, out of the first ``limit``; how many.

    Args:
        read_to: those behind this ``seq`` stay: somebody has still to read them.
    """
    return await tx.execute(
        "DELETE FROM events WHERE seq <= (SELECT max(seq) FROM"
        " (SELECT seq, at FROM events WHERE seq <= ? ORDER BY seq LIMIT ?) AS oldest WHERE at < ?)",
        (read_to, limit, format_ms(before)),
    )


def _event(row: Row) -> Event:
    seq, kind, at, subject, data = row
    return Event(seq=seq, type=kind, at=parse_instant(at), subject=subject, data=data)
