"""Sequences: messages to one recipient that go one after the other. The others cost nothing by it.

The first of a sequence can be claimed as any message. Those behind it are hidden until `HELD_MS`, and each that is with
the network, or has ended, lets go of the next.
"""

from __future__ import annotations

from typing import Final

from gateway.model.message import Message, MessageStatus
from gateway.store.ports import Tx

HELD_MS: Final = 253_370_764_800_000
"""The year 9999, as ``hidden_until``: no pause ends so late, and no time alone ends this one."""
_OUT_OF_ORDER: Final = 100
"""Among so many that are first by their ids is the one that goes: ids are made a moment before messages are stored."""
_GOING = {MessageStatus.SCHEDULED, MessageStatus.QUEUED, MessageStatus.SENDING}


def is_done(status: MessageStatus) -> bool:
    """Whether the next may go. What is uncertain is done, too: it may have gone out, and nobody may ever know."""
    return status not in _GOING


async def join_sequence(tx: Tx, message: Message) -> None:
    """A new message takes its place; it is held if others are before it.

    Writes ``sequences``, ``sequence_messages`` and ``hidden_until`` of ``messages``.
    """
    place = (message.sequence, message.recipient)
    ((n_open,),) = await tx.fetch(
        "INSERT INTO sequences (sequence, recipient, n_open) VALUES (?, ?, 1) ON CONFLICT (sequence, recipient)"
        " DO UPDATE SET n_open = sequences.n_open + 1 RETURNING n_open",
        place,
    )
    await tx.execute(
        "INSERT INTO sequence_messages (sequence, recipient, message_id) VALUES (?, ?, ?)",
        (*place, message.id),
    )
    if n_open > 1:
        # One that waits for a person waits for that first, and those behind it wait for it.
        held = (
            "UPDATE messages SET hidden_until = ? WHERE id = ? AND (hidden_until IS NULL OR hidden_until < ?)"
        )
        await tx.execute(held, (HELD_MS, message.id, HELD_MS))


async def leave_sequence(tx: Tx, message: Message) -> None:
    """A message is done: it lets go of the first that is left. Nothing happens where it has left before.

    Writes ``sequences``, ``sequence_messages`` and ``hidden_until`` of ``messages``.
    """
    await _leave(tx, message.sequence, message.recipient, message.id)


async def leave_unread(tx: Tx, message_id: str) -> None:
    """`leave_sequence` for a message that can't be read; looks through all that are in a sequence."""
    sql = "SELECT sequence, recipient FROM sequence_messages WHERE message_id = ?"
    for sequence, recipient in await tx.fetch(sql, (message_id,)):
        await _leave(tx, sequence, recipient, message_id)


async def _leave(tx: Tx, sequence: str | None, recipient: str, message_id: str) -> None:
    place = (sequence, recipient)
    # First the row that whoever joins or leaves must have, then the look at who is there.
    if not await tx.execute(
        "UPDATE sequences SET n_open = n_open WHERE sequence = ? AND recipient = ?", place
    ):
        return
    if not await tx.execute(
        "DELETE FROM sequence_messages WHERE sequence = ? AND recipient = ? AND message_id = ?",
        (*place, message_id),
    ):
        return
    await tx.execute("UPDATE sequences SET n_open = n_open - 1 WHERE sequence = ? AND recipient = ?", place)
    rows = await tx.fetch(
        "SELECT message_id FROM sequence_messages WHERE sequence = ? AND recipient = ? ORDER BY message_id LIMIT 1",
        place,
    )
    if not rows:
        await tx.execute("DELETE FROM sequences WHERE sequence = ? AND recipient = ?", place)
        return
    # Ids may be out of order: what left may have been held itself, and another one that goes is still there.
    # One further back that waits for a person does not go: it lets those before it pass.
    freed = await tx.fetch(
        "UPDATE messages SET hidden_until = NULL WHERE id = ? AND status = 'queued' AND hidden_until = ?"
        " AND NOT EXISTS (SELECT 1 FROM (SELECT message_id FROM sequence_messages WHERE sequence = ? AND recipient = ?"
        " ORDER BY message_id LIMIT ?) AS first JOIN messages AS m ON m.id = first.message_id"
        " WHERE m.hidden_until IS NULL OR m.hidden_until < ?) RETURNING queue",
        (rows[0][0], HELD_MS, *place, _OUT_OF_ORDER, HELD_MS),
    )
    for (queue,) in freed:
        tx.claimable(queue)
