"""The suppression (opt-out) list."""

from __future__ import annotations

from collections.abc import Collection

from gateway.clock import format_ms, parse_instant
from gateway.model.message import Suppression
from gateway.store.ports import Row, Tx

_COLUMNS = "number, source, keyword, reason, created_at"


async def find_suppression(tx: Tx, number: str) -> Suppression | None:
    """The entry of one number."""
    rows = await tx.fetch(f"SELECT {_COLUMNS} FROM suppressions WHERE number = ?", (number,))
    return _suppression(rows[0]) if rows else None


async def list_suppressions(tx: Tx, *, limit: int, after: str | None) -> list[Suppression]:
    """Entries by number, those greater than ``after``."""
    sql = f"SELECT {_COLUMNS} FROM suppressions WHERE number > ? ORDER BY number LIMIT ?"
    return [_suppression(row) for row in await tx.fetch(sql, (after or "", limit))]


async def find_suppressed(tx: Tx, numbers: Collection[str]) -> set[str]:
    """Which of ``numbers`` are on the list."""
    if not numbers:
        return set()
    found: set[str] = set()
    wanted = list(numbers)
    for start in range(0, len(wanted), 500):
        chunk = wanted[start : start + 500]
        marks = ",".join("?" * len(chunk))
        found.update(
            row[0]
            for row in await tx.fetch(f"SELECT number FROM suppressions WHERE number IN ({marks})", chunk)
        )
    return found


async def save_suppression(tx: Tx, suppression: Suppression) -> bool:
    """Put a number on the list; False when it was there (the first entry stays)."""
    n_changed = await tx.execute(
        "INSERT INTO suppressions (number, source, keyword, reason, created_at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (number) DO NOTHING",
        (
            suppression.number,
            suppression.source,
            suppression.keyword,
            suppression.reason,
            format_ms(suppression.created_at),
        ),
    )
    return n_changed > 0


async def delete_suppression(tx: Tx, number: str) -> bool:
    """Take a number off the list; False when it was not there."""
    return await tx.execute("DELETE FROM suppressions WHERE number = ?", (number,)) > 0


def _suppression(row: Row) -> Suppression:
    number, source, keyword, reason, created_at = row
    created = parse_instant(created_at)
    return Suppression(number=number, source=source, keyword=keyword, reason=reason, created_at=created)
