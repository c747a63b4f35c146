"""How much a channel may be given now, and if nothing, when that may change. Pure.

One list of holds gives both answers. So no channel can be without room and without a reason for it, and whoever
waits for a channel always knows for how long: until an instant, or until something happens that wakes him.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

LEAST_S = 0.001
"""Nobody is told to wait for less: a hold whose time is up by a rounding is asked again, and not in a busy loop."""


class Hold(NamedTuple):
    """One thing that bounds what a channel may be given.

    Args:
        why: ``down``, ``busy``, ``cooldown``, ``breaker``, ``rate``, ``pace`` or ``budget``.
        allows: messages that it allows now; it holds the channel back when that is 0 or less.
        ready_in_s: seconds after which time alone may make it allow more. Infinite only where an event does that,
            and wakes the scheduler: an answer, a link that comes up, an operator.
    """

    why: str
    allows: int
    ready_in_s: float = math.inf


class Room(NamedTuple):
    """What all holds of a channel come to.

    Args:
        free: messages that it may be given now, never below 0.
        again_in_s: 0 with room. Without: seconds after which it must be asked again, never 0; infinite when only an
            event can make room.
        why: what holds it back; None with room.
    """

    free: int
    again_in_s: float
    why: str | None


def find_room(holds: Iterable[Hold]) -> Room:
    """The room that one reading of the clock leaves; at least one hold."""
    found = list(holds)
    last = max((hold for hold in found if hold.allows <= 0), key=lambda hold: hold.ready_in_s, default=None)
    if last is None:
        return Room(min(hold.allows for hold in found), 0.0, None)
    return Room(0, max(last.ready_in_s, LEAST_S), last.why)
