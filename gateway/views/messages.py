"""How a message is shown: alone, with its segments, its timeline and why it waits; and in lists.

One way for all who show messages: the API, event streams, webhooks, pages.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from gateway.model.events import Event
from gateway.model.lifecycle import CANCELABLE
from gateway.model.message import Message, Segment, SegmentStatus
from gateway.routing.budgets import URGENT, Need
from gateway.routing.channel import Standing
from gateway.routing.waiting import Waiting, explain_wait
from gateway.store.costs import load_costs
from gateway.store.events import load_timeline
from gateway.store.holds import Hold, find_holds, is_in_review
from gateway.store.messages import Whole, load_whole
from gateway.store.ports import Tx
from gateway.store.usage import find_hidden
from gateway.views.shapes import MessageOut, show_message


async def load_message_view(
    tx: Tx, message_id: str, standings: Iterable[Standing], now: datetime, recorded: Sequence[Event] = ()
) -> MessageOut | None:
    """A message as it is shown alone; None where there is none with this id.

    Args:
        standings: how the channels are; what it waits for is said by them.
        recorded: what happened in this transaction, and is not in the timeline yet.
    """
    found = await load_whole(tx, [message_id])
    if not found:
        return None
    message, segments = found[0]
    events = await load_timeline(tx, message_id)
    events += [event for event in recorded if event.subject == message_id]
    waiting = (await _find_waiting(tx, found))[message_id]
    reasons = explain_wait(waiting, standings, now)
    spent = (await load_costs(tx, [message_id])).get(message_id)
    return show_message(message, segments, events, reasons, spent)


async def load_list_view(
    tx: Tx, messages: Sequence[Whole], standings: Sequence[Standing], now: datetime
) -> list[MessageOut]:
    """Messages as a list shows them: with segments and what they wait for, and without their timeline."""
    spent = await load_costs(tx, [message.id for message, _ in messages])
    waiting = await _find_waiting(tx, messages)
    return [
        show_message(
            message,
            segments,
            waiting_for=explain_wait(waiting[message.id], standings, now),
            spent=spent.get(message.id),
        )
        for message, segments in messages
    ]


async def _find_waiting(tx: Tx, messages: Sequence[Whole]) -> dict[str, Waiting]:
    """What is known of why messages may be waiting, by id."""
    hidden = await find_hidden(tx, [m.id for m, _ in messages if m.status in CANCELABLE])
    holds = await find_holds(tx, list(hidden))
    return {
        message.id: _waiting(message, segments, hidden.get(message.id), holds.get(message.id))
        for message, segments in messages
    }


def _waiting(
    message: Message, segments: Sequence[Segment], hidden_until: datetime | None, hold: Hold | None
) -> Waiting:
    n_left = sum(segment.status is SegmentStatus.QUEUED for segment in segments)
    error = message.error
    # A pause of another kind may have come since.
    still = hold is not None and (hold.until is None or hold.until == hidden_until)
    return Waiting(
        status=message.status,
        queue=message.queue,
        need=Need(message.recipient, n_left, message.category in URGENT),
        hidden_until=hidden_until,
        last_error=f"{error.code}: {error.detail}" if error else None,
        held=(hold.code, hold.detail) if hold is not None and still else None,
        in_review=is_in_review(hidden_until),
        has_options=message.carrier_options is not None,
    )
