"""A store that is full already: rows of one message that the daemon has made, written again and again under other ids.

It knows no columns. What is copied is every row, of whatever table, that holds the message's id; in the copies the
id, the recipient and the SMSC's reference are others. So 10 million messages take minutes and not hours, and the rows
are what the product writes.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from tests.bench.load import FIRST_NUMBER

PIECE: Final = 10_000
_LEFT_OUT: Final = {"seq"}
"""Columns that the store counts itself."""
_OF_LAST_YEAR: Final = "01jd"
"""How ids of some time ago begin."""


class Original(NamedTuple):
    """What stands for one message in the rows that belong to it.

    Args:
        id: of the message.
        recipient: as stored.
        reference: the SMSC's; empty where it has none.
    """

    id: str
    recipient: str
    reference: str = ""


class _Database(Protocol):
    async def tables(self) -> dict[str, list[str]]:
        """Columns by table."""
        ...

    async def rows(self, table: str) -> list[Sequence[Any]]:
        """All of them."""
        ...

    async def insert(self, table: str, columns: Sequence[str], rows: list[tuple[Any, ...]]) -> None:
        """Many at once."""
        ...

    async def close(self) -> None:
        """All is written."""
        ...


class _Sqlite(_Database):
    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute("PRAGMA cache_size = -200000")

    async def tables(self) -> dict[str, list[str]]:
        names = self._db.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        )
        return {
            name: [row[1] for row in self._db.execute(f"PRAGMA table_info({name})")]
            for (name,) in names.fetchall()
        }

    async def rows(self, table: str) -> list[Sequence[Any]]:
        return self._db.execute(f"SELECT * FROM {table}").fetchall()

    async def insert(self, table: str, columns: Sequence[str], rows: list[tuple[Any, ...]]) -> None:
        self._db.execute("BEGIN")
        marks = ", ".join("?" * len(columns))
        self._db.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)
        self._db.execute("COMMIT")

    async def close(self) -> None:
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._db.close()
        os.sync()  # or the daemon's first commit waits until the disk has all of it


class _Postgres(_Database):
    def __init__(self, connection: Any) -> None:
        self._db = connection

    async def tables(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name, column in await self._db.fetch(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
            " ORDER BY table_name, ordinal_position"
        ):
            found.setdefault(name, []).append(column)
        return found

    async def rows(self, table: str) -> list[Sequence[Any]]:
        return [tuple(row) for row in await self._db.fetch(f"SELECT * FROM {table}")]

    async def insert(self, table: str, columns: Sequence[str], rows: list[tuple[Any, ...]]) -> None:
        await self._db.copy_records_to_table(table, records=rows, columns=list(columns))

    async def close(self) -> None:
        await self._db.execute("ANALYZE")
        await self._db.close()


async def _connect(url: str) -> _Database:
    if url.startswith("sqlite:///"):
        return _Sqlite(Path(url.removeprefix("sqlite:///")))
    import asyncpg  # type: ignore[import-untyped, unused-ignore]

    return _Postgres(await asyncpg.connect(url))


class _Template(NamedTuple):
    """A row to be copied.

    Args:
        places: of what changes, with how it is made from a number.
    """

    table: str
    columns: tuple[str, ...]
    values: tuple[Any, ...]
    places: tuple[tuple[int, str], ...]

    def copies(self, numbers: Sequence[int]) -> Iterator[tuple[Any, ...]]:
        """One for each number."""
        for number in numbers:
            row = list(self.values)
            for place, form in self.places:
                row[place] = form % number
            yield tuple(row)


async def fill(url: str, original: Original, n: int, *, first: int = 0) -> float:
    """Copy a message ``n`` times; the seconds it took. The daemon must not run.

    Args:
        first: number of the first copy; no two may have the same.
    """
    began = time.perf_counter()
    database = await _connect(url)
    try:
        templates = await _find(database, original)
        assert templates, "the store holds no row of this message"
        for start in range(first, first + n, PIECE):
            numbers = range(start, min(start + PIECE, first + n))
            for template in templates:
                await database.insert(template.table, template.columns, list(template.copies(numbers)))
    finally:
        await database.close()
    return time.perf_counter() - began


async def _find(database: _Database, original: Original) -> list[_Template]:
    forms = {
        original.id: f"{_OF_LAST_YEAR}%0{len(original.id) - len(_OF_LAST_YEAR)}d",
        original.recipient: f"+86{FIRST_NUMBER // 10**9}%09d",
    }
    if original.reference:
        forms[original.reference] = "2%011d"
    found = []
    for table, columns in (await database.tables()).items():
        for row in await database.rows(table):
            if original.id not in row:
                continue
            kept = [place for place, column in enumerate(columns) if column not in _LEFT_OUT]
            values = tuple(row[place] for place in kept)
            places = tuple(
                (place, forms[value])
                for place, value in enumerate(values)
                if isinstance(value, str) and value in forms
            )
            found.append(_Template(table, tuple(columns[place] for place in kept), values, places))
    return found
