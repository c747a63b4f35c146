"""How many messages wait, and where: counted by indexes alone, whatever the queue's length."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from gateway.store.holds import REVIEW_MS
from gateway.store.ports import Tx
from gateway.store.queue import READY
from gateway.store.sequences import HELD_MS


class Waits(NamedTuple):
    """Messages that are scheduled or queued.

    Args:
        scheduled: for their time.
        paused: for the end of a pause.
        held: for an earlier one of their sequence.
        in_review: for a person's decision.
        ready: for a channel, by queue.
    """

    scheduled: int
    paused: int
    held: int
    in_review: int
    ready: Mapping[str, int]


async def count_waits(tx: Tx) -> Waits:
    """Count."""
    hidden = "SELECT count(*) FROM messages WHERE hidden_until IS NOT NULL AND status = ?"
    [(scheduled,)] = await tx.fetch(hidden, ("scheduled",))
    [(queued,)] = await tx.fetch(hidden, ("queued",))
    [(held,)] = await tx.fetch(f"{hidden} AND hidden_until = ?", ("queued", HELD_MS))
    [(in_review,)] = await tx.fetch("SELECT count(*) FROM messages WHERE hidden_until = ?", (REVIEW_MS,))
    [(of_scheduled,)] = await tx.fetch(f"{hidden} AND hidden_until = ?", ("scheduled", REVIEW_MS))
    ready = await tx.fetch(f"SELECT queue, count(*) FROM messages WHERE {READY} GROUP BY queue")
    paused = queued - held - (in_review - of_scheduled)
    return Waits(scheduled - of_scheduled, paused, held, in_review, {row[0]: row[1] for row in ready})
