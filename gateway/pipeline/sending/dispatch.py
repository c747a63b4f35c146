"""Dispatch: put the segments of a claimed message on the wire, one after the other, and write what became of them.

Before a segment is handed to a driver it is on disk as ``sending``: the claim does that for the first one,
the write that records a segment's success for the next. So a crash leaves at most one segment a message of
unknown fate, and never one that was sent and is not known.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from typing import NamedTuple, TypeVar

from drivers.base import (
    Accepted,
    Fault,
    FaultKind,
    OutboundSegment,
    Refused,
    SubmitResult,
    Uncertain,
)
from drivers.broken import INTERNAL_ERROR, refuse_broken, where_broke
from drivers.paced_log import PacedLog
from gateway.clock import Clock, truncate_ms
from gateway.errors import StaleWrite, StoreError
from gateway.model.lifecycle import PartCause, part_moved
from gateway.model.message import Message, MessageError, Segment, SegmentStatus
from gateway.pipeline.sending.gate import Gate
from gateway.pipeline.sending.lane import Lane
from gateway.pipeline.sending.outcomes import ROWS_OF_ONE, Taken, record_all_accepted, record_refused
from gateway.pipeline.sending.poison import raise_internal
from gateway.pipeline.sending.schedule import Claim
from gateway.pipeline.sending.segment import outbound_segment
from gateway.policy.rules.opt_out import EVERYBODY, OptOut
from gateway.routing.retry import Decision, RetryPolicy, TryAgain, decide_retry, decide_setback, jitter_of
from gateway.routing.troubles import Number, Troubles
from gateway.store.ports import Store, Tx
from gateway.store.queue import AT_ONCE, disown, let_recipient_go
from gateway.telemetry.metrics import Metrics, labeled

_log = PacedLog(__name__, most=100)

T = TypeVar("T")

STORE_RETRY_S = 1.0
_TURNS_TO_WIRE = 2
"""Of the loop: what waited for its turn goes to the wire first, then the outcome of the one before it is written."""

_BROKE = "driver_broke"

_TOO_LATE = Refused(
    fault=Fault(
        kind=FaultKind.CHANNEL, code="channel_busy", detail="The channel was still busy with another message."
    )
)
"""Of a message that waited for its turn: no driver has seen it."""
_UNSURE = Refused(
    fault=Fault(
        kind=FaultKind.CHANNEL,
        code="opt_outs_unknown",
        detail="Nobody could look at the opt-out list; it waits until somebody can.",
    )
)
"""Of marketing: no driver has seen it."""
_UNSURE_S = 60.0
"""How long it waits. Not less: it may be very much, and each time is written."""


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
        release: called when a lane has finished a message.
        troubles: the numbers whose messages fail.
        lanes: every channel, asked again each time: who else may take what one has refused.
        rule: see `Gate`.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        policy: RetryPolicy,
        release: Callable[[Lane], None],
        metrics: Metrics,
        troubles: Troubles,
        lanes: Collection[Lane] = (),
        rule: OptOut = EVERYBODY,
    ) -> None:
        self.gate = Gate(store, clock, rule)
        self._lanes = lanes
        self._store = store
        self._clock = clock
        self._policy = policy
        self._release = release
        self._metrics = metrics
        self._troubles = troubles
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: set[Lane] = set()
        self._stopping = False

    def adopt(self, policy: RetryPolicy) -> None:
        """Go by another policy, from the next outcome on."""
        self._policy = policy

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
        is_released, ticket = False, self.gate.ticket
        try:
            on_wire: Segment | None = next(s for s in segments if s.status is SegmentStatus.SENDING)
            while on_wire is not None:
                outcome = await self._submit(lane, message, on_wire, ticket)
                if isinstance(outcome.result, Accepted) and _is_last(on_wire, segments):
                    # The lane is free: its next claim joins the commit of this outcome, behind it.
                    is_released = True
                    lane.end(message.id)
                    self._release(lane)
                    for _ in range(_TURNS_TO_WIRE if lane.takes_turns else 0):
                        await asyncio.sleep(0)
                on_wire = await self._record(claim, on_wire, outcome)
        except StaleWrite as exc:
            _log.warning("%s: it is left to who has it now", exc)
        except Exception as exc:  # noqa: BLE001 - the supervisor of one message: a bug here must not stop the others
            await self._abandon(message, exc)
        finally:
            if not is_released:
                lane.end(message.id)
                self._release(lane)

    async def _abandon(self, message: Message, broke: Exception) -> None:
        """Leave a message to the sweep, which takes over what nobody owns."""
        where = where_broke(broke)
        _log.error("dispatch of message %s broke; the sweep will settle it: %s", message.id, where)
        error = MessageError(code=INTERNAL_ERROR, detail=f"hongyan itself failed on it: {where}.")

        async def leave(tx: Tx) -> None:
            await disown(tx, message)
            await raise_internal(tx, self._clock, "dispatch", message.id, error)

        await self._patiently(lambda: self._store.write(leave))

    async def _submit(self, lane: Lane, message: Message, segment: Segment, ticket: int) -> _Outcome:
        if (hindered := await self._wait_turn(lane, message, ticket)) is not None:
            return self._unseen(hindered)
        submitted_at = truncate_ms(self._clock.now())
        if segment.part == 1 and message.expires_at is not None and message.expires_at <= submitted_at:
            return self._unseen(_TOO_LATE)  # its claim took so long to commit; the next one ends it
        started = self._clock.monotonic()
        outbound: OutboundSegment | None = None
        try:
            outbound = outbound_segment(message, segment, submitted_at)
            result = await lane.submit(outbound)
        except Exception as exc:  # noqa: BLE001 - a driver that breaks its contract may have written before it broke
            where = where_broke(exc)
            _log.error("submit of message %s on channel %s broke: %s", message.id, lane.name, where)
            detail = f"The driver failed on this segment; it may or may not have gone out: {where}."
            result = refuse_broken(exc) if outbound is None else Uncertain(code=_BROKE, detail=detail)
        labeled(self._metrics.submit_seconds, lane.name).observe(self._clock.monotonic() - started)
        return _Outcome(result, submitted_at, truncate_ms(self._clock.now()))

    def _unseen(self, result: Refused) -> _Outcome:
        now = truncate_ms(self._clock.now())
        return _Outcome(result, now, now)

    async def _wait_turn(self, lane: Lane, message: Message, ticket: int) -> Refused | None:
        """None when its turn has come and it may go; if not, a later claim ends it. Nothing is awaited after this."""
        must_wait = lane.has_on_wire
        self._waiting.add(lane)
        try:
            if not await lane.wait_turn() or self._stopping:
                return _TOO_LATE
        finally:
            self._waiting.discard(lane)
        if must_wait and message.expires_at is not None and message.expires_at <= self._clock.now():
            return _TOO_LATE
        try:
            return None if await self.gate.lets_pass(message, ticket) else _TOO_LATE
        except StoreError:
            return _UNSURE

    async def _let_go(self, number: Number) -> None:
        """Whoever waits for the number may go: all, some hundred at a time."""

        async def some(tx: Tx) -> int:
            return await let_recipient_go(tx, number)

        while await self._patiently(lambda: self._store.write(some)) == AT_ONCE:
            pass

    async def _record(self, claim: Claim, segment: Segment, outcome: _Outcome) -> Segment | None:
        """Write an outcome; the next segment to send, already on disk as sending, or None."""
        message, lane = claim.message, claim.lane
        result = outcome.result
        match result:
            case Accepted(reference=reference):
                labeled(self._metrics.segments, lane.name, "accepted").inc()
                sent = part_moved(
                    segment,
                    PartCause.TAKEN,
                    reference=reference,
                    sent_at=outcome.at,
                    error=None,
                )
                taken = Taken(message, segment, sent, outcome.submitted_at, go_on=not self._stopping)
                following = await self._patiently(
                    lambda: self._store.write_jointly(record_all_accepted, taken, n_rows=ROWS_OF_ONE)
                )
                if isinstance(following, StaleWrite):
                    raise following
                number = Number(message.queue, message.recipient)
                if self._troubles.note_success(number):
                    await self._let_go(number)
                return following
            case Refused() | Uncertain():
                name = result.fault.kind.value if isinstance(result, Refused) else "uncertain"
                labeled(self._metrics.segments, lane.name, name).inc()
                if (setback := decide_setback(result)) is not None:
                    asked_s = result.fault.retry_after_s if isinstance(result, Refused) else None
                    self._troubles.note_setback(
                        Number(message.queue, message.recipient), setback, self._clock.monotonic(), asked_s
                    )
                decision = self._decide(claim, segment, result)

                async def record(tx: Tx) -> None:
                    await record_refused(tx, message, segment, result, decision, outcome.at)
                    fault = result if isinstance(result, Uncertain) else result.fault
                    if fault.code in {INTERNAL_ERROR, _BROKE}:
                        error = MessageError(code=fault.code, detail=fault.detail)
                        await raise_internal(tx, self._clock, "sending", message.id, error)

                await self._patiently(lambda: self._store.write(record))
                return None

    def _decide(self, claim: Claim, segment: Segment, result: Refused | Uncertain) -> Decision:
        """What is to be done; a channel that is not to have the message again for now knows that then."""
        message, _, lane = claim
        if result is _UNSURE:
            return TryAgain(after_s=_UNSURE_S, counted=False)
        decision = decide_retry(
            self._policy,
            result,
            segment.attempts,
            jitter_of(message.id, segment.attempts),
            category=message.category,
            channel_suspected=lane.fitness.is_suspected,
            has_others=segment.part == 1
            and any(o is not lane and o.might_take(message) for o in self._lanes),
        )
        if isinstance(decision, TryAgain) and decision.not_here_s > 0:
            lane.bars.add(message.recipient, self._clock.monotonic() + decision.not_here_s)
        return decision

    async def _patiently(self, write: Callable[[], Awaitable[T]]) -> T:
        """Write even if the disk is full now: what has happened on a wire must not be forgotten."""
        while True:
            try:
                return await write()
            except StaleWrite:
                raise
            except StoreError as exc:
                _log.error("cannot record the outcome of a segment, trying again: %s", exc)
                await asyncio.sleep(STORE_RETRY_S)


def _is_last(on_wire: Segment, segments: Sequence[Segment]) -> bool:
    """Whether nothing of its message is left to be sent behind a segment."""
    return all(s.part <= on_wire.part or s.status is not SegmentStatus.QUEUED for s in segments)
