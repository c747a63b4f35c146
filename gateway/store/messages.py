"""Messages and their segments: stored at accept, looked up by people and programs.

What happens between claim and receipt is in `gateway.store.queue`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, NamedTuple

import msgspec

from gateway.clock import format_ms, parse_instant, parse_ms
from gateway.ids import BatchId, KeyId, MessageId
from gateway.model.message import Category, Message, MessageError, MessageStatus, Segment, SegmentStatus
from gateway.store.ports import Row, Tx

_NAMES = (
    "id", "recipient", "text", "data", "udh", "category", "sender", "channel", "priority", "encoding", "flash",
    "schedule_at", "valid_for_s", "report", "callback_url", "reference", "tags", "status", "n_segments",
    "concat_ref", "queue", "error_code", "error_detail", "created_at", "updated_at", "sent_at", "delivered_at",
    "expires_at", "batch_id", "key_id", "source_address", "smpp_tlvs",
)  # fmt: skip
MESSAGE_COLUMNS = ", ".join(f"m.{name}" for name in _NAMES)
SEGMENT_COLUMNS = (
    "s.message_id, s.part, s.status, s.payload, s.channel, s.reference, s.attempts, s.sent_at, s.delivered_at,"
    " s.error_code, s.error_detail, s.submitted_at"
)
N_SEGMENT_COLUMNS = SEGMENT_COLUMNS.count(",") + 1
_INSERT_MESSAGE = (
    f"INSERT INTO messages ({', '.join(_NAMES)}, hidden_until) VALUES ({', '.join('?' * (len(_NAMES) + 1))})"
)
_INSERT_SEGMENT = (
    "INSERT INTO segments (message_id, part, status, payload, attempts) VALUES (?, ?, 'queued', ?, 0)"
)


class MessageFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What a listing of messages is narrowed to; None means all.

    Args:
        to: recipients as stored, any of them.
        since, until: creation time, both inclusive.
    """

    status: str | None = None
    to: tuple[str, ...] | None = None
    tag: str | None = None
    channel: str | None = None
    reference: str | None = None
    batch: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def save_messages(tx: Tx, accepted: Sequence[tuple[Message, Sequence[Segment]]]) -> None:
    """Store new messages with their segments; a scheduled one is hidden until its time.

    Those that are queued are claimable.
    """
    await tx.execute_many(_INSERT_MESSAGE, [_message_params(message) for message, _ in accepted])
    await tx.execute_many(
        _INSERT_SEGMENT,
        [(message.id, s.part, s.payload) for message, segments in accepted for s in segments],
    )
    for queue in {message.queue for message, _ in accepted if message.status is MessageStatus.QUEUED}:
        tx.claimable(queue)


_TAKE_REFERENCE = (
    "INSERT INTO concat_refs (recipient, reference) VALUES (?, ?) ON CONFLICT (recipient) DO UPDATE SET"
)
_NEXT_REFERENCE = {
    8: (1, "(concat_refs.reference + 1) % 256"),
    16: (
        256,
        "CASE WHEN concat_refs.reference BETWEEN 256 AND 65534 THEN concat_refs.reference + 1 ELSE 256 END",
    ),
}


async def take_concat_ref(tx: Tx, recipient: str, bits: int = 8) -> int:
    """The next concatenation reference for this recipient, never the one before.

    Args:
        bits: 8 for 0..255; 16 for 256..65535, see `gateway.model.message.concat_width`.
    """
    first, following = _NEXT_REFERENCE[bits]
    rows = await tx.fetch(
        f"{_TAKE_REFERENCE} reference = {following} RETURNING reference",
        (recipient, first),
    )
    return int(rows[0][0])


async def find_message(tx: Tx, message_id: str) -> Message | None:
    """One message."""
    rows = await tx.fetch(f"SELECT {MESSAGE_COLUMNS} FROM messages m WHERE id = ?", (message_id,))
    return parse_message(rows[0]) if rows else None


async def load_segments(tx: Tx, message_ids: Sequence[str]) -> dict[str, list[Segment]]:
    """The segments of some messages, by part; ids without segments are absent."""
    found: dict[str, list[Segment]] = {}
    for start in range(0, len(message_ids), 500):
        chunk = list(message_ids[start : start + 500])
        sql = (
            f"SELECT {SEGMENT_COLUMNS} FROM segments s WHERE s.message_id IN ({_marks(chunk)})"
            " ORDER BY s.message_id, s.part"
        )
        for row in await tx.fetch(sql, chunk):
            found.setdefault(row[0], []).append(parse_segment(row))
    return found


async def list_messages(tx: Tx, query: MessageFilter, *, limit: int, before: str | None) -> list[Message]:
    """Messages newest first, those with a smaller id than ``before``."""
    clauses = {
        "m.id < ?": before,
        "m.status = ?": query.status,
        "m.channel = ?": query.channel,
        "m.reference = ?": query.reference,
        "m.batch_id = ?": query.batch,
        "m.tags LIKE ? ESCAPE '!'": _tag_pattern(query.tag),
        "m.created_at >= ?": format_ms(query.since),
        "m.created_at <= ?": format_ms(query.until),
    }
    asked: dict[str, list[Any]] = {clause: [value] for clause, value in clauses.items() if value is not None}
    if query.to is not None:
        asked[f"m.recipient IN ({_marks(query.to)})"] = list(query.to)
    where = f"WHERE {' AND '.join(asked)}" if asked else ""
    sql = f"SELECT {MESSAGE_COLUMNS} FROM messages m {where} ORDER BY m.id DESC LIMIT ?"
    return [parse_message(row) for row in await tx.fetch(sql, [*chain(*asked.values()), limit])]


async def list_batch(tx: Tx, batch_id: str) -> list[tuple[str, str, MessageStatus, int]]:
    """Id, recipient, status and number of segments of a batch's messages, in the order of the batch."""
    rows = await tx.fetch(
        "SELECT id, recipient, status, n_segments FROM messages WHERE batch_id = ? ORDER BY id", (batch_id,)
    )
    return [(row[0], row[1], MessageStatus(row[2]), row[3]) for row in rows]


_COUNT_OPEN = (
    ("queued", "FROM messages WHERE status = 'queued' AND hidden_until IS NULL"),
    ("queued", "FROM messages WHERE hidden_until IS NOT NULL AND status = 'queued'"),
    ("scheduled", "FROM messages WHERE hidden_until IS NOT NULL AND status = 'scheduled'"),
    ("sending", "FROM messages WHERE owner IS NOT NULL"),
    ("uncertain", "FROM (SELECT DISTINCT message_id FROM segments WHERE status = 'uncertain') u"),
)
"""Each by an index of its own that holds nothing else, so that a scrape never reads the whole table."""


async def count_open(tx: Tx) -> dict[str, int]:
    """How many messages have not ended, by status; for gauges."""
    counted = dict.fromkeys((status for status, _ in _COUNT_OPEN), 0)
    for status, source in _COUNT_OPEN:
        counted[status] += int((await tx.fetch(f"SELECT count(*) {source}"))[0][0])
    return counted


class Sent(NamedTuple):
    """A message that went out."""

    id: MessageId
    recipient: str


async def find_latest_sent(tx: Tx, recipients: Collection[str], channel: str) -> Sent | None:
    """The latest message to one of ``recipients`` that went out by ``channel``: what a reply answers."""
    found: list[Sent] = []
    for recipient in recipients:
        rows = await tx.fetch(
            "SELECT id, recipient FROM messages WHERE recipient = ? AND channel = ? AND sent_at IS NOT NULL"
            " ORDER BY id DESC LIMIT 1",
            (recipient, channel),
        )
        found += [Sent(MessageId(row[0]), row[1]) for row in rows]
    return max(found, default=None)


def _tag_pattern(tag: str | None) -> str | None:
    if tag is None:
        return None
    quoted = json.dumps(tag, ensure_ascii=False)
    return "%" + quoted.replace("!", "!!").replace("%", "!%").replace("_", "!_") + "%"


def _marks(values: Collection[object]) -> str:
    return ",".join("?" * len(values))


def _message_params(m: Message) -> tuple[Any, ...]:
    schedule_at = format_ms(m.schedule_at)
    return (
        m.id, m.recipient, m.text, m.data, m.udh, m.category.value, m.sender, m.channel, m.priority, m.encoding,
        int(m.flash), schedule_at, m.valid_for_s, int(m.report), m.callback_url, m.reference,
        json.dumps(m.tags, ensure_ascii=False) if m.tags else "[]", m.status.value, m.n_segments, m.concat_ref,
        m.queue, m.error and m.error.code, m.error and m.error.detail, format_ms(m.created_at),
        format_ms(m.updated_at), format_ms(m.sent_at), format_ms(m.delivered_at), format_ms(m.expires_at),
        m.batch_id, m.key_id, m.source_address, m.carrier_options,
        schedule_at if m.status is MessageStatus.SCHEDULED else None,
    )  # fmt: skip


def parse_message(row: Row) -> Message:
    """A row of ``MESSAGE_COLUMNS`` (more columns may follow) as a value."""
    created_at, updated_at = parse_instant(row[23]), parse_instant(row[24])
    return Message(
        id=MessageId(row[0]),
        recipient=row[1],
        text=row[2],
        data=row[3],
        udh=row[4],
        category=Category(row[5]),
        sender=row[6],
        channel=row[7],
        priority=row[8],
        encoding=row[9],
        flash=bool(row[10]),
        schedule_at=parse_ms(row[11]),
        valid_for_s=row[12],
        report=bool(row[13]),
        callback_url=row[14],
        reference=row[15],
        tags=() if row[16] == "[]" else tuple(json.loads(row[16])),
        status=MessageStatus(row[17]),
        n_segments=row[18],
        concat_ref=row[19],
        queue=row[20],
        error=_error(row[21], row[22]),
        created_at=created_at,
        updated_at=updated_at,
        sent_at=parse_ms(row[25]),
        delivered_at=parse_ms(row[26]),
        expires_at=parse_ms(row[27]),
        batch_id=None if row[28] is None else BatchId(row[28]),
        key_id=None if row[29] is None else KeyId(row[29]),
        source_address=row[30],
        carrier_options=row[31],
    )


def parse_segment(row: Row) -> Segment:
    """A row of ``SEGMENT_COLUMNS`` (more columns may follow) as a value; the first column is the message's id."""
    return Segment(
        part=row[1],
        status=SegmentStatus(row[2]),
        payload=row[3],
        channel=row[4],
        reference=row[5],
        attempts=row[6],
        sent_at=parse_ms(row[7]),
        delivered_at=parse_ms(row[8]),
        error=_error(row[9], row[10]),
        submitted_at=parse_ms(row[11]),
    )


def _error(code: str | None, detail: str | None) -> MessageError | None:
    return None if code is None else MessageError(code=code, detail=detail or "")
