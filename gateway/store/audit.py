"""The audit trail: rows of ``audit`` and the one row of ``audit_head``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import msgspec

from gateway.clock import format_ms, parse_instant, parse_ms, truncate_ms
from gateway.model.actor import SYSTEM, Actor
from gateway.model.audit import DROPPED, NO_DETAILS, AuditEntry, Details, Head, fit, make_entry
from gateway.store.ports import Row, Tx

_COLUMNS: Final = "seq, at, actor, origin, action, subject, salt, seal, details, hash"
_ONE_DAY: Final = timedelta(days=1)


async def record_audit(
    tx: Tx, actor: Actor, action: str, subject: str = "", details: Details = NO_DETAILS, *, at: datetime
) -> AuditEntry:
    """Put a deed on record, inside the transaction of the deed: neither is there without the other.

    Holds the row of ``audit_head`` until the commit: whoever records another deed, in whatever process, follows on it.

    Args:
        actor: who, and from where.
        action: what, in the words of the timeline: ``channel.paused``.
        subject: what it was done to: an id, a name, a number. It can be erased later, and nothing else can.
        details: never a text, a secret or a person's number.
    """
    ((seq, hash_before),) = await tx.fetch(f"SELECT last_seq, last_hash FROM audit_head{tx.for_update}")
    salt, head = os.urandom(16).hex(), Head(int(seq), hash_before)
    entry = make_entry(head, actor, action, subject, details, at=truncate_ms(at), salt=salt)
    await tx.insert(f"INSERT INTO audit ({_COLUMNS})", [_row(entry)])
    await tx.execute("UPDATE audit_head SET last_seq = ?, last_hash = ?", (entry.seq, entry.hash))
    return entry


class AuditQuery(NamedTuple):
    """Which entries.

    Args:
        since: at this time or later.
        until: before this time.
        actor: whole, such as ``key:billing``.
        action: whole, or ``channel.*``.
        subject: whole.
    """

    since: datetime | None = None
    until: datetime | None = None
    actor: str | None = None
    action: str | None = None
    subject: str | None = None


async def list_audit(
    tx: Tx, query: AuditQuery, limit: int, before_seq: int | None = None
) -> list[AuditEntry]:
    """Entries, the newest first.

    Args:
        before_seq: only what is older than this entry.
    """
    where, params = _conditions(query)
    if before_seq is not None:
        where.append("seq < ?")
        params.append(before_seq)
    condition = f" WHERE {' AND '.join(where)}" if where else ""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM audit{condition} ORDER BY seq DESC LIMIT ?", (*params, limit)
    )
    return [_entry(row) for row in rows]


def _conditions(query: AuditQuery) -> tuple[list[str], list[object]]:
    where: list[str] = []
    params: list[object] = []

    def add(condition: str, *values: object) -> None:
        where.append(condition)
        params.extend(values)

    if query.since is not None:
        add("at >= ?", format_ms(query.since))
    if query.until is not None:
        add("at < ?", format_ms(query.until))
    if query.actor is not None:
        add("actor = ?", query.actor)
    if query.action is not None and query.action.endswith(".*"):
        family = query.action.removesuffix("*")
        add("action >= ? AND action < ?", family, f"{family}\uffff")
    elif query.action is not None:
        add("action = ?", query.action)
    if query.subject is not None:
        add("subject = ? AND subject <> ''", query.subject)
    return where, params


class Extent(NamedTuple):
    """What there is of the trail.

    Args:
        head: its last entry.
        dropped: the last entry that was dropped because it was old; what is kept follows on it.
    """

    head: Head
    dropped: Head


async def load_extent(tx: Tx) -> Extent:
    """Read ``audit_head``."""
    ((seq, last, dropped_seq, dropped),) = await tx.fetch(
        "SELECT last_seq, last_hash, dropped_seq, dropped_hash FROM audit_head"
    )
    return Extent(Head(int(seq), last), Head(int(dropped_seq), dropped))


async def load_audit(tx: Tx, after_seq: int, limit: int, up_to: int) -> list[AuditEntry]:
    """Entries in order, behind one; at most ``limit``, and none behind ``up_to``."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM audit WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
        (after_seq, up_to, limit),
    )
    return [_entry(row) for row in rows]


async def find_audit_before(tx: Tx, since: datetime) -> Head | None:
    """The last entry before the first one from ``since`` or later; None where that is what was dropped."""
    ((first,),) = await tx.fetch("SELECT min(seq) FROM audit WHERE at >= ?", (format_ms(since),))
    condition, params = ("seq < ?", (first,)) if first is not None else ("at < ?", (format_ms(since),))
    rows = await tx.fetch(f"SELECT seq, hash FROM audit WHERE {condition} ORDER BY seq DESC LIMIT 1", params)
    return Head(int(rows[0][0]), rows[0][1]) if rows else None


async def erase_audit_subject(tx: Tx, subject: str) -> int:
    """Forget whom entries are about: their subject and its salt. The chain holds on; how many entries."""
    return await tx.execute(
        "UPDATE audit SET subject = '', salt = '' WHERE subject = ? AND subject <> ''", (fit(subject),)
    )


async def forget_audit(tx: Tx, before: datetime, limit: int) -> int:
    """Drop the oldest entries from before ``before``, about ``limit`` at most, and put that on record; how many.

    What is kept follows on the last one that is dropped, which stays known by its number and hash. The oldest may stay
    a day longer.
    """
    rows = await tx.fetch("SELECT seq, at, hash FROM audit ORDER BY seq LIMIT ?", (limit,))
    if not rows or parse_instant(rows[0][1]) >= before - _ONE_DAY:
        return 0  # or each hour would have its own entry about what it dropped
    old: list[Row] = []
    for row in rows:
        if row[1] >= (format_ms(before) or 0):
            break
        old.append(row)
    last = old[-1]
    await tx.execute("DELETE FROM audit WHERE seq <= ?", (last[0],))
    await tx.execute("UPDATE audit_head SET dropped_seq = ?, dropped_hash = ?", (last[0], last[2]))
    details: Details = {"n": len(old), "up_to": int(last[0]), "hash": str(last[2])}
    now = parse_instant(await tx.now_ms())
    await record_audit(tx, SYSTEM, DROPPED, "", details, at=now)
    return len(old)


async def count_old_audit(tx: Tx, before: datetime) -> tuple[datetime | None, int]:
    """When the oldest entry was, and how many are from before ``before``."""
    ((oldest, n),) = await tx.fetch(
        "SELECT min(at), coalesce(sum(CASE WHEN at < ? THEN 1 ELSE 0 END), 0) FROM audit",
        (format_ms(before),),
    )
    return parse_ms(oldest), int(n)


def _row(entry: AuditEntry) -> Sequence[object]:
    e = entry
    told = [e.subject, e.salt, e.seal, bytes(e.details).decode(), e.hash]
    return [e.seq, format_ms(e.at), e.actor, e.origin, e.action, *told]


def _entry(row: Row) -> AuditEntry:
    return AuditEntry(
        seq=int(row[0]),
        at=parse_instant(row[1]),
        actor=row[2],
        origin=row[3],
        action=row[4],
        subject=row[5],
        salt=row[6],
        seal=row[7],
        details=msgspec.Raw(row[8].encode()),
        hash=row[9],
    )
