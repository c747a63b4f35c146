"""A lane: one channel as the pipeline drives it. It knows what the channel may take now, and counts.

The driver owns the wire; a supervisor in `gateway.runtime.channels` runs the driver and tells the lane whether
it is up.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime

from drivers.base import Accepted, Driver, Fault, FaultKind, OutboundSegment, Refused, SubmitResult, Uncertain
from drivers.pacing import TokenBucket
from gateway.clock import Clock
from gateway.routing.channel import ChannelSnapshot, ChannelState
from gateway.routing.limits import Cooldown, Quota
from gateway.routing.rules import queues_of

_log = logging.getLogger(__name__)
_NEVER_S = 3_600.0
"""Look again after an hour at the latest."""


class Lane:
    """One channel in the eyes of the scheduler.

    Args:
        driver: the channel's driver.
        kind: ``modem``, ``smpp`` or ``loopback``.
        groups: the channel groups it serves.
        clock: the time.
        rate: pacing in segments; None for as fast as it can.
        rate_text: the rate as configured, for people.
        quota: segments per period; None without.
        number: our own number on it, if configured.
    """

    def __init__(
        self,
        driver: Driver,
        *,
        kind: str,
        groups: Sequence[str],
        clock: Clock,
        rate: TokenBucket | None = None,
        rate_text: str | None = None,
        quota: Quota | None = None,
        number: str | None = None,
    ) -> None:
        self.driver = driver
        self.name = driver.channel_id
        self.kind = kind
        self.queues = queues_of(self.name, groups)
        self.number = number
        self.in_flight = 0
        """Messages claimed for it and not settled yet."""
        self.filled = True
        """Whether it was given all it could take when it was last asked: there may be more in the queue."""
        self._groups = tuple(groups)
        self._clock = clock
        self._rate = rate
        self._rate_text = rate_text
        self.quota = quota
        self._cooldown = Cooldown()
        self.facts: dict[str, str | int | float | bool | None] = {}
        self.state = ChannelState.STARTING
        self.paused = False
        self.draining = False
        self._since: datetime = clock.now()
        self._error: str | None = None
        self.sent = self.failed = self.uncertain = self.received = 0

    def set_state(self, state: ChannelState, error: str | None = None) -> None:
        """What the supervisor sees: starting, up, down or stopped."""
        if state is not self.state:
            self._since = self._clock.now()
        if state is ChannelState.UP:
            self._cooldown = Cooldown()
        self.state = state
        self._error = error

    def free(self, now: float) -> int:
        """Messages it may be given now."""
        if (
            self.state is not ChannelState.UP
            or self.paused
            or self.draining
            or self._cooldown.left_s(now) > 0
        ):
            return 0
        room = self.driver.capacity - self.in_flight
        if self._rate is not None:
            room = min(room, self._rate.available(now))
        if self.quota is not None:
            room = min(room, self.quota.left(self._clock.now().timestamp()) - self.in_flight)
        return max(0, room)

    def ready_in_s(self, now: float) -> float:
        """Seconds after which time alone may give it room; the rest wakes the scheduler by itself."""
        if self.state is not ChannelState.UP or self.paused or self.draining:
            return _NEVER_S
        waits = [self._cooldown.left_s(now)]
        if self._rate is not None:
            waits.append(self._rate.ready_in_s(now))
        if self.quota is not None and self.quota.left(self._clock.now().timestamp()) == 0:
            waits.append(60.0)
        longest = max(waits)
        return longest if longest > 0 else _NEVER_S

    async def submit(self, segment: OutboundSegment) -> SubmitResult:
        """Hand one segment to the driver and keep the books of rate, quota, cool-down and counters."""
        now = self._clock.monotonic()
        if self._rate is not None:
            self._rate.take(1, now)
        result = await self.driver.submit(segment)
        match result:
            case Accepted():
                self.sent += 1
                self._cooldown = self._cooldown.after_success()
                if self.quota is not None:
                    self.quota = self.quota.take(1, self._clock.now().timestamp())
            case Uncertain():
                self.uncertain += 1
            case Refused(fault=fault):
                self._note_fault(fault)
        return result

    def _note_fault(self, fault: Fault) -> None:
        now = self._clock.monotonic()
        match fault.kind:
            case FaultKind.PERMANENT:
                self.failed += 1
            case FaultKind.TEMPORARY:
                pass
            case FaultKind.THROTTLED | FaultKind.CHANNEL | FaultKind.CONFIG:
                self._cooldown = self._cooldown.after_fault(now, fault.retry_after_s)
                _log.info(
                    "channel %s cools down %.1f s: %s", self.name, self._cooldown.left_s(now), fault.code
                )

    def snapshot(self) -> ChannelSnapshot:
        """The lane as operators see it."""
        now = self._clock.monotonic()
        state = self.state
        if state is not ChannelState.STOPPED and self.draining and self.in_flight:
            state = ChannelState.DRAINING
        elif state is not ChannelState.STOPPED and (self.paused or self.draining):
            state = ChannelState.PAUSED
        return ChannelSnapshot(
            name=self.name,
            kind=self.kind,
            state=state,
            groups=self._groups,
            capacity=self.driver.capacity,
            in_flight=self.in_flight,
            tokens=None if self._rate is None else max(0, self._rate.available(now)),
            cooldown_s=round(self._cooldown.left_s(now), 1),
            rate=self._rate_text,
            number=self.number,
            since=self._since,
            error=self._error,
            sent=self.sent,
            failed=self.failed,
            uncertain=self.uncertain,
            received=self.received,
            facts=self.facts,
        )
