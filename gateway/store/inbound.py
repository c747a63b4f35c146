"""What came in: parts while they wait for each other, and messages joined from them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from gateway.clock import format_ms, parse_ms
from gateway.ids import InboundId, MessageId
from gateway.model.message import InboundMessage, Keyword
from gateway.store.ports import Row, Tx

_COLUMNS = (
    "id, sender, recipient, channel, text, data, encoding, parts, complete, received_at, network_time, keyword,"
    " in_reply_to"
)


class StoredPart(NamedTuple):
    """One received part.

    Args:
        concat_key: equal for the parts of one message; None for a message in one part.
        part, total: 1..n and n; 1 and 1 without concatenation.
        dedupe_key: see `drivers.base.InboundPart`.
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


async def save_part(tx: Tx, part: StoredPart) -> bool:
    """Store one part; False when the same part was stored before."""
    n_changed = await tx.execute(
        "INSERT INTO inbound_parts (id, channel, sender, recipient, encoding, payload, concat_key, part, total,"
        " network_time, received_at, dedupe_key) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (
            part.id, part.channel, part.sender, part.recipient, part.encoding, part.payload, part.concat_key,
            part.part, part.total, format_ms(part.network_time), format_ms(part.received_at), part.dedupe_key,
        ),
    )  # fmt: skip
    return n_changed > 0


async def load_waiting_parts(tx: Tx, concat_key: str) -> list[StoredPart]:
    """Parts of one message that wait for the others; of two with the same number the first that came."""
    rows = await tx.fetch(
        f"{_SELECT_PARTS} WHERE concat_key = ? AND inbound_id IS NULL ORDER BY part, id",
        (concat_key,),
    )
    parts: dict[int, StoredPart] = {}
    for row in rows:
        part = _part(row)
        parts.setdefault(part.part, part)
    return list(parts.values())


async def find_stale_keys(tx: Tx, before: datetime, limit: int) -> list[str]:
    """Concatenation keys whose newest waiting part came before ``before``."""
    rows = await tx.fetch(
        "SELECT concat_key FROM inbound_parts WHERE inbound_id IS NULL AND concat_key IS NOT NULL"
        " GROUP BY concat_key HAVING max(received_at) < ? LIMIT ?",
        (format_ms(before), limit),
    )
    return [row[0] for row in rows]


async def finish_parts(tx: Tx, *, concat_key: str | None, part_id: str, inbound_id: str) -> None:
    """Mark parts as joined into an inbound message: all that wait under a key, or the one part."""
    if concat_key is None:
        await tx.execute("UPDATE inbound_parts SET inbound_id = ? WHERE id = ?", (inbound_id, part_id))
    else:
        await tx.execute(
            "UPDATE inbound_parts SET inbound_id = ? WHERE concat_key = ? AND inbound_id IS NULL",
            (inbound_id, concat_key),
        )


async def reopen_part(tx: Tx, part_id: str) -> None:
    """Let one part wait again, for a message of its own."""
    await tx.execute("UPDATE inbound_parts SET inbound_id = NULL WHERE id = ?", (part_id,))


async def forget_parts(tx: Tx, before: datetime) -> int:
    """Drop parts that were joined and came before ``before``: nothing repeats them any more; how many."""
    return await tx.execute(
        "DELETE FROM inbound_parts WHERE received_at < ? AND inbound_id IS NOT NULL",
        (format_ms(before),),
    )


async def save_inbound(tx: Tx, message: InboundMessage) -> None:
    """Store a joined message."""
    await tx.execute(
        f"INSERT INTO inbound ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            message.id, message.sender, message.recipient, message.channel, message.text, message.data,
            message.encoding, message.parts, int(message.complete), format_ms(message.received_at),
            format_ms(message.network_time), message.keyword, message.in_reply_to,
        ),
    )  # fmt: skip


async def find_inbound(tx: Tx, inbound_id: str) -> InboundMessage | None:
    """One inbound message."""
    rows = await tx.fetch(f"SELECT {_COLUMNS} FROM inbound WHERE id = ?", (inbound_id,))
    return _inbound(rows[0]) if rows else None


async def list_inbound(
    tx: Tx,
    *,
    sender: str | None = None,
    recipient: str | None = None,
    since: datetime | None = None,
    limit: int,
    before: str | None = None,
) -> list[InboundMessage]:
    """Inbound messages newest first, those with a smaller id than ``before``."""
    clauses: dict[str, Any] = {
        "id < ?": before,
        "sender = ?": sender,
        "recipient = ?": recipient,
        "received_at >= ?": format_ms(since),
    }
    asked = {clause: value for clause, value in clauses.items() if value is not None}
    where = f"WHERE {' AND '.join(asked)}" if asked else ""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM inbound {where} ORDER BY id DESC LIMIT ?", [*asked.values(), limit]
    )
    return [_inbound(row) for row in rows]


_SELECT_PARTS = (
    "SELECT id, channel, sender, recipient, encoding, payload, concat_key, part, total, network_time, received_at,"
    " dedupe_key FROM inbound_parts"
)


def _part(row: Row) -> StoredPart:
    received_at = parse_ms(row[10])
    assert received_at is not None
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
    )


def _inbound(row: Row) -> InboundMessage:
    received_at = parse_ms(row[9])
    assert received_at is not None
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
    )
