"""How far the deletion of old records has come, and how much of it is left; `gateway.pipeline.retention` does it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from gateway.clock import format_ms, parse_instant, parse_ms
from gateway.store.audit import count_old_audit
from gateway.store.events import count_old_events, newest_event_at
from gateway.store.old_messages import Ages, count_over
from gateway.store.ports import Tx
from gateway.store.readers import lowest_place

RECEIPT_MAY_COME: Final = timedelta(days=35)
"""After this nobody waits for the receipt of a message that was sent."""


class Note(NamedTuple):
    """What is on record of one kind (a row of ``retention``).

    Args:
        place: the last record that was looked at; empty to begin at the oldest.
        began_at: when a round last began at the oldest.
        ran_at: the end of the last round.
        n_rows: records deleted or emptied since ever.
    """

    place: str
    began_at: datetime
    ran_at: datetime
    n_rows: int


async def load_notes(tx: Tx) -> dict[str, Note]:
    """All of ``retention``, by kind."""
    rows = await tx.fetch("SELECT kind, place, began_at, ran_at, n_rows FROM retention")
    return {row[0]: Note(row[1], parse_instant(row[2]), parse_instant(row[3]), row[4]) for row in rows}


async def save_note(tx: Tx, kind: str, note: Note) -> None:
    """Write a row of ``retention``."""
    await tx.execute(
        "INSERT INTO retention (kind, place, began_at, ran_at, n_rows) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (kind) DO UPDATE SET place = excluded.place, began_at = excluded.began_at,"
        " ran_at = excluded.ran_at, n_rows = excluded.n_rows",
        (kind, note.place, format_ms(note.began_at), format_ms(note.ran_at), note.n_rows),
    )


async def last_sign_of_life(tx: Tx) -> datetime | None:
    """When the store was last in use: the end of the last round of ``retention``, or the newest event."""
    rows = await tx.fetch("SELECT max(ran_at) FROM retention")
    return max(
        (at for at in (parse_ms(rows[0][0]), await newest_event_at(tx)) if at is not None), default=None
    )


class Backlog(NamedTuple):
    """What there is of one kind.

    Args:
        oldest_at: of the oldest record; None when there is none.
        n_due: how many are to be removed by now.
        ran_at: the end of the last round; None before the first.
    """

    oldest_at: datetime | None
    n_due: int
    ran_at: datetime | None


_BY_AGE = {
    "inbound": ("inbound", "received_at"),
    "receipts": ("early_receipts", "received_at"),
}


async def find_backlog(tx: Tx, keep: Mapping[str, timedelta], now: datetime) -> dict[str, Backlog]:
    """What there is of some kinds; reads whole tables.

    Args:
        keep: kind -> how long; those that are kept for ever have zero.
    """
    notes, read_to = await load_notes(tx), await lowest_place(tx)
    found = {}
    for kind, kept in keep.items():
        before = now - (kept or now - datetime.min.replace(tzinfo=UTC))
        if kind == "events":
            oldest_at, n_due = await count_old_events(tx, before, read_to)
        elif kind == "audit":
            oldest_at, n_due = await count_old_audit(tx, before)
        elif kind in _BY_AGE:
            oldest_at, n_due = await _count_by_age(tx, kind, before)
        else:
            ages = Ages(before, now - RECEIPT_MAY_COME, read_to)
            oldest_at, n_due = await count_over(tx, ages, with_text=kind == "texts")
        found[kind] = Backlog(oldest_at, n_due, notes[kind].ran_at if kind in notes else None)
    return found


async def _count_by_age(tx: Tx, kind: str, before: datetime) -> tuple[datetime | None, int]:
    table, column = _BY_AGE[kind]
    rows = await tx.fetch(
        f"SELECT min({column}), coalesce(sum(CASE WHEN {column} < ? THEN 1 ELSE 0 END), 0) FROM {table}",
        (format_ms(before),),
    )
    return parse_ms(rows[0][0]), int(rows[0][1])
