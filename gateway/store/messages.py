"""Messages: one row each, with the state of the first segment; further segments have rows of their own.

Stored at accept, looked up by people and programs. What happens between claim and receipt is in `gateway.store.queue`
and `gateway.store.changes`. What never changes is one encoded value (`gateway.store.body`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain, zip_longest
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec

from gateway.clock import format_ms
from gateway.ids import MessageId, first_id, read_time
from gateway.model.message import Category, Message, MessageStatus, Segment
from gateway.routing.load import WAITING
from gateway.routing.order import CLASSES, make_rank
from gateway.store.ports import Row, Tx, placeholders
from gateway.store.rows import (
    MESSAGE_COLUMNS,
    SEGMENT_COLUMNS,
    message_params,
    parse_message,
    parse_segment,
    parse_whole,
    segment_params,
)

_QUEUE_COLUMNS: Final = ("rank", "has_options", "hidden_until", "is_empty")
"""What only the queue looks at, and retention."""
_ALL_COLUMNS: Final = (*MESSAGE_COLUMNS, *_QUEUE_COLUMNS)
_INTO_MESSAGES: Final = f"INSERT INTO messages ({', '.join(_ALL_COLUMNS)})"
_INTO_SEGMENTS: Final = f"INSERT INTO segments ({', '.join(SEGMENT_COLUMNS)})"
MESSAGE_ROW: Final = ", ".join(f"m.{name}" for name in MESSAGE_COLUMNS)
"""SELECT list for `parse_message` and `parse_whole`, of messages as ``m``."""
SEGMENT_ROW: Final = ", ".join(f"s.{name}" for name in SEGMENT_COLUMNS)
"""The same for `parse_segment`, of segments as ``s``."""
CHUNK: Final = 500
_CLOCK_WENT_BACK: Final = timedelta(days=1)
"""Ids go on growing where the clock was put back: a message may be older than its id says, by so much."""


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


async def save_messages(
    tx: Tx,
    accepted: Sequence[tuple[Message, Sequence[Segment]]],
    tags: Sequence[int | None] = (),
    hidden: Mapping[str, int] = MappingProxyType({}),
) -> None:
    """Store new messages with their segments; a scheduled one is hidden until its time.

    Those that are queued are claimable unless they are hidden.

    Args:
        hidden: id -> until when, of those that rules hold back, in milliseconds.
        tags: of each, its place among others of its class and priority; None, or none at all, for that of its age.
    """
    rows = [
        _new_row(message, segments[0], tag, hidden)
        for (message, segments), tag in zip_longest(accepted, tags)
    ]
    await tx.insert(_INTO_MESSAGES, rows)
    further = [segment_params(message.id, s) for message, segments in accepted for s in segments[1:]]
    await tx.insert(_INTO_SEGMENTS, further)
    for message, _ in accepted:
        if message.status in WAITING:
            tx.count_waiting(message, 1)
    for queue in {message.queue for message, _ in accepted if message.status is MessageStatus.QUEUED}:
        tx.claimable(queue)


def _new_row(message: Message, first: Segment, tag: int | None, hidden: Mapping[str, int]) -> list[Any]:
    schedule = format_ms(message.schedule_at) if message.status is MessageStatus.SCHEDULED else None
    return [
        *message_params(message, first),
        make_rank(message.category, message.priority, read_time(message.id) if tag is None else tag),
        int(message.carrier_options is not None),
        hidden.get(message.id, schedule) if hidden else schedule,
        0,
    ]


async def delete_message(tx: Tx, message: Message) -> None:
    """Take a message that waits away as if it had never been accepted: another one is to have its id."""
    await tx.execute("DELETE FROM segments WHERE message_id = ?", (message.id,))
    if await tx.execute("DELETE FROM messages WHERE id = ?", (message.id,)):
        tx.count_waiting(message, -1)


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
    rows = await tx.fetch(f"SELECT {MESSAGE_ROW} FROM messages m WHERE m.id = ?", (message_id,))
    return parse_message(rows[0]) if rows else None


class Whole(NamedTuple):
    """A message with all of its segments, by part."""

    message: Message
    segments: list[Segment]


async def load_whole(tx: Tx, message_ids: Sequence[str], *, to_change: bool = False) -> list[Whole]:
    """Some messages with their segments, in the order of their ids.

    Args:
        to_change: nobody else may change them until this transaction ends: what is judged is then still true when it
            is written.
    """
    found: list[Whole] = []
    lock = tx.for_update if to_change else ""
    for start in range(0, len(message_ids), CHUNK):
        chunk = list(message_ids[start : start + CHUNK])
        sql = (
            f"SELECT {MESSAGE_ROW} FROM messages m WHERE m.id IN ({placeholders(chunk)}) ORDER BY m.id{lock}"
        )
        found += [whole_of(row) for row in await tx.fetch(sql, chunk)]
    await add_further(tx, found)
    return found


def whole_of(row: Row) -> Whole:
    """A message from a row of `MESSAGE_ROW`; what is behind its first segment is still to be added (`add_further`)."""
    message, first = parse_whole(row)
    return Whole(message, [first])


async def add_further(tx: Tx, found: Sequence[Whole]) -> None:
    """Put the segments behind the first to messages that have some."""
    long = {whole.message.id: whole.segments for whole in found if whole.message.n_segments > 1}
    ids = list(long)
    for start in range(0, len(ids), CHUNK):
        chunk = ids[start : start + CHUNK]
        sql = f"SELECT {SEGMENT_ROW} FROM segments s WHERE s.message_id IN ({placeholders(chunk)}) ORDER BY s.part"
        for row in await tx.fetch(sql, chunk):
            long[row[0]].append(parse_segment(row))


async def find_to_change(tx: Tx, message_id: str) -> Whole | None:
    """One message with its segments, which nobody else may change until this transaction ends."""
    found = await load_whole(tx, [message_id], to_change=True)
    return found[0] if found else None


async def list_whole(tx: Tx, query: MessageFilter, *, limit: int, before: str | None) -> list[Whole]:
    """Messages with their segments, newest first: those with a smaller id than ``before``."""
    clauses = {
        "m.id < ?": before,
        "m.channel = ?": query.channel,
        "m.reference = ?": query.reference,
        "m.batch_id = ?": query.batch,
        "m.tags LIKE ? ESCAPE '!'": _tag_pattern(query.tag),
        "m.created_at >= ?": format_ms(query.since),
        "m.created_at <= ?": format_ms(query.until),
        # Ids grow with time: what is too old or too new is not even read.
        "m.id >= ?": query.since and first_id(format_ms(query.since) or 0),
        "m.id <= ?": query.until
        and first_id((format_ms(query.until) or 0) + _CLOCK_WENT_BACK // timedelta(milliseconds=1)),
    }
    asked: dict[str, list[Any]] = {clause: [value] for clause, value in clauses.items() if value is not None}
    if query.to is not None:
        asked[f"m.recipient IN ({placeholders(query.to)})"] = list(query.to)
    if query.status is not None:
        few = query.to or query.reference or query.batch
        status = MessageStatus(query.status)
        asked[f"m.status = '{status.value}'" if few else await _having(tx, status)] = []
    where = f"WHERE {' AND '.join(asked)}" if asked else ""
    sql = f"SELECT {MESSAGE_ROW} FROM messages m {where} ORDER BY m.id DESC LIMIT ?"
    found = [whole_of(row) for row in await tx.fetch(sql, [*chain(*asked.values()), limit])]
    await add_further(tx, found)
    return found


async def _having(tx: Tx, status: MessageStatus) -> str:
    """The condition on a status, such that the index is used that holds those of it, and few others."""
    if status is MessageStatus.SENDING:
        return "m.id IN (SELECT id FROM messages WHERE owner IS NOT NULL)"
    if status is MessageStatus.QUEUED:
        ids = [f"SELECT id FROM messages WHERE status = 'queued' AND {one}" for one in _QUEUED]
        counted = f"SELECT count(*) FROM (SELECT id FROM ({' UNION ALL '.join(ids)}) q LIMIT {_FEW}) few"
        if (await tx.fetch(counted))[0][0] < _FEW:
            return f"m.id IN ({' UNION ALL '.join(ids)})"
    if status in {MessageStatus.QUEUED, MessageStatus.DELIVERED}:
        return f"m.status = '{status.value}'"
    return f"{_LISTED} AND m.status = '{status.value}'"


_LISTED: Final = "status <> 'queued' AND status <> 'sending' AND status <> 'delivered'"
"""As the index ``messages_not_delivered`` has it."""
_QUEUED: Final = ("hidden_until IS NULL", "hidden_until IS NOT NULL")
_FEW: Final = 2_000


async def list_batch(tx: Tx, batch_id: str) -> list[tuple[str, str, MessageStatus, int]]:
    """Id, recipient, status and number of segments of a batch's messages, in the order of the batch."""
    rows = await tx.fetch(
        "SELECT id, recipient, status, n_segments FROM messages WHERE batch_id = ? ORDER BY id", (batch_id,)
    )
    return [(row[0], row[1], MessageStatus(row[2]), row[3]) for row in rows]


_COUNT_OPEN: Final = (
    ("queued", "status = 'queued' AND hidden_until IS NULL"),
    ("queued", "status = 'queued' AND hidden_until IS NOT NULL"),
    ("scheduled", f"{_LISTED} AND status = 'scheduled'"),
    ("sending", "owner IS NOT NULL"),
    ("uncertain", f"{_LISTED} AND status = 'uncertain'"),
)
"""Each by an index that holds little else, so that a scrape never reads the whole table."""


async def count_open(tx: Tx) -> dict[str, int]:
    """How many messages have not ended, by status; for gauges."""
    counted = dict.fromkeys((status for status, _ in _COUNT_OPEN), 0)
    for status, condition in _COUNT_OPEN:
        counted[status] += int((await tx.fetch(f"SELECT count(*) FROM messages WHERE {condition}"))[0][0])
    return counted


class Sent(NamedTuple):
    """A message that went out."""

    id: MessageId
    recipient: str


async def find_latest_sent(
    tx: Tx, recipients: Collection[str], channel: str, category: Category | None = None
) -> Sent | None:
    """The latest message to one of ``recipients`` that went out by ``channel``: what a reply answers.

    Args:
        category: that it must have; None for any.
    """
    found: list[Sent] = []
    sql = "SELECT id, recipient FROM messages WHERE recipient = ? AND channel = ? AND sent_at IS NOT NULL"
    sql, more = (sql, ()) if category is None else (f"{sql} AND class = ?", (CLASSES.index(category),))
    for recipient in recipients:
        rows = await tx.fetch(f"{sql} ORDER BY id DESC LIMIT 1", (recipient, channel, *more))
        found += [Sent(MessageId(row[0]), row[1]) for row in rows]
    return max(found, default=None)


def _tag_pattern(tag: str | None) -> str | None:
    if tag is None:
        return None
    quoted = json.dumps(tag, ensure_ascii=False)
    return "%" + quoted.replace("!", "!!").replace("%", "!%").replace("_", "!_") + "%"
