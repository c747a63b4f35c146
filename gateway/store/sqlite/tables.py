"""The tables of an SQLite store."""

from __future__ import annotations

from gateway.store.ports import Tx
from gateway.store.sealing.terms import Table


async def list_tables(tx: Tx) -> list[Table]:
    """All tables but SQLite's own."""
    names = await tx.fetch(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY name"
    )
    found = []
    for (name,) in names:
        columns = await tx.fetch("SELECT name, type, pk FROM pragma_table_info(?) ORDER BY cid", (name,))
        key = sorted((pk, column) for column, _, pk in columns if pk)
        found.append(
            Table(
                name,
                tuple(column for _, column in key) or tuple(column for column, _, _ in columns),
                tuple(column for column, type_, _ in columns if type_ == "TEXT"),
                tuple(column for column, type_, _ in columns if type_ == "BLOB"),
            )
        )
    return found
