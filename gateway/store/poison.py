"""What our own code fails on, set aside by statements that read as little of it as can be.

Everything else writes messages by `gateway.store.changes`. A message that can't even be read is ended here.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

import msgspec

from gateway.clock import format_ms
from gateway.store.body import EMPTY_BODY, is_readable
from gateway.store.messages import find_message
from gateway.store.ports import Tx
from gateway.store.queue import READY
from gateway.store.sequences import leave_unread
from gateway.store.touches import drop_touches

MOST_KEPT = 10_000
"""Things from networks that are set aside; what is beyond is dropped, and the alarm stays."""


class Ended(NamedTuple):
    """A message that was ended unread.

    Args:
        status: ``failed``, or ``uncertain`` where it may have gone out.
    """

    recipient: str
    status: str


async def find_ready_ids(tx: Tx, queues: Iterable[str], limit: int) -> list[str]:
    """Ids of the first messages of each queue that may be claimed, and nothing more of them."""
    found: list[str] = []
    for queue in queues:
        sql = f"SELECT id FROM messages WHERE queue = ? AND {READY} ORDER BY rank, id LIMIT ?"
        found += [row[0] for row in await tx.fetch(sql, (queue, limit))]
    return found


async def end_unread(tx: Tx, message_id: str, owner: str | None, error: str, now: datetime) -> Ended | None:
    """End a message that waits, or that ``owner`` was sending; None when it is neither.

    What holds its text is set aside and emptied where it is what can't be read: lists have to show the message.
    """
    rows = await tx.fetch(
        "UPDATE messages SET part_status = CASE part_status WHEN 'sending' THEN 'uncertain' ELSE part_status END,"
        " status = CASE status WHEN 'sending' THEN 'uncertain' ELSE 'failed' END,"
        " owner = NULL, epoch = epoch + 1, hidden_until = NULL, error = ?, updated_at = ?"
        " WHERE id = ? AND (status IN ('queued', 'scheduled') OR (status = 'sending' AND owner = ?))"
        " RETURNING recipient, status, body",
        (error, format_ms(now), message_id, owner),
    )
    if not rows:
        return None
    recipient, status, body = rows[0]
    if not is_readable(body):
        await save_aside(tx, message_id, "", "body", body, error, now)
        await tx.execute("UPDATE messages SET body = ? WHERE id = ?", (EMPTY_BODY, message_id))
    await leave_unread(tx, message_id)
    await drop_touches(tx, [message_id])
    # By what can be read of it now: of a damaged one, its sender and what it said are not known any more.
    with suppress(ValueError, LookupError, TypeError, msgspec.MsgspecError):  # not even that
        if (message := await find_message(tx, message_id)) is not None:
            tx.count_waiting(message, -1)
    return Ended(recipient, status)


async def save_aside(
    tx: Tx, thing_id: str, channel: str, kind: str, octets: bytes, fault: str, now: datetime
) -> bool:
    """Keep what came from a network; False when there is no more room."""
    [(n_kept,)] = await tx.fetch("SELECT count(*) FROM set_aside")
    if n_kept >= MOST_KEPT:
        return False
    await tx.execute(
        "INSERT INTO set_aside (id, channel, kind, octets, fault, at) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO NOTHING",
        (thing_id, channel, kind, octets, fault, format_ms(now)),
    )
    return True


async def forget_aside(tx: Tx, before: datetime, limit: int) -> int:
    """Delete the oldest of what was kept before an instant; how many."""
    return await tx.execute(
        "DELETE FROM set_aside WHERE id IN (SELECT id FROM set_aside WHERE at < ? ORDER BY at LIMIT ?)",
        (format_ms(before), limit),
    )
