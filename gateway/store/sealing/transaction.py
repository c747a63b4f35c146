"""A transaction on an encrypted store: seals what goes in, opens what comes out. An engine's own is under it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from gateway.routing.prices import Prices
from gateway.store.ports import Row, Tx
from gateway.store.sealing.columns import Kind, plan_insert, plan_statement
from gateway.store.sealing.seals import OCTETS_MARK, TEXT_MARK, Seals

_NUMBER: Final = re.compile(r"\+?[0-9]{1,20}")
_FIRST: Final = frozenset({"+", TEXT_MARK[0]})
"""How texts begin that may have to be sealed wherever they stand."""
_INTERNATIONAL: Final = re.compile(r"\+[0-9]{3,20}")


def is_number(subject: str) -> bool:
    """Whether a subject of the timeline is a number, and not an id or a name."""
    return _NUMBER.fullmatch(subject) is not None


class SealedTx:
    """See `gateway.store.ports.Tx`.

    Args:
        raw: the engine's transaction.
        seals: of the store.
    """

    __slots__ = (
        "_seals",
        "charge",
        "claimable",
        "count_waiting",
        "for_update",
        "now_ms",
        "raw",
        "record",
        "skip_locked",
        "stop",
    )

    def __init__(self, raw: Tx, seals: Seals) -> None:
        self.raw = raw
        self._seals = seals
        self.for_update, self.skip_locked = raw.for_update, raw.skip_locked
        self.charge, self.count_waiting, self.record = raw.charge, raw.count_waiting, raw.record
        self.claimable, self.now_ms, self.stop = raw.claimable, raw.now_ms, raw.stop

    @property
    def prices(self) -> Prices:
        """The price list."""
        return self.raw.prices

    def veil(self, subject: str) -> str:
        """A number as it is sealed; anything else as it is."""
        return self._seals.seal_equal(subject) if is_number(subject) else subject

    async def fetch(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        """All rows, opened."""
        if params:
            params = self._seal(plan_statement(sql), params)
        return self._open(await self.raw.fetch(sql, params))

    async def execute(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Run a statement."""
        if params:
            params = self._seal(plan_statement(sql), params)
        return await self.raw.execute(sql, params)

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement once per row."""
        await self.raw.execute_many(sql, self._seal_all(plan_statement(sql), rows))

    async def insert(self, into: str, rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows."""
        await self.raw.insert(into, self._seal_all(plan_insert(into), rows))

    async def change_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> int:
        """Run an UPDATE or DELETE once per row."""
        return await self.raw.change_many(sql, self._seal_all(plan_statement(sql), rows))

    async def fetch_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> list[Row]:
        """Run a statement with RETURNING once per row; the rows opened."""
        return self._open(await self.raw.fetch_many(sql, self._seal_all(plan_statement(sql), rows)))

    def _seal_all(self, plan: tuple[Kind, ...], rows: Iterable[Sequence[Any]]) -> list[Sequence[Any]]:
        return [self._seal(plan, row) for row in rows]

    def _seal(self, plan: tuple[Kind, ...], row: Sequence[Any]) -> Sequence[Any]:
        sealed: list[Any] | None = None
        for place, value in enumerate(row):
            if value is None or (kind := type(value)) is int:
                continue
            if kind is str and plan[place] is Kind.OTHER and value[:1] not in _FIRST:
                continue  # most texts are words of ours
            if kind is str or kind is bytes or isinstance(value, (str, bytes)):
                kept = seal_value(self._seals, plan[place], value)
                if kept is not value:
                    if sealed is None:
                        sealed = list(row)
                    sealed[place] = kept
        return row if sealed is None else sealed

    def _open(self, rows: list[Row]) -> list[Row]:
        text, octets = self._seals.open_text, self._seals.open_octets
        return [
            tuple(
                [
                    (octets(value) if value[:3] == OCTETS_MARK else value)
                    if (kind := type(value)) is bytes
                    else (text(value) if value[:3] == TEXT_MARK else value)
                    if kind is str
                    else value
                    for value in row
                ]
            )
            for row in rows
        ]


def seal_value(seals: Seals, kind: Kind, value: str | bytes) -> str | bytes:
    """A value as it is kept in a column; the very same object where it is kept as it is."""
    if isinstance(value, bytes):
        if kind is Kind.PLAIN:
            return value
        return seals.seal_equal_octets(value) if kind is Kind.EQUAL else seals.seal_octets(value)
    if kind is Kind.EQUAL:
        return seals.seal_equal(value)
    if kind is Kind.CONTENT:
        return seals.seal_text(value)
    if value[:1] in _FIRST and (_INTERNATIONAL.fullmatch(value) or value.startswith(TEXT_MARK)):
        return seals.seal_equal(value)
    return value
