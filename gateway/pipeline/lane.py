"""A lane: one channel as the pipeline drives it. It knows what the channel may take now, and counts.

The driver owns the wire; a supervisor in `gateway.runtime.channels` runs the driver and tells the lane whether
it is up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from drivers.base import Accepted, Driver, Fault, FaultKind, OutboundSegment, Refused, SubmitResult, Uncertain
from drivers.paced_log import PacedLog
from drivers.pacing import AdaptivePace, TokenBucket
from gateway.clock import Clock
from gateway.pipeline.turns import Turn
from gateway.routing.balancer import Taker
from gateway.routing.budgets import Budget, Need
from gateway.routing.channel import ChannelSnapshot, ChannelState, Standing
from gateway.routing.limits import Breaker, BreakerState, Cooldown
from gateway.routing.rules import queues_of

_log = PacedLog(__name__, most=100)
_NEVER_S = 3_600.0
"""Look again after an hour at the latest."""
CONGESTED = 90
"""From here on a peer's own figure says that it is nearly congested (SMPP 5.0 4.8.4.18)."""
_LEAST_S = 1.0
"""And not more often for the sake of a budget: its periods are longer than the clock's steps."""


class Lane:
    """One channel in the eyes of the scheduler.

    Args:
        driver: the channel's driver.
        kind: ``modem``, ``smpp`` or ``loopback``.
        groups: the channel groups it serves.
        clock: the time.
        rate: pacing in segments; None for as fast as it can.
        rate_text: the rate as configured, for people.
        budget: what it may spend per day and month; None without.
        number: our own number on it, if configured.
        account: what binds to one SMSC account share; None for a channel that stands alone.
        takes_parameters: False for a bind that has no optional parameters; messages that bring some go elsewhere.
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
        budget: Budget | None = None,
        number: str | None = None,
        account: str | None = None,
        takes_parameters: bool = True,
    ) -> None:
        self.driver = driver
        self.name = driver.channel_id
        self.kind = kind
        self.queues = queues_of(self.name, groups)
        self.number = number
        self.account = self.name if account is None else account
        self._takes_parameters = takes_parameters
        self.filled = True
        """Whether it was given all it could take when it was last asked: there may be more in the queue."""
        self.budget = budget
        """What it has spent, without what is on the wire."""
        self._under_way: dict[str, Need] = {}
        self._groups = tuple(groups)
        self._clock = clock
        self._rate = rate
        self._rate_text = rate_text
        self._pace = AdaptivePace(clock.monotonic())
        self._cooldown = Cooldown()
        self._breaker = Breaker()
        self._turn = Turn(clock) if driver.capacity == 1 else None
        self.facts: dict[str, str | int | float | bool | None] = {}
        self.state = ChannelState.STARTING
        self.paused = False
        self.draining = False
        self._since: datetime = clock.now()
        self._error: str | None = None
        self.sent = self.failed = self.uncertain = self.received = 0

    @property
    def in_flight(self) -> int:
        """Messages claimed for it and not settled yet."""
        return len(self._under_way)

    def set_state(self, state: ChannelState, error: str | None = None) -> None:
        """What the supervisor sees: starting, up, down or stopped."""
        if state is not self.state:
            self._since = self._clock.now()
        if state is ChannelState.UP:
            self._cooldown = Cooldown()
            self._breaker = self._breaker.after_up()
        elif self._turn is not None:
            self._turn.give_back()
        self.state = state
        self._error = error

    def set_ailment(self, error: str | None) -> None:
        """What does not work though it is up; None when all does."""
        self._error = error

    def forget_faults(self) -> None:
        """An operator says that it is mended: trust it."""
        self._cooldown, self._breaker = Cooldown(), Breaker()

    def begin(self, message_id: str, need: Need) -> None:
        """A message was claimed for it; what that needs of the budget is kept back until `end`."""
        self._under_way[message_id] = need

    def end(self, message_id: str) -> None:
        """A claimed message needs it no longer."""
        self._under_way.pop(message_id, None)

    def free(self, now: float) -> int:
        """Messages it may be given now."""
        in_flight = self.in_flight
        room = self.driver.capacity - in_flight
        if room == 0 and self.ahead_in_s(now) <= 0:
            room = 1
        if room <= 0 or not self._is_open or self._rests_s(now) > 0:
            return 0
        if self._breaker.state(now) is not BreakerState.CLOSED:
            room = min(room, 1 - in_flight)
        if self._rate is not None:
            room = min(room, self._rate.available(now))
        if (borne := self._pace.available(now)) is not None:
            room = min(room, borne)
        if self.budget is not None and (left := self._left().left(self._clock.now())) is not None:
            room = min(room, left)
        return max(0, room)

    @property
    def _is_open(self) -> bool:
        return self.state is ChannelState.UP and not self.paused and not self.draining

    def ahead_in_s(self, now: float) -> float:
        """Seconds until its next message may be claimed though one is on the wire; infinite for never."""
        return math.inf if self._turn is None else self._turn.ahead_in_s(now)

    @property
    def takes_turns(self) -> bool:
        """Whether its segments go one after the other; False where many are on the wire at once."""
        return self._turn is not None

    @property
    def has_on_wire(self) -> bool:
        """Whether a segment is on its wire and the next must wait for it; never where many go at once."""
        return self._turn is not None and self._turn.is_taken

    async def wait_turn(self) -> bool:
        """Wait until a claimed message may be submitted; False when it must go back. Cancel: nothing has happened."""
        if self._turn is None:
            return True
        if not await self._turn.wait():
            return False
        return self._is_open and self._rests_s(self._clock.monotonic()) <= 0

    def give_back(self) -> None:
        """A message that waits for its turn must go back."""
        if self._turn is not None:
            self._turn.give_back()

    def taker(self, free: int) -> Taker:
        """It with its room, for the balancer."""
        takes_parameters = self._takes_parameters
        if self.budget is None:
            return Taker(self.name, self.queues, free, takes_parameters=takes_parameters)
        budget = self._left()
        urgent_only = budget.left(self._clock.now(), urgent=False) == 0
        return Taker(self.name, self.queues, free, budget, urgent_only, takes_parameters)

    def ready_in_s(self, now: float) -> float:
        """Seconds after which time alone may give it room; the rest wakes the scheduler by itself."""
        if not self._is_open:
            return _NEVER_S
        if 0 < (ahead_s := self.ahead_in_s(now)) < _NEVER_S:
            return ahead_s
        rate_s = 0.0 if self._rate is None else self._rate.ready_in_s(now)
        rests_s = max(self._rests_s(now), rate_s, self._pace.ready_in_s(now))
        if rests_s > 0:
            return min(rests_s, _NEVER_S)
        wall = self._clock.now()
        ready_at = self.budget.ready_at(wall) if self.budget is not None else None
        return (
            _NEVER_S if ready_at is None else min(_NEVER_S, max(_LEAST_S, (ready_at - wall).total_seconds()))
        )

    async def submit(self, segment: OutboundSegment) -> SubmitResult:
        """Hand one segment to the driver and keep the books of rate, budget, breaker and counters."""
        now = self._clock.monotonic()
        self._pace.take(now)
        if self._rate is not None:
            self._rate.take(1, now)
        result = await self._submit(segment, now)
        match result:
            case Accepted(congestion=congestion):
                if congestion is not None and congestion >= CONGESTED:
                    self._pace.slow_down(self._clock.monotonic())
                self.sent += 1
                self._cooldown = self._cooldown.after_success()
                self._trust()
                self._spend(segment)
            case Uncertain(code=code):
                self.uncertain += 1
                self._spend(segment)  # it may have gone out
                self._distrust(code)
            case Refused(fault=fault):
                self._note_fault(fault)
        return result

    async def _submit(self, segment: OutboundSegment, now: float) -> SubmitResult:
        turn = self._turn
        if turn is None:
            return await self.driver.submit(segment)
        turn.begin(now, more_to_come=segment.more_to_come)
        accepted = False
        try:
            result = await self.driver.submit(segment)
            accepted = isinstance(result, Accepted)
            return result
        finally:
            turn.end(self._clock.monotonic(), accepted=accepted)

    def _note_fault(self, fault: Fault) -> None:
        match fault.kind:
            case FaultKind.PERMANENT:
                self.failed += 1
                self._trust()
            case FaultKind.TEMPORARY:
                self._distrust(fault.code)
            case FaultKind.CHANNEL | FaultKind.CONFIG:
                self._distrust(fault.code, at_once=True, asked_s=fault.retry_after_s)
            case FaultKind.THROTTLED:
                now = self._clock.monotonic()
                self._cooldown = self._cooldown.after_fault(now, fault.retry_after_s)
                self._pace.slow_down(now)
                left_s = self._cooldown.left_s(now)
                _log.info("channel %s is throttled for %.1f s: %s", self.name, left_s, fault.code)

    def _trust(self) -> None:
        if self._breaker.until is not None:
            _log.info("channel %s works again", self.name)
        self._breaker = self._breaker.after_answer()

    def _distrust(self, code: str, *, at_once: bool = False, asked_s: float | None = None) -> None:
        now = self._clock.monotonic()
        before, self._breaker = (
            self._breaker,
            self._breaker.after_failure(now, at_once=at_once, asked_s=asked_s),
        )
        if self._breaker.openings > before.openings:
            _log.info(
                "channel %s rests %.1f s after %d failures in a row, the last %s",
                self.name,
                self._breaker.left_s(now),
                self._breaker.failures,
                code,
            )

    def _rests_s(self, now: float) -> float:
        return max(self._cooldown.left_s(now), self._breaker.left_s(now))

    def _spend(self, segment: OutboundSegment) -> None:
        if self.budget is not None:
            self.budget = self.budget.take(Need(segment.recipient), self._clock.now())

    def _left(self) -> Budget:
        """The budget with what is on the wire taken off."""
        assert self.budget is not None
        left, now = self.budget, self._clock.now()
        for need in self._under_way.values():
            left = left.take(need, now)
        return left

    def standing(self) -> Standing:
        """The lane as one who asks why a message waits must see it."""
        now, wall = self._clock.monotonic(), self._clock.now()
        wait_s = max(0.0 if self._rate is None else self._rate.ready_in_s(now), self._pace.ready_in_s(now))
        return Standing(
            snapshot=self.snapshot(),
            queues=self.queues,
            budget=None if self.budget is None else self._left(),
            takes_parameters=self._takes_parameters,
            paced_until=wall + timedelta(seconds=wait_s) if wait_s > 0 else None,
        )

    def snapshot(self) -> ChannelSnapshot:
        """The lane as operators see it."""
        now, wall = self._clock.monotonic(), self._clock.now()
        pace = self._pace.rate(now)
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
            cooldown_s=round(self._rests_s(now), 1),
            breaker=self._breaker.state(now),
            rate=self._rate_text,
            budgets=() if self.budget is None else self.budget.accounts(wall),
            number=self.number,
            since=self._since,
            error=self._error,
            sent=self.sent,
            failed=self.failed,
            uncertain=self.uncertain,
            received=self.received,
            facts=self.facts if pace is None else {**self.facts, "pace_per_s": round(pace, 1)},
        )
