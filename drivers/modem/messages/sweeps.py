"""When the storages are swept next. Pure.

Sweeps find what no notification told of. They are rare for a stick that announces what it stores, and become frequent
for one that does not: a sweep that finds something unannounced brings the next one near, and each one that finds
nothing doubles the wait.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drivers.modem.timing import ModemTiming

MOST_PATIENCE = 64
"""Sweeps for reports that were not announced are so much rarer at most, when they find none."""
SURE = 8
"""From then on the first report that is owed is no reason for a sweep: three found nothing."""


class SweepSchedule:
    """Of one session; all times are by one clock.

    Attributes:
        next: when the next sweep is due.
        is_first: the next one is the first of its bring-up: what it finds came while nobody was there.
    """

    def __init__(self, timing: ModemTiming) -> None:
        self.next = 0.0
        self.is_first = True
        self._timing = timing
        self._interval_s = min(timing.sweep_s, timing.sweep_soon_s)
        self._last_stray = -math.inf
        self._stray_wait_s = 0.0
        self._last_search = -math.inf
        self._search_wait_s = 0.0
        self._n_owed = 0
        self._patience = 1

    def begin(self, now: float) -> None:
        """A sweep begins."""
        self.next = now + self._interval_s

    def end(self, now: float, n_unannounced: int) -> None:
        """A sweep is over; it found so many messages that nothing had announced."""
        if n_unannounced and not self.is_first:
            self._interval_s = min(self._timing.sweep_s, self._timing.sweep_soon_s)
            self._patience = 1
            self.by(now + self._interval_s)
        else:
            self._interval_s = min(self._timing.sweep_s, 2 * self._interval_s)
            self._patience = min(MOST_PATIENCE, self._patience * (1 if self.is_first else 2))
        self._n_owed = 0
        self.is_first = False

    def by(self, when: float) -> None:
        """Sweep then at the latest."""
        self.next = min(self.next, when)

    def again(self, now: float) -> None:
        """Something was left."""
        self.by(now + self._timing.sweep_after_failure_s)

    def note_owed(self, now: float, limit: int) -> bool:
        """A segment went out whose report may be stored; whether that changes `next`.

        Args:
            limit: how many reports may gather before their storage is half full.
        """
        self._n_owed += 1
        before = self.next
        if self._n_owed == 1 and self._patience < SURE:
            self.by(now + self._timing.sweep_soon_s * self._patience)
        if self._n_owed >= limit * self._patience:
            self.by(now)
        return self.next < before

    def note_reports_come(self) -> None:
        """A report was announced or handed over: the others are on their way as well."""
        self._n_owed = 0

    def note_stray(self, now: float) -> bool:
        """A line came that may have been a notification; whether that changes `next`.

        Each time later, for some sticks always say what nobody understands.
        """
        if now - self._last_stray >= self._timing.sweep_s:
            self._stray_wait_s = self._timing.sweep_after_failure_s
        self._last_stray = now
        if now + self._stray_wait_s >= self.next:
            return False
        self.by(now + self._stray_wait_s)
        self._stray_wait_s *= 2
        return True

    def note_search(self, now: float) -> bool:
        """Something was announced and is not in its place; whether to look everywhere at once."""
        if now - self._last_search >= self._timing.sweep_s:
            self._search_wait_s = 0.0
        if now - self._last_search < self._search_wait_s:
            self.by(self._last_search + self._search_wait_s)
            return False
        self._last_search = now
        self._search_wait_s = max(1.0, 2 * self._search_wait_s)
        return True
