"""Stored status reports that wait for each other while segments go out. Pure.

Two commands read and delete any number of them, and each command between two segments is time in which the stick
sends nothing. So those of a stick that sends without a pause wait a little; those of one at rest don't.
"""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivers.at.unsolicited import Urc

WAIT_S = 10.0
"""So long the oldest may wait, give or take `SPREAD`: many sticks must not be read all at once."""
SPREAD = 0.2
AT_ONCE = 16
"""So many are read at once, or as many as half of the storage holds if that is less."""
PAUSE_S = 0.05
"""When no segment was on its way for so long, none follows that the reports would delay."""
LOOK_S = 0.5
"""Between two looks at whether segments still go out."""


class WaitingReports:
    """The notifications of one session's stored status reports, in order."""

    def __init__(self) -> None:
        self._urcs: list[Urc] = []
        self._latest = 0.0
        self._limit = AT_ONCE

    def __len__(self) -> int:
        return len(self._urcs)

    @property
    def limit(self) -> int:
        """So many are read at once."""
        return self._limit

    def add(self, urc: Urc, now: float) -> bool:
        """One was announced; whether that changes when they are due."""
        if not self._urcs:
            self._latest = now + WAIT_S * random.uniform(1 - SPREAD, 1 + SPREAD)
        self._urcs.append(urc)
        return len(self._urcs) == 1 or len(self._urcs) >= self._limit

    def note_room(self, n_slots: int) -> None:
        """A storage that they may lie in has so many places."""
        if n_slots > 0:
            self._limit = min(self._limit, max(1, n_slots // 2))

    def due(self, now: float, free_since: float | None) -> float:
        """When to read them, or to look again; never while there are none.

        Args:
            now, free_since: by one clock; since when no segment is on its way, None while one is.
        """
        if not self._urcs:
            return math.inf
        if len(self._urcs) >= self._limit:
            return now
        look = now + LOOK_S if free_since is None else free_since + PAUSE_S
        return min(self._latest, look)

    def take(self) -> list[Urc]:
        """All of them; none is left."""
        urcs, self._urcs = self._urcs, []
        return urcs

    def drop(self, unwanted: Callable[[Urc], bool]) -> None:
        """Forget those that somebody has read."""
        self._urcs = [urc for urc in self._urcs if not unwanted(urc)]
