"""All rows of a store under another key: from none to the first, from one to the next, or back to none.

Nobody else uses the store meanwhile. Tables are walked by their primary key, a piece a transaction, with the place kept
in ``store_rekeying`` in the same transaction: it may be interrupted at any point and goes on there. A row whose own
key changes may be met a second time, and is then left as it is.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from gateway.errors import StoreLocked
from gateway.model.lines import read_lines, subject_key, unpack_lines
from gateway.store.ports import Row, Tx, placeholders
from gateway.store.sealing.columns import Kind, kind_of
from gateway.store.sealing.keys import (
    CLEANING,
    NOT_SEALED,
    Rekeying,
    find_rekeying,
    load_keys,
    make_key,
    save_key,
)
from gateway.store.sealing.operator_key import OperatorKey
from gateway.store.sealing.seals import Seals
from gateway.store.sealing.terms import Table
from gateway.store.sealing.transaction import SealedTx, is_number, seal_value

PIECE: Final = 1_000
"""Rows of one transaction."""
_PUT_PLACE: Final = "UPDATE store_rekeying SET table_name = ?, after_row = ?, done = ?"


def raw_of(tx: Tx) -> Tx:
    """The engine's own transaction, under what operations get."""
    return tx.raw if isinstance(tx, SealedTx) else tx


async def begin_encrypting(tx: Tx, operator: OperatorKey) -> None:
    """The first transaction of an encryption; nothing where it was begun before.

    Raises:
        StoreLocked: it is encrypted already.
    """
    found = await find_rekeying(tx)
    if found is None:
        if await tx.fetch("SELECT 1 FROM store_keys LIMIT 1"):
            raise StoreLocked("the store is encrypted already; `hongyan db rotate-key` gives it another key")
        await save_key(tx, operator, 1, make_key())
        await _begin(tx, 1)
    elif found.newest != 1:
        raise _other_way()
    elif not await load_keys(tx, operator):
        raise StoreLocked("the encryption was begun with another key; go on with that one")


async def begin_rotating(tx: Tx, operator: OperatorKey, new: OperatorKey) -> None:
    """The first transaction of a rotation: a new key of the store, and all under both operators' keys until the end.

    Raises:
        StoreLocked: it was begun with another key; or the two are the same.
    """
    found = await find_rekeying(tx)
    keys = await load_keys(tx, operator)
    if found is not None:
        if found.newest < 2:
            raise _other_way()
        if found.newest not in await load_keys(tx, new):
            raise StoreLocked("the rotation was begun with another new key; go on with that one")
        return
    if new.fingerprint == operator.fingerprint:
        raise StoreLocked("the new key is the one that the store has; make one with `hongyan db make-key`")
    newest = max(keys) + 1
    keys[newest] = make_key()
    for number, key in keys.items():
        await save_key(tx, operator, number, key)
        await save_key(tx, new, number, key)
    await _begin(tx, newest)


async def begin_decrypting(tx: Tx) -> None:
    """The first transaction of the way back.

    Raises:
        StoreLocked: another change of keys was begun; it must end first.
    """
    found = await find_rekeying(tx)
    if found is None:
        await _begin(tx, 0)
    elif found.newest != 0:
        raise _other_way()


def _other_way() -> StoreLocked:
    return StoreLocked("another change of the store's keys was begun and interrupted; end that first")


async def _begin(tx: Tx, newest: int) -> None:
    await tx.execute(
        "INSERT INTO store_rekeying (id, newest, table_name, after_row, done) VALUES (1, ?, '', '', 0)",
        (newest,),
    )


class Step(NamedTuple):
    """What one transaction did.

    Args:
        table: at which it is; `CLEANING` when no row is left.
        done: rows looked at so far.
    """

    table: str
    done: int


async def move_on(tx: Tx, operator: OperatorKey, tables: Sequence[Table]) -> Step:
    """One piece more. Reads and writes rows of one table, and ``store_rekeying``.

    Args:
        tx: the engine's own transaction.
        operator: a key that opens the store.
        tables: of the store, in any order.
    """
    place = await find_rekeying(tx)
    assert place is not None, "begun before"
    if place.table == CLEANING:
        return Step(CLEANING, place.done)
    seals = Seals(await load_keys(tx, operator), place.newest)
    table = _table_at(tables, place)
    if table is None:
        return await _put(tx, CLEANING, "", place.done)
    columns = (*table.texts, *table.octets)
    rows = await _read(tx, table, columns, place.after if table.name == place.table else "")
    await _reseal(tx, seals, table, columns, rows)
    done = place.done + len(rows)
    if len(rows) == PIECE:
        return await _put(tx, table.name, _write_place(rows[-1][: len(table.key)]), done)
    # The next one by its name is looked for from this name on.
    return await _put(tx, f"{table.name} ", "", done)


async def _put(tx: Tx, table: str, after: str, done: int) -> Step:
    await tx.execute(_PUT_PLACE, (table, after, done))
    return Step(table.strip(), done)


def _table_at(tables: Sequence[Table], place: Rekeying) -> Table | None:
    names = sorted(
        (table for table in tables if table.name not in NOT_SEALED and (table.texts or table.octets)),
        key=lambda table: table.name,
    )
    return next((table for table in names if table.name >= place.table), None)


async def _read(tx: Tx, table: Table, columns: Sequence[str], after: str) -> list[Row]:
    key = ", ".join(table.key)
    behind = f" WHERE ({key}) > ({placeholders(table.key)})" if after else ""
    return await tx.fetch(
        f"SELECT {', '.join((*table.key, *columns))} FROM {table.name}{behind} ORDER BY {key} LIMIT ?",
        (*(_read_place(after) if after else ()), PIECE),
    )


async def _reseal(tx: Tx, seals: Seals, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> None:
    n_key = len(table.key)
    kinds = [kind_of(table.name, column) for column in columns]
    changed: defaultdict[tuple[str, ...], list[list[Any]]] = defaultdict(list)
    for row in rows:
        changes = {
            column: kept
            for column, kind, value in zip(columns, kinds, row[n_key:], strict=True)
            if isinstance(value, (str, bytes)) and (kept := _seal_anew(seals, kind, value)) != value
        }
        if changes:
            changed[tuple(changes)].append([*changes.values(), *row[:n_key]])
    where = " AND ".join(f"{column} = ?" for column in table.key)
    for names, parameters in changed.items():
        assignments = ", ".join(f"{name} = ?" for name in names)
        await tx.execute_many(f"UPDATE {table.name} SET {assignments} WHERE {where}", parameters)
    if table.name == "event_groups":
        await _reseal_subjects(tx, seals, [row[0] for row in rows])


def _seal_anew(seals: Seals, kind: Kind, value: str | bytes) -> str | bytes:
    if seals.newest and seals.is_newest(value):
        return value
    return seal_value(seals, kind, seals.open(value))


async def _reseal_subjects(tx: Tx, seals: Seals, seqs: Sequence[int]) -> None:
    """Write ``event_subjects`` of numbers anew: there stands a hash of what the number is called."""
    old: set[tuple[int, int]] = set()
    new: set[tuple[int, int]] = set()
    for start in range(0, len(seqs), 100):
        some = seqs[start : start + 100]
        sql = f"SELECT seq, form, lines FROM event_groups WHERE seq IN ({placeholders(some)})"
        for seq, form, lines in await tx.fetch(sql, some):
            for subject in {event.subject for event in read_lines(unpack_lines(seals.open(lines), form))}:
                if is_number(subject):
                    old |= {(subject_key(one), seq) for one in seals.every_form(subject)}
                    new.add((subject_key(seals.seal_equal(subject)), seq))
    await tx.execute_many("DELETE FROM event_subjects WHERE subject = ? AND seq = ?", sorted(old))
    await tx.execute_many(
        "INSERT INTO event_subjects (subject, seq) VALUES (?, ?) ON CONFLICT DO NOTHING", sorted(new)
    )


async def end_rekeying(tx: Tx, operator: OperatorKey) -> None:
    """All rows are done and the room of the old ones is given up: forget all other keys.

    Args:
        operator: whose key opens the store from now on.
    """
    place = await find_rekeying(tx)
    assert place is not None
    assert place.table == CLEANING
    await tx.execute(
        "DELETE FROM store_keys WHERE number <> ? OR operator_key <> ?", (place.newest, operator.fingerprint)
    )
    await tx.execute("DELETE FROM store_rekeying")


def _write_place(key: Sequence[Any]) -> str:
    return json.dumps([{"hex": one.hex()} if isinstance(one, bytes) else one for one in key])


def _read_place(text: str) -> list[Any]:
    return [bytes.fromhex(one["hex"]) if isinstance(one, dict) else one for one in json.loads(text)]
