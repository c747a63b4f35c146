"""One connection: opened with what our commits rely on, with its prepared statements."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

import asyncpg

from gateway.errors import StoreUnavailable
from gateway.store.ports import Row
from gateway.store.postgres.errors import explain_open
from gateway.store.postgres.portable import translate
from gateway.store.target import Target

CONNECT_S = 10.0
STATEMENTS = 400
"""Prepared statements that a connection keeps; the one that was not used for longest goes first."""
_OLDEST: Final = 14
SETTINGS: Final = {
    "application_name": "hongyan",
    "client_encoding": "UTF8",
    "timezone": "UTC",
    "jit": "off",
    # Who waits for the writers' turn longer than this is told that the store is busy.
    "lock_timeout": "5s",
    # A process that stands still, or a machine that is gone, must not hold the turn.
    "idle_in_transaction_session_timeout": "30s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "client_connection_check_interval": "10s",
}
_DURABLE: Final = """
SELECT set_config('synchronous_commit', 'on', false)
WHERE current_setting('synchronous_commit') IN ('off', 'local')"""


class Session:
    """An open connection.

    Args:
        db: the driver's.
    """

    def __init__(self, db: Any) -> None:
        self._db = db
        self._statements: OrderedDict[str, Any] = OrderedDict()

    @property
    def is_open(self) -> bool:
        """Whether it may be used still."""
        return not self._db.is_closed()

    async def fetch(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        """All rows of a portable statement."""
        statement = translate(sql)
        prepared = await self._prepared(statement.text)
        rows: list[Row] = await prepared.fetch(*statement.arrange(params))
        return rows

    async def execute(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Run a portable statement; the number of rows it changed, -1 where that means nothing."""
        statement = translate(sql)
        prepared = await self._prepared(statement.text)
        await prepared.fetch(*statement.arrange(params))
        count = prepared.get_statusmsg().rpartition(" ")[2]
        return int(count) if count.isdigit() else -1

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a portable statement once per row; the server gets them without waiting for each answer."""
        statement = translate(sql)
        arranged = [statement.arrange(row) for row in rows]
        if arranged:
            prepared = await self._prepared(statement.text)
            await prepared.executemany(arranged)

    async def fetch_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> list[Row]:
        """The same of a statement with RETURNING: all rows that it gave back."""
        statement = translate(sql)
        arranged = [statement.arrange(row) for row in rows]
        if not arranged:
            return []
        prepared = await self._prepared(statement.text)
        found: list[Row] = await prepared.fetchmany(arranged)
        return found

    async def run(self, script: str) -> None:
        """Run statements that take no parameters and whose rows nobody wants, in one round."""
        await self._db.execute(script)

    async def _prepared(self, text: str) -> Any:
        statements = self._statements
        prepared = statements.get(text)
        if prepared is not None:
            statements.move_to_end(text)
            return prepared
        prepared = statements[text] = await self._db.prepare(text)
        if len(statements) > STATEMENTS:
            statements.popitem(last=False)
        return prepared

    async def listen(self, channel: str, tell: Any) -> None:
        """Have ``tell(payload)`` called for each notification."""
        await self._db.add_listener(channel, lambda _db, _pid, _channel, payload: tell(payload))

    async def close(self) -> None:
        """Say good-bye; cut it off where that takes long."""
        with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
            await self._db.close(timeout=2.0)

    def cut(self) -> None:
        """Close it without a word."""
        self._db.terminate()


async def connect(target: Target) -> Session:
    """A connection whose commits are on the server's disk when they return.

    Raises:
        asyncpg's errors, OSError, TimeoutError: it can't be had.
        StoreUnavailable: it is no server for us.
    """
    loop = asyncio.get_running_loop()
    url, options = target.url, {}
    if target.trusts_system:
        url, options = target.plain_url, {"ssl": ssl.create_default_context()}
    db = await asyncpg.connect(
        dsn=url, password=target.password, timeout=CONNECT_S, statement_cache_size=0,
        server_settings=SETTINGS, loop=loop, **options,
    )  # fmt: skip
    try:
        _check_server(db, target)
        await db.set_type_codec(
            "numeric", schema="pg_catalog", encoder=str, decoder=_read_number, format="text"
        )
        await db.execute(_DURABLE)
    except BaseException:
        db.terminate()
        raise
    return Session(db)


async def open_session(target: Target) -> Session:
    """The same.

    Raises:
        StoreError: it can't be had; says why, and what mends it.
    """
    try:
        return await connect(target)
    except Exception as exc:
        raise explain_open(exc, target.shown) from exc


def _check_server(db: Any, target: Target) -> None:
    major = db.get_server_version().major
    if major < _OLDEST:
        raise StoreUnavailable(f"{target.shown}: is PostgreSQL {major}; hongyan needs {_OLDEST} or later")
    encoding = db.get_settings().server_encoding
    if encoding != "UTF8":
        raise StoreUnavailable(
            f"{target.shown}: its encoding is {encoding}; make the database anew with"
            " --encoding=UTF8 --template=template0"
        )


def _read_number(text: str) -> int | float:
    """A sum of BIGINTs is numeric in PostgreSQL, and an integer in our code."""
    return int(text) if re.fullmatch(r"-?\d+", text) else float(text)
