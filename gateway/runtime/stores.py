"""From ``[store]`` in the config to an open store: for the daemon and for commands that work beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

from gateway.errors import StoreUnavailable
from gateway.files import why_unreadable
from gateway.settings.store import StoreSettings, operator_key, store_folder, store_path, store_target
from gateway.store.migration import Progress
from gateway.store.ports import CommitFigures
from gateway.store.sealing.terms import Unlocking
from gateway.store.sqlite.engine import SqliteStore

if TYPE_CHECKING:
    from gateway.store.postgres.engine import PostgresStore

OpenStore: TypeAlias = "SqliteStore | PostgresStore"


async def open_store(
    store: StoreSettings,
    *,
    exclusive: bool = False,
    on_commit: Callable[[CommitFigures], None] | None = None,
    on_migration: Callable[[Progress], None] | None = None,
    rekeying: bool = False,
) -> OpenStore:
    """Open the store, made and migrated if need be.

    Args:
        store: where it is; a database on a server must exist.
        exclusive: be the one daemon of this store.
        on_commit: told of each group commit.
        on_migration: told of each step by which an older store is migrated; not on the loop's thread.
        rekeying: to put its rows under another key, or to go on with that.

    Raises:
        StoreError: see ``open`` of `gateway.store.sqlite.engine.SqliteStore` and
            `gateway.store.postgres.engine.PostgresStore`.
    """
    target, unlocking = store_target(store), Unlocking(operator_key(store), rekeying)
    if target is None:
        return await SqliteStore.open(
            store_path(store),
            exclusive=exclusive,
            on_commit=on_commit,
            on_migration=on_migration,
            unlocking=unlocking,
        )
    from gateway.store.postgres.engine import PostgresStore  # noqa: PLC0415 - who uses SQLite never loads its driver

    if exclusive:
        _make_folder(store)
    return await PostgresStore.open(
        target, exclusive=exclusive, on_commit=on_commit, on_migration=on_migration, unlocking=unlocking
    )


def _make_folder(store: StoreSettings) -> None:
    folder = store_folder(store)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(
            f"store.folder: cannot make {folder}: {why_unreadable(folder, error)}"
        ) from error


@asynccontextmanager
async def opened_store(store: StoreSettings | str) -> AsyncIterator[OpenStore]:
    """The store for the length of a command, beside a daemon that may be running on it.

    Args:
        store: where it is, or its URL.
    """
    opened = await open_store(StoreSettings(url=store) if isinstance(store, str) else store)
    try:
        yield opened
    finally:
        await opened.close()
