"""Settle: what a receipt makes of its segment and its message."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from drivers.base import ReceiptState
from gateway.clock import truncate_ms
from gateway.model.dead_numbers import says_no_such_number
from gateway.model.events import Event, make_event, message_event
from gateway.model.lifecycle import VERDICT_CAUSES, PartCause, decide_verdict, may, moved, part_moved
from gateway.model.message import Message, MessageError, MessageStatus, Segment, SegmentStatus
from gateway.routing.rules import channel_queue
from gateway.store.changes import Change, save_change, save_changes
from gateway.store.messages import Whole
from gateway.store.numbers import forget_failures, note_failure
from gateway.store.ports import Tx
from gateway.store.receipts import EarlyReceipt

_SETTLED = {SegmentStatus.DELIVERED, SegmentStatus.UNDELIVERED}
_WAITING = {SegmentStatus.SENT, SegmentStatus.UNCERTAIN}

_DETAILS = {
    ReceiptState.EXPIRED: "The network gave up: the handset could not be reached in time.",
    ReceiptState.REJECTED: "The network rejected it.",
    ReceiptState.UNDELIVERABLE: "The network could not deliver it to this handset.",
    ReceiptState.DELETED: "It was deleted in the network.",
}


_STATES = {state.value: state for state in ReceiptState}
IN_BETWEEN = {ReceiptState.ENROUTE, ReceiptState.UNKNOWN}
"""No end of anything."""


async def settle(
    tx: Tx,
    message: Message,
    segments: Sequence[Segment],
    part: int,
    receipt: EarlyReceipt,
    now: datetime,
    *,
    dead_codes: Collection[str] = (),
) -> Message:
    """Write what a receipt says of one segment, and the verdict that follows for its message.

    One that is no end is only written into the timeline.

    Args:
        message: as it is in the store.
        segments: all of its segments, as stored.
        dead_codes: see `judge`.

    Raises:
        StaleWrite: the message is not as it was any more. Nothing was written.
    """
    settled = judge(message, segments, part, receipt, now, dead_codes)
    if settled.change is not None:
        message = await save_change(tx, settled.change)
        await _note_numbers(tx, [settled], now)
    for event in settled.events:
        tx.record(event)
    return message


class Settled(NamedTuple):
    """What receipts make of a message.

    Args:
        change: what is to be written; None for nothing.
        events: for the timeline.
        dead_code: what the network said, where that is that nobody has the recipient's number; empty for anything else.
    """

    change: Change | None = None
    events: Sequence[Event] = ()
    dead_code: str = ""


async def save_settled(tx: Tx, settled: Sequence[Settled], now: datetime) -> list[bool]:
    """Write what receipts made of messages, each named once; of each, whether it was as it had been judged."""
    changes = [one.change for one in settled if one.change is not None]
    written = iter(await save_changes(tx, changes))
    done = [one.change is None or next(written) for one in settled]
    for one, is_done in zip(settled, done, strict=True):
        if is_done:
            for event in one.events:
                tx.record(event)
    await _note_numbers(tx, (one for one, is_done in zip(settled, done, strict=True) if is_done), now)
    return done


async def _note_numbers(tx: Tx, settled: Iterable[Settled], now: datetime) -> None:
    """Keep of whose numbers networks say that nobody has them, and forget that where a message arrived."""
    arrived: set[str] = set()
    for change, _, dead_code in settled:
        if change is None or change.after.status is change.before.status:
            continue
        message = change.after
        if message.status is MessageStatus.DELIVERED:
            arrived.add(message.recipient)
        elif dead_code:
            channel, number = change.parts[0][1].channel, message.recipient
            await note_failure(tx, number, dead_code, channel=channel, message_id=message.id, now=now)
    await forget_failures(tx, arrived)


def judge_all(
    whole: Whole,
    told: Sequence[tuple[int, EarlyReceipt]],
    now: datetime,
    dead_codes: Collection[str] = (),
) -> Settled:
    """What receipts make of a message, one after the other; nothing is written.

    Args:
        told: parts of the message, and what is said of them.
        dead_codes: see `judge`.
    """
    if len(told) == 1:
        return judge(whole.message, whole.segments, *told[0], now, dead_codes)
    message, segments = whole.message, list(whole.segments)
    parts: dict[int, tuple[Segment, Segment]] = {}
    events: list[Event] = []
    dead_code = ""
    for part, receipt in told:
        settled = judge(message, segments, part, receipt, now, dead_codes)
        events += settled.events
        dead_code = dead_code or settled.dead_code
        if settled.change is not None:
            message = settled.change.after
            for before, after in settled.change.parts:
                segments[after.part - 1] = after
                parts[after.part] = (parts.get(after.part, (before,))[0], after)
    if not parts:
        return Settled(events=events)
    return Settled(Change(whole.message, message, list(parts.values())), events, dead_code)


def judge(
    message: Message,
    segments: Sequence[Segment],
    part: int,
    receipt: EarlyReceipt,
    now: datetime,
    dead_codes: Collection[str] = (),
) -> Settled:
    """What a receipt makes of a message; nothing is written. See `settle`.

    Args:
        dead_codes: codes and words that mean that nobody has the number, beside those of the standards.
    """
    state = _STATES[receipt.state]
    segment = segments[part - 1]
    if state in IN_BETWEEN:
        told = {"id": message.id, "part": part, "ref": segment.reference, "code": receipt.code}
        told |= {"word": receipt.word} if receipt.word else {}
        return Settled(events=[make_event(f"receipt.{state.value}", now, message.id, told)])
    if segment.status in _SETTLED:
        return Settled()
    done_at = _plausible(receipt.done_at, message.created_at, now)
    spoken_of = [segment]
    if receipt.whole:
        spoken_of += [s for s in segments if s.status in _WAITING and s.part != part]
    parts = [(one, _settle_one(one, state, receipt, done_at)) for one in spoken_of]
    settled = [one for _, one in parts]
    segments = list(segments)
    for one in settled:
        segments[one.part - 1] = one
    verdict = decide_verdict([s.status for s in segments])
    if verdict is MessageStatus.UNDELIVERED is message.status:
        # More is known of its other segments now.
        more = msgspec.structs.replace(message, error=_error_of(segments, verdict), updated_at=now)
        return Settled(Change(message, more, parts))
    cause = VERDICT_CAUSES.get(verdict)
    if verdict is message.status or cause is None or not may(message.status, cause):
        return Settled(
            Change(message, message, parts)
        )  # other segments are still out, or the message has already ended
    ended = moved(
        message,
        cause,
        error=None if verdict is MessageStatus.DELIVERED else _error_of(segments, verdict),
        # The segments that were not sent yet must go by the same SIM: the handset joins parts by sender.
        queue=channel_queue(settled[0].channel or "") if verdict is MessageStatus.QUEUED else message.queue,
        updated_at=now,
        sent_at=message.sent_at or settled[0].sent_at,
        delivered_at=done_at if verdict is MessageStatus.DELIVERED else None,
    )
    event = message_event(ended, now, part=part, ref=segment.reference, word=receipt.word)
    is_dead = verdict is MessageStatus.UNDELIVERED and says_no_such_number(
        receipt.code, receipt.word, more=dead_codes
    )
    return Settled(Change(message, ended, parts), [event], (receipt.word or receipt.code) if is_dead else "")


def _settle_one(segment: Segment, state: ReceiptState, receipt: EarlyReceipt, done_at: datetime) -> Segment:
    if state is ReceiptState.DELIVERED:
        return part_moved(
            segment,
            PartCause.ARRIVED,
            delivered_at=done_at,
            sent_at=segment.sent_at or done_at,  # it was uncertain: now we know that it went out
            error=None,
        )
    error = MessageError(code=f"receipt_{state.value}", detail=f"{_DETAILS[state]} [{receipt.code}]")
    return part_moved(segment, PartCause.NOT_ARRIVED, error=error)


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
