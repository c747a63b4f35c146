"""What came in: parts while they wait for each other, and messages joined from them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, NamedTuple

from gateway.clock import format_ms, parse_instant, parse_ms
from gateway.ids import InboundId, MessageId
from gateway.model.message import InboundMessage, Keyword
from gateway.store.events import find_unread
from gateway.store.ports import Row, Tx, placeholders

_COLUMNS = (
    "id, sender, recipient, channel, text, data, encoding, parts, complete, received_at, network_time, keyword,"
    " in_reply_to, kind, flag"
)


class StoredPart(NamedTuple):
    """One received part.

    Args:
        concat_key: equal for the parts of one message, and of others with the same reference; None for a message
            in one part.
        part, total: 1..n and n; 1 and 1 without concatenation.
        dedupe_key: see `drivers.base.InboundPart`.
        set_id: equal for the parts of one message only; None for a message in one part.
        kind: see `drivers.base.InboundPart`.
    """

    id: str
    channel: str
    sender: str
    recipient: str | None
    encoding: str
    payload: bytes
    concat_key: str | None
    part: int
    total: int
    network_time: datetime | None
    received_at: datetime
    dedupe_key: str | None
    set_id: str | None = None
    kind: str | None = None


class PartSet(NamedTuple):
    """Parts of one message, some of which are missing.

    Args:
        inbound_id: the message as which it was given out, incomplete; None while it waits.
        network_time, received_at: the latest of its parts'.
    """

    set_id: str
    inbound_id: str | None
    network_time: datetime | None
    received_at: datetime


async def save_part(tx: Tx, part: StoredPart) -> bool:
    """Store one part; False when the same part was stored before."""
    n_changed = await tx.execute(
        f"INSERT INTO inbound_parts ({_PART_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (
            part.id, part.channel, part.sender, part.recipient, part.encoding, part.payload, part.concat_key,
            part.part, part.total, format_ms(part.network_time), format_ms(part.received_at), part.dedupe_key,
            part.set_id, part.kind,
        ),
    )  # fmt: skip
    return n_changed > 0


async def find_open_sets(tx: Tx, concat_key: str, lacking: int) -> list[PartSet]:
    """Sets under a key in which the part ``lacking`` is missing, oldest first; of the newest `_MOST_SETS` sets."""
    rows = await tx.fetch(
        "SELECT set_id, max(inbound_id), max(network_time), max(received_at) FROM inbound_parts"
        f" WHERE concat_key = ? AND set_id IN ({_NEWEST_SETS}) GROUP BY set_id"
        " HAVING max(CASE WHEN part = ? THEN 1 ELSE 0 END) = 0 ORDER BY min(id)",
        (concat_key, concat_key, _MOST_SETS, lacking),
    )
    return [_part_set(row) for row in rows]


async def load_set(tx: Tx, set_id: str, *, waiting: bool = False) -> list[StoredPart]:
    """The parts of a set that there are, in order.

    Args:
        waiting: only if they were not joined yet.
    """
    only = " AND inbound_id IS NULL" if waiting else ""
    sql = f"{_SELECT_PARTS} WHERE set_id = ?{only} ORDER BY part"
    return [_part(row) for row in await tx.fetch(sql, (set_id,))]


async def find_stale_sets(tx: Tx, before: datetime, limit: int, concat_key: str | None = None) -> list[str]:
    """Sets that wait and whose newest part came before ``before``; of all keys, or of the newest sets of one."""
    of_key = "" if concat_key is None else f" AND concat_key = ? AND set_id IN ({_NEWEST_SETS})"
    rows = await tx.fetch(
        f"SELECT set_id FROM inbound_parts WHERE inbound_id IS NULL AND set_id IS NOT NULL{of_key}"
        " GROUP BY set_id HAVING max(received_at) < ? ORDER BY min(id) LIMIT ?",
        (*(() if concat_key is None else (concat_key, concat_key, _MOST_SETS)), format_ms(before), limit),
    )
    return [row[0] for row in rows]


async def find_repeated(tx: Tx, parts: Sequence[StoredPart]) -> str | None:
    """The message that holds every part of a waiting set, number, time and content: the set repeats a piece of it.

    Looks at the parts of sets that began before this one, the newest `_MOST_COMPARED` of them.
    """
    first = parts[0]
    rows = await tx.fetch(
        "SELECT set_id, inbound_id FROM (SELECT set_id, inbound_id, part, network_time, encoding, payload"
        " FROM inbound_parts WHERE concat_key = ? AND set_id < ? ORDER BY set_id DESC LIMIT ?) AS earlier"
        " WHERE inbound_id IS NOT NULL AND part = ? AND coalesce(network_time, 0) = ? AND encoding = ?"
        " AND payload = ? LIMIT ?",
        (
            first.concat_key, first.set_id, _MOST_COMPARED, first.part, format_ms(first.network_time) or 0,
            first.encoding, first.payload, _MOST_CANDIDATES,
        ),
    )  # fmt: skip
    wanted = {_content(part) for part in parts}
    for set_id, inbound_id in rows:
        if wanted <= {_content(part) for part in await load_set(tx, set_id)}:
            return str(inbound_id)
    return None


async def finish_part(tx: Tx, part: StoredPart, inbound_id: str) -> None:
    """Mark a part, and its whole set, as joined into an inbound message."""
    column, value = ("id", part.id) if part.set_id is None else ("set_id", part.set_id)
    await tx.execute(f"UPDATE inbound_parts SET inbound_id = ? WHERE {column} = ?", (inbound_id, value))


async def forget_parts(tx: Tx, before: datetime, limit: int) -> int:
    """Drop the oldest parts that were joined and came before ``before``, at most ``limit``; how many.

    Nothing repeats them any more. Those that wait for others are given out within hours.
    """
    return await tx.execute(
        "DELETE FROM inbound_parts WHERE id IN (SELECT id FROM inbound_parts WHERE received_at < ?"
        " AND inbound_id IS NOT NULL ORDER BY received_at LIMIT ?)",
        (format_ms(before), limit),
    )


async def forget_inbound(tx: Tx, before: datetime, limit: int, *, read_to: int) -> int:
    """Drop the oldest inbound messages from before ``before``, at most ``limit``; how many.

    Args:
        read_to: those with an event behind this ``seq`` stay: somebody has still to read of them.
    """
    rows = await tx.fetch("SELECT id, received_at FROM inbound ORDER BY id LIMIT ?", (limit,))
    old = [row[0] for row in rows if row[1] < (format_ms(before) or 0)]
    unread = await find_unread(tx, old, read_to) if old else set()
    gone = [inbound_id for inbound_id in old if inbound_id not in unread]
    await tx.execute_many("DELETE FROM inbound WHERE id = ?", [(inbound_id,) for inbound_id in gone])
    return len(gone)


async def save_inbound(tx: Tx, message: InboundMessage) -> None:
    """Store a joined message."""
    await tx.execute(
        f"INSERT INTO inbound ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            message.id, message.sender, message.recipient, message.channel, message.text, message.data,
            message.encoding, message.parts, int(message.complete), format_ms(message.received_at),
            format_ms(message.network_time), message.keyword, message.in_reply_to, message.kind,
            message.flag,
        ),
    )  # fmt: skip


async def update_inbound(tx: Tx, message: InboundMessage) -> None:
    """Store what a late part changed of a message."""
    await tx.execute(
        "UPDATE inbound SET text = ?, data = ?, encoding = ?, complete = ?, keyword = ?, flag = ? WHERE id = ?",
        (
            message.text,
            message.data,
            message.encoding,
            int(message.complete),
            message.keyword,
            message.flag,
            message.id,
        ),
    )


async def find_inbound(tx: Tx, inbound_id: str) -> InboundMessage | None:
    """One inbound message."""
    rows = await tx.fetch(f"SELECT {_COLUMNS} FROM inbound WHERE id = ?", (inbound_id,))
    return _inbound(rows[0]) if rows else None


async def list_inbound(
    tx: Tx,
    *,
    senders: Collection[str] | None = None,
    recipients: Collection[str] | None = None,
    since: datetime | None = None,
    flag: str | None = None,
    limit: int,
    before: str | None = None,
) -> list[InboundMessage]:
    """Inbound messages newest first, those with a smaller id than ``before``.

    Args:
        senders, recipients: as stored, any of them; None for all.
        flag: only those that have it.
    """
    asked: dict[str, list[Any]] = {}
    if before is not None:
        asked["id < ?"] = [before]
    if since is not None:
        asked["received_at >= ?"] = [format_ms(since)]
    if flag is not None:
        asked["flag = ?"] = [flag]
    for column, wanted in (("sender", senders), ("recipient", recipients)):
        if wanted is not None:
            asked[f"{column} IN ({placeholders(wanted)})"] = list(wanted)
    where = f"WHERE {' AND '.join(asked)}" if asked else ""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM inbound {where} ORDER BY id DESC LIMIT ?", [*chain(*asked.values()), limit]
    )
    return [_inbound(row) for row in rows]


_PART_COLUMNS = (
    "id, channel, sender, recipient, encoding, payload, concat_key, part, total, network_time, received_at,"
    " dedupe_key, set_id, kind"
)
_SELECT_PARTS = f"SELECT {_PART_COLUMNS} FROM inbound_parts"
# The three bounds keep what a part costs from growing with how many came before it under its key.
_MOST_SETS = 100
"""Sets under one key that a part may belong to: of one sender with one reference, within hours."""
_MOST_COMPARED = 300
"""Parts under one key that a set is compared with; the longest message has 255."""
_MOST_CANDIDATES = 10
_NEWEST_SETS = "SELECT DISTINCT set_id FROM inbound_parts WHERE concat_key = ? ORDER BY set_id DESC LIMIT ?"
"""A set is called by the id of its first part, so the newest come last."""


def _content(part: StoredPart) -> tuple[object, ...]:
    return part.part, part.network_time, part.encoding, part.payload


def _part_set(row: Row) -> PartSet:
    received_at = parse_instant(row[3])
    return PartSet(row[0], row[1], parse_ms(row[2]), received_at)


def _part(row: Row) -> StoredPart:
    received_at = parse_instant(row[10])
    return StoredPart(
        id=row[0],
        channel=row[1],
        sender=row[2],
        recipient=row[3],
        encoding=row[4],
        payload=row[5],
        concat_key=row[6],
        part=row[7],
        total=row[8],
        network_time=parse_ms(row[9]),
        received_at=received_at,
        dedupe_key=row[11],
        set_id=row[12],
        kind=row[13],
    )


def _inbound(row: Row) -> InboundMessage:
    received_at = parse_instant(row[9])
    return InboundMessage(
        id=InboundId(row[0]),
        sender=row[1],
        recipient=row[2],
        channel=row[3],
        text=row[4],
        data=row[5],
        encoding=row[6],
        parts=row[7],
        complete=bool(row[8]),
        received_at=received_at,
        network_time=parse_ms(row[10]),
        keyword=None if row[11] is None else Keyword(row[11]),
        in_reply_to=None if row[12] is None else MessageId(row[12]),
        kind=row[13],
        flag=row[14],
    )
