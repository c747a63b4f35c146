"""Reading the store of a config without changing anything in it, beside a daemon or without one."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from gateway.cli.db import find_store
from gateway.cli.db_server import ask_server
from gateway.cli.output import Failure
from gateway.cli.serve import read_store
from gateway.settings.store import store_target
from gateway.store.migration import load_migrations
from gateway.store.ports import Tx

if TYPE_CHECKING:
    from gateway.store.postgres.session import Session

T = TypeVar("T")


def read_offline(config: Path | None, run: Callable[[Tx], Awaitable[T]]) -> T:
    """What ``run`` finds in one snapshot of the store.

    Raises:
        Failure: there is no such store, it can't be read, or its schema is another than this program's.
    """
    target = store_target(read_store(config))
    if target is None:
        return _read_file(find_store(config), run)

    async def ask(session: Session) -> T:
        from gateway.store.postgres.migrate import schema_version  # noqa: PLC0415 - who uses SQLite never loads it
        from gateway.store.postgres.transaction import PostgresTx  # noqa: PLC0415

        _require(await schema_version(session), target.shown)
        await session.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return await run(PostgresTx(session))

    return ask_server(target, ask)


def _read_file(path: Path, run: Callable[[Tx], Awaitable[T]]) -> T:
    from gateway.store.sqlite.file import why_unusable  # noqa: PLC0415 - the store takes a while to load
    from gateway.store.sqlite.migrate import schema_version  # noqa: PLC0415
    from gateway.store.sqlite.transaction import SqliteTx  # noqa: PLC0415

    try:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as db:
            _require(schema_version(db), str(path))
            db.execute("BEGIN")
            return asyncio.run(_awaited(run(SqliteTx(db))))
    except sqlite3.Error as error:
        raise Failure(f"cannot read {path}: {why_unusable(path, error, to_write=False)}") from error


async def _awaited(found: Awaitable[T]) -> T:
    return await found


def _require(version: int, shown: str) -> None:
    newest = load_migrations()[-1].number
    if version != newest:
        advice = "run hongyan db migrate" if version < newest else "install the newer hongyan"
        raise Failure(f"{shown}: the schema is {version}, this program's {newest}; {advice}")
