"""Outcomes: what a network's answer, or its silence, makes of a segment and its message."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from drivers.base import Refused, Uncertain
from gateway.errors import StaleWrite
from gateway.model.events import message_event
from gateway.model.lifecycle import VERDICT_CAUSES, Cause, PartCause, decide_verdict, may, moved, part_moved
from gateway.model.message import Message, MessageError, MessageStatus, Segment, SegmentStatus
from gateway.pipeline.receipts.apply import apply_early, apply_unnamed, apply_whole
from gateway.routing.retry import Decision, GiveUp, Hold, TryAgain
from gateway.routing.rules import channel_queue
from gateway.store.changes import Change, save_change, save_changes
from gateway.store.messages import Whole, find_to_change
from gateway.store.ports import Tx
from gateway.store.receipts import find_early_named

ROWS_OF_ONE = 3
"""What an answer writes: its segment, its message, an event."""
_CAUSES: dict[type[Decision], tuple[PartCause, Cause]] = {
    Hold: (PartCause.LOST, Cause.LOST),
    GiveUp: (PartCause.REFUSED, Cause.REFUSED),
    TryAgain: (PartCause.PUT_OFF, Cause.PUT_OFF),
}


class Taken(NamedTuple):
    """A segment that the network took.

    Args:
        message: as it was claimed.
        on_wire: the segment as it was.
        sent: the segment as it is now.
        submitted_at: when the driver got it; receipts from before speak of another segment.
        go_on: False when the gateway is stopping: segments that remain are released, pinned to their channel.
    """

    message: Message
    on_wire: Segment
    sent: Segment
    submitted_at: datetime
    go_on: bool


async def record_all_accepted(tx: Tx, taken: Sequence[Taken]) -> list[Segment | StaleWrite | None]:
    """`record_accepted` for many; StaleWrite for those that are somebody else's by now, of which nothing is written.

    Nearly all are the one segment of their message, without a receipt that was faster: they are written together.
    """
    plain = await _find_plain(tx, taken)
    changes = [Change(one.message, _sent(one.message, one.sent), [(one.on_wire, one.sent)]) for one in plain]
    results: dict[str, Segment | StaleWrite | None] = {}
    for one, change, written in zip(plain, changes, await save_changes(tx, changes), strict=True):
        results[one.message.id] = None if written else stale(one.message)
        if written:
            at, sent = change.after.updated_at, one.sent
            tx.record(message_event(change.after, at, ref=sent.reference, attempt=sent.attempts))
    for one in taken:
        if one.message.id not in results:
            results[one.message.id] = await _record_one(tx, one)
    return [results[one.message.id] for one in taken]


async def _record_one(tx: Tx, one: Taken) -> Segment | StaleWrite | None:
    try:
        return await record_accepted(tx, *one)
    except StaleWrite as exc:  # it is found before anything is written
        return exc


def stale(message: Message) -> StaleWrite:
    """Who was sending a message has lost it: the sweep took it for an orphan's, or somebody settled it."""
    return StaleWrite(f"message {message.id} is not being sent by this instance any more")


async def _find_plain(tx: Tx, taken: Sequence[Taken]) -> list[Taken]:
    """Those whose message has no other segment, and that no kept receipt can belong to."""
    single = [one for one in taken if one.message.n_segments == 1]
    named: dict[str, list[str]] = {}
    for one in single:
        if one.sent.channel is not None and one.sent.reference is not None:
            named.setdefault(one.sent.channel, []).append(one.sent.reference)
    early = [await find_early_named(tx, channel, references) for channel, references in named.items()]
    return [
        one
        for one in single
        if one.sent.reference is not None and not any(one.sent.reference in found for found in early)
    ]


async def record_accepted(
    tx: Tx,
    claimed: Message,
    on_wire: Segment,
    sent: Segment,
    submitted_at: datetime,
    go_on: bool,
) -> Segment | None:
    """See `Taken`; the next segment, written as sending, or None when there is none to send now.

    Raises:
        StaleWrite: the message is not as it was claimed any more. Nothing was written.
    """
    message, segments = await _still_mine(tx, claimed)
    if segments[sent.part - 1].status is not SegmentStatus.SENDING:
        raise stale(claimed)
    return await record_taken(tx, message, segments, Taken(message, on_wire, sent, submitted_at, go_on))


async def _still_mine(tx: Tx, claimed: Message) -> Whole:
    """A claimed message as it is now.

    Raises:
        StaleWrite: it is not being sent by who claimed it.
    """
    whole = await find_to_change(tx, claimed.id)
    if whole is None or (whole.message.owner, whole.message.epoch) != (claimed.owner, claimed.epoch):
        raise stale(claimed)
    return whole


async def record_taken(
    tx: Tx, message: Message, stored: Sequence[Segment], taken: Taken, seen: Message | None = None
) -> Segment | None:
    """The network took a segment: see `record_accepted`.

    Args:
        message: as it is in the store.
        stored: all of its segments, as stored.
        taken: what was taken.
        seen: what the message is taken for, where that is not what it is.
    """
    on_wire, sent = stored[taken.sent.part - 1], taken.sent
    assert sent.sent_at is not None
    segments = [sent if s.part == sent.part else s for s in stored]
    parts = [(on_wire, sent)]
    seen = message if seen is None else seen
    following = next((s for s in segments if s.status is SegmentStatus.QUEUED), None)
    if following is None:
        await _finish_sent(tx, message, _sent(seen, sent), segments, parts, taken.submitted_at)
        return None
    if taken.go_on:
        begun = part_moved(
            following,
            PartCause.SUBMITTED,
            channel=sent.channel,
            attempts=following.attempts + 1,
            submitted_at=sent.sent_at,
        )
        segments[begun.part - 1] = begun
        now = await save_change(tx, Change(message, message, [*parts, (following, begun)]))
        await apply_early(tx, now, segments, sent.part, since=taken.submitted_at, now=sent.sent_at)
        return begun
    queued = moved(
        seen,
        Cause.PUT_OFF,
        queue=channel_queue(sent.channel or ""),
        updated_at=sent.sent_at,
    )
    queued = await save_change(tx, Change(message, queued, parts))
    tx.record(message_event(queued, sent.sent_at, part=following.part))
    await apply_early(tx, queued, segments, sent.part, since=taken.submitted_at, now=sent.sent_at)
    return None


def _sent(message: Message, last: Segment) -> Message:
    """A message whose segments are all out."""
    assert last.sent_at is not None
    return moved(
        message,
        Cause.ALL_OUT,
        error=None,
        updated_at=last.sent_at,
        sent_at=last.sent_at,
        owner=None,
    )


async def _finish_sent(
    tx: Tx,
    before: Message,
    sent: Message,
    segments: Sequence[Segment],
    parts: Sequence[tuple[Segment, Segment]],
    submitted_at: datetime,
) -> None:
    """All segments are out: the message is sent, or further where receipts were faster."""
    _, last = parts[0]
    assert last.sent_at is not None
    sent = await save_change(tx, Change(before, sent, parts))
    tx.record(message_event(sent, last.sent_at, part=last.part, ref=last.reference, attempt=last.attempts))
    sent = await apply_early(tx, sent, segments, last.part, since=submitted_at, now=last.sent_at)
    if sent.n_segments > 1 and sent.status is MessageStatus.SENT:
        sent = await apply_whole(tx, sent, segments, last.sent_at)
    if sent.status is MessageStatus.SENT:
        await _settle_by_segments(tx, sent, segments, last.sent_at)


async def _settle_by_segments(tx: Tx, message: Message, segments: Sequence[Segment], now: datetime) -> None:
    """Receipts of earlier segments may have settled the message before its last one was sent."""
    verdict = decide_verdict([s.status for s in segments])
    cause = VERDICT_CAUSES.get(verdict)
    if verdict is message.status or cause is None or not may(message.status, cause):
        return
    error = next((s.error for s in segments if s.error), None)
    settled = moved(message, cause, error=error, updated_at=now)
    await save_change(tx, Change(message, settled))
    tx.record(message_event(settled, now))


async def record_refused(
    tx: Tx,
    message: Message,
    segment: Segment,
    result: Refused | Uncertain,
    decision: Decision,
    now: datetime,
) -> None:
    """A segment was not accepted, or nobody knows: write it with the decision on the message.

    Args:
        message: as it was claimed, or as it is.
        segment: the same.

    Raises:
        StaleWrite: the message is not as it was any more. Nothing was written.
    """
    fault = result.fault if isinstance(result, Refused) else result
    error = MessageError(code=fault.code, detail=fault.detail)
    hidden_until = None
    queue, channel, attempts = message.queue, message.channel, segment.attempts
    part_cause, cause = _CAUSES[type(decision)]
    if isinstance(decision, TryAgain):
        hidden_until = now + timedelta(seconds=decision.after_s) if decision.after_s > 0 else None
        attempts -= not decision.counted
        if segment.part > 1:  # parts went out already: the rest must come from the same number
            queue = channel_queue(segment.channel or "")
        if not queue.startswith("channel:"):
            channel = None
    changed = part_moved(
        segment,
        part_cause,
        attempts=attempts,
        error=error,
        submitted_at=None if isinstance(result, Refused) else segment.submitted_at,
    )
    state = moved(
        message,
        cause,
        channel=channel,
        queue=queue,
        error=error,
        updated_at=now,
    )
    state = await save_change(tx, Change(message, state, [(segment, changed)], hidden_until))
    tx.record(message_event(state, now, part=segment.part, attempt=segment.attempts))
    if part_cause is PartCause.LOST:
        whole = await find_to_change(tx, message.id)
        assert whole is not None  # it was written just now
        await apply_unnamed(tx, state, whole.segments, segment.part, now)
