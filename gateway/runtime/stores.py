"""From the URL in the config to an open store: for the daemon and for commands that work beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.store.engine_sqlite import CommitFigures, SqliteStore

_SQLITE = "sqlite:///"
CONTROL = ".simulated"
"""Behind the store's name: the file that holds the control port of the simulated network, while there is one."""


def store_path(url: str) -> Path:
    """The database file: ``sqlite:///x`` is relative to the working directory, ``sqlite:////x`` absolute."""
    return Path(url.removeprefix(_SQLITE))


def beside_store(url: str, suffix: str) -> Path:
    """A file that belongs to a store, beside it."""
    path = store_path(url)
    return path.with_name(path.name + suffix)


async def open_store(
    url: str, *, exclusive: bool = False, on_commit: Callable[[CommitFigures], None] | None = None
) -> SqliteStore:
    """Open the store, made and migrated if need be.

    Args:
        url: as `gateway.runtime.settings.StoreSettings` has checked it.
        exclusive: be the one daemon of this store.
        on_commit: told of each group commit.

    Raises:
        StoreError: see `gateway.store.engine_sqlite.SqliteStore.open`.
    """
    return await SqliteStore.open(store_path(url), exclusive=exclusive, on_commit=on_commit)


@asynccontextmanager
async def opened_store(url: str) -> AsyncIterator[SqliteStore]:
    """The store for the length of a command, beside a daemon that may be running on it."""
    store = await open_store(url)
    try:
        yield store
    finally:
        await store.close()
