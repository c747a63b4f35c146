"""One database and the stores that a test opens on it, whatever the engine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.settings.store import StoreSettings
from gateway.store.postgres.engine import PostgresStore
from gateway.store.sealing.operator_key import OperatorKey
from gateway.store.sealing.terms import Unlocking
from gateway.store.sqlite.engine import SqliteStore
from gateway.store.target import Target
from tests.support.postgres import Cluster

OpenStore = SqliteStore | PostgresStore

_in_use: Databases | None = None


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


class Databases:
    """Databases of a server in the place of files."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._names: dict[Path, str] = {}

    async def target(self, path: Path) -> Target:
        """The database that stands for a file."""
        cluster = self._cluster
        if not cluster.migrated:
            name = cluster.make_database()
            await (await PostgresStore.open(Target(cluster.url(name)))).close()
            cluster.migrated = name
        if path not in self._names:
            self._names[path] = cluster.make_database(cluster.migrated)
        return Target(cluster.url(self._names[path]))

    def drop(self) -> None:
        for name in self._names.values():
            self._cluster.drop_database(name)


@contextmanager
def databases_for_files(cluster: Cluster) -> Iterator[None]:
    """Let `open_at` open a database of this server for each file, as long as the block."""
    global _in_use  # noqa: PLW0603 - which engine a test runs on is a fact of the whole test
    _in_use = databases = Databases(cluster)
    try:
        yield
    finally:
        _in_use = None
        databases.drop()


async def open_at(path: Path, *, exclusive: bool = False) -> OpenStore:
    """A store in a file, or in the database that stands for it; encrypted where there is a ``store.key`` beside it."""
    key = path.with_name("store.key")
    unlocking = Unlocking(OperatorKey.parse(key.read_text()) if key.exists() else None)
    if _in_use is None:
        return await SqliteStore.open(path, exclusive=exclusive, unlocking=unlocking)
    return await PostgresStore.open(await _in_use.target(path), exclusive=exclusive, unlocking=unlocking)


async def settings_at(path: Path) -> StoreSettings:
    """The same store as ``[store]`` of a config names it."""
    if _in_use is None:
        return StoreSettings(url=f"sqlite:///{path}")
    return StoreSettings(url=(await _in_use.target(path)).url, folder=str(path.parent))
