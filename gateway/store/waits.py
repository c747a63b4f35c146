"""How many messages wait, and where: counted by indexes alone, whatever the queue's length."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from gateway.store.ports import Tx
from gateway.store.queue import READY
from gateway.store.sequences import HELD_MS


class Waits(NamedTuple):
    """Messages that are scheduled or queued.

    Args:
        scheduled: for their time.
        paused: for the end of a pause.
        held: for an earlier one of their sequence.
        ready: for a channel, by queue.
    """

    scheduled: int
    paused: int
    held: int
    ready: Mapping[str, int]


async def count_waits(tx: Tx) -> Waits:
    """Count."""
    hidden = "SELECT count(*) FROM messages WHERE hidden_until IS NOT NULL AND status = ?"
    [(scheduled,)] = await tx.fetch(hidden, ("scheduled",))
    [(queued,)] = await tx.fetch(hidden, ("queued",))
    [(held,)] = await tx.fetch(f"{hidden} AND hidden_until = ?", ("queued", HELD_MS))
    ready = await tx.fetch(f"SELECT queue, count(*) FROM messages WHERE {READY} GROUP BY queue")
    return Waits(scheduled, queued - held, held, {row[0]: row[1] for row in ready})
