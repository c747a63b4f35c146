"""The suppression (opt-out) list.

``suppressions`` has an entry for each opt-out, ``suppression_readings`` the numbers for which each entry holds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from gateway.clock import format_ms, parse_instant
from gateway.model.message import Suppression
from gateway.store.ports import Row, Tx, placeholders

_COLUMNS = "s.number, s.source, s.keyword, s.reason, s.created_at"
_INSERT_READING = "INSERT INTO suppression_readings (reading, number) VALUES (?, ?) ON CONFLICT DO NOTHING"


async def find_suppression(tx: Tx, number: str) -> Suppression | None:
    """The entry that bears this number, in the spelling in which it was put on the list."""
    found = await tx.fetch(f"SELECT {_COLUMNS} FROM suppressions s WHERE s.number = ?", (number,))
    return (await _with_readings(tx, found))[0] if found else None


async def find_covering(tx: Tx, reading: str) -> list[Suppression]:
    """The entries that hold for a number, whatever they bear, oldest first."""
    return await _with_readings(
        tx,
        await tx.fetch(
            f"SELECT {_COLUMNS} FROM suppressions s JOIN suppression_readings r ON r.number = s.number"
            " WHERE r.reading = ? ORDER BY s.created_at, s.number",
            (reading,),
        ),
    )


async def list_suppressions(tx: Tx, *, limit: int, after: str | None) -> list[Suppression]:
    """Entries by number, those greater than ``after``."""
    sql = f"SELECT {_COLUMNS} FROM suppressions s WHERE s.number > ? ORDER BY s.number LIMIT ?"
    return await _with_readings(tx, await tx.fetch(sql, (after or "", limit)))


async def find_suppressed(tx: Tx, numbers: Collection[str]) -> set[str]:
    """For which of ``numbers`` some entry holds."""
    if not numbers:
        return set()
    found: set[str] = set()
    wanted = list(numbers)
    for start in range(0, len(wanted), 500):
        chunk = wanted[start : start + 500]
        marks = placeholders(chunk)
        found.update(
            row[0]
            for row in await tx.fetch(
                f"SELECT reading FROM suppression_readings WHERE reading IN ({marks})", chunk
            )
        )
    return found


async def save_suppression(tx: Tx, suppression: Suppression) -> bool:
    """Put a number on the list; False when its entry was there and held for as much (the first entry stays)."""
    n_changed = await tx.execute(
        "INSERT INTO suppressions (number, source, keyword, reason, created_at, is_read) VALUES (?, ?, ?, ?, ?, 1)"
        " ON CONFLICT (number) DO NOTHING",
        (
            suppression.number,
            suppression.source,
            suppression.keyword,
            suppression.reason,
            format_ms(suppression.created_at),
        ),
    )
    for reading in suppression.readings or (suppression.number,):
        n_changed += await _save_reading(tx, reading, suppression.number)
    return n_changed > 0


async def delete_suppression(tx: Tx, number: str) -> bool:
    """Take an entry off the list; False when it was not there."""
    await tx.execute("DELETE FROM suppression_readings WHERE number = ?", (number,))
    return await tx.execute("DELETE FROM suppressions WHERE number = ?", (number,)) > 0


async def delete_reading(tx: Tx, reading: str, number: str) -> None:
    """Let an entry hold for one number less."""
    await tx.execute(
        "DELETE FROM suppression_readings WHERE reading = ? AND number = ?",
        (reading, number),
    )


async def find_unread(tx: Tx, limit: int) -> list[str]:
    """Entries of older versions whose other readings were not looked up yet."""
    return [
        row[0]
        for row in await tx.fetch("SELECT number FROM suppressions WHERE is_read = 0 LIMIT ?", (limit,))
    ]


async def save_readings(tx: Tx, readings: Mapping[str, Collection[str]]) -> None:
    """Let entries hold for these numbers, too: they are read now."""
    rows = [(reading, number) for number, found in readings.items() for reading in found]
    await tx.execute_many(_INSERT_READING, rows)
    await tx.execute_many(
        "UPDATE suppressions SET is_read = 1 WHERE number = ?", [(one,) for one in readings]
    )


async def _save_reading(tx: Tx, reading: str, number: str) -> int:
    return await tx.execute(_INSERT_READING, (reading, number))


async def _with_readings(tx: Tx, rows: Collection[Row]) -> list[Suppression]:
    entries = {row[0]: _suppression(row) for row in rows}
    for start in range(0, len(entries), 500):
        chunk = list(entries)[start : start + 500]
        marks = placeholders(chunk)
        found: dict[str, list[str]] = {}
        for number, reading in await tx.fetch(
            f"SELECT number, reading FROM suppression_readings WHERE number IN ({marks})", chunk
        ):
            found.setdefault(number, []).append(reading)
        for number, readings in found.items():
            # What it bears comes first.
            ordered = tuple(sorted(readings, key=lambda one: (one != number, one)))
            entries[number] = msgspec.structs.replace(entries[number], readings=ordered)
    return list(entries.values())


def _suppression(row: Row) -> Suppression:
    number, source, keyword, reason, created_at = row
    created = parse_instant(created_at)
    return Suppression(number=number, source=source, keyword=keyword, reason=reason, created_at=created)
