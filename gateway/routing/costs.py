"""What a change of a segment costs. Pure.

A segment costs what the price list says for the instant at which it was handed to its channel, once the network has
taken it. What was refused costs nothing. A segment of which nobody knows is counted apart until a receipt or a late
answer settles it; where it is sent again it stays apart, as it may have gone out twice.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from gateway.model.message import Message, Segment, SegmentStatus
from gateway.routing.prices import Price, Prices

_TAKEN: Final = frozenset({SegmentStatus.SENT, SegmentStatus.DELIVERED, SegmentStatus.UNDELIVERED})


class Spent(NamedTuple):
    """How much, in one currency.

    Args:
        segments: that the network took.
        micros: what they cost, in millionths.
        uncertain_segments: that may or may not have gone out.
        uncertain_micros: what these cost if they did.
    """

    segments: int = 0
    micros: int = 0
    uncertain_segments: int = 0
    uncertain_micros: int = 0

    def plus(self, other: Spent) -> Spent:
        """Both together."""
        return Spent(*map(int.__add__, self, other))


class Charge(NamedTuple):
    """What one segment is charged with.

    Args:
        key_id: who sent the message; empty for the gateway itself.
        at: when the segment was handed to its channel.
        price: of then; None where the list says nothing, of a segment that was noted with a price before.
        n_taken: 1 if the network has it now.
        n_uncertain: 1 if nobody knows of it now, -1 if somebody does again.
    """

    message_id: str
    key_id: str
    tags: tuple[str, ...]
    channel: str
    at: datetime
    price: Price | None
    n_taken: int
    n_uncertain: int

    def at_price(self, micros: int) -> Spent:
        """What that is at so much for a segment."""
        n, m = self.n_taken, self.n_uncertain
        return Spent(n, n * micros, m, m * micros)


def charge(prices: Prices, message: Message, before: Segment, after: Segment) -> Charge | None:
    """What a change of a segment is charged with; None for nothing, or where there is no price."""
    moved = _moved(before, after)
    if moved is None:
        return None
    channel, at = before.channel or "", before.submitted_at or message.updated_at
    price = prices.price_of(channel, message.recipient, at)
    if price is None and moved[1] >= 0:
        return None
    return Charge(message.id, message.key_id or "", message.tags, channel, at, price, *moved)


def _moved(before: Segment, after: Segment) -> tuple[int, int] | None:
    """`Charge.n_taken` and `Charge.n_uncertain`; None where neither changes."""
    if before.status is SegmentStatus.SENDING:
        if after.status in _TAKEN:
            return 1, 0
        # Of one that was refused `Segment.submitted_at` says so, whatever becomes of it.
        is_uncertain = after.status is not SegmentStatus.SENDING and after.submitted_at is not None
        return (0, 1) if is_uncertain else None
    if before.status is SegmentStatus.UNCERTAIN:
        if after.status in _TAKEN:
            return 1, -1
        return (0, -1) if after.submitted_at is None else None
    if before.status is SegmentStatus.QUEUED and after.status is SegmentStatus.SENT:
        return 1, -1  # it was to go again, and then the answer came after all
    return None
