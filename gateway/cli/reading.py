"""Reading the store of a config without changing anything in it, beside a daemon or without one."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from gateway.cli.db import find_store
from gateway.cli.db_server import ask_server
from gateway.cli.output import Failure
from gateway.cli.serve import read_store
from gateway.settings.store import StoreSettings, store_target
from gateway.store.migration import load_migrations
from gateway.store.ports import Tx

T = TypeVar("T")


def read_offline(config: Path | None, run: Callable[[Tx], Awaitable[T]]) -> T:
    """What ``run`` finds in one snapshot of the store.

    Raises:
        Failure: there is no such store, it can't be read, or its schema is another than this program's.
        StoreError: it can't be opened.
    """
    store = read_store(config)
    _require_schema(store, config)  # opening it would make it, or migrate it
    return asyncio.run(_read(store, run))


async def _read(store: StoreSettings, run: Callable[[Tx], Awaitable[T]]) -> T:
    from gateway.runtime.stores import opened_store  # noqa: PLC0415 - the store takes a while to load

    async with opened_store(store) as opened:
        return await opened.read(run)


def _require_schema(store: StoreSettings, config: Path | None) -> None:
    target = store_target(store)
    if target is not None:
        from gateway.store.postgres.migrate import schema_version as version_of  # noqa: PLC0415

        version, shown = ask_server(target, version_of), target.shown
    else:
        path = find_store(config)
        version, shown = _version_of_file(path), str(path)
    newest = load_migrations()[-1].number
    if version != newest:
        advice = "run hongyan db migrate" if version < newest else "install the newer hongyan"
        raise Failure(f"{shown}: the schema is {version}, this program's {newest}; {advice}")


def _version_of_file(path: Path) -> int:
    from gateway.store.sqlite.file import why_unusable  # noqa: PLC0415
    from gateway.store.sqlite.migrate import schema_version  # noqa: PLC0415

    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            return schema_version(db)
    except sqlite3.Error as error:
        raise Failure(f"cannot read {path}: {why_unusable(path, error, to_write=False)}") from error
