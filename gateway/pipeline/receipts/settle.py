"""Settle: what a receipt makes of its segment and its message."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from drivers.base import ReceiptState
from gateway.clock import truncate_ms
from gateway.model.events import Event, make_event, message_event
from gateway.model.lifecycle import TRANSITIONS, decide_verdict
from gateway.model.message import Message, MessageError, MessageStatus, Segment, SegmentStatus
from gateway.routing.rules import channel_queue
from gateway.store.ports import Tx
from gateway.store.queue import save_segments_of_many, save_states
from gateway.store.receipts import EarlyReceipt

_SETTLED = {SegmentStatus.DELIVERED, SegmentStatus.UNDELIVERED}
_WAITING = {SegmentStatus.SENT, SegmentStatus.UNCERTAIN}

_DETAILS = {
    ReceiptState.EXPIRED: "The network gave up: the handset could not be reached in time.",
    ReceiptState.REJECTED: "The network rejected it.",
    ReceiptState.UNDELIVERABLE: "The network could not deliver it to this handset.",
    ReceiptState.DELETED: "It was deleted in the network.",
}


IN_BETWEEN = {ReceiptState.ENROUTE, ReceiptState.UNKNOWN}
"""No end of anything."""


async def settle(
    tx: Tx,
    message: Message,
    segments: Sequence[Segment],
    part: int,
    receipt: EarlyReceipt,
    now: datetime,
) -> Message:
    """Write what a receipt says of one segment, and the verdict that follows for its message.

    One that is no end is only written into the timeline.
    """
    settled = judge(message, segments, part, receipt, now)
    await save_settled(tx, [settled])
    return settled.message


class Settled(NamedTuple):
    """What a receipt makes of a message.

    Args:
        message: as it is now.
        segments: those that are not as before, as they are now.
        state_changed: the message is not as before.
        event: for the timeline.
    """

    message: Message
    segments: tuple[Segment, ...] = ()
    state_changed: bool = False
    event: Event | None = None


async def save_settled(tx: Tx, settled: Sequence[Settled]) -> None:
    """Write what receipts made of messages, each named once."""
    await save_segments_of_many(tx, [(s.message.id, one) for s in settled for one in s.segments])
    await save_states(tx, [s.message for s in settled if s.state_changed])
    for one in settled:
        if one.event is not None:
            tx.record(one.event)


def judge(
    message: Message, segments: Sequence[Segment], part: int, receipt: EarlyReceipt, now: datetime
) -> Settled:
    """What a receipt makes of a message; nothing is written. See `settle`."""
    state = ReceiptState(receipt.state)
    segment = segments[part - 1]
    if state in IN_BETWEEN:
        told = {"id": message.id, "part": part, "ref": segment.reference, "code": receipt.code}
        told |= {"word": receipt.word} if receipt.word else {}
        return Settled(message, event=make_event(f"receipt.{state.value}", now, message.id, told))
    if segment.status in _SETTLED:
        return Settled(message)
    done_at = _plausible(receipt.done_at, message.created_at, now)
    spoken_of = [segment]
    if receipt.whole:
        spoken_of += [s for s in segments if s.status in _WAITING and s.part != part]
    settled = tuple(_settle_one(one, state, receipt, done_at) for one in spoken_of)
    by_part = {s.part: s for s in settled}
    segments = [by_part.get(s.part, s) for s in segments]
    verdict = decide_verdict([s.status for s in segments])
    if verdict is MessageStatus.UNDELIVERED is message.status:
        # More is known of its other segments now.
        message = msgspec.structs.replace(message, error=_error_of(segments, verdict), updated_at=now)
        return Settled(message, settled, state_changed=True)
    if verdict is message.status or verdict not in TRANSITIONS[message.status]:
        return Settled(message, settled)  # other segments are still out, or the message has already ended
    ended = msgspec.structs.replace(
        message,
        status=verdict,
        error=_error_of(segments, verdict),
        # The segments that were not sent yet must go by the same SIM: the handset joins parts by sender.
        queue=channel_queue(settled[0].channel or "") if verdict is MessageStatus.QUEUED else message.queue,
        updated_at=now,
        sent_at=message.sent_at or settled[0].sent_at,
        delivered_at=done_at if verdict is MessageStatus.DELIVERED else None,
    )
    event = message_event(ended, now, part=part, ref=segment.reference, word=receipt.word)
    return Settled(ended, settled, state_changed=True, event=event)


def _settle_one(segment: Segment, state: ReceiptState, receipt: EarlyReceipt, done_at: datetime) -> Segment:
    if state is ReceiptState.DELIVERED:
        return msgspec.structs.replace(
            segment,
            status=SegmentStatus.DELIVERED,
            delivered_at=done_at,
            sent_at=segment.sent_at or done_at,  # it was uncertain: now we know that it went out
            error=None,
        )
    error = MessageError(code=f"receipt_{state.value}", detail=f"{_DETAILS[state]} [{receipt.code}]")
    return msgspec.structs.replace(segment, status=SegmentStatus.UNDELIVERED, error=error)


def _error_of(segments: Sequence[Segment], verdict: MessageStatus) -> MessageError | None:
    """Why a message ended as it did; of one that arrived in part that is said first."""
    error = next((s.error for s in segments if s.status.value == verdict.value), None)
    arrived = sum(s.status is SegmentStatus.DELIVERED for s in segments)
    if error is None or verdict is not MessageStatus.UNDELIVERED or not arrived:
        return error
    return MessageError(
        code="partially_delivered",
        detail=f"{arrived} of its {len(segments)} parts arrived. {error.code}: {error.detail}",
    )


def _plausible(done_at: datetime | None, created_at: datetime, now: datetime) -> datetime:
    """The network's time of delivery where it can be true, else ours: many SMSCs run in a zone of their own."""
    if done_at is None or not created_at <= done_at <= now:
        return now
    return truncate_ms(done_at)
