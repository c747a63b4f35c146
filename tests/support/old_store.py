"""The store that 0.1.0 left when it was killed (`tests.fixtures.store_0_1_0`), as if that had been a while ago."""

from __future__ import annotations

import json
import lzma
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).parents[1] / "fixtures"
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


@dataclass(frozen=True)
class OldStore:
    """What 0.1.0 knew.

    Attributes:
        truth: of its own HTTP API and of its network, instants as they were.
        shift: by how much all instants in the store were moved.
    """

    truth: dict[str, Any]
    shift: timedelta

    def moved(self, value: Any) -> Any:
        """A part of the truth, its instants moved as in the store; the data of events is kept as it was written."""
        if isinstance(value, dict):
            return {key: one if key == "data" else self.moved(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self.moved(one) for one in value]
        if isinstance(value, str) and _INSTANT.fullmatch(value):
            at = datetime.fromisoformat(value) + self.shift
            return at.isoformat().replace("+00:00", "Z")
        return value


def unpack(path: Path, ago: timedelta = timedelta(minutes=1), *, retry: bool = False) -> OldStore:
    """Write the database file.

    Args:
        ago: when 0.1.0 was killed.
        retry: let the pause be over of those that are to be tried again.
    """
    truth = json.loads(lzma.decompress((FIXTURES / "store-0.1.0.json.xz").read_bytes()))
    path.write_bytes(lzma.decompress((FIXTURES / "store-0.1.0.db.xz").read_bytes()))
    shift = timedelta(
        seconds=round((datetime.now(UTC) - ago - datetime.fromisoformat(truth["killed_at"])).total_seconds())
    )
    with closing(sqlite3.connect(path)) as db:
        for table, column in _instants(db):
            db.execute(
                f"UPDATE {table} SET {column} = {column} + ?", (round(shift / timedelta(milliseconds=1)),)
            )
        if retry:
            db.execute(
                "UPDATE messages SET hidden_until = created_at WHERE status = 'queued' AND hidden_until > 0"
            )
        db.commit()
    return OldStore(truth, shift)


def _instants(db: sqlite3.Connection) -> list[tuple[str, str]]:
    """Columns with instants: in this schema, all that are BIGINT but places in the timeline."""
    tables = [row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    return [
        (table, name)
        for table in tables
        for _, name, kind, *_ in db.execute(f"PRAGMA table_info({table})")
        if kind == "BIGINT" and name != "seq"
    ]


def differences(expected: Any, found: Any, where: str = "") -> list[str]:
    """What of the expected value is not in the one found; more keys are no difference."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return [
            line
            for key, value in expected.items()
            for line in (
                differences(value, found[key], f"{where}.{key}")
                if key in found
                else [f"{where}.{key} is missing"]
            )
        ]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = enumerate(zip(expected, found, strict=True))
        return [
            line for place, (one, other) in pairs for line in differences(one, other, f"{where}[{place}]")
        ]
    return [] if expected == found else [f"{where}: {expected!r} became {found!r}"]


def keyed(items: list[dict[str, Any]], key: str = "id") -> dict[str, dict[str, Any]]:
    """Items by one of their fields."""
    return {item[key]: item for item in items}


def dump(path: Path, leave_out: Callable[[str], bool] = lambda _: False) -> dict[str, list[Any]]:
    """All rows of all tables, in a settled order."""
    with closing(sqlite3.connect(path)) as db:
        tables = [
            row[0]
            for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
            if not leave_out(row[0])
        ]
        return {table: sorted(db.execute(f"SELECT * FROM {table}").fetchall(), key=repr) for table in tables}
