"""Pacing: jittered backoff and a token bucket. Pure: time is passed in, nothing here sleeps."""

from __future__ import annotations

import math
import random

_LEAST_WAIT = 0.05
"""Share of the current bound that is always waited, so that a wait is never nothing."""

_ROUNDING = 1e-6
"""Without it, waiting exactly ``ready_in_s`` may leave 0.9999999 of a token."""


class Backoff:
    """Exponential backoff with full jitter.

    Each wait is drawn evenly between a small share of the current bound and the bound; the bound
    doubles from ``base_s`` up to ``cap_s``. Many channels that lost the same peer thus come back
    spread out instead of together.

    Args:
        base_s: bound of the first wait, above 0.
        cap_s: bound that no wait exceeds, at least ``base_s``.
        rng: source of jitter; give a seeded one to repeat a run.
    """

    __slots__ = ("_base_s", "_bound_s", "_cap_s", "_rng")

    def __init__(self, base_s: float = 1.0, cap_s: float = 60.0, rng: random.Random | None = None) -> None:
        if not 0 < base_s <= cap_s:
            raise ValueError("base_s must be above 0 and not above cap_s")
        self._base_s = base_s
        self._cap_s = cap_s
        self._bound_s = base_s
        self._rng = rng if rng is not None else random.Random()

    def next_s(self) -> float:
        """Seconds to wait before the next try; never 0, never above the cap."""
        bound_s = self._bound_s
        self._bound_s = min(bound_s * 2, self._cap_s)
        return self._rng.uniform(bound_s * _LEAST_WAIT, bound_s)

    def reset(self) -> None:
        """The peer is well again: the next wait starts from ``base_s``."""
        self._bound_s = self._base_s


class TokenBucket:
    """A rate with a burst: tokens flow in evenly up to ``burst``, and a send takes some out.

    The balance may go negative: a message of several segments that must stay together is taken
    whole and paid back before the next one.

    Args:
        rate_per_s: tokens that flow in per second, above 0.
        burst: most tokens that gather, above 0; the bucket starts full.
        now: monotonic seconds, on the same clock as all later calls.
    """

    __slots__ = ("_at", "_burst", "_rate_per_s", "_tokens")

    def __init__(self, rate_per_s: float, burst: float, now: float) -> None:
        if rate_per_s <= 0 or burst <= 0:
            raise ValueError("rate_per_s and burst must be above 0")
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._tokens = burst
        self._at = now

    def available(self, now: float) -> int:
        """Whole tokens there now; 0 while in debt."""
        return max(0, math.floor(self._balance(now) + _ROUNDING))

    def take(self, n: float, now: float) -> None:
        """Take ``n`` tokens, into debt if need be."""
        self._tokens = self._balance(now) - n
        self._at = max(self._at, now)

    def ready_in_s(self, now: float, n: float = 1) -> float:
        """Seconds until ``n`` tokens are there; 0 when they are.

        More than the burst never gather, so a larger ``n`` is ready when the bucket is full.
        """
        missing = min(n, self._burst) - self._balance(now)
        return missing / self._rate_per_s if missing > _ROUNDING else 0.0

    def _balance(self, now: float) -> float:
        # A clock that stands still or steps back adds nothing.
        gained = max(0.0, now - self._at) * self._rate_per_s
        return min(self._burst, self._tokens + gained)
