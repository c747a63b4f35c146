"""How often what happened in each hour: rows of ``tallies``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from gateway.clock import format_ms, parse_instant
from gateway.store.ports import Tx

KEEP: Final = timedelta(days=400)
"""A year, and the same weeks of the year before."""


class Hour(NamedTuple):
    """An hour, and what is counted in it.

    Args:
        at: when it began.
        type: of the events, such as ``message.delivered``.
    """

    at: datetime
    type: str


async def add_tallies(tx: Tx, counted: Mapping[Hour, int], now: datetime) -> None:
    """Add to the counts, and drop those that are too old."""
    for hour, n in counted.items():
        await tx.execute(
            "INSERT INTO tallies (hour, type, n) VALUES (?, ?, ?)"
            " ON CONFLICT (hour, type) DO UPDATE SET n = tallies.n + excluded.n",
            (format_ms(hour.at), hour.type, n),
        )
    await tx.execute("DELETE FROM tallies WHERE hour < ?", (format_ms(now - KEEP),))


async def list_tallies(tx: Tx, since: datetime) -> dict[Hour, int]:
    """What was counted in the hours that began at an instant or later."""
    rows = await tx.fetch("SELECT hour, type, n FROM tallies WHERE hour >= ?", (format_ms(since),))
    return {Hour(parse_instant(row[0]), row[1]): row[2] for row in rows}
