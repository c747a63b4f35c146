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
    hidden = await find_hidden(tx, [message_id] if message.status in CANCELABLE else [])
    reasons = explain_wait(_waiting(message, segments, hidden.get(message_id)), standings, now)
    spent = (await load_costs(tx, [message_id])).get(message_id)
    return show_message(message, segments, events, reasons, spent)


async def load_list_view(
    tx: Tx, messages: Sequence[Whole], standings: Sequence[Standing], now: datetime
) -> list[MessageOut]:
    """Messages as a list shows them: with segments and what they wait for, and without their timeline."""
    spent = await load_costs(tx, [message.id for message, _ in messages])
    hidden = await find_hidden(tx, [m.id for m, _ in messages if m.status in CANCELABLE])
    return [
        show_message(
            message,
            segments,
            waiting_for=explain_wait(_waiting(message, segments, hidden.get(message.id)), standings, now),
            spent=spent.get(message.id),
        )
        for message, segments in messages
    ]


def _waiting(message: Message, segments: Sequence[Segment], hidden_until: datetime | None) -> Waiting:
    n_left = sum(segment.status is SegmentStatus.QUEUED for segment in segments)
    error = message.error
    return Waiting(
        status=message.status,
        queue=message.queue,
        need=Need(message.recipient, n_left, message.category in URGENT),
        hidden_until=hidden_until,
        last_error=f"{error.code}: {error.detail}" if error else None,
        has_options=message.carrier_options is not None,
    )
