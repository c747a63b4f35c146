"""Outcomes: what a network's answer, or its silence, makes of a segment and its message."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from drivers.base import Refused, Uncertain
from gateway.model.events import message_event
from gateway.model.lifecycle import check_transition, decide_verdict
from gateway.model.message import Message, MessageError, MessageStatus, Segment, SegmentStatus
from gateway.pipeline.receipts.apply import apply_early, apply_unnamed, apply_whole
from gateway.pipeline.sending.retry import Decision, GiveUp, Hold, TryAgain
from gateway.routing.rules import channel_queue
from gateway.store.messages import load_segments
from gateway.store.ports import Tx
from gateway.store.queue import save_segments, save_segments_of_many, save_state, save_states
from gateway.store.receipts import find_early_named

_STATUS_AFTER: dict[type[Decision], tuple[SegmentStatus, MessageStatus]] = {
    Hold: (SegmentStatus.UNCERTAIN, MessageStatus.UNCERTAIN),
    GiveUp: (SegmentStatus.FAILED, MessageStatus.FAILED),
    TryAgain: (SegmentStatus.QUEUED, MessageStatus.QUEUED),
}


class Taken(NamedTuple):
    """A segment that the network took.

    Args:
        sent: the segment as it is now.
        submitted_at: when the driver got it; receipts from before speak of another segment.
        go_on: False when the gateway is stopping: segments that remain are released, pinned to their channel.
    """

    message: Message
    sent: Segment
    submitted_at: datetime
    go_on: bool


async def record_all_accepted(tx: Tx, taken: Sequence[Taken]) -> list[Segment | None]:
    """`record_accepted` for many.

    Nearly all are the one segment of their message, without a receipt that was faster: they are written together.
    """
    plain = await _find_plain(tx, taken)
    await save_segments_of_many(tx, [(one.message.id, one.sent) for one in plain])
    states = [_sent(one.message, one.sent) for one in plain]
    await save_states(tx, states)
    for state, (_, sent, *_) in zip(states, plain, strict=True):
        tx.record(message_event(state, state.updated_at, ref=sent.reference, attempt=sent.attempts))
    done = {one.message.id for one in plain}
    return [None if one.message.id in done else await record_accepted(tx, *one) for one in taken]


async def _find_plain(tx: Tx, taken: Sequence[Taken]) -> list[Taken]:
    """Those whose message has no other segment, and that no kept receipt can belong to."""
    single = [one for one in taken if one.message.n_segments == 1]
    named: dict[str, list[str]] = {}
    for _, sent, *_ in single:
        if sent.channel is not None and sent.reference is not None:
            named.setdefault(sent.channel, []).append(sent.reference)
    early = [await find_early_named(tx, channel, references) for channel, references in named.items()]
    return [
        one
        for one in single
        if one.sent.reference is not None and not any(one.sent.reference in found for found in early)
    ]


async def record_accepted(
    tx: Tx,
    message: Message,
    sent: Segment,
    submitted_at: datetime,
    go_on: bool,
) -> Segment | None:
    """See `Taken`; the next segment, written as sending, or None when there is none to send now."""
    assert sent.sent_at is not None
    segments = [sent]
    if message.n_segments > 1:
        stored = (await load_segments(tx, [message.id]))[message.id]
        segments = [sent if s.part == sent.part else s for s in stored]
    following = next((s for s in segments if s.status is SegmentStatus.QUEUED), None)
    if following is None:
        await save_segments(tx, message.id, [sent])
        await _finish_sent(tx, message, segments, sent, submitted_at)
        return None
    if go_on:
        following = msgspec.structs.replace(
            following,
            status=SegmentStatus.SENDING,
            channel=sent.channel,
            attempts=following.attempts + 1,
            submitted_at=sent.sent_at,
        )
        await save_segments(tx, message.id, [sent, following])
        segments[following.part - 1] = following
    else:
        await save_segments(tx, message.id, [sent])
        message = msgspec.structs.replace(
            message,
            status=check_transition(message.status, MessageStatus.QUEUED),
            queue=channel_queue(sent.channel or ""),
            updated_at=sent.sent_at,
        )
        await save_state(tx, message)
        tx.record(message_event(message, sent.sent_at, part=following.part))
    await apply_early(tx, message, segments, sent.part, since=submitted_at, now=sent.sent_at)
    return following if go_on else None


def _sent(message: Message, last: Segment) -> Message:
    """A message whose segments are all out."""
    assert last.sent_at is not None
    return msgspec.structs.replace(
        message,
        status=check_transition(message.status, MessageStatus.SENT),
        error=None,
        updated_at=last.sent_at,
        sent_at=last.sent_at,
    )


async def _finish_sent(
    tx: Tx,
    message: Message,
    segments: Sequence[Segment],
    last: Segment,
    submitted_at: datetime,
) -> None:
    """All segments are out: the message is sent, or further where receipts were faster."""
    assert last.sent_at is not None
    sent = _sent(message, last)
    await save_state(tx, sent)
    tx.record(message_event(sent, last.sent_at, part=last.part, ref=last.reference, attempt=last.attempts))
    sent = await apply_early(tx, sent, segments, last.part, since=submitted_at, now=last.sent_at)
    if sent.n_segments > 1 and sent.status is MessageStatus.SENT:
        sent = await apply_whole(tx, sent, segments, last.sent_at)
    if sent.status is MessageStatus.SENT:
        await _settle_by_segments(tx, sent, segments, last.sent_at)


async def _settle_by_segments(tx: Tx, message: Message, segments: Sequence[Segment], now: datetime) -> None:
    """Receipts of earlier segments may have settled the message before its last one was sent."""
    verdict = decide_verdict([s.status for s in segments])
    if verdict is message.status:
        return
    error = next((s.error for s in segments if s.error), None)
    settled = msgspec.structs.replace(message, status=verdict, error=error, updated_at=now)
    await save_state(tx, settled)
    tx.record(message_event(settled, now))


async def record_refused(
    tx: Tx,
    message: Message,
    segment: Segment,
    result: Refused | Uncertain,
    decision: Decision,
    now: datetime,
) -> None:
    """A segment was not accepted, or nobody knows: write it with the decision on the message."""
    fault = result.fault if isinstance(result, Refused) else result
    error = MessageError(code=fault.code, detail=fault.detail)
    hidden_until = None
    queue, channel, attempts = message.queue, message.channel, segment.attempts
    part_status, status = _STATUS_AFTER[type(decision)]
    if isinstance(decision, TryAgain):
        hidden_until = now + timedelta(seconds=decision.after_s) if decision.after_s > 0 else None
        attempts -= not decision.counted
        if segment.part > 1:  # parts went out already: the rest must come from the same number
            queue = channel_queue(segment.channel or "")
        if not queue.startswith("channel:"):
            channel = None
    changed = msgspec.structs.replace(
        segment,
        status=part_status,
        attempts=attempts,
        error=error,
        submitted_at=None if isinstance(result, Refused) else segment.submitted_at,
    )
    await save_segments(tx, message.id, [changed])
    state = msgspec.structs.replace(
        message,
        status=check_transition(message.status, status),
        channel=channel,
        queue=queue,
        error=error,
        updated_at=now,
    )
    await save_state(tx, state, hidden_until=hidden_until)
    tx.record(message_event(state, now, part=segment.part, attempt=segment.attempts))
    if part_status is SegmentStatus.UNCERTAIN:
        stored = (await load_segments(tx, [message.id]))[message.id]
        await apply_unnamed(tx, state, stored, segment.part, now)
