"""One database and the stores that a test opens on it, whatever the engine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.store.postgres.engine import PostgresStore
from gateway.store.sqlite.engine import SqliteStore
from gateway.store.target import Target

OpenStore = SqliteStore | PostgresStore


class Database:
    """Opens stores; `close` closes those that are open still.

    Args:
        kind: ``sqlite`` or ``postgres``.
        open_one: given what its engine's ``open`` takes besides the place.
    """

    def __init__(self, kind: str, open_one: Callable[..., Awaitable[OpenStore]]) -> None:
        self.kind = kind
        self._open_one = open_one
        self._opened: list[OpenStore] = []

    @property
    def octets(self) -> str:
        """The type of a column of octets."""
        return "BYTEA" if self.kind == "postgres" else "BLOB"

    async def open(self, **options: Any) -> OpenStore:
        """One more store on this database."""
        store = await self._open_one(**options)
        self._opened.append(store)
        return store

    async def close(self) -> None:
        for store in self._opened:
            await store.close()

    def spell_nul(self, text: str) -> str:
        """A text with NULs as this engine gives it back."""
        return text.replace("\0", "\u2400") if self.kind == "postgres" else text


def make_database(request: pytest.FixtureRequest) -> Database:
    """For a fixture with the engine's name as parameter."""
    if request.param == "postgres":
        target = Target(request.getfixturevalue("postgres_url"))
        return Database("postgres", lambda **options: PostgresStore.open(target, **options))
    path: Path = request.getfixturevalue("tmp_path") / "s.db"
    return Database("sqlite", lambda **options: SqliteStore.open(path, **options))
