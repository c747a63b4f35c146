"""The tables of a store on a PostgreSQL server."""

from __future__ import annotations

from typing import Final

from gateway.store.ports import Tx
from gateway.store.sealing.terms import Table

_COLUMNS: Final = """
SELECT c.relname::text, a.attname::text, a.atttypid::regtype::text,
    coalesce(array_position(string_to_array(i.indkey::text, ' ')::int2[], a.attnum), 0)
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
LEFT JOIN pg_index AS i ON i.indrelid = c.oid AND i.indisprimary
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
    AND pg_get_userbyid(c.relowner) = current_user
ORDER BY c.relname, a.attnum"""


async def list_tables(tx: Tx) -> list[Table]:
    """All tables of ours in the schema that we use."""
    columns: dict[str, list[tuple[str, str, int]]] = {}
    for table, column, type_, place in await tx.fetch(_COLUMNS):
        columns.setdefault(table, []).append((column, type_, place))
    found = []
    for table, those in columns.items():
        in_key = sorted((place, column) for column, _, place in those if place)
        found.append(
            Table(
                table,
                tuple(column for _, column in in_key) or tuple(column for column, _, _ in those),
                tuple(column for column, type_, _ in those if type_ == "text"),
                tuple(column for column, type_, _ in those if type_ == "bytea"),
            )
        )
    return found
