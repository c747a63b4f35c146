"""Pacing: jittered backoff, a token bucket, a pace found by trying. Pure: time is passed in, nothing here sleeps."""

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

    @property
    def per_s(self) -> float:
        """Tokens that flow in per second."""
        return self._rate_per_s

    def available(self, now: float) -> int:
        """Whole tokens there now; 0 while in debt."""
        return max(0, math.floor(self._balance(now) + _ROUNDING))

    def take(self, n: float, now: float) -> None:
        """Take ``n`` tokens, into debt if need be."""
        self._tokens = self._balance(now) - n
        self._at = max(self._at, now)

    def drop_burst(self, now: float) -> None:
        """Keep one token of those that have gathered."""
        self._tokens = min(self._balance(now), 1.0)
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


class AdaptivePace:
    """The pace that a peer bears, found by trying: half as fast at each complaint, a little faster all the time.

    Until the first complaint there is no bound. A complaint sets one at half of what was really sent; from then on
    it rises by a fixed step each second, and is dropped when it has come to many times the pace complained of.

    Args:
        now: monotonic seconds, on the same clock as all later calls.
    """

    __slots__ = (
        "_complained_at",
        "_count",
        "_counted_from",
        "_measured",
        "_rate",
        "_rate_at",
        "_step",
        "_tokens",
        "peak",
    )

    def __init__(self, now: float) -> None:
        self._rate: float | None = None
        self._rate_at = now
        self._step = 0.0
        self._tokens = 0.0
        self._complained_at = -math.inf
        self._count = 0
        self._counted_from = now
        self._measured = 0.0
        self.peak = 0.0
        """The most sends per second that were seen in a second."""

    def rate(self, now: float) -> float | None:
        """Sends per second that it allows; None for no bound."""
        self._rise(now)
        return self._rate

    def available(self, now: float) -> int | None:
        """Whole sends that it allows now; None for no bound."""
        self._rise(now)
        return None if self._rate is None else max(0, math.floor(self._tokens + _ROUNDING))

    def ready_in_s(self, now: float) -> float:
        """Seconds until it allows one; 0 when it does."""
        self._rise(now)
        if self._rate is None or self._tokens + _ROUNDING >= 1:
            return 0.0
        return (1 - self._tokens) / self._rate

    def take(self, now: float) -> None:
        """One was sent."""
        self._rise(now)
        self._tokens -= 1
        if now - self._counted_from >= _MEASURED_OVER_S:
            self._measured = self._count / (now - self._counted_from)
            self.peak = max(self.peak, self._measured)
            self._count, self._counted_from = 0, now
        self._count += 1

    def slow_down(self, now: float) -> None:
        """The peer complains. Complaints about one window come together, and count once."""
        if now - self._complained_at < _ONE_COMPLAINT_S:
            return
        self._rise(now)
        self._complained_at = now
        sent = max(self._measured, self._count / max(now - self._counted_from, _MEASURED_OVER_S))
        base = sent if self._rate is None else min(self._rate, max(sent, _LEAST_PACE))
        self._rate = max(base / 2, _LEAST_PACE)
        self._rate_at = now
        self._step = max(base * _STEP, _LEAST_STEP)
        self._tokens = min(self._tokens, 1.0)

    def _rise(self, now: float) -> None:
        elapsed = max(0.0, now - self._rate_at)
        self._rate_at = max(self._rate_at, now)
        if self._rate is None:
            self._tokens = 0.0
            return
        self._rate += self._step * elapsed
        burst = max(1.0, self._rate * _BURST_S)
        self._tokens = min(burst, self._tokens + self._rate * elapsed)
        if self._rate > self._step / _STEP * _FORGOTTEN_AT:
            self._rate = None


_MEASURED_OVER_S = 1.0
_ONE_COMPLAINT_S = 1.0
_LEAST_PACE = 0.5
"""Sends per second below which nobody is slowed down: the pauses after a refusal do the rest."""
_STEP = 0.05
"""Share of the pace complained of that is won back each second."""
_LEAST_STEP = 0.05
_BURST_S = 0.1
_FORGOTTEN_AT = 10.0
"""Times the pace complained of at which the bound is dropped."""
