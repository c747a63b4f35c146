"""A store under another key, from the config's key to the room of its old rows: what `hongyan db encrypt` does."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from typing import NamedTuple, Protocol

import msgspec

from gateway.clock import SystemClock
from gateway.errors import StoreUnavailable
from gateway.model.actor import Actor
from gateway.model.audit import Details
from gateway.runtime.stores import open_store
from gateway.settings.secrets import Secret
from gateway.settings.store import StoreSettings, store_path, store_target
from gateway.store.audit import record_audit
from gateway.store.ports import Tx
from gateway.store.sealing.operator_key import OperatorKey

Begin = Callable[[Tx], Awaitable[None]]


class _Deed(NamedTuple):
    """What stands in the audit trail."""

    action: str
    by: Actor
    details: Details


class OnStep(Protocol):
    """Told of each transaction."""

    def __call__(self, table: str, done: int) -> None:
        """``done`` rows so far, at ``table``."""
        ...


async def encrypt(store: StoreSettings, operator: OperatorKey, on_step: OnStep, by: Actor) -> None:
    """All rows of a store that is in clear under its first key. See `_rekey`."""
    from gateway.store.sealing.walk import begin_encrypting  # noqa: PLC0415 - loads the ciphers

    deed = _Deed("store.encrypting", by, {"key": operator.fingerprint})
    await _rekey(store, lambda tx: begin_encrypting(tx, operator), operator, operator, on_step, deed)


async def rotate(
    store: StoreSettings, operator: OperatorKey, new: OperatorKey, on_step: OnStep, by: Actor
) -> None:
    """All rows under a new key of the store, which only ``new`` opens at the end. See `_rekey`."""
    from gateway.store.sealing.walk import begin_rotating  # noqa: PLC0415

    deed = _Deed("store.rotating", by, {"key": new.fingerprint, "was": operator.fingerprint})
    await _rekey(store, lambda tx: begin_rotating(tx, operator, new), operator, new, on_step, deed)


async def decrypt(store: StoreSettings, operator: OperatorKey, on_step: OnStep, by: Actor) -> None:
    """All rows in clear again. See `_rekey`."""
    from gateway.store.sealing.walk import begin_decrypting  # noqa: PLC0415

    deed = _Deed("store.decrypting", by, {"was": operator.fingerprint})
    await _rekey(store, begin_decrypting, operator, operator, on_step, deed)


async def _rekey(
    store: StoreSettings,
    begin: Begin,
    operator: OperatorKey,
    last: OperatorKey,
    on_step: OnStep,
    deed: _Deed,
) -> None:
    """Walk a store that nobody else uses; where it was interrupted, the next call goes on from there.

    Args:
        begin: writes what is to be done, unless that was written before.
        operator: opens the store now.
        last: opens it at the end.
        deed: as it is put on record, once, however often it is interrupted.

    Raises:
        StoreError: a daemon runs on it, or it can't be opened, or something else was begun.
    """
    from gateway.store.sealing.keys import CLEANING  # noqa: PLC0415
    from gateway.store.sealing.walk import end_rekeying, move_on, raw_of  # noqa: PLC0415

    opened = await open_store(_with_key(store, operator), exclusive=True, rekeying=True)
    try:
        await opened.write(lambda tx: _begin(raw_of(tx), begin, deed))
        tables = await opened.read(lambda tx: opened.list_tables(raw_of(tx)))
        table = ""
        while table != CLEANING:
            table, done = await opened.write(lambda tx: move_on(raw_of(tx), operator, tables))
            on_step(table, done)
        await _clean(store, [one.name for one in tables])
        await opened.write(lambda tx: end_rekeying(raw_of(tx), last))
    finally:
        await opened.close()


async def _begin(tx: Tx, begin: Begin, deed: _Deed) -> None:
    from gateway.store.sealing.keys import find_rekeying  # noqa: PLC0415

    is_new = await find_rekeying(tx) is None
    await begin(tx)
    if is_new:  # the entry is sealed with all other rows
        await record_audit(tx, deed.by, deed.action, details=deed.details, at=SystemClock().now())


def _with_key(store: StoreSettings, operator: OperatorKey) -> StoreSettings:
    return msgspec.structs.replace(store, encryption_key=Secret(operator.write()))


async def _clean(store: StoreSettings, tables: list[str]) -> None:
    """Give up the room of old rows: the database, and SQLite's file beside it, hold nothing of them afterwards."""
    target = store_target(store)
    if target is None:
        try:
            with closing(sqlite3.connect(store_path(store), isolation_level=None)) as db:
                db.execute("VACUUM")
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            raise StoreUnavailable(
                f"the room of the old rows could not be given up: {error}; run the same command again"
            ) from error
        return
    from gateway.store.postgres.session import connect  # noqa: PLC0415

    session = await connect(target)
    try:
        for name in tables:
            await session.run(f"VACUUM FULL {name}")
    finally:
        await session.close()
