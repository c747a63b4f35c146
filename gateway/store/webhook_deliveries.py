"""What receivers have heard of: rows of ``webhook_deliveries``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from gateway.clock import format_ms, parse_instant
from gateway.store.ports import Row, Tx


class Heard(NamedTuple):
    """An event of which a receiver has heard.

    Args:
        id: under which it was told.
        owner: the receiver, as in the outbox.
        kind: the event's type.
        about: the id of the message, the name of the channel...
        attempts: how many calls it took.
        created_at: when it was owed first.
    """

    id: str
    owner: str
    kind: str
    about: str
    attempts: int
    created_at: datetime
    delivered_at: datetime


async def save_heard(tx: Tx, heard: Sequence[Heard]) -> None:
    """Write them down; one that was told again stands there already."""
    await tx.execute_many(
        "INSERT INTO webhook_deliveries (id, owner, type, subject, attempts, created_at, delivered_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
        [(*one[:5], format_ms(one.created_at), format_ms(one.delivered_at)) for one in heard],
    )


async def list_heard(tx: Tx, owner: str, *, limit: int, before: str | None) -> list[Heard]:
    """An owner's, the newest first.

    Args:
        before: the id behind which to go on.
    """
    rows = await tx.fetch(
        "SELECT id, owner, type, subject, attempts, created_at, delivered_at FROM webhook_deliveries"
        " WHERE owner = ? AND id < ? ORDER BY id DESC LIMIT ?",
        (owner, before or "~", limit),
    )
    return [_heard(row) for row in rows]


async def find_heard(tx: Tx, delivery_id: str) -> Heard | None:
    """One."""
    rows = await tx.fetch(
        "SELECT id, owner, type, subject, attempts, created_at, delivered_at FROM webhook_deliveries WHERE id = ?",
        (delivery_id,),
    )
    return _heard(rows[0]) if rows else None


async def forget_heard(tx: Tx, before: datetime, limit: int) -> int:
    """Drop the oldest from before ``before``; how many."""
    return await tx.execute(
        "DELETE FROM webhook_deliveries WHERE id IN (SELECT id FROM webhook_deliveries WHERE delivered_at < ?"
        " ORDER BY delivered_at LIMIT ?)",
        (format_ms(before), limit),
    )


def _heard(row: Row) -> Heard:
    return Heard(
        id=row[0],
        owner=row[1],
        kind=row[2],
        about=row[3],
        attempts=row[4],
        created_at=parse_instant(row[5]),
        delivered_at=parse_instant(row[6]),
    )
