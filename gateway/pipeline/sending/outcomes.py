"""Outcomes: what a network's answer, or its silence, makes of a segment and its message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from drivers.base import Refused, Uncertain
from gateway.errors import StaleWrite
from gateway.model.dead_numbers import says_no_such_number
from gateway.model.events import Event, message_event
from gateway.model.lifecycle import VERDICT_CAUSES, Cause, PartCause, decide_verdict, may, moved, part_moved
from gateway.model.message import Message, MessageError, MessageStatus, Segment, SegmentStatus
from gateway.pipeline.receipts.apply import apply_early, apply_unnamed, apply_whole
from gateway.routing.retry import Decision, GiveUp, Hold, TryAgain
from gateway.routing.rules import channel_queue
from gateway.store.changes import Change, save_change, save_changes
from gateway.store.messages import CHUNK, Whole, find_to_change, load_whole
from gateway.store.numbers import note_failure
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


class _Step(NamedTuple):
    """What becomes of a message of which the network took a segment.

    Args:
        segments: all of them, as they are then.
        event: for the timeline; None while its next segment goes.
        following: the segment that goes next, marked as sending.
    """

    change: Change
    segments: Sequence[Segment]
    event: Event | None = None
    following: Segment | None = None


async def record_all_accepted(tx: Tx, taken: Sequence[Taken]) -> list[Segment | StaleWrite | None]:
    """`record_accepted` for many; StaleWrite for those that are somebody else's by now, of which nothing is written.

    They are written together, but for those that a kept receipt may belong to: hardly any receipt is so fast.
    """
    stored = await _load_stored(tx, taken)
    mine = [one for one in taken if one.message.id in stored]
    heard = await _find_heard(tx, mine, stored)
    plain = [one for one in mine if one.message.id not in heard]
    steps = [_judge_taken(*stored[one.message.id], one) for one in plain]
    results: dict[str, Segment | StaleWrite | None] = {}
    written = await save_changes(tx, [step.change for step in steps])
    for one, step, is_written in zip(plain, steps, written, strict=True):
        if not is_written:
            results[one.message.id] = stale(one.message)
            continue
        results[one.message.id] = step.following
        if step.event is not None:
            tx.record(step.event)
        if step.change.after.status is MessageStatus.SENT and len(step.segments) > 1:
            await _settle_by_segments(tx, step.change.after, step.segments, step.change.after.updated_at)
    for one in taken:
        if one.message.id not in results:
            results[one.message.id] = await _record_one(tx, one)
    return [results[one.message.id] for one in taken]


async def _record_one(tx: Tx, one: Taken) -> Segment | StaleWrite | None:
    try:
        return await record_accepted(tx, *one)
    except StaleWrite as exc:  # it is found before anything is written
        return exc


async def _load_stored(tx: Tx, taken: Sequence[Taken]) -> dict[str, Whole]:
    """Messages by their ids, as they are in the store, where they are still being sent by who claimed them.

    What was claimed is what is stored of a message of one segment, or nothing is written: it need not be read.
    """
    stored: dict[str, Whole] = {
        one.message.id: Whole(one.message, [one.on_wire]) for one in taken if one.message.n_segments == 1
    }
    long = {one.message.id: one for one in taken if one.message.n_segments > 1}
    for whole in await load_whole(tx, list(long), to_change=True):
        one = long[whole.message.id]
        if _is_mine(whole, one.message) and whole.segments[one.sent.part - 1].status is SegmentStatus.SENDING:
            stored[whole.message.id] = whole
    return stored


async def _find_heard(tx: Tx, taken: Sequence[Taken], stored: Mapping[str, Whole]) -> set[str]:
    """Ids of the messages that a kept receipt may belong to: by the name of one of their segments, or without one."""
    named: dict[str, dict[str, list[str]]] = {}
    heard: set[str] = set()
    for one in taken:
        if one.sent.reference is None:
            heard.add(one.message.id)
        for segment in (one.sent, *stored[one.message.id].segments):
            if segment.channel is not None and segment.reference is not None:
                ids = named.setdefault(segment.channel, {}).setdefault(segment.reference, [])
                ids.append(one.message.id)
    for channel, given in named.items():
        references = list(given)
        for start in range(0, len(references), CHUNK):
            for reference in await find_early_named(tx, channel, references[start : start + CHUNK]):
                heard.update(given[reference])
    return heard


def stale(message: Message) -> StaleWrite:
    """Who was sending a message has lost it: the sweep took it for an orphan's, or somebody settled it."""
    return StaleWrite(f"message {message.id} is not being sent by this instance any more")


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
    if whole is None or not _is_mine(whole, claimed):
        raise stale(claimed)
    return whole


def _is_mine(whole: Whole, claimed: Message) -> bool:
    return (whole.message.owner, whole.message.epoch) == (claimed.owner, claimed.epoch)


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
    step = _judge_taken(message, stored, taken, seen)
    sent, now = taken.sent, taken.sent.sent_at
    assert now is not None
    message = await save_change(tx, step.change)
    if step.event is not None:
        tx.record(step.event)
    message = await apply_early(tx, message, step.segments, sent.part, since=taken.submitted_at, now=now)
    if step.change.after.status is MessageStatus.SENT:  # its last segment is out
        if message.n_segments > 1 and message.status is MessageStatus.SENT:
            message = await apply_whole(tx, message, step.segments, now)
        if message.status is MessageStatus.SENT:
            await _settle_by_segments(tx, message, step.segments, now)
    return step.following


def _judge_taken(
    message: Message, stored: Sequence[Segment], taken: Taken, seen: Message | None = None
) -> _Step:
    """What becomes of a message; see `record_taken`. Nothing is written."""
    on_wire, sent = stored[taken.sent.part - 1], taken.sent
    assert sent.sent_at is not None
    segments = [sent if s.part == sent.part else s for s in stored]
    parts = [(on_wire, sent)]
    seen = message if seen is None else seen
    following = next((s for s in segments if s.status is SegmentStatus.QUEUED), None)
    if following is None:
        out = _sent(seen, sent)
        event = message_event(out, sent.sent_at, part=sent.part, ref=sent.reference, attempt=sent.attempts)
        return _Step(Change(message, out, parts), segments, event)
    if taken.go_on:
        begun = part_moved(
            following,
            PartCause.SUBMITTED,
            channel=sent.channel,
            attempts=following.attempts + 1,
            submitted_at=sent.sent_at,
        )
        segments[begun.part - 1] = begun
        return _Step(Change(message, message, [*parts, (following, begun)]), segments, following=begun)
    queued = moved(
        seen,
        Cause.PUT_OFF,
        queue=channel_queue(sent.channel or ""),
        updated_at=sent.sent_at,
    )
    event = message_event(queued, sent.sent_at, part=following.part)
    return _Step(Change(message, queued, parts), segments, event)


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
    if isinstance(decision, GiveUp) and says_no_such_number(fault.code):
        where = segment.channel
        await note_failure(tx, state.recipient, fault.code, channel=where, message_id=state.id, now=now)
    if part_cause is PartCause.LOST:
        whole = await find_to_change(tx, message.id)
        assert whole is not None  # it was written just now
        await apply_unnamed(tx, state, whole.segments, segment.part, now)
