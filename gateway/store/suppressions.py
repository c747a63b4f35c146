"""The suppression (opt-out) list.

``suppressions`` has an entry for each opt-out, ``suppression_readings`` the numbers for which each entry holds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from gateway.clock import format_ms, parse_instant
from gateway.model.message import Suppression
from gateway.store.ports import Row, Tx, placeholders

_COLUMNS = "s.number, s.scope, s.source, s.keyword, s.reason, s.created_at"
_INSERT_READING = (
    "INSERT INTO suppression_readings (reading, number, scope) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
)
_CHUNK = 500


async def find_suppression(tx: Tx, number: str, scope: str) -> Suppression | None:
    """The entry of one scope that bears this number, in the spelling in which it was put on the list."""
    sql = f"SELECT {_COLUMNS} FROM suppressions s WHERE s.number = ? AND s.scope = ?"
    found = await tx.fetch(sql, (number, scope))
    return (await _with_readings(tx, found))[0] if found else None


async def find_bearing(tx: Tx, number: str) -> list[Suppression]:
    """The entries of any scope that bear this number, oldest first."""
    sql = f"SELECT {_COLUMNS} FROM suppressions s WHERE s.number = ? ORDER BY s.created_at, s.scope"
    return await _with_readings(tx, await tx.fetch(sql, (number,)))


async def find_covering(tx: Tx, reading: str) -> list[Suppression]:
    """The entries that hold for a number, whatever they bear, oldest first."""
    return await _with_readings(
        tx,
        await tx.fetch(
            f"SELECT {_COLUMNS} FROM suppressions s JOIN suppression_readings r"
            " ON r.number = s.number AND r.scope = s.scope"
            " WHERE r.reading = ? ORDER BY s.created_at, s.number, s.scope",
            (reading,),
        ),
    )


async def list_suppressions(tx: Tx, *, limit: int, after: tuple[str, str]) -> list[Suppression]:
    """Entries by number and scope, those behind ``after``."""
    sql = (
        f"SELECT {_COLUMNS} FROM suppressions s WHERE (s.number, s.scope) > (?, ?)"
        " ORDER BY s.number, s.scope LIMIT ?"
    )
    return await _with_readings(tx, await tx.fetch(sql, (*after, limit)))


async def find_opt_outs(tx: Tx, numbers: Collection[str]) -> dict[str, frozenset[str]]:
    """In which scopes entries hold for which of ``numbers``; those for which none does are left out."""
    found: dict[str, set[str]] = {}
    wanted = list(numbers)
    for start in range(0, len(wanted), _CHUNK):
        chunk = wanted[start : start + _CHUNK]
        sql = f"SELECT reading, scope FROM suppression_readings WHERE reading IN ({placeholders(chunk)})"
        for reading, scope in await tx.fetch(sql, chunk):
            found.setdefault(reading, set()).add(scope)
    return {reading: frozenset(scopes) for reading, scopes in found.items()}


async def find_suppressed(tx: Tx, numbers: Collection[str]) -> set[str]:
    """For which of ``numbers`` some entry holds, of whatever scope."""
    return set(await find_opt_outs(tx, numbers))


async def save_suppression(tx: Tx, suppression: Suppression) -> bool:
    """Put a number on the list; False when its entry was there and held for as much (the first entry stays)."""
    n_changed = await tx.execute(
        "INSERT INTO suppressions (number, scope, source, keyword, reason, created_at, is_read)"
        " VALUES (?, ?, ?, ?, ?, ?, 1) ON CONFLICT (number, scope) DO NOTHING",
        (
            suppression.number,
            suppression.scope,
            suppression.source,
            suppression.keyword,
            suppression.reason,
            format_ms(suppression.created_at),
        ),
    )
    for reading in suppression.readings or (suppression.number,):
        n_changed += await tx.execute(_INSERT_READING, (reading, suppression.number, suppression.scope))
    return n_changed > 0


async def delete_suppression(tx: Tx, number: str, scope: str) -> bool:
    """Take an entry off the list; False when it was not there."""
    key = (number, scope)
    await tx.execute("DELETE FROM suppression_readings WHERE number = ? AND scope = ?", key)
    return await tx.execute("DELETE FROM suppressions WHERE number = ? AND scope = ?", key) > 0


async def delete_reading(tx: Tx, reading: str, number: str, scope: str) -> None:
    """Let an entry hold for one number less."""
    await tx.execute(
        "DELETE FROM suppression_readings WHERE reading = ? AND number = ? AND scope = ?",
        (reading, number, scope),
    )


async def find_unread(tx: Tx, limit: int) -> list[tuple[str, str]]:
    """Number and scope of entries of older versions whose other readings were not looked up yet."""
    return [
        (row[0], row[1])
        for row in await tx.fetch(
            "SELECT number, scope FROM suppressions WHERE is_read = 0 LIMIT ?", (limit,)
        )
    ]


async def save_readings(tx: Tx, readings: Mapping[tuple[str, str], Collection[str]]) -> None:
    """Let entries, by number and scope, hold for these numbers, too: they are read now."""
    rows = [(reading, *key) for key, found in readings.items() for reading in found]
    await tx.execute_many(_INSERT_READING, rows)
    sql = "UPDATE suppressions SET is_read = 1 WHERE number = ? AND scope = ?"
    await tx.execute_many(sql, list(readings))


async def _with_readings(tx: Tx, rows: Collection[Row]) -> list[Suppression]:
    entries = {(row[0], row[1]): _suppression(row) for row in rows}
    numbers = list(dict.fromkeys(number for number, _ in entries))
    found: dict[tuple[str, str], list[str]] = {}
    for start in range(0, len(numbers), _CHUNK):
        chunk = numbers[start : start + _CHUNK]
        sql = (
            f"SELECT number, scope, reading FROM suppression_readings WHERE number IN ({placeholders(chunk)})"
        )
        for number, scope, reading in await tx.fetch(sql, chunk):
            found.setdefault((number, scope), []).append(reading)
    for key, entry in entries.items():
        # What it bears comes first.
        ordered = tuple(sorted(found.get(key, ()), key=lambda one: (one != key[0], one)))
        entries[key] = msgspec.structs.replace(entry, readings=ordered)
    return list(entries.values())


def _suppression(row: Row) -> Suppression:
    number, scope, source, keyword, reason, created_at = row
    created = parse_instant(created_at)
    return Suppression(
        number=number, scope=scope, source=source, keyword=keyword, reason=reason, created_at=created
    )
