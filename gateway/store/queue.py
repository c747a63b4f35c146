"""The queue: messages that are due, who takes them, and what became of their segments.

The database is the queue. A segment is marked ``sending`` in the transaction that claims it, before any octet
of it can be on a wire; what is found in that state after a crash is therefore of unknown fate.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from gateway.clock import format_ms
from gateway.model.message import Category, Message, MessageStatus, Segment
from gateway.routing.balancer import Candidate
from gateway.routing.budgets import URGENT, Need
from gateway.routing.troubles import Number
from gateway.store.messages import MESSAGE_COLUMNS, parse_message
from gateway.store.ports import Tx


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


_DUE = (
    "SELECT id, priority, recipient, category, expires_at, CASE n_segments WHEN 1 THEN 1 ELSE"
    " (SELECT count(*) FROM segments WHERE message_id = messages.id AND status = 'queued') END,"
    " smpp_tlvs IS NOT NULL FROM messages"
    " WHERE queue = ? AND status = 'queued' AND hidden_until IS NULL"
)
_URGENT_ONLY = f" AND category IN ({', '.join(repr(c.value) for c in sorted(URGENT, reverse=True))})"
"""As the index ``messages_ready_urgent`` has it."""
_IN_ORDER = " ORDER BY priority DESC, id LIMIT ?"


async def find_due(
    tx: Tx,
    wanted: Mapping[str, int],
    now: datetime,
    *,
    urgent_only: bool = False,
    without: Collection[str] = (),
) -> list[Due]:
    """The first due messages of each queue: by priority, then by age, at most ``wanted[queue]`` of each.

    Args:
        wanted: queue -> how many.
        now: for what is expired.
        urgent_only: only those that may use a reserve.
        without: recipients whose messages are passed over; a few.
    """
    now_ms = format_ms(now) or 0
    others = f" AND recipient NOT IN ({','.join('?' * len(without))})" if without else ""
    sql = _DUE + (_URGENT_ONLY if urgent_only else "") + others + _IN_ORDER
    found = []
    for queue, limit in wanted.items():
        for row in await tx.fetch(sql, (queue, *without, limit)):
            category = Category(row[3])
            need = Need(row[2], row[5], category in URGENT)
            candidate = Candidate(row[0], row[1], queue, need, bool(row[6]))
            found.append(Due(candidate, category, row[4] <= now_ms))
    return found


async def claim_messages(tx: Tx, channels: Mapping[str, str], owner: str, now: datetime) -> None:
    """Give messages to channels: ``sending``, and their first waiting segment with them.

    Args:
        channels: message id -> channel name.
        owner: this instance.
    """
    at = format_ms(now)
    await tx.execute_many(
        "UPDATE messages SET status = 'sending', channel = ?, owner = ?, updated_at = ?, error_code = NULL,"
        " error_detail = NULL WHERE id = ?",
        [(channel, owner, at, message_id) for message_id, channel in channels.items()],
    )
    await tx.execute_many(
        "UPDATE segments SET status = 'sending', channel = ?, attempts = attempts + 1, submitted_at = ?"
        " WHERE message_id = ? AND part ="
        " (SELECT min(part) FROM segments WHERE message_id = ? AND status = 'queued')",
        [(channel, at, message_id, message_id) for message_id, channel in channels.items()],
    )


async def load_messages(tx: Tx, message_ids: Sequence[str]) -> dict[str, Message]:
    """Messages by id."""
    found: dict[str, Message] = {}
    for start in range(0, len(message_ids), 500):
        chunk = list(message_ids[start : start + 500])
        marks = ",".join("?" * len(chunk))
        rows = await tx.fetch(f"SELECT {MESSAGE_COLUMNS} FROM messages m WHERE m.id IN ({marks})", chunk)
        found.update((row[0], parse_message(row)) for row in rows)
    return found


_SAVE_STATE = (
    "UPDATE messages SET status = ?, channel = ?, queue = ?, error_code = ?, error_detail = ?, updated_at = ?,"
    " sent_at = ?, delivered_at = ?, expires_at = ?, hidden_until = ?, owner = ? WHERE id = ?"
)
_SAVE_SEGMENT = (
    "UPDATE segments SET status = ?, channel = ?, reference = ?, attempts = ?, submitted_at = ?, sent_at = ?,"
    " delivered_at = ?, error_code = ?, error_detail = ? WHERE message_id = ? AND part = ?"
)


async def save_state(
    tx: Tx,
    message: Message,
    *,
    hidden_until: datetime | None = None,
    owner: str | None = None,
) -> None:
    """Write what may change of a message after it was accepted; one that is queued and not hidden is claimable."""
    await tx.execute(_SAVE_STATE, _state_params(message, hidden_until, owner))
    if message.status is MessageStatus.QUEUED and hidden_until is None:
        tx.claimable(message.queue)


async def save_states(tx: Tx, messages: Iterable[Message]) -> None:
    """The same of many that nobody owns any more."""
    states = list(messages)
    await tx.execute_many(_SAVE_STATE, [_state_params(message, None, None) for message in states])
    for queue in {message.queue for message in states if message.status is MessageStatus.QUEUED}:
        tx.claimable(queue)


async def save_segments(tx: Tx, message_id: str, segments: Iterable[Segment]) -> None:
    """Write what may change of a message's segments."""
    await save_segments_of_many(tx, [(message_id, segment) for segment in segments])


async def save_segments_of_many(tx: Tx, segments: Iterable[tuple[str, Segment]]) -> None:
    """The same of segments with the ids of their messages."""
    await tx.execute_many(_SAVE_SEGMENT, [_segment_params(message_id, s) for message_id, s in segments])


def _state_params(m: Message, hidden_until: datetime | None, owner: str | None) -> tuple[Any, ...]:
    return (
        m.status.value, m.channel, m.queue, m.error and m.error.code, m.error and m.error.detail,
        format_ms(m.updated_at), format_ms(m.sent_at), format_ms(m.delivered_at), format_ms(m.expires_at),
        format_ms(hidden_until), owner, m.id,
    )  # fmt: skip


def _segment_params(message_id: str, s: Segment) -> tuple[Any, ...]:
    return (
        s.status.value, s.channel, s.reference, s.attempts, format_ms(s.submitted_at), format_ms(s.sent_at),
        format_ms(s.delivered_at), s.error and s.error.code, s.error and s.error.detail, message_id, s.part,
    )  # fmt: skip


async def find_hidden_due(tx: Tx, now: datetime, limit: int) -> list[tuple[str, str]]:
    """``(id, status)`` of messages whose schedule or pause is over."""
    rows = await tx.fetch(
        "SELECT id, status FROM messages WHERE hidden_until <= ? ORDER BY hidden_until LIMIT ?",
        (format_ms(now), limit),
    )
    return [(row[0], row[1]) for row in rows]


async def unhide(tx: Tx, message_ids: Sequence[str]) -> None:
    """Let messages be claimed again."""
    for start in range(0, len(message_ids), 500):
        chunk = list(message_ids[start : start + 500])
        marks = ",".join("?" * len(chunk))
        sql = f"UPDATE messages SET hidden_until = NULL WHERE id IN ({marks}) RETURNING queue"
        for queue in {row[0] for row in await tx.fetch(sql, chunk)}:
            tx.claimable(queue)


async def hold_recipient(
    tx: Tx, number: Number, now: datetime, until: datetime, *, urgent: bool, besides: str | None
) -> None:
    """Let no waiting message to a number be claimed from a queue for a while.

    Args:
        number: the number and the queue.
        now: the instant; `end_misdated_pauses` goes by it.
        until: the end of the pause.
        urgent: whether it is urgent messages that wait, or all others.
        besides: the id of a message that goes all the same.
    """
    kinds = _URGENT_ONLY if urgent else _URGENT_ONLY.replace(" IN ", " NOT IN ")
    await tx.execute(
        "UPDATE messages SET hidden_until = ?, updated_at = ? WHERE recipient = ? AND queue = ?"
        f" AND status = 'queued' AND hidden_until IS NULL AND id IS NOT ?{kinds}",
        (format_ms(until), format_ms(now), number.recipient, number.queue, besides),
    )


async def let_recipient_go(tx: Tx, number: Number) -> None:
    """End the pauses of all messages in a queue that wait for a number."""
    await tx.execute(
        "UPDATE messages SET hidden_until = NULL WHERE recipient = ? AND queue = ? AND status = 'queued'"
        " AND hidden_until IS NOT NULL",
        (number.recipient, number.queue),
    )
    tx.claimable(number.queue)


async def end_misdated_pauses(tx: Tx, now: datetime, margin: timedelta) -> None:
    """End pauses that began after ``now``: a clock that was ahead has said until when."""
    at = format_ms(now)
    await tx.execute(
        "UPDATE messages SET hidden_until = ? WHERE hidden_until > ? AND status = 'queued' AND updated_at > ?",
        (at, at, format_ms(now + margin)),
    )


async def find_expired(tx: Tx, now: datetime, limit: int) -> list[str]:
    """Ids of waiting messages whose time is over."""
    rows = await tx.fetch(
        "SELECT id FROM messages WHERE expires_at <= ? AND status IN ('queued', 'scheduled') LIMIT ?",
        (format_ms(now), limit),
    )
    return [row[0] for row in rows]


async def find_orphans(tx: Tx, alive_since: datetime, limit: int, *, instance: str) -> list[str]:
    """Ids of messages owned by an instance without a heartbeat since ``alive_since``; ``instance``, who asks, lives."""
    rows = await tx.fetch(
        "SELECT m.id FROM messages m LEFT JOIN instances i ON i.id = m.owner"
        " WHERE m.owner IS NOT NULL AND m.owner <> ? AND (i.id IS NULL OR i.heartbeat_at < ?) LIMIT ?",
        (instance, format_ms(alive_since), limit),
    )
    return [row[0] for row in rows]


async def disown(tx: Tx, message_id: str) -> None:
    """Leave a message that is being sent to whoever sweeps: its owner is one that never had a heartbeat."""
    await tx.execute("UPDATE messages SET owner = '' WHERE id = ? AND owner IS NOT NULL", (message_id,))


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
