"""What people may do to a message, besides sending it, and to a channel."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from gateway.clock import Clock, parse_ms, truncate_ms
from gateway.errors import Conflict, NotFound
from gateway.model.actor import Actor
from gateway.model.events import make_event, message_event
from gateway.model.lifecycle import CANCELABLE, RESENDABLE, Cause, PartCause, moved, part_moved
from gateway.model.message import Category, Message, SegmentStatus
from gateway.policy.decision import Finding, Outcome
from gateway.routing.channel import Pause
from gateway.routing.rules import channel_queue
from gateway.store.audit import record_audit
from gateway.store.changes import Change, save_change
from gateway.store.holds import Hold, drop_holds, hold_of, save_holds
from gateway.store.messages import Whole, find_to_change
from gateway.store.ports import Store, Tx
from gateway.store.queue import save_paused
from gateway.store.reviews import find_approved

_decode_findings = msgspec.json.Decoder(list[Finding]).decode


async def cancel_message(store: Store, clock: Clock, message_id: str, *, by: Actor) -> Message:
    """`cancel_waiting` in a transaction of its own."""
    return await store.write(lambda tx: cancel_waiting(tx, clock, message_id, by=by))


async def cancel_waiting(tx: Tx, clock: Clock, message_id: str, *, by: Actor) -> Message:
    """Take a waiting message back, inside another operation.

    Args:
        by: who does.

    Raises:
        NotFound: no such message.
        Conflict: it is already on the wire or has ended; the detail names its state.
    """
    message, segments = await _existing(tx, message_id)
    gone = any(s.status not in {SegmentStatus.QUEUED, SegmentStatus.FAILED} for s in segments)
    if message.status not in CANCELABLE or gone:
        state = "partly sent" if message.status in CANCELABLE else message.status.value
        raise Conflict(f"the message is {state}; only a scheduled or queued one can be canceled")
    now = truncate_ms(clock.now())
    canceled = moved(message, Cause.CANCELED, updated_at=now)
    await save_change(tx, Change(message, canceled))
    tx.record(message_event(canceled, now, by=by))
    await record_audit(tx, by, "message.canceled", message_id, {"was": message.status.value}, at=now)
    return canceled


async def send_again(
    tx: Tx, clock: Clock, message_id: str, *, by: Actor, valid_for: Callable[[Category], float]
) -> Message:
    """Send a message again, by an operator's decision: segments that did not arrive, or that nobody knows of.

    It is a part of another operation. This is the one way out of a final state, and the one way in which an uncertain
    segment goes out twice. A text on which a person was to decide, and did not before its time was over, waits for that
    again.

    Args:
        by: who decided so.
        valid_for: category -> seconds for which a message may wait that did not say itself.

    Raises:
        NotFound: no such message.
        Conflict: its state forbids it; the detail names it.
    """
    message, segments = await _existing(tx, message_id)
    if message.status not in RESENDABLE:
        allowed = ", ".join(sorted(RESENDABLE))
        raise Conflict(f"the message is {message.status.value}; only these can be resent: {allowed}")
    if message.text is None and message.data is None:
        raise Conflict("the text of the message is not kept any more (retention.texts); send a new message")
    now = truncate_ms(clock.now())
    out = [s for s in segments if s.status in {SegmentStatus.SENT, SegmentStatus.DELIVERED}]
    again = [
        (s, part_moved(s, PartCause.RESENT, attempts=0, reference=None, error=None))
        for s in segments
        if s not in out
    ]
    if not again:
        raise Conflict(f"the message is {message.status.value}, and the network has all of it")
    time = timedelta(seconds=message.valid_for_s or valid_for(message.category))
    queued = moved(
        message,
        Cause.RESENT,
        # Parts that are out already bind the rest to their channel: the handset joins parts by sender.
        queue=channel_queue(out[0].channel or "") if out else message.queue,
        error=None,
        updated_at=now,
        expires_at=now + time,
    )
    hold = await _undecided(tx, message, now)
    hidden_until = None if hold is None else parse_ms(hold.hidden_until_ms)
    await save_change(tx, Change(message, queued, again, hidden_until))
    tx.record(message_event(queued, now, by=by))
    if hold is not None:
        await drop_holds(tx, [message_id])
        await save_holds(tx, [hold])
    await record_audit(tx, by, "message.resent", message_id, {"was": message.status.value}, at=now)
    return queued


async def _undecided(tx: Tx, message: Message, now: datetime) -> Hold | None:
    """Why a person must still look at a message: rules of texts are asked once, when it comes in."""
    if not message.policy or await find_approved(tx, [message.id]):
        return None
    reviews = [one for one in _decode_findings(message.policy) if one.outcome is Outcome.REVIEW]
    return hold_of(message.id, reviews, now, (message.text, message.brand, message.category))


async def pause_channel(tx: Tx, clock: Clock, name: str, pause: Pause, *, by: Actor) -> None:
    """Keep a pause of a channel, or its end, over restarts, and tell of it; inside another operation.

    Args:
        by: who wants it.
    """
    await save_paused(tx, name, paused=pause.paused)
    now = clock.now()
    tx.record(make_event(pause.event, now, name, {"name": name, "by": str(by)}))
    await record_audit(tx, by, pause.event, name, at=now)


async def _existing(tx: Tx, message_id: str) -> Whole:
    found = await find_to_change(tx, message_id)
    if found is None:
        raise NotFound("no message has this id")
    return found
