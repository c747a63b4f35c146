"""Receipts: which segment a delivery report speaks of, and what that makes of its message."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from drivers.base import Receipt, ReceiptState
from gateway.clock import Clock, truncate_ms
from gateway.ids import make_id
from gateway.model.events import message_event
from gateway.model.lifecycle import TRANSITIONS, decide_verdict
from gateway.model.message import Message, MessageError, MessageStatus, Segment, SegmentStatus
from gateway.pipeline.lane import Lane
from gateway.routing.rules import channel_queue
from gateway.store.messages import find_message, load_segments
from gateway.store.ports import Store, Tx
from gateway.store.queue import save_segments, save_state
from gateway.store.receipts import (
    EarlyReceipt,
    Match,
    find_by_reference,
    find_uncertain,
    save_early,
    take_early,
)
from gateway.telemetry.metrics import Metrics

_log = logging.getLogger(__name__)

_OPEN = {SegmentStatus.SENT, SegmentStatus.UNCERTAIN}
_SETTLED = {SegmentStatus.DELIVERED, SegmentStatus.UNDELIVERED}
_SAME_DIGITS = 8
"""Numbers whose last digits agree are the same handset, whatever the SMSC did to the prefix."""
_CLOCK_MARGIN = timedelta(seconds=1)

_DETAILS = {
    ReceiptState.EXPIRED: "The network gave up: the handset could not be reached in time.",
    ReceiptState.REJECTED: "The network rejected it.",
    ReceiptState.UNDELIVERABLE: "The network could not deliver it to this handset.",
    ReceiptState.DELETED: "It was deleted in the network.",
}


class Receipts:
    """Takes receipts of all channels."""

    def __init__(self, store: Store, clock: Clock, metrics: Metrics) -> None:
        self._store = store
        self._clock = clock
        self._metrics = metrics

    async def handle(self, lane: Lane, receipt: Receipt) -> None:
        """Apply a receipt, or keep it until its segment's reference is known; returns after the commit.

        Raises:
            StoreError: nothing was stored; the network must keep it.
        """
        self._metrics.receipts.labels(lane.name, receipt.state.value).inc()
        if receipt.state in {ReceiptState.ENROUTE, ReceiptState.UNKNOWN}:
            return  # no end of anything
        await self._store.write(lambda tx: self._apply(tx, lane, receipt))

    async def _apply(self, tx: Tx, lane: Lane, receipt: Receipt) -> None:
        now = truncate_ms(self._clock.now())
        early = EarlyReceipt(make_id(), receipt.recipient, receipt.state.value, receipt.code, receipt.done_at)
        matches = await find_by_reference(tx, lane.name, receipt.references)
        # A SIM counts its references to 255 and starts again: there the number must agree too.
        fitting = [
            m for m in matches if _same_handset(m.recipient, receipt.recipient, strict=lane.kind == "modem")
        ]
        match = next((m for m in fitting if m.status in _OPEN), None)
        known = any(m.status in _SETTLED for m in fitting)
        if match is None and known and lane.kind != "modem":
            return  # the same receipt again
        if match is None and not known:
            match = _only_uncertain(await find_uncertain(tx, lane.name), receipt)
        if match is None:
            await save_early(tx, early, channel=lane.name, references=receipt.references, received_at=now)
            return
        message = await find_message(tx, match.message_id)
        assert message is not None  # the match was joined with it
        segments = (await load_segments(tx, [match.message_id]))[match.message_id]
        if (
            segments[match.part - 1].reference is None
        ):  # it was uncertain; the same receipt again must find it
            segments[match.part - 1] = msgspec.structs.replace(
                segments[match.part - 1], reference=receipt.references[0]
            )
        await settle(tx, message, segments, match.part, early, now)


async def apply_early(
    tx: Tx,
    message: Message,
    segments: Sequence[Segment],
    part: int,
    *,
    since: datetime,
    now: datetime,
) -> Message:
    """Apply receipts that were faster than the answer to their submit.

    Args:
        segments: all of the message's, as stored.
        part: the segment whose reference has just become known.
        since: when it was submitted; an older receipt of the same reference speaks of another message.

    Returns:
        The message as it is now.
    """
    segment = segments[part - 1]
    if segment.channel is None or segment.reference is None:
        return message
    kept = await take_early(tx, segment.channel, segment.reference, since - _CLOCK_MARGIN)
    for early in kept:
        if _same_handset(message.recipient, early.recipient, strict=False):
            return await settle(tx, message, segments, part, early, now)
    return message


async def settle(
    tx: Tx,
    message: Message,
    segments: Sequence[Segment],
    part: int,
    receipt: EarlyReceipt,
    now: datetime,
) -> Message:
    """Write what a final receipt says of one segment, and the verdict that follows for its message."""
    state = ReceiptState(receipt.state)
    segment = segments[part - 1]
    done_at = _plausible(receipt.done_at, message.created_at, now)
    if state is ReceiptState.DELIVERED:
        settled = msgspec.structs.replace(
            segment,
            status=SegmentStatus.DELIVERED,
            delivered_at=done_at,
            sent_at=segment.sent_at or done_at,  # it was uncertain: now we know that it went out
            error=None,
        )
    else:
        error = MessageError(code=f"receipt_{state.value}", detail=f"{_DETAILS[state]} [{receipt.code}]")
        settled = msgspec.structs.replace(segment, status=SegmentStatus.UNDELIVERED, error=error)
    await save_segments(tx, message.id, [settled])
    segments = [s if s.part != part else settled for s in segments]
    verdict = decide_verdict([s.status for s in segments])
    if verdict is message.status or verdict not in TRANSITIONS[message.status]:
        return message  # other segments are still out, or the message has already ended
    ended = msgspec.structs.replace(
        message,
        status=verdict,
        error=next((s.error for s in segments if s.status.value == verdict.value), None),
        # The segments that were not sent yet must go by the same SIM: the handset joins parts by sender.
        queue=channel_queue(settled.channel or "") if verdict is MessageStatus.QUEUED else message.queue,
        updated_at=now,
        sent_at=message.sent_at or settled.sent_at,
        delivered_at=done_at if verdict is MessageStatus.DELIVERED else None,
    )
    # The sweep makes a queued one claimable at its next tick, and wakes the scheduler, which knows nothing of this.
    await save_state(tx, ended, hidden_until=now if verdict is MessageStatus.QUEUED else None)
    tx.record(message_event(ended, now, part=part, ref=segment.reference))
    return ended


def _only_uncertain(matches: list[Match], receipt: Receipt) -> Match | None:
    """The one segment of unknown fate to this handset: its reference never reached us, the receipt has.

    With two of them nobody can say which is meant, and both stay uncertain.
    """
    if receipt.recipient is None:
        return None
    mine = [m for m in matches if _same_handset(m.recipient, receipt.recipient, strict=True)]
    return mine[0] if len(mine) == 1 else None


def _same_handset(recipient: str, reported: str | None, *, strict: bool) -> bool:
    if reported is None:
        return not strict
    ours, theirs = recipient.lstrip("+"), reported.lstrip("+")
    if len(ours) < _SAME_DIGITS or len(theirs) < _SAME_DIGITS:
        return ours == theirs
    return ours[-_SAME_DIGITS:] == theirs[-_SAME_DIGITS:]


def _plausible(done_at: datetime | None, created_at: datetime, now: datetime) -> datetime:
    """The network's time of delivery where it can be true, else ours: many SMSCs run in a zone of their own."""
    if done_at is None or not created_at <= done_at <= now:
        return now
    return truncate_ms(done_at)
