"""Bars: recipients that a channel leaves to others for a while, because it has just refused them. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable

MOST = 1_000


class Bars:
    """Of one channel; the oldest is forgotten first where there are too many."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._until)

    def __contains__(self, recipient: str) -> bool:
        """Whether others are to try a recipient."""
        return recipient in self._until

    def add(self, recipient: str, until: float) -> None:
        """Leave a recipient to others until then, by monotonic seconds."""
        self._until.pop(recipient, None)
        self._until[recipient] = until
        if len(self._until) > MOST:
            del self._until[next(iter(self._until))]

    def lift(self, now: float) -> bool:
        """Forget those that are over; whether there were any."""
        over = [recipient for recipient, until in self._until.items() if until <= now]
        for recipient in over:
            del self._until[recipient]
        return bool(over)

    def recipients(self) -> frozenset[str]:
        """All of them."""
        return frozenset(self._until)

    def items(self) -> Iterable[tuple[str, float]]:
        """Recipients, and when each bar is over."""
        return self._until.items()

    def next_end(self) -> float:
        """When the first is over; infinite without any."""
        return min(self._until.values(), default=math.inf)
