"""What rules remember of recipients.

``sticky_channels`` says who was sent something by which channel, ``number_carriers`` whose a single number is.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from gateway.clock import format_ms, parse_instant
from gateway.routing.routes.carriers import Known
from gateway.routing.routes.table import NO_FACTS, Facts
from gateway.store.ports import Tx, placeholders

_CHUNK = 500


class Stuck(NamedTuple):
    """A row of ``sticky_channels``."""

    recipient: str
    rule: str
    channel: str
    ends_at: datetime


class NumberCarrier(NamedTuple):
    """A row of ``number_carriers``.

    Args:
        source: ``api`` or ``receipt``.
    """

    number: str
    carrier: str
    source: str
    changed_at: datetime


async def find_facts(tx: Tx, recipients: Collection[str], now: datetime) -> dict[str, Facts]:
    """What both tables know of recipients; those of whom nothing is known are absent."""
    found: dict[str, Facts] = {}
    wanted = list(recipients)
    for start in range(0, len(wanted), _CHUNK):
        chunk = wanted[start : start + _CHUNK]
        marks = placeholders(chunk)
        rows = await tx.fetch(
            f"SELECT number, carrier, source FROM number_carriers WHERE number IN ({marks})", chunk
        )
        found |= {row[0]: Facts(Known(row[1], row[2])) for row in rows}
        rows = await tx.fetch(
            f"SELECT recipient, rule, channel FROM sticky_channels WHERE recipient IN ({marks}) AND ends_at > ?",
            (*chunk, format_ms(now)),
        )
        for recipient, rule, channel in rows:
            facts = found.get(recipient, NO_FACTS)
            found[recipient] = facts._replace(sticky={**facts.sticky, rule: channel})
    return found


async def find_carriers(tx: Tx, recipients: Collection[str]) -> dict[str, tuple[str, str]]:
    """The carriers that ``number_carriers`` has of recipients, each with the source of that."""
    found: dict[str, tuple[str, str]] = {}
    wanted = list(recipients)
    for start in range(0, len(wanted), _CHUNK):
        chunk = wanted[start : start + _CHUNK]
        rows = await tx.fetch(
            f"SELECT number, carrier, source FROM number_carriers WHERE number IN ({placeholders(chunk)})",
            chunk,
        )
        found |= {row[0]: (row[1], row[2]) for row in rows}
    return found


async def save_sticky(tx: Tx, rows: Sequence[Stuck]) -> None:
    """Write rows of ``sticky_channels``: the channel of the last message counts."""
    await tx.execute_many(
        "INSERT INTO sticky_channels (recipient, rule, channel, ends_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (recipient, rule) DO UPDATE SET channel = excluded.channel, ends_at = excluded.ends_at",
        [(row.recipient, row.rule, row.channel, format_ms(row.ends_at)) for row in rows],
    )


async def forget_sticky(tx: Tx, before: datetime, limit: int) -> int:
    """Delete rows of ``sticky_channels`` that do not hold any more, at most ``limit``; how many."""
    return await tx.execute(
        "DELETE FROM sticky_channels WHERE (recipient, rule) IN"
        " (SELECT recipient, rule FROM sticky_channels WHERE ends_at <= ? ORDER BY ends_at LIMIT ?)",
        (format_ms(before), limit),
    )


async def find_number_carrier(tx: Tx, number: str) -> NumberCarrier | None:
    """The row of one number."""
    rows = await tx.fetch(
        "SELECT number, carrier, source, changed_at FROM number_carriers WHERE number = ?", (number,)
    )
    return None if not rows else NumberCarrier(rows[0][0], rows[0][1], rows[0][2], parse_instant(rows[0][3]))


async def list_number_carriers(tx: Tx, *, limit: int, after: str | None) -> list[NumberCarrier]:
    """Rows by number, those greater than ``after``."""
    rows = await tx.fetch(
        "SELECT number, carrier, source, changed_at FROM number_carriers WHERE number > ? ORDER BY number LIMIT ?",
        (after or "", limit),
    )
    return [NumberCarrier(row[0], row[1], row[2], parse_instant(row[3])) for row in rows]


async def save_number_carrier(tx: Tx, row: NumberCarrier) -> bool:
    """Write a row; one that was set by hand is changed by hand alone. Whether it was written."""
    n = await tx.execute(
        "INSERT INTO number_carriers (number, carrier, source, changed_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (number) DO UPDATE SET carrier = excluded.carrier, source = excluded.source,"
        " changed_at = excluded.changed_at WHERE number_carriers.source = 'receipt' OR excluded.source = 'api'",
        (row.number, row.carrier, row.source, format_ms(row.changed_at)),
    )
    return n > 0


async def delete_number_carrier(tx: Tx, number: str, *, learned_only: bool = False) -> bool:
    """Delete the row of a number; whether there was one.

    Args:
        learned_only: one that was set by hand stays.
    """
    only = " AND source = 'receipt'" if learned_only else ""
    return await tx.execute(f"DELETE FROM number_carriers WHERE number = ?{only}", (number,)) > 0
