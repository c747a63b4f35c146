"""Quota and cool-down of one channel: values with `now` passed in."""

from __future__ import annotations

from dataclasses import dataclass, replace

COOLDOWN_FIRST_S = 1.0
COOLDOWN_CAP_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """Segments allowed in each period, such as 200 a day.

    Args:
        limit: segments in one period.
        period_s: length of a period; periods are aligned to ``offset_s``.
        offset_s: what to add to Unix time so that a day starts at local midnight.
        period: number of the period that ``used`` belongs to.
        used: segments taken in it.
    """

    limit: int
    period_s: float
    offset_s: float = 0.0
    period: int = 0
    used: int = 0

    def left(self, unix_now: float) -> int:
        """Segments that may still go in the current period."""
        return self.limit if self._period_at(unix_now) != self.period else max(0, self.limit - self.used)

    def take(self, n: int, unix_now: float) -> Quota:
        """The quota after ``n`` segments more."""
        period = self._period_at(unix_now)
        return replace(self, period=period, used=n if period != self.period else self.used + n)

    def starts_at(self, unix_now: float) -> float:
        """When the current period began, in Unix seconds."""
        return self._period_at(unix_now) * self.period_s - self.offset_s

    def _period_at(self, unix_now: float) -> int:
        return int((unix_now + self.offset_s) // self.period_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cooldown:
    """How long a channel that refused for its own reasons is left alone; doubles while it goes on refusing.

    Args:
        until: monotonic seconds; 0 when fit.
        failures: in a row.
    """

    until: float = 0.0
    failures: int = 0

    def after_fault(self, now: float, asked_s: float | None = None) -> Cooldown:
        """After one more refusal; the peer's own wish counts when it gave one."""
        pause_s = min(COOLDOWN_CAP_S, COOLDOWN_FIRST_S * 2.0 ** min(self.failures, 10))
        pause_s = asked_s if asked_s is not None else pause_s
        if now < self.until:  # several segments of one window failed together: one failure
            return replace(self, until=max(self.until, now + pause_s))
        return Cooldown(until=now + pause_s, failures=self.failures + 1)

    def after_success(self) -> Cooldown:
        """Fit again."""
        return Cooldown()

    def left_s(self, now: float) -> float:
        """Seconds until it may be tried; 0 when fit."""
        return max(0.0, self.until - now)
