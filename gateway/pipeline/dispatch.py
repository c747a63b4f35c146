"""Dispatch: put the segments of a claimed message on the wire, one after the other, and write what became of them.

Before a segment is handed to a driver it is on disk as ``sending``: the claim does that for the first one,
the write that records a segment's success for the next. So a crash leaves at most one segment a message of
unknown fate, and never one that was sent and is not known.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

import msgspec

from drivers.base import (
    Accepted,
    Fault,
    FaultKind,
    Refused,
    SubmitResult,
    Uncertain,
)
from gateway.clock import Clock, truncate_ms
from gateway.errors import StoreError
from gateway.model.events import message_event
from gateway.model.lifecycle import check_transition, decide_verdict
from gateway.model.message import Message, MessageError, MessageStatus, Segment, SegmentStatus
from gateway.pipeline.lane import Lane
from gateway.pipeline.outbound import outbound_segment
from gateway.pipeline.receipts import apply_early, apply_unnamed
from gateway.pipeline.retry import Decision, GiveUp, Hold, RetryPolicy, TryAgain, decide_retry
from gateway.pipeline.schedule import Claim
from gateway.policy.optout import is_stopped
from gateway.routing.rules import channel_queue
from gateway.store.messages import load_segments
from gateway.store.ports import Store, Tx
from gateway.store.queue import disown, save_segments, save_state
from gateway.store.suppressions import find_suppressed
from gateway.telemetry.metrics import Metrics, labeled

_log = logging.getLogger(__name__)

T = TypeVar("T")

STORE_RETRY_S = 1.0
_TURNS_TO_WIRE = 2
"""Of the loop: what waited for its turn goes to the wire first, then the outcome of the one before it is written."""

_BROKE = Uncertain(
    code="driver_broke",
    detail="The driver failed on this segment; it may or may not have gone out. The log says how.",
)

_TOO_LATE = Refused(
    fault=Fault(
        kind=FaultKind.CHANNEL, code="channel_busy", detail="The channel was still busy with another message."
    )
)
"""Of a message that waited for its turn: no driver has seen it."""

_STATUS_AFTER: dict[type[Decision], tuple[SegmentStatus, MessageStatus]] = {
    Hold: (SegmentStatus.UNCERTAIN, MessageStatus.UNCERTAIN),
    GiveUp: (SegmentStatus.FAILED, MessageStatus.FAILED),
    TryAgain: (SegmentStatus.QUEUED, MessageStatus.QUEUED),
}


class _Outcome(NamedTuple):
    """What a submit came to.

    Args:
        submitted_at: when the driver got it; older receipts are not its own.
        at: when the result was there.
    """

    result: SubmitResult
    submitted_at: datetime
    at: datetime


class Dispatcher:
    """Runs one task per claimed message.

    Args:
        release: called when a lane has finished a message; with True when it waits in the queue again.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        policy: RetryPolicy,
        release: Callable[[Lane, bool], None],
        metrics: Metrics,
    ) -> None:
        self._store = store
        self._clock = clock
        self._policy = policy
        self._release = release
        self._metrics = metrics
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: set[Lane] = set()
        self._stopping = False

    @property
    def n_running(self) -> int:
        """Messages on the wire or being recorded."""
        return len(self._tasks)

    def start(self, claim: Claim) -> None:
        """Begin to send a claimed message."""
        task = asyncio.create_task(self._deliver(claim), name=f"dispatch {claim.message.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish(self, timeout_s: float) -> int:
        """Wait for the segments on the wire and release the rest; how many were still there at the end.

        Those are left as ``sending``; the sweep of the next start makes them uncertain.
        """
        self._stopping = True
        for lane in self._waiting:
            lane.give_back()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_s)
        left = len(self._tasks)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        return left

    async def _deliver(self, claim: Claim) -> None:
        message, segments, lane = claim
        waits_again = is_released = False
        try:
            on_wire: Segment | None = next(s for s in segments if s.status is SegmentStatus.SENDING)
            while on_wire is not None:
                outcome = await self._submit(lane, message, on_wire)
                if isinstance(outcome.result, Accepted) and _is_last(on_wire, segments):
                    # The lane is free: its next claim joins the commit of this outcome, behind it.
                    is_released = True
                    lane.end(message.id)
                    self._release(lane, False)
                    for _ in range(_TURNS_TO_WIRE):
                        await asyncio.sleep(0)
                on_wire, waits_again = await self._record(claim, on_wire, outcome)
        except Exception:  # noqa: BLE001 - the supervisor of one message: a bug here must not stop the others
            _log.exception("dispatch of message %s broke; the sweep will settle it", message.id)
            await self._abandon(message)
        finally:
            if not is_released:
                lane.end(message.id)
                self._release(lane, waits_again)

    async def _abandon(self, message: Message) -> None:
        """Leave a message to the sweep, which takes over what nobody owns."""
        try:
            await self._store.write(lambda tx: disown(tx, message.id))
        except StoreError as exc:
            _log.error("message %s stays as it is until the next start: %s", message.id, exc)

    async def _submit(self, lane: Lane, message: Message, segment: Segment) -> _Outcome:
        if not await self._wait_turn(lane, message):
            now = truncate_ms(self._clock.now())
            return _Outcome(_TOO_LATE, now, now)
        submitted_at = truncate_ms(self._clock.now())
        started = self._clock.monotonic()
        outbound = outbound_segment(message, segment, submitted_at)
        result: SubmitResult
        try:
            result = await lane.submit(outbound)
        except Exception:  # noqa: BLE001 - a driver that breaks its contract may have written before it broke
            _log.exception("submit on channel %s broke", lane.name)
            result = _BROKE
        labeled(self._metrics.submit_seconds, lane.name).observe(self._clock.monotonic() - started)
        return _Outcome(result, submitted_at, truncate_ms(self._clock.now()))

    async def _wait_turn(self, lane: Lane, message: Message) -> bool:
        must_wait = lane.has_on_wire
        self._waiting.add(lane)
        try:
            if not await lane.wait_turn() or self._stopping:
                return False
        finally:
            self._waiting.discard(lane)
        return not must_wait or await self._may_still_go(message)

    async def _may_still_go(self, message: Message) -> bool:
        """Whether a message is still as it was claimed; if not, the next claim ends it."""
        if message.expires_at is not None and message.expires_at <= self._clock.now():
            return False
        if not is_stopped(message.category, suppressed=True):
            return True
        try:
            return not await self._store.read(lambda tx: find_suppressed(tx, {message.recipient}))
        except StoreError:
            return False

    async def _record(self, claim: Claim, segment: Segment, outcome: _Outcome) -> tuple[Segment | None, bool]:
        """Write an outcome.

        Returns:
            The next segment to send, already on disk as sending, or None; and whether the message may be
            claimed again at once, by whichever channel has room.
        """
        message, lane = claim.message, claim.lane
        result = outcome.result
        match result:
            case Accepted(reference=reference):
                labeled(self._metrics.segments, lane.name, "accepted").inc()
                sent = msgspec.structs.replace(
                    segment,
                    status=SegmentStatus.SENT,
                    reference=reference,
                    sent_at=outcome.at,
                    error=None,
                )
                following = await self._patiently(
                    lambda tx: record_accepted(
                        tx, message, sent, outcome.submitted_at, go_on=not self._stopping
                    )
                )
                return following, False
            case Refused() | Uncertain():
                name = result.fault.kind.value if isinstance(result, Refused) else "uncertain"
                labeled(self._metrics.segments, lane.name, name).inc()
                decision = decide_retry(self._policy, result, segment.attempts, random.random())
                await self._patiently(
                    lambda tx: record_refused(tx, message, segment, result, decision, outcome.at),
                )
                return None, isinstance(decision, TryAgain) and decision.after_s == 0

    async def _patiently(self, op: Callable[[Tx], Awaitable[T]]) -> T:
        """Write even if the disk is full now: what has happened on a wire must not be forgotten."""
        while True:
            try:
                return await self._store.write(op)
            except StoreError as exc:
                _log.error("cannot record the outcome of a segment, trying again: %s", exc)
                await asyncio.sleep(STORE_RETRY_S)


def _is_last(on_wire: Segment, segments: Sequence[Segment]) -> bool:
    """Whether nothing of its message is left to be sent behind a segment."""
    return all(s.part <= on_wire.part or s.status is not SegmentStatus.QUEUED for s in segments)


async def record_accepted(
    tx: Tx,
    message: Message,
    sent: Segment,
    submitted_at: datetime,
    *,
    go_on: bool,
) -> Segment | None:
    """The network took a segment: write it, and what comes next.

    Args:
        submitted_at: when the driver got it; receipts from before speak of another segment.
        go_on: False when the gateway is stopping: segments that remain are released, pinned to their channel.

    Returns:
        The next segment, written as sending; None when there is none to send now.
    """
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


async def _finish_sent(
    tx: Tx,
    message: Message,
    segments: Sequence[Segment],
    last: Segment,
    submitted_at: datetime,
) -> None:
    """All segments are out: the message is sent, or further where receipts were faster."""
    assert last.sent_at is not None
    sent = msgspec.structs.replace(
        message,
        status=check_transition(message.status, MessageStatus.SENT),
        error=None,
        updated_at=last.sent_at,
        sent_at=last.sent_at,
    )
    await save_state(tx, sent)
    tx.record(message_event(sent, last.sent_at, part=last.part, ref=last.reference, attempt=last.attempts))
    sent = await apply_early(tx, sent, segments, last.part, since=submitted_at, now=last.sent_at)
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
