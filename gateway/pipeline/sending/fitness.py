"""Fitness: whether a channel is trusted with messages, from what became of those that it had."""

from __future__ import annotations

from drivers.base import Fault
from drivers.paced_log import PacedLog
from gateway.routing.limits import Breaker, BreakerState, Cooldown, Renewals

_log = PacedLog(__name__, most=100)
UNPROVEN = 2
"""Times that it may come up, and the network answers nothing, before it is tried with one message: where a link is lost
each time at once, a whole window would be lost with it."""


class Fitness:
    """Of one channel.

    Args:
        name: the channel's.

    Attributes:
        cooldown: what throttling makes of it.
        breaker: what failures in series make of it.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self.cooldown = Cooldown()
        self.breaker = Breaker()
        self._renewals = Renewals()
        self._last_failure = ""
        self._n_unproven = 0
        """Times that it came up since the network last answered."""

    def come_up(self, now: float) -> None:
        """The link has come up."""
        self.cooldown = Cooldown()
        self.breaker = self.breaker.after_up()
        self._n_unproven += 1
        if self._n_unproven > UNPROVEN:
            self.breaker = self.breaker.on_trial(now)

    def forget(self) -> None:
        """An operator says that it is mended: trust it."""
        self.cooldown, self.breaker, self._renewals, self._n_unproven = Cooldown(), Breaker(), Renewals(), 0

    def rests_s(self, now: float) -> float:
        """Seconds until it may be tried; 0 when it may."""
        return max(self.cooldown.left_s(now), self.breaker.left_s(now))

    @property
    def suspects(self) -> tuple[str, ...]:
        """Recipients whose messages have just failed on it."""
        suspects = self.cooldown.suspects + self.breaker.suspects
        # While it works, those in trouble have their turn as everybody.
        return suspects if self.breaker.until is None else suspects + self.breaker.shunned

    def trust(self, closed: Breaker) -> None:
        """The network answered."""
        if self.breaker.until is not None:
            _log.info("channel %s works again", self._name)
        self.breaker, self._renewals, self._n_unproven = closed, Renewals(), 0

    def distrust(
        self,
        fault: Fault,
        recipient: str,
        now: float,
        *,
        began: float,
        at_once: bool = False,
        lost: bool = False,
    ) -> None:
        """A submit failed, and not certainly for the segment's own sake; see `Breaker.after_failure`."""
        before = self.breaker
        asked_s = fault.retry_after_s if at_once else None
        self.breaker = before.after_failure(
            now, recipient, began=began, at_once=at_once, lost=lost, asked_s=asked_s
        )
        self._last_failure = f"{fault.code}: {fault.detail}"
        if self.breaker.openings > before.openings:
            _log.warning(
                "channel %s rests %.1f s: %d failures in a row, of %d recipients, the last %s",
                self._name,
                self.breaker.left_s(now),
                self.breaker.failures,
                len(self.breaker.suspects),
                fault.code,
            )

    @property
    def is_suspected(self) -> bool:
        """Several recipients' messages fail on it, so that whatever fails may be the channel's own fault."""
        return self.breaker.is_suspected

    def note_late_success(self) -> None:
        """The network had taken a segment that was of unknown fate: the channel is slow, and not dead."""
        self.trust(self.breaker.after_answer())

    def wants_renewal(self, now: float) -> bool:
        """Whether a new session should be asked for; asked once for each time."""
        if not self._renewals.is_due(self.breaker, now):
            return False
        self._renewals = self._renewals.after_one(now)
        return True

    def reason(self, now: float) -> str | None:
        """Why it is not trusted; None when it is."""
        if self.breaker.state(now) is BreakerState.CLOSED or not self.breaker.failures:
            return None
        return f"{self._last_failure} ({self.breaker.failures} failures in a row)"
