"""The queue: messages that are due, who takes them, and what became of their segments.

The database is the queue. A segment is marked ``sending`` in the transaction that claims it, before any octet
of it can be on a wire; what is found in that state after a crash is therefore of unknown fate.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from gateway.clock import format_ms
from gateway.model.lifecycle import PartCause, part_moved
from gateway.model.message import Category, Message, SegmentStatus
from gateway.routing.balancer import Candidate
from gateway.routing.budgets import URGENT, Need
from gateway.routing.order import CLASSES, URGENT_BELOW, URGENT_CLASSES
from gateway.routing.troubles import Number
from gateway.store.messages import CHUNK, Whole, add_further, whole_of
from gateway.store.ports import Row, Tx, placeholders
from gateway.store.rows import MESSAGE_COLUMNS
from gateway.store.sequences import HELD_MS


class Due(NamedTuple):
    """A message that waits and is due.

    Args:
        candidate: what the balancer sees.
        category: for the opt-out list.
        expired: its time is over.
    """

    candidate: Candidate
    category: Category
    expired: bool

    @property
    def message_id(self) -> str:
        """Of the message."""
        return self.candidate.message_id

    @property
    def recipient(self) -> str:
        """Of the message."""
        return self.candidate.need.recipient


AT_ONCE: Final = 500
"""Messages that are changed in one transaction; others wait for the writer meanwhile."""
READY: Final = "status = 'queued' AND hidden_until IS NULL"
"""What may be claimed; as the index ``messages_ready`` has it."""
_DUE_ROW: Final = (
    "SELECT id, rank, recipient, class, expires_at, n_segments, has_options, part_status = 'queued', {waiting}, queue"
    " FROM messages"
).format(
    waiting="CASE n_segments WHEN 1 THEN 0 ELSE (SELECT count(*) FROM segments"
    " WHERE message_id = messages.id AND status = 'queued') END"
)
_DUE: Final = f"{_DUE_ROW} WHERE queue = ? AND {READY}"
_URGENT_ONLY = f" AND rank < {URGENT_BELOW} AND class <= {URGENT_CLASSES}"
_IN_ORDER = " ORDER BY rank, id LIMIT ?"


async def find_due(
    tx: Tx,
    wanted: Mapping[str, int],
    now: datetime,
    *,
    urgent_only: bool = False,
    without: Collection[str] = (),
    to_claim: bool = False,
) -> list[Due]:
    """The first due messages of each queue by their rank, at most ``wanted[queue]`` of each.

    Args:
        wanted: queue -> how many.
        now: for what is expired.
        urgent_only: only those that may use a reserve.
        without: recipients whose messages are passed over; a few.
        to_claim: those that another instance is claiming just now are passed over, and nobody else claims these.
    """
    now_ms = format_ms(now) or 0
    others = f" AND recipient NOT IN ({placeholders(without)})" if without else ""
    lock = tx.skip_locked if to_claim else ""
    sql = _DUE + (_URGENT_ONLY if urgent_only else "") + others + _IN_ORDER + lock
    found = []
    for queue, limit in wanted.items():
        found += [_due(row, now_ms) for row in await tx.fetch(sql, (queue, *without, limit))]
    return found


async def find_due_among(tx: Tx, message_ids: Sequence[str], now: datetime) -> list[Due]:
    """Those of a few messages that are due, to be claimed; in no order."""
    if not message_ids:
        return []
    marks = placeholders(message_ids)
    sql = f"{_DUE_ROW} WHERE id IN ({marks}) AND {READY}{tx.skip_locked}"
    return [_due(row, format_ms(now) or 0) for row in await tx.fetch(sql, message_ids)]


def _due(row: Row, now_ms: int) -> Due:
    """From a row of `_DUE_ROW`."""
    category = CLASSES[row[3]]
    need = Need(row[2], bool(row[7]) + row[8], category in URGENT)
    return Due(Candidate(row[0], row[1], row[9], need, bool(row[6])), category, row[4] <= now_ms)


_CLAIM = (
    "UPDATE messages AS m SET status = 'sending', channel = ?, owner = ?, epoch = epoch + 1, updated_at = ?,"
    " error = NULL"
)
_CLAIM_FREE = (
    " WHERE m.id IN ({{ids}}) AND m.status = 'queued' AND m.hidden_until IS NULL AND m.part_status {is_first} 'queued'"
    f" RETURNING {', '.join(MESSAGE_COLUMNS)}"
)
_CLAIM_FIRST = (
    f"{_CLAIM}, part_status = 'sending', part_channel = ?, part_attempts = part_attempts + 1,"
    f" part_submitted_at = ?{_CLAIM_FREE.format(is_first='=')}"
)
_CLAIM_FURTHER = _CLAIM + _CLAIM_FREE.format(is_first="<>")
_SEND_FURTHER = (
    "UPDATE segments SET status = 'sending', channel = ?, attempts = ?, submitted_at = ?"
    " WHERE message_id = ? AND part = ?"
)


async def claim_messages(tx: Tx, channels: Mapping[str, str], owner: str, now: datetime) -> list[Whole]:
    """Give messages to channels: ``sending``, and their first waiting segment with them.

    Args:
        channels: message id -> channel name.
        owner: this instance.

    Returns:
        Those that were still free, as they are now, in the order of ``channels``. The others are somebody else's.
    """
    at = format_ms(now)
    claimed: dict[str, Whole] = {}
    further: list[str] = []
    by_channel: dict[str, list[str]] = {}
    for message_id, channel in channels.items():
        by_channel.setdefault(channel, []).append(message_id)
    for channel, ids in by_channel.items():
        for start in range(0, len(ids), CHUNK):
            chunk = ids[start : start + CHUNK]
            marks = placeholders(chunk)
            rows = await tx.fetch(_CLAIM_FIRST.format(ids=marks), (channel, owner, at, channel, at, *chunk))
            claimed.update((row[0], whole_of(row)) for row in rows)
            if len(rows) < len(chunk):
                left = [message_id for message_id in chunk if message_id not in claimed]
                sql = _CLAIM_FURTHER.format(ids=placeholders(left))
                rows = await tx.fetch(sql, (channel, owner, at, *left))
                claimed.update((row[0], whole_of(row)) for row in rows)
                further += [row[0] for row in rows]
    await add_further(tx, list(claimed.values()))
    for message_id in further:
        await _begin_further(tx, claimed[message_id], now)
    return [claimed[message_id] for message_id in channels if message_id in claimed]


async def _begin_further(tx: Tx, whole: Whole, now: datetime) -> None:
    """Mark the first waiting segment of a claimed message, which is none of its row."""
    message, segments = whole
    waiting = next(s for s in segments if s.status is SegmentStatus.QUEUED)
    begun = part_moved(
        waiting,
        PartCause.SUBMITTED,
        channel=message.channel,
        attempts=waiting.attempts + 1,
        submitted_at=now,
    )
    segments[begun.part - 1] = begun
    await tx.execute(_SEND_FURTHER, (begun.channel, begun.attempts, format_ms(now), message.id, begun.part))


async def find_hidden_due(tx: Tx, now: datetime, limit: int) -> list[tuple[str, str]]:
    """``(id, status)`` of messages whose schedule or pause is over."""
    rows = await tx.fetch(
        "SELECT id, status FROM messages WHERE hidden_until <= ? ORDER BY hidden_until LIMIT ?",
        (format_ms(now), limit),
    )
    return [(row[0], row[1]) for row in rows]


async def unhide(tx: Tx, message_ids: Iterable[str], now: datetime) -> None:
    """Let queued messages be claimed again whose pause is over by now."""
    rows = await tx.fetch_many(
        "UPDATE messages SET hidden_until = NULL WHERE id = ? AND status = 'queued' AND hidden_until <= ?"
        " RETURNING queue",
        [(message_id, format_ms(now)) for message_id in message_ids],
    )
    for queue in {row[0] for row in rows}:
        tx.claimable(queue)


async def hold_recipient(
    tx: Tx, number: Number, now: datetime, until: datetime, *, urgent: bool, besides: str | None
) -> None:
    """Let no waiting message to a number be claimed from a queue for a while: the first `AT_ONCE` of them.

    Whoever looks for messages comes upon the others then.

    Args:
        number: the number and the queue.
        now: the instant; `end_misdated_pauses` goes by it.
        until: the end of the pause.
        urgent: whether it is urgent messages that wait, or all others.
        besides: the id of a message that goes all the same.
    """
    kinds = f" AND class {'<=' if urgent else '>'} {URGENT_CLASSES}"
    await tx.execute(
        "UPDATE messages SET hidden_until = ?, updated_at = ? WHERE id IN (SELECT id FROM messages"
        f" WHERE recipient = ? AND queue = ? AND {READY} AND id IS DISTINCT FROM ?{kinds} ORDER BY rank, id LIMIT ?)"
        f" AND {READY}",
        (format_ms(until), format_ms(now), number.recipient, number.queue, besides, AT_ONCE),
    )


async def let_recipient_go(tx: Tx, number: Number) -> int:
    """End the pauses of messages in a queue that wait for a number: of the first `AT_ONCE`; how many these were."""
    n = await tx.execute(
        "UPDATE messages SET hidden_until = NULL WHERE id IN (SELECT id FROM messages WHERE recipient = ? AND queue = ?"
        " AND status = 'queued' AND hidden_until < ? ORDER BY rank, id LIMIT ?) AND status = 'queued'",
        (number.recipient, number.queue, HELD_MS, AT_ONCE),
    )
    tx.claimable(number.queue)
    return n


async def end_misdated_pauses(tx: Tx, now: datetime, margin: timedelta) -> int:
    """End pauses that began after ``now``: a clock that was ahead has said until when. `AT_ONCE` of them; how many."""
    at = format_ms(now)
    return await tx.execute(
        "UPDATE messages SET hidden_until = ? WHERE id IN (SELECT id FROM messages WHERE hidden_until > ?"
        " AND hidden_until < ? AND status = 'queued' AND updated_at > ? LIMIT ?) AND status = 'queued'",
        (at, at, HELD_MS, format_ms(now + margin), AT_ONCE),
    )


async def find_expired(tx: Tx, now: datetime, limit: int) -> list[str]:
    """Ids of waiting messages whose time is over."""
    rows = await tx.fetch(
        "SELECT id FROM messages WHERE expires_at <= ? AND status IN ('queued', 'scheduled') LIMIT ?",
        (format_ms(now), limit),
    )
    return [row[0] for row in rows]


async def find_orphans(tx: Tx, alive_since: datetime, limit: int, *, instance: str) -> dict[str, str]:
    """Messages and their owners that had no heartbeat since ``alive_since``; ``instance``, who asks, lives."""
    rows = await tx.fetch(
        "SELECT m.id, m.owner FROM messages m LEFT JOIN instances i ON i.id = m.owner"
        " WHERE m.owner IS NOT NULL AND m.owner <> ? AND (i.id IS NULL OR i.heartbeat_at < ?) LIMIT ?",
        (instance, format_ms(alive_since), limit),
    )
    return {row[0]: row[1] for row in rows}


async def disown(tx: Tx, message: Message) -> None:
    """Leave a message that is being sent to whoever sweeps: its owner is one that never had a heartbeat.

    Args:
        message: as it was claimed; nothing is done where somebody else has it by now.
    """
    await tx.execute(
        "UPDATE messages SET owner = '' WHERE id = ? AND owner = ? AND epoch = ?",
        (message.id, message.owner, message.epoch),
    )


async def load_paused(tx: Tx) -> set[str]:
    """Channels that an operator paused."""
    return {row[0] for row in await tx.fetch("SELECT channel FROM channel_controls WHERE paused = 1")}


async def save_paused(tx: Tx, channel: str, *, paused: bool) -> None:
    """Remember an operator's pause or resume."""
    await tx.execute(
        "INSERT INTO channel_controls (channel, paused) VALUES (?, ?)"
        " ON CONFLICT (channel) DO UPDATE SET paused = excluded.paused",
        (channel, int(paused)),
    )
