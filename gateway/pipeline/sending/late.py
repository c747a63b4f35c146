"""Answers of the network that came after we had given up waiting: they settle what was uncertain."""

from __future__ import annotations

from collections.abc import Sequence

from drivers.base import Accepted, LateResult, Refused
from drivers.paced_log import PacedLog
from gateway.clock import Clock, truncate_ms
from gateway.model.lifecycle import TERMINAL, Cause, PartCause, may, moved, part_moved
from gateway.model.message import Message, MessageStatus, Segment, SegmentStatus
from gateway.pipeline.receipts.apply import apply_early
from gateway.pipeline.sending.lane import Lane
from gateway.pipeline.sending.outcomes import Taken, record_refused, record_taken
from gateway.routing.retry import RetryPolicy, decide_retry, jitter_of
from gateway.store.changes import Change, save_change
from gateway.store.messages import find_message, find_to_change
from gateway.store.ports import Store, Tx

_log = PacedLog(__name__, most=100)


class LateResults:
    """Takes late answers of all channels.

    Args:
        policy: what becomes of a segment that was refused after all.
    """

    def __init__(self, store: Store, clock: Clock, policy: RetryPolicy) -> None:
        self._store = store
        self._clock = clock
        self._policy = policy

    def adopt(self, policy: RetryPolicy) -> None:
        """Go by another policy from now on."""
        self._policy = policy

    async def handle(self, lane: Lane, late: LateResult) -> None:
        """Settle the segment; returns after the commit.

        Raises:
            StillSending: the attempt's own outcome is not on disk yet; try again.
            StoreError: nothing was stored.
        """
        status = await self._store.write(lambda tx: self._apply(tx, lane, late))
        accepted = "accepted" if isinstance(late.result, Accepted) else "refused"
        outcome = "nothing changed" if status is None else f"the message is {status.value}"
        _log.info("channel %s answered %s late: %s, %s", lane.name, late.segment_id, accepted, outcome)

    async def _apply(self, tx: Tx, lane: Lane, late: LateResult) -> MessageStatus | None:
        """The message's new status; None when there was nothing to settle."""
        message_id, _, part = late.segment_id.rpartition(":")
        whole = await find_to_change(tx, message_id)
        if whole is None:
            return None
        message, segments = whole
        segment = segments[int(part) - 1]
        if segment.attempts != late.attempt or segment.channel != lane.name:
            return None  # it is being sent again: that attempt has an outcome of its own
        if segment.status is SegmentStatus.SENDING and not late.abandoned:
            raise StillSending
        if segment.status not in _OPEN:
            return None
        match late.result:
            case Accepted(reference=reference):
                await self._accept(tx, message, segments, segment, reference)
            case Refused():
                if segment.status is SegmentStatus.QUEUED:
                    return None  # it is tried again anyway
                now = truncate_ms(self._clock.now())
                decision = decide_retry(
                    self._policy,
                    late.result,
                    segment.attempts,
                    jitter_of(message.id, segment.attempts),
                    category=message.category,
                )
                await record_refused(tx, message, segment, late.result, decision, now)
        settled = await find_message(tx, message_id)
        return None if settled is None else settled.status

    async def _accept(
        self, tx: Tx, message: Message, segments: Sequence[Segment], segment: Segment, reference: str | None
    ) -> None:
        now = truncate_ms(self._clock.now())
        submitted_at = segment.submitted_at or now
        sent = part_moved(segment, PartCause.TAKEN, reference=reference, sent_at=now, error=None)
        if message.status in TERMINAL:
            # It was to be sent again, and was canceled or expired before: it stays so, but this segment is out.
            await save_change(tx, Change(message, message, [(segment, sent)]))
            segments = [sent if s.part == sent.part else s for s in segments]
            await apply_early(tx, message, segments, sent.part, since=submitted_at, now=now)
            return
        # It was to be sent again; now it need not be, as if this attempt had never ended.
        seen = None
        if may(message.status, Cause.ANSWERED_LATE):
            seen = moved(message, Cause.ANSWERED_LATE, channel=segment.channel)
        taken = Taken(message, segment, sent, submitted_at, go_on=False)
        await record_taken(tx, message, segments, taken, seen)


class StillSending(Exception):
    """The outcome of the attempt itself is still on its way to the disk."""


_OPEN = {SegmentStatus.UNCERTAIN, SegmentStatus.SENDING, SegmentStatus.QUEUED}
