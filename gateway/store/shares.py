"""Where the lines of `gateway.routing.shares` stand, for the next start and other instances; and who waits first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from gateway.clock import format_ms
from gateway.routing.order import FIRST_AFTER_EMERGENCY, TAG_BITS, split_rank
from gateway.routing.shares import Place
from gateway.store.ports import Tx
from gateway.store.queue import READY


class Head(NamedTuple):
    """The message that is the first of its class and priority in a queue."""

    queue: str
    band: int
    tag: int


async def load_places(tx: Tx) -> list[Place]:
    """All of ``shares``."""
    return [Place(*row) for row in await tx.fetch("SELECT queue, band, owner, tag FROM shares")]


async def save_places(tx: Tx, places: Sequence[Place], gone: Sequence[Place]) -> None:
    """Write rows of ``shares``, none of them back, and drop those of lines that stand still."""
    await tx.execute_many(
        "INSERT INTO shares (queue, band, owner, tag) VALUES (?, ?, ?, ?) ON CONFLICT (queue, band, owner)"
        " DO UPDATE SET tag = excluded.tag WHERE shares.tag < excluded.tag",
        places,
    )
    await tx.execute_many(
        "DELETE FROM shares WHERE queue = ? AND band = ? AND owner = ? AND tag <= ?",
        gone,
    )


async def find_heads(tx: Tx) -> list[Head]:
    """The first of each class and priority in each queue; reads one row of ``messages`` for each."""
    found: list[Head] = []
    queue, rank = "", 0
    while True:
        rows = await tx.fetch(
            f"SELECT queue, rank FROM messages WHERE {READY} AND (queue, rank) >= (?, ?) ORDER BY queue, rank LIMIT 1",
            (queue, rank),
        )
        if not rows:
            return found
        head = Head(rows[0][0], *split_rank(rows[0][1]))
        found.append(head)
        queue, rank = head.queue, (head.band + 1) << TAG_BITS


async def find_ready_queues(tx: Tx) -> list[str]:
    """The queues in which something may be claimed; reads one row of ``messages`` for each."""
    found: list[str] = [""]
    while rows := await tx.fetch(
        f"SELECT queue FROM messages WHERE {READY} AND queue > ? ORDER BY queue LIMIT 1", (found[-1],)
    ):
        found.append(rows[0][0])
    return found[1:]


async def find_last_hidden(tx: Tx) -> list[Head]:
    """The last of each class and priority in each queue among those that may not be claimed yet; reads all of them."""
    rows = await tx.fetch(
        "SELECT queue, max(rank) FROM messages WHERE status = 'queued' AND hidden_until IS NOT NULL"
        f" GROUP BY queue, rank >> {TAG_BITS}"
    )
    return [Head(row[0], *split_rank(row[1])) for row in rows]


async def find_passed_over(tx: Tx, queue: str, since: datetime, limit: int) -> list[str]:
    """Those that are first of their class and priority and have waited since ``since``, the longest first; their ids.

    Emergencies, and what is first of all others, need nobody's help. Reads one row of ``messages`` for each.
    """
    at, rank = format_ms(since) or 0, FIRST_AFTER_EMERGENCY
    found: list[tuple[int, str]] = []
    while True:
        rows = await tx.fetch(
            f"SELECT id, rank, updated_at FROM messages WHERE {READY} AND queue = ? AND rank >= ?"
            " ORDER BY rank LIMIT 1",
            (queue, rank),
        )
        if not rows:
            return [message_id for _, message_id in sorted(found)[:limit]]
        message_id, first, changed_at = rows[0]
        if changed_at < at:
            found.append((changed_at, message_id))
        rank = (split_rank(first)[0] + 1) << TAG_BITS


async def set_ranks(tx: Tx, ranks: Sequence[tuple[int, str]]) -> None:
    """Give waiting messages another place: ``(rank, id)``."""
    await tx.execute_many("UPDATE messages SET rank = ? WHERE id = ? AND status = 'queued'", ranks)
