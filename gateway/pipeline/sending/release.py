"""Release: after an outage a channel is given its backlog with a ramp, so that no network is flooded by it.

What is urgent is not held back by it, and counts.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from drivers.paced_log import PacedLog
from drivers.pacing import AdaptivePace, TokenBucket
from drivers.ramp import Ramp

_log = PacedLog(__name__, most=100)


class Ramping(NamedTuple):
    """How backlogs are released.

    Args:
        over_s: so long the rate grows; 0 for no ramp.
        after_s: an outage as long as this is one.
    """

    over_s: float = 0.0
    after_s: float = 60.0


NO_RAMP = Ramping()


class Release:
    """Of one channel.

    Args:
        name: the channel's.
        ramping: the operator's settings; may be replaced at any time.
        rate: its own; None for as fast as it can.
        pace: says how fast it was where it has no rate.
    """

    def __init__(self, name: str, ramping: Ramping, rate: TokenBucket | None, pace: AdaptivePace) -> None:
        self._name = name
        self._rate = rate
        self._pace = pace
        self.ramping = ramping
        self._lost_at: float | None = None
        self._up_at: float | None = None
        """When its link came up since, as long as nothing has failed there again."""
        self._was_tried = False
        """Whether something was sent since then."""
        self._ramp: Ramp | None = None
        self._is_shut = False

    def note_lost(self, now: float) -> None:
        """The channel can't send any more."""
        if self._lost_at is None or (self._up_at is not None and not self._was_tried):
            self._lost_at = now
        self._up_at = None

    def note_back(self, now: float, *, proven: bool) -> None:
        """It can send again.

        Args:
            proven: the network has taken something: the outage is over. Else its link has come up, and it is tried.
        """
        if self._lost_at is None:
            return
        if proven and self._up_at is not None:  # it was over then, however long nothing was to be sent
            self._lost_at = self._up_at = None
            return
        lost_s = now - self._lost_at
        full_per_s = self._pace.peak if self._rate is None else self._rate.per_s
        is_outage = lost_s >= self.ramping.after_s and self.ramping.over_s > 0 and full_per_s > 0
        if is_outage and not (proven and self.ramp(now)):
            self._ramp = Ramp(full_per_s, self.ramping.over_s, now)
            _log.info(
                "channel %s was out for %.0f s; what waited is released over %.0f s, to %.1f a second",
                self._name,
                lost_s,
                self.ramping.over_s,
                full_per_s,
            )
        if proven:
            self._lost_at = None
        else:
            self._up_at, self._was_tried = now, False

    def ramp(self, now: float) -> Ramp | None:
        """What bounds it now; None for nothing."""
        if self._ramp is not None and self._ramp.is_over(now):
            self._ramp = None
            if self._rate is not None:
                self._rate.drop_burst(now)  # what has gathered for it meanwhile is not to go at once
        return self._ramp

    def take(self, now: float) -> None:
        """One was sent."""
        self._was_tried = True
        if (ramp := self.ramp(now)) is not None:
            ramp.take(now)

    def allow(self, free: int, now: float) -> int:
        """How many of the messages for which there is room may be ordinary ones."""
        ramp = self.ramp(now)
        if ramp is None:
            return free
        self._is_shut = True
        return min(free, ramp.available(now))

    def has_opened(self, now: float) -> bool:
        """Whether more may go than when it was last asked."""
        if self._is_shut and self.opens_in_s(now) == 0:
            self._is_shut = False
            return True
        return False

    def opens_in_s(self, now: float) -> float:
        """Seconds until it allows more; infinite while it has refused nothing."""
        if not self._is_shut:
            return math.inf
        ramp = self.ramp(now)
        return 0.0 if ramp is None else ramp.ready_in_s(now)
