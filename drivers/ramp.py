"""A ramp: what waited through an outage is let go slowly at first, at a rate that grows. Pure: time is passed in."""

from __future__ import annotations

import math

SHARE = 0.1
"""Of the full rate, with which it begins."""
_LEAST_PER_S = 0.2
"""So slow is nobody made: a modem that sends ten a minute floods nobody."""
_BURST_S = 0.25
"""What was not sent so long ago may still go at once: a busy machine is late now and then."""
_BATCH_S = 0.05
"""Nobody is woken for less."""
_ROUNDING = 1e-6


class Ramp:
    """A rate that grows evenly from `SHARE` of the full one to all of it.

    Tokens flow in at that rate, a quarter of a second's worth gathers at most, and a send takes one out, into debt if
    it could not wait: so what others send comes later.

    Args:
        full_per_s: the rate at its end, above 0.
        over_s: how long it takes, above 0.
        now: monotonic seconds, on the same clock as all later calls.
    """

    __slots__ = ("_at", "_began", "_first_per_s", "_full_per_s", "_over_s", "_tokens")

    def __init__(self, full_per_s: float, over_s: float, now: float) -> None:
        self._full_per_s = full_per_s
        self._first_per_s = min(full_per_s, max(full_per_s * SHARE, _LEAST_PER_S))
        self._over_s = over_s
        self._began = self._at = now
        self._tokens = 1.0

    def is_over(self, now: float) -> bool:
        """Whether it bounds nothing any more."""
        return now >= self._began + self._over_s

    def per_s(self, now: float) -> float:
        """The rate that it asks for."""
        share = min(1.0, max(0.0, (now - self._began) / self._over_s))
        return self._first_per_s + (self._full_per_s - self._first_per_s) * share

    def available(self, now: float) -> int:
        """Whole sends that it allows now."""
        return max(0, math.floor(self._balance(now) + _ROUNDING))

    def take(self, now: float) -> None:
        """One was sent."""
        self._tokens = self._balance(now) - 1
        self._at = max(self._at, now)

    def ready_in_s(self, now: float) -> float:
        """Seconds until it allows one, or a twentieth of a second's worth, where that is more; 0 when it allows any."""
        missing = max(1.0, self.per_s(now) * _BATCH_S) - self._balance(now)
        return 0.0 if self.available(now) else missing / self.per_s(now)

    def _burst(self, now: float) -> float:
        return max(1.0, self.per_s(now) * _BURST_S)

    def _balance(self, now: float) -> float:
        elapsed = max(0.0, now - self._at)
        gained = elapsed * (self.per_s(self._at) + self.per_s(now)) / 2
        return min(self._burst(now), self._tokens + gained)
