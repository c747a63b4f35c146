"""From the URL in the config to an open store: for the daemon and for commands that work beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from gateway.settings.store_file import store_path
from gateway.store.migration import Progress
from gateway.store.ports import CommitFigures
from gateway.store.sqlite.engine import SqliteStore


async def open_store(
    url: str,
    *,
    exclusive: bool = False,
    on_commit: Callable[[CommitFigures], None] | None = None,
    on_migration: Callable[[Progress], None] | None = None,
) -> SqliteStore:
    """Open the store, made and migrated if need be.

    Args:
        url: as `gateway.settings.config.StoreSettings` has checked it.
        exclusive: be the one daemon of this store.
        on_commit: told of each group commit.
        on_migration: told of each step by which an older store is migrated; not on the loop's thread.

    Raises:
        StoreError: see `gateway.store.sqlite.engine.SqliteStore.open`.
    """
    return await SqliteStore.open(
        store_path(url), exclusive=exclusive, on_commit=on_commit, on_migration=on_migration
    )


@asynccontextmanager
async def opened_store(url: str) -> AsyncIterator[SqliteStore]:
    """The store for the length of a command, beside a daemon that may be running on it."""
    store = await open_store(url)
    try:
        yield store
    finally:
        await store.close()
