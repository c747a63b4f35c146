"""Messages that are over: found by age, emptied of their text, deleted with all that belongs to them.

A message is over when it has ended and was not changed since; one that was sent counts as ended when no receipt can be
expected any more. What is uncertain, or still to be sent, is never over.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from gateway.clock import format_ms, parse_instant, parse_ms
from gateway.model.lifecycle import TERMINAL
from gateway.model.message import MessageStatus
from gateway.store.body import without_content
from gateway.store.events import find_unread
from gateway.store.ports import Tx, placeholders

_OVER = (
    f"(status IN ({', '.join(repr(status.value) for status in sorted(TERMINAL))}) AND updated_at < ?"
    f" OR status = '{MessageStatus.SENT}' AND updated_at < ?)"
)


class Ages(NamedTuple):
    """What counts as old.

    Args:
        before: what ended was changed last before this instant.
        sent_before: what was sent and never heard of, before this one.
        read_to: events up to this ``seq`` were read by all who follow the timeline.
    """

    before: datetime
    sent_before: datetime
    read_to: int

    def params(self) -> tuple[int | None, int | None]:
        """For `_OVER`."""
        return format_ms(self.before), format_ms(min(self.before, self.sent_before))


class OldMessage(NamedTuple):
    """A message in the order of ids.

    Args:
        changed_at: when it was changed last.
        is_over: whether it is, by state and age; not whether its events were read.
        is_empty: its text was taken away.
    """

    id: str
    changed_at: datetime
    is_over: bool
    is_empty: bool


async def list_by_age(tx: Tx, after: str, ages: Ages, limit: int) -> list[OldMessage]:
    """Messages with a greater id than ``after``, in that order."""
    rows = await tx.fetch(
        f"SELECT id, updated_at, CASE WHEN {_OVER} THEN 1 ELSE 0 END,"
        " is_empty FROM messages WHERE id > ? ORDER BY id LIMIT ?",
        (*ages.params(), after, limit),
    )
    return [OldMessage(row[0], parse_instant(row[1]), bool(row[2]), bool(row[3])) for row in rows]


async def empty_texts(tx: Tx, message_ids: Sequence[str], ages: Ages) -> int:
    """Empty what these messages say, of those that are over still and say anything; how many.

    Changes ``body`` and ``is_empty`` of ``messages`` and ``payload`` of ``segments``.
    """
    rows = await tx.fetch(
        f"SELECT id, body FROM messages WHERE id IN ({placeholders(message_ids)}) AND {_OVER}"
        f" AND is_empty = 0{tx.for_update}",
        (*message_ids, *ages.params()),
    )
    emptied = [row[0] for row in rows]
    await tx.execute_many(
        "UPDATE messages SET body = ?, is_empty = 1 WHERE id = ?",
        [(without_content(body), message_id) for message_id, body in rows],
    )
    await tx.execute_many("UPDATE segments SET payload = ? WHERE message_id = ?", [(b"", i) for i in emptied])
    return len(emptied)


_BELONGING = (
    ("segments", "message_id"),
    ("esme_submits", "message_id"),
    ("kannel_wishes", "message_id"),
    ("message_costs", "message_id"),
)


async def drop_messages(tx: Tx, message_ids: Sequence[str], ages: Ages) -> int:
    """Delete those of these messages that are over still and whose events were all read; how many.

    With a message go its rows of the tables in `_BELONGING`. Its events go by their own age,
    which is never more than that of messages. Calls that are still owed to an application stay, with all they need.
    """
    unread = await find_unread(tx, message_ids, ages.read_to)
    read = [message_id for message_id in message_ids if message_id not in unread]
    if not read:
        return 0
    rows = await tx.fetch(
        f"DELETE FROM messages WHERE id IN ({placeholders(read)}) AND {_OVER} RETURNING id",
        (*read, *ages.params()),
    )
    gone = [row[0] for row in rows]
    for table, column in _BELONGING if gone else ():
        await tx.execute(f"DELETE FROM {table} WHERE {column} IN ({placeholders(gone)})", gone)
    return len(gone)


async def count_over(tx: Tx, ages: Ages, *, with_text: bool) -> tuple[datetime | None, int]:
    """When the oldest message was changed last, and how many are over; reads the whole of ``messages``.

    Args:
        with_text: only of messages that still have one.
    """
    having = " WHERE is_empty = 0" if with_text else ""
    rows = await tx.fetch(
        f"SELECT min(updated_at), coalesce(sum(CASE WHEN {_OVER} THEN 1 ELSE 0 END), 0) FROM messages{having}",
        ages.params(),
    )
    return parse_ms(rows[0][0]), int(rows[0][1])
