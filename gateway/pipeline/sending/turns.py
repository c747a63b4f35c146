"""Turns on a channel that sends one segment after the other: when its next message is claimed, and who waits.

To claim a message takes a durable commit. A channel that waited for that between two segments would stand still, so
its next message is claimed a moment before the answer is expected to the segment on the wire, and waits here, not yet
given to the driver. Only a moment: what waits is on record as being sent, and nothing more urgent can overtake it.
Where answers come irregularly nothing is claimed ahead, and when one is late what waits is given back.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.clock import Clock

AHEAD_S = 0.05
"""So long before the expected answer: a claim takes some milliseconds, more when many are under way."""
REMEMBERED = 4
"""Segments whose times say when an answer is expected."""
IRREGULAR = 0.2
"""Their shortest and longest time differ by no more than this share, or nothing is expected."""
SHORTEST_S = 4 * AHEAD_S
"""Where answers come faster than this they are not waited for ahead of time."""
LATE_S = 1.0
"""An answer is late when it takes so much longer than the longest remembered one."""


class AnswerTimes:
    """How long the last segments took. Pure."""

    def __init__(self) -> None:
        self._taken: deque[float] = deque(maxlen=REMEMBERED)

    def note(self, taken_s: float) -> None:
        """One segment was accepted after so many seconds."""
        self._taken.append(taken_s)

    @property
    def soonest_s(self) -> float:
        """When the next answer may come; never while nobody can tell."""
        if not self._taken:
            return math.inf
        shortest, longest = min(self._taken), max(self._taken)
        return shortest if longest - shortest <= IRREGULAR * longest and shortest >= SHORTEST_S else math.inf

    @property
    def late_s(self) -> float:
        """When the next answer is late."""
        return max(self._taken, default=0.0) + LATE_S


class Turn:
    """Of one channel; the segment whose turn it is, and at most one message that waits for its own."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._times = AnswerTimes()
        self._began: float | None = None
        self._ahead_at = self._late_at = math.inf
        self._waiter: asyncio.Future[bool] | None = None

    def begin(self, now: float, *, more_to_come: bool) -> None:
        """A segment goes to the driver; with more to come, those of its message go first."""
        self._began = now
        self._ahead_at = math.inf if more_to_come else now + self._times.soonest_s - AHEAD_S
        self._late_at = now + self._times.late_s

    def end(self, now: float, *, accepted: bool) -> None:
        """Its outcome is known: the next one's turn."""
        if accepted and self._began is not None:
            self._times.note(now - self._began)
        self._began = None
        self._ahead_at = math.inf
        self._wake(its_turn=True)

    @property
    def is_taken(self) -> bool:
        """Whether a segment is on the wire."""
        return self._began is not None

    def ahead_in_s(self, now: float) -> float:
        """Seconds until the next message may be claimed; infinite where that must wait for the answer."""
        return math.inf if self._waiter is not None or now > self._late_at else self._ahead_at - now

    async def wait(self) -> bool:
        """Wait for the segment on the wire; False when its answer is late, or for `give_back`.

        Cancel: nothing has happened.
        """
        if self._began is None:
            return True
        if self._waiter is not None:
            return False
        left_s = self._late_at - self._clock.monotonic()
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(left_s):
                return await self._waiter
        except TimeoutError:
            self._ahead_at = math.inf  # nothing more is claimed before this answer
            return False
        finally:
            self._waiter = None

    def give_back(self) -> None:
        """Whoever waits must not go."""
        self._wake(its_turn=False)

    def _wake(self, *, its_turn: bool) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(its_turn)
