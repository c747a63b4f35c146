"""Which segment a receipt speaks of. Pure.

An SMSC's references are its own and (nearly) never repeat. Where they do repeat (a SIM counts to 255 and starts again,
after a restart perhaps at once), number and time must agree too: see `drivers.traits.Traits`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from enum import Enum, auto

from drivers.base import Receipt
from drivers.traits import Traits
from gateway.model.message import SegmentStatus
from gateway.store.receipts import Match

_OPEN = {SegmentStatus.SENT, SegmentStatus.UNCERTAIN}
_SETTLED = {SegmentStatus.DELIVERED, SegmentStatus.UNDELIVERED}
_NATIONAL_DIGITS = 7
"""No national number that a receipt may spell without its country code is shorter."""
_SAME_DIGITS = 10
"""Numbers whose last digits agree are the same handset: some countries have a digit between code and number that
comes and goes (Argentina's 9, Mexico's 1). Not fewer: +86 137 2005 0002 and +86 138 2005 0002 are two people.
"""

SKEW = timedelta(minutes=5)
"""How far the network's clock and ours may be apart."""
ZONE_ERROR = timedelta(hours=14)
"""How far a network is off that stamps its receipts in a wrong zone."""
KEPT_TRYING = timedelta(days=7)
"""How long a segment is looked for that only part of a receipt fits: networks give up earlier."""
_UNANSWERED = timedelta(minutes=5)
"""How long after its submit a segment without an answer may have been taken by the network."""


class Found(Enum):
    """What a receipt is when it settles nothing."""

    REPEAT = auto()
    """Of a segment that was settled before."""
    NOTHING = auto()
    """Of no segment that we know, or of one of several: nobody can say."""


def find_segment(
    named: Sequence[Match],
    uncertain: Sequence[Match],
    receipt: Receipt,
    now: datetime,
    *,
    traits: Traits,
    certain: Collection[str] = (),
) -> Match | Found:
    """The segment that a final receipt settles.

    Args:
        named: segments of the channel with one of its references, newest first.
        uncertain: segments of the channel whose fate, and so whose reference, is unknown.
        receipt: what the network said.
        now: by our clock; when it came.
        traits: of the channel.
        certain: references that are no guess: with one of them it does not matter what the carrier writes for the
            handset, as some mask it, or write our own number. Only where a segment waits for it: an SMSC that counts
            anew gives an old segment's id to another one, whose answer may be still to come.
    """
    mine = [m for m in named if same_handset(m.recipient, receipt.recipient, strict=traits.references_repeat)]
    mine = mine or [m for m in named if m.reference in certain and m.status in _OPEN and _is_young(m, now)]
    by_time = traits.references_repeat and traits.times_trusted
    timely = [m for m in mine if fits(m, receipt)] if by_time else mine
    if match := next((m for m in timely if m.status in _OPEN), None):
        return match
    if any(m.status in _SETTLED for m in timely):
        return Found.REPEAT
    if len(mine) == 1 and mine[0].status in _OPEN and _is_zone_error(mine[0], receipt):
        return mine[0]
    return _single_uncertain(uncertain, receipt, now, traits=traits) or Found.NOTHING


def fits(match: Match, receipt: Receipt) -> bool:
    """Whether the network's times allow that the receipt speaks of this segment; True where they say nothing."""
    if match.submitted_at is None:
        return True
    earliest = match.submitted_at - SKEW
    latest = (match.sent_at or match.submitted_at + _UNANSWERED) + SKEW
    if receipt.accepted_at is not None and not earliest <= receipt.accepted_at <= latest:
        return False
    return receipt.done_at is None or earliest <= receipt.done_at


def same_handset(recipient: str, reported: str | None, *, strict: bool) -> bool:
    """Whether two spellings are one number; what is not reported agrees with all, unless ``strict``."""
    if reported is None:
        return not strict
    shorter, longer = sorted((recipient.lstrip("+0"), reported.lstrip("+0")), key=len)
    if len(shorter) < _NATIONAL_DIGITS:
        return shorter == longer
    return longer.endswith(shorter[-_SAME_DIGITS:])


def _is_young(match: Match, now: datetime) -> bool:
    return match.submitted_at is None or now - match.submitted_at <= KEPT_TRYING


def _is_zone_error(match: Match, receipt: Receipt) -> bool:
    stamp = receipt.accepted_at or receipt.done_at
    return stamp is None or match.submitted_at is None or abs(stamp - match.submitted_at) <= ZONE_ERROR + SKEW


def _single_uncertain(
    uncertain: Sequence[Match], receipt: Receipt, now: datetime, *, traits: Traits
) -> Match | None:
    """The one segment of unknown fate to this handset: its reference never reached us, the receipt has.

    With two of them nobody can say which is meant, and both stay uncertain.
    """
    mine = [
        m
        for m in uncertain
        if same_handset(m.recipient, receipt.recipient, strict=True)
        and _is_young(m, now)
        and (not traits.times_trusted or fits(m, receipt))
    ]
    return mine[0] if len(mine) == 1 else None
