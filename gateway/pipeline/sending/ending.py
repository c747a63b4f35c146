"""Ending: messages that are over before a channel had them, because of their time or of an opt-out."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.clock import Clock, truncate_ms
from gateway.model.actor import Actor
from gateway.model.events import message_event
from gateway.model.lifecycle import Cause, may, moved
from gateway.model.message import MessageError
from gateway.store.changes import Change, save_changes
from gateway.store.messages import load_whole
from gateway.store.ports import Tx

EXPIRED = MessageError(code="expired", detail="Its time was over before a channel could take it.")
UNDECIDED = MessageError(
    code="expired", detail="Its time was over before a person decided on it, which a rule had asked for."
)


async def end_messages(
    tx: Tx,
    message_ids: Sequence[str],
    cause: Cause,
    error: MessageError,
    clock: Clock,
    *,
    by: Actor | None = None,
) -> None:
    """End messages without sending them; those that do not wait any more are left alone.

    Args:
        by: who does; None where nobody does.
    """
    if not message_ids:
        return
    now = truncate_ms(clock.now())
    changes = []
    for message, _ in await load_whole(tx, message_ids, to_change=True):
        if may(message.status, cause):
            changes.append(Change(message, moved(message, cause, error=error, updated_at=now)))
    for change, written in zip(changes, await save_changes(tx, changes), strict=True):
        if written:
            tx.record(message_event(change.after, now, by=by))
