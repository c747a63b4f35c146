"""The store's own keys: rows of ``store_keys``, wrapped with the operator's key.

Rows are sealed with keys of the store and not with the operator's, so that both may be changed: the operator's in a
moment, the store's own row by row (`gateway.store.sealing.walk`).
"""

from __future__ import annotations

import os
import time
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.errors import StoreLocked
from gateway.store.ports import Tx
from gateway.store.sealing.columns import Kind, kind_of
from gateway.store.sealing.operator_key import KEY_OCTETS, OperatorKey
from gateway.store.sealing.seals import Seals
from gateway.store.sealing.terms import ListTables, Table, Unlocking

_NONCE: Final = 12
NOT_SEALED: Final = frozenset(
    {"store_keys", "store_rekeying", "schema_version", "store_marks", "migration_place"}
)
"""Tables that are read before anything can be opened, and those of the engines."""


class Rekeying(NamedTuple):
    """The row of ``store_rekeying``.

    Args:
        newest: number of the key under which all rows are to be; 0 for none.
        table: the one it is at; "" at first, `CLEANING` when all rows are done.
        after: the last row that was looked at, as JSON.
        done: rows looked at.
    """

    newest: int
    table: str
    after: str
    done: int


CLEANING: Final = "~"
"""As ``table_name``, behind every table's name: what is left is to give up the room of the old rows."""


async def find_rekeying(tx: Tx) -> Rekeying | None:
    """Where a change of keys is, if there is one."""
    rows = await tx.fetch("SELECT newest, table_name, after_row, done FROM store_rekeying")
    return Rekeying(*rows[0]) if rows else None


async def load_keys(tx: Tx, operator: OperatorKey) -> dict[int, bytes]:
    """The store's keys that this operator's key opens, by their numbers."""
    rows = await tx.fetch(
        "SELECT number, wrapped FROM store_keys WHERE operator_key = ?", (operator.fingerprint,)
    )
    return {int(number): _unwrap(operator, int(number), wrapped) for number, wrapped in rows}


async def save_key(tx: Tx, operator: OperatorKey, number: int, key: bytes) -> None:
    """Keep a key of the store, wrapped."""
    nonce = os.urandom(_NONCE)
    wrapped = nonce + AESGCM(operator.octets).encrypt(nonce, key, _bound_to(number))
    await tx.execute(
        "INSERT INTO store_keys (number, operator_key, wrapped, made_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (number, operator_key) DO NOTHING",
        (number, operator.fingerprint, wrapped, time.time_ns() // 1_000_000),
    )


def make_key() -> bytes:
    """A new key of a store."""
    return os.urandom(KEY_OCTETS)


async def unlock(tx: Tx, unlocking: Unlocking, list_tables: ListTables) -> Seals | None:
    """The seals of a store; a new store gets its first key.

    Raises:
        StoreLocked: see `gateway.store.sealing.opening.find_dress`.
    """
    rekeying = await find_rekeying(tx)
    if rekeying is not None and not unlocking.rekeying:
        raise StoreLocked(
            "the store's rows are being put under another key, and that was interrupted; go on with"
            f" {_name_command(rekeying)}, and start hongyan then"
        )
    made_for = [row[0] for row in await tx.fetch("SELECT DISTINCT operator_key FROM store_keys")]
    if not made_for:
        if unlocking.rekeying or unlocking.key is None:
            return None
        await _begin_encrypted(tx, unlocking.key, list_tables)
    elif unlocking.key is None:
        raise StoreLocked(
            'the store is encrypted; name the file of its key: encryption_key_file = "..." under [store]'
            f" (the key with the fingerprint {' or '.join(sorted(made_for))})"
        )
    elif unlocking.key.fingerprint not in made_for:
        raise StoreLocked(
            f"the store is encrypted with another key: store.encryption_key has the fingerprint"
            f" {unlocking.key.fingerprint}, and the store's is {' or '.join(sorted(made_for))}; name the right file"
        )
    assert unlocking.key is not None
    keys = await load_keys(tx, unlocking.key)
    return Seals(keys, max(keys) if rekeying is None else rekeying.newest)


def _name_command(rekeying: Rekeying) -> str:
    if rekeying.newest == 0:
        return "`hongyan db decrypt`"
    return (
        "`hongyan db encrypt`" if rekeying.newest == 1 else "`hongyan db rotate-key --new-key-file` as before"
    )


async def _begin_encrypted(tx: Tx, operator: OperatorKey, list_tables: ListTables) -> None:
    for table in await list_tables(tx):
        if _is_sealed(table) and await tx.fetch(f"SELECT 1 FROM {table.name} LIMIT 1"):
            raise StoreLocked(
                "store.encryption_key is given, and what the store holds is not encrypted yet; run"
                " `hongyan db encrypt` once, or take the key out of the config"
            )
    await save_key(tx, operator, 1, make_key())


def _is_sealed(table: Table) -> bool:
    if any(kind_of(table.name, column) is not Kind.PLAIN for column in table.octets):
        return True
    return any(kind_of(table.name, column) in {Kind.EQUAL, Kind.CONTENT} for column in table.texts)


def _unwrap(operator: OperatorKey, number: int, wrapped: bytes) -> bytes:
    try:
        return AESGCM(operator.octets).decrypt(wrapped[:_NONCE], wrapped[_NONCE:], _bound_to(number))
    except (InvalidTag, ValueError):
        raise StoreLocked(
            f"the store's key {number} is damaged; put a backup of the store in its place"
        ) from None


def _bound_to(number: int) -> bytes:
    return b"key %d of a hongyan store" % number
