"""What applications submitted over SMPP: the ids they were told, and parts that wait for each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from gateway.clock import format_ms, parse_instant
from gateway.model.message import Message, Segment
from gateway.store.messages import delete_message, save_messages
from gateway.store.ports import Row, Tx, placeholders

_CHUNK = 500
_COLUMNS = (
    "id, told_id, account, message_id, source, destination, registered, waiting, submitted_at, data_coding"
)


class EsmeSubmit(NamedTuple):
    """One submission as an application knows it.

    Args:
        told_id: the ``message_id`` of its response.
        account: ``system_id``.
        message_id: ours; None while it is a part that waits for the others.
        source, destination: addresses in the store's spelling.
        registered: ``registered_delivery`` as it came.
        data_coding: how its text was written, for a replacement.
        waiting: neither sent nor ended yet.
        row_id: the store's; 0 before it is there.
    """

    told_id: str
    account: str
    message_id: str | None
    source: str
    destination: str
    registered: int
    submitted_at: datetime
    data_coding: int = 0
    waiting: bool = True
    row_id: int = 0


class EsmePart(NamedTuple):
    """One part that waits.

    Args:
        concat_key: equal for the parts of one message.
        content: what came, encoded.
        repeats: the id that was told, where the same came before in a text that was joined; ``told_id`` then is
            nobody's.
    """

    told_id: str
    account: str
    concat_key: str
    part: int
    total: int
    content: bytes
    received_at: datetime
    repeats: str | None = None


async def save_submits(tx: Tx, submits: Iterable[EsmeSubmit]) -> None:
    """Store new ones."""
    await tx.execute_many(
        "INSERT INTO esme_submits (told_id, account, message_id, source, destination, registered, waiting,"
        " submitted_at, data_coding) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                s.told_id, s.account, s.message_id, s.source, s.destination, s.registered, int(s.waiting),
                format_ms(s.submitted_at), s.data_coding,
            )
            for s in submits
        ],
    )  # fmt: skip


async def find_told(tx: Tx, account: str, told_id: str) -> list[EsmeSubmit]:
    """What an account was told by this id; empty when the id is not its own."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM esme_submits WHERE told_id = ? AND account = ? ORDER BY id",
        (told_id, account),
    )
    return [_submit(row) for row in rows]


async def find_waiting_between(tx: Tx, account: str, source: str, destination: str) -> list[EsmeSubmit]:
    """What waits of an account between two addresses."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM esme_submits WHERE waiting = 1 AND account = ? AND source = ?"
        " AND destination = ? ORDER BY id",
        (account, source, destination),
    )
    return [_submit(row) for row in rows]


async def load_submits(tx: Tx, message_ids: Sequence[str]) -> dict[str, list[EsmeSubmit]]:
    """The submissions behind some messages, in their order; other messages are absent."""
    found: dict[str, list[EsmeSubmit]] = {}
    for start in range(0, len(message_ids), _CHUNK):
        chunk = list(message_ids[start : start + _CHUNK])
        marks = placeholders(chunk)
        sql = f"SELECT {_COLUMNS} FROM esme_submits WHERE message_id IN ({marks}) ORDER BY id"
        for row in await tx.fetch(sql, chunk):
            found.setdefault(row[3], []).append(_submit(row))
    return found


async def close_submits(tx: Tx, row_ids: Iterable[int]) -> None:
    """The network has them, or they ended: they are no backlog any more."""
    await tx.execute_many("UPDATE esme_submits SET waiting = 0 WHERE id = ?", [(i,) for i in row_ids])


async def count_waiting(tx: Tx) -> dict[str, int]:
    """The backlog of every account that has one."""
    rows = await tx.fetch("SELECT account, count(*) FROM esme_submits WHERE waiting = 1 GROUP BY account")
    return {account: int(n) for account, n in rows}


async def forget_submits(tx: Tx, before: datetime, after: str, limit: int) -> tuple[int, str | None]:
    """Drop those that came before ``before`` and whose messages have not changed since then.

    Args:
        after: looks at the first ``limit`` submissions behind the one with this row id; empty to begin.

    Returns:
        How many were dropped, and where to go on; None at the end.
    """
    at = format_ms(before) or 0
    rows = await tx.fetch(
        "SELECT id, submitted_at FROM esme_submits WHERE id > ? ORDER BY id LIMIT ?", (int(after or 0), limit)
    )
    old = [row[0] for row in rows if row[1] < at]
    if not old:
        return 0, None
    n_dropped = await tx.execute(
        f"DELETE FROM esme_submits WHERE id IN ({placeholders(old)}) AND waiting = 0"
        " AND NOT EXISTS (SELECT 1 FROM messages WHERE messages.id = esme_submits.message_id AND updated_at >= ?)",
        (*old, at),
    )
    return n_dropped, str(old[-1])


async def save_part(tx: Tx, part: EsmePart) -> None:
    """Store a part that waits."""
    await tx.execute(
        "INSERT INTO esme_parts (told_id, account, concat_key, part, total, content, received_at, repeats)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            part.told_id, part.account, part.concat_key, part.part, part.total, part.content,
            format_ms(part.received_at), part.repeats,
        ),
    )  # fmt: skip


async def load_parts(tx: Tx, concat_key: str) -> list[EsmePart]:
    """The parts that wait under a key, by number and then by age."""
    rows = await tx.fetch(
        "SELECT told_id, account, concat_key, part, total, content, received_at, repeats FROM esme_parts"
        " WHERE concat_key = ? ORDER BY part, told_id",
        (concat_key,),
    )
    return [_part(row) for row in rows]


async def find_stale_parts(tx: Tx, accounts: Sequence[str], before: datetime, limit: int) -> list[str]:
    """Keys of these accounts whose newest part came before ``before``."""
    marks = placeholders(accounts)
    rows = await tx.fetch(
        f"SELECT concat_key FROM esme_parts WHERE account IN ({marks})"
        " GROUP BY concat_key HAVING max(received_at) < ? ORDER BY max(received_at) DESC LIMIT ?",
        (*accounts, format_ms(before), limit),
    )
    return [row[0] for row in rows]


async def finish_parts(tx: Tx, parts: Iterable[EsmePart], message_ids: Iterable[str]) -> None:
    """Parts have become messages: one for all of them, or each its own."""
    pairs = list(zip(parts, message_ids, strict=False))
    await drop_parts(tx, [part for part, _ in pairs])
    await tx.execute_many(
        "UPDATE esme_submits SET message_id = ? WHERE told_id = ?",
        [(message_id, part.told_id) for part, message_id in pairs],
    )


async def drop_parts(tx: Tx, parts: Iterable[EsmePart]) -> None:
    """Parts wait no longer."""
    await tx.execute_many("DELETE FROM esme_parts WHERE told_id = ?", [(part.told_id,) for part in parts])


async def replace_message(
    tx: Tx, before: Message, message: Message, segments: Sequence[Segment], hidden: Mapping[str, int]
) -> None:
    """Put a message in the place of the one with its id, which waits and of which no segment was ever tried.

    Args:
        hidden: until when it may not be claimed, where a rule says so; see `save_messages`.
    """
    await delete_message(tx, before)
    await save_messages(tx, [(message, segments)], hidden=hidden)


def _submit(row: Row) -> EsmeSubmit:
    submitted_at = parse_instant(row[8])
    return EsmeSubmit(
        told_id=row[1],
        account=row[2],
        message_id=row[3],
        source=row[4],
        destination=row[5],
        registered=row[6],
        submitted_at=submitted_at,
        data_coding=row[9],
        waiting=bool(row[7]),
        row_id=row[0],
    )


def _part(row: Row) -> EsmePart:
    received_at = parse_instant(row[6])
    return EsmePart(row[0], row[1], row[2], row[3], row[4], row[5], received_at, row[7])
