"""Cool-down and breaker of one channel: values with monotonic `now` passed in. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

COOLDOWN_FIRST_S = 1.0
COOLDOWN_CAP_S = 60.0
SERIES = 3
"""Failures in a row that open a breaker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cooldown:
    """How long a channel that is throttled is left alone; doubles while it goes on.

    Args:
        until: monotonic seconds; 0 when fit.
        failures: in a row.
    """

    until: float = 0.0
    failures: int = 0

    def after_fault(self, now: float, asked_s: float | None = None) -> Cooldown:
        """After one more refusal; the peer's own wish counts when it gave one."""
        pause_s = asked_s if asked_s is not None else _pause_s(self.failures)
        if now < self.until:  # several segments of one window failed together: one failure
            return replace(self, until=max(self.until, now + pause_s))
        return Cooldown(until=now + pause_s, failures=self.failures + 1)

    def after_success(self) -> Cooldown:
        """Fit again."""
        return Cooldown()

    def left_s(self, now: float) -> float:
        """Seconds until it may be tried; 0 when fit."""
        return max(0.0, self.until - now)


class BreakerState(StrEnum):
    """Whether a channel is trusted with messages."""

    CLOSED = "closed"
    OPEN = "open"
    """Its submits failed in series: nothing goes until a pause is over."""
    HALF_OPEN = "half_open"
    """One message goes; what becomes of it decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """Takes a channel whose submits fail in series out of work, and tries again with one message.

    Args:
        failures: in a row.
        openings: in a row; each pause is twice the one before.
        until: monotonic seconds at which the pause ends; None while closed.
    """

    failures: int = 0
    openings: int = 0
    until: float | None = None

    def state(self, now: float) -> BreakerState:
        """What it lets through."""
        if self.until is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now < self.until else BreakerState.HALF_OPEN

    def after_failure(self, now: float, *, at_once: bool = False, asked_s: float | None = None) -> Breaker:
        """After one more submit that the channel failed.

        Args:
            now: monotonic seconds.
            at_once: it opens without a series: the channel said itself that it can't.
            asked_s: the pause that the peer asked for.
        """
        if self.until is not None and now < self.until:
            # Several segments of one window failed together: one failure.
            return self if asked_s is None else replace(self, until=max(self.until, now + asked_s))
        failures = self.failures + 1
        if self.until is None and failures < SERIES and not at_once:
            return replace(self, failures=failures)
        pause_s = asked_s if asked_s is not None else _pause_s(self.openings)
        return Breaker(failures=failures, openings=self.openings + 1, until=now + pause_s)

    def after_answer(self) -> Breaker:
        """The network took a segment, or refused it for the segment's own sake: the channel works."""
        return Breaker()

    def after_up(self) -> Breaker:
        """The link has come up again: that is a cure for a refusal or two, and none for a series."""
        return self if self.failures >= SERIES else Breaker()

    def left_s(self, now: float) -> float:
        """Seconds until it may be tried; 0 when it may."""
        return max(0.0, self.until - now) if self.until is not None else 0.0


def _pause_s(n_before: int) -> float:
    return min(COOLDOWN_CAP_S, COOLDOWN_FIRST_S * 2.0 ** min(n_before, 10))
