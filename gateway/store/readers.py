"""Who follows the timeline, and up to where each has read: rows of ``timeline_readers``."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from gateway.clock import format_ms, parse_instant
from gateway.errors import StaleWrite
from gateway.store.events import last_seq
from gateway.store.ports import Tx

KEPT_UNSEEN = timedelta(days=7)
"""A reader that was not seen for so long is gone for good. One that runs is seen every ten minutes."""


class ReaderPlace(NamedTuple):
    """Where one reader is.

    Args:
        seq: it has done with all events up to this one.
        lag: how many events there are that it has not read.
        seen_at: when it last said that it is there.
    """

    name: str
    seq: int
    lag: int
    seen_at: datetime


async def open_reader(tx: Tx, name: str, now: datetime, begin_at: int | None = None) -> int:
    """The place of a reader that begins to read; its row is made, or marked as seen.

    Args:
        begin_at: where a reader without a row begins; None for the present.
    """
    rows = await tx.fetch(
        "UPDATE timeline_readers SET seen_at = ? WHERE name = ? RETURNING seq", (format_ms(now), name)
    )
    if rows:
        return int(rows[0][0])
    place = await last_seq(tx) if begin_at is None else begin_at
    await tx.execute(
        "INSERT INTO timeline_readers (name, seq, seen_at) VALUES (?, ?, ?)", (name, place, format_ms(now))
    )
    return place


async def ensure_reader(tx: Tx, name: str, now: datetime) -> None:
    """See that a reader has a row; one that has none is to begin at what this transaction records."""
    await tx.execute(
        "INSERT INTO timeline_readers (name, seq, seen_at) SELECT ?, last_seq, CAST(? AS BIGINT) FROM timeline_head"
        " WHERE 1 = 1 ON CONFLICT (name) DO NOTHING",
        (name, format_ms(now)),
    )


async def save_place(tx: Tx, name: str, *, read_from: int, seq: int, now: datetime) -> None:
    """A reader has done with the events after ``read_from`` up to ``seq``.

    Raises:
        StaleWrite: its row does not say ``read_from``: somebody else reads under this name, or it was dropped.
    """
    n = await tx.execute(
        "UPDATE timeline_readers SET seq = ?, seen_at = ? WHERE name = ? AND seq = ?",
        (seq, format_ms(now), name, read_from),
    )
    if not n:
        raise StaleWrite(f"the timeline's reader {name} is not at {read_from} any more")


async def register_place(tx: Tx, name: str, seq: int, now: datetime) -> None:
    """Tell the place of a reader that keeps it elsewhere, as the delivery log does in its file."""
    await tx.execute(
        "INSERT INTO timeline_readers (name, seq, seen_at) VALUES (?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET seq = excluded.seq, seen_at = excluded.seen_at",
        (name, seq, format_ms(now)),
    )


async def load_readers(tx: Tx) -> list[ReaderPlace]:
    """All readers, by name."""
    newest = await last_seq(tx)
    rows = await tx.fetch("SELECT name, seq, seen_at FROM timeline_readers ORDER BY name")
    return [ReaderPlace(name, seq, max(0, newest - seq), parse_instant(seen)) for name, seq, seen in rows]


async def lowest_place(tx: Tx) -> int:
    """Up to where every reader has read; the newest event's number when nobody reads.

    Events behind it are kept, however old they are. So that nobody holds them for ever, readers that were not seen
    for `KEPT_UNSEEN` are dropped first, with a notice (`drop_readers`).
    """
    rows = await tx.fetch("SELECT min(seq) FROM timeline_readers")
    return await last_seq(tx) if rows[0][0] is None else int(rows[0][0])


async def drop_readers(tx: Tx, seen_before: datetime) -> list[str]:
    """Forget readers that were not seen since; their names."""
    rows = await tx.fetch(
        "DELETE FROM timeline_readers WHERE seen_at < ? RETURNING name", (format_ms(seen_before),)
    )
    return [row[0] for row in rows]
