"""Take back a message that the network has already: not every network does, and only until it is delivered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from gateway.clock import Clock, truncate_ms
from gateway.errors import Conflict
from gateway.model.actor import Actor
from gateway.model.events import message_event
from gateway.model.lifecycle import Cause, PartCause, may, moved, part_moved
from gateway.model.message import Message, MessageError, MessageStatus, Segment, SegmentStatus
from gateway.pipeline.operator.verbs import cancel_message
from gateway.store.audit import record_audit
from gateway.store.changes import Change, save_change
from gateway.store.messages import find_to_change, load_whole
from gateway.store.ports import Store, Tx

TakeBack = Callable[[str, str, str, str | None], Awaitable[bool]]
"""(channel, the network's reference, recipient, sender or None for the channel's own) -> whether the network has
forgotten the segment."""

RECALLED = MessageError(code="canceled", detail="The network was asked to forget it, and has.")


class Recall(NamedTuple):
    """A message that the network has, and may forget.

    Args:
        take_back: asks the network.
        by: who wants it back.
    """

    message: Message
    segments: list[Segment]
    take_back: TakeBack
    by: Actor

    async def ask(self) -> list[int]:
        """Ask the network to forget it; the parts that it has forgotten."""
        return [segment.part for segment in self.segments if await self._forgets(segment)]

    async def settle(self, tx: Tx, clock: Clock, forgotten: list[int]) -> Message | Conflict:
        """Write what the network has forgotten; the canceled message, or why it is not canceled by that."""
        settled = await _record(tx, clock, self.message.id, forgotten, self.by)
        if settled.status is MessageStatus.CANCELED:
            return settled
        return Conflict(
            f"the message is {settled.status.value}; the network forgot {len(forgotten)} of its"
            f" {len(self.segments)} parts"
        )

    async def _forgets(self, segment: Segment) -> bool:
        message = self.message
        if segment.status is not SegmentStatus.SENT or not segment.channel or not segment.reference:
            return False
        return await self.take_back(
            segment.channel, segment.reference, message.recipient, message.source_address
        )


async def find_recall(store: Store, message_id: str, *, by: Actor, take_back: TakeBack) -> Recall | None:
    """A message as one that the network has; None when it has it not, or not any more."""
    found = await store.read(lambda tx: load_whole(tx, [message_id]))
    if not found or found[0].message.status is not MessageStatus.SENT:
        return None
    return Recall(*found[0], take_back, by)


async def cancel_or_recall(
    store: Store, clock: Clock, message_id: str, *, by: Actor, take_back: TakeBack
) -> Message:
    """Take a waiting message back, or have the network forget one that it has.

    Args:
        by: who does.
        take_back: asks the network.

    Raises:
        NotFound: no such message.
        Conflict: it is on the wire, has ended, or the network does not forget all of it; the detail names its state.
    """
    recall = await find_recall(store, message_id, by=by, take_back=take_back)
    if recall is None:
        return await cancel_message(store, clock, message_id, by=by)
    forgotten = await recall.ask()
    settled = await store.write(lambda tx: recall.settle(tx, clock, forgotten))
    if isinstance(settled, Conflict):
        raise settled
    return settled


async def _record(tx: Tx, clock: Clock, message_id: str, forgotten: list[int], by: Actor) -> Message:
    """Write what the network has forgotten; a receipt may have been faster."""
    found = await find_to_change(tx, message_id)
    assert found is not None  # it was there before, and messages stay
    message, segments = found
    gone = [
        (segment, part_moved(segment, PartCause.FORGOTTEN, error=RECALLED))
        for segment in segments
        if segment.part in forgotten and segment.status is SegmentStatus.SENT
    ]
    if not gone:
        return message
    whole = len(gone) == len(segments)
    now = truncate_ms(clock.now())
    details = {"was": message.status.value, "n_parts": len(segments), "n_forgotten": len(gone)}
    await record_audit(tx, by, "message.recalled", message_id, details, at=now)
    cause = Cause.FORGOTTEN if whole else Cause.FORGOTTEN_IN_PART
    if not may(message.status, cause):
        return await save_change(tx, Change(message, message, gone))
    ended = moved(message, cause, error=None if whole else RECALLED, updated_at=now)
    ended = await save_change(tx, Change(message, ended, gone))
    tx.record(message_event(ended, now, by=by))
    return ended
