"""A lane: one channel as the pipeline drives it. It knows what the channel may take now, and counts.

The driver owns the wire; a supervisor in `gateway.channels.supervise` runs the driver and tells the lane whether
it is up.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta

from drivers.abilities import Renews
from drivers.base import (
    Accepted,
    Blame,
    Driver,
    Fault,
    FaultKind,
    OutboundSegment,
    Refused,
    SubmitResult,
    Uncertain,
)
from drivers.broken import INTERNAL_ERROR
from drivers.paced_log import PacedLog
from drivers.pacing import AdaptivePace, TokenBucket
from gateway.clock import Clock, Reading, read
from gateway.model.message import Message
from gateway.pipeline.sending.fitness import Fitness
from gateway.pipeline.sending.release import NO_RAMP, Ramping, Release
from gateway.pipeline.sending.turns import Turn
from gateway.routing.balancer import Taker
from gateway.routing.bars import Bars
from gateway.routing.budgets import Budget, Need
from gateway.routing.channel import ChannelSnapshot, ChannelState, Pause, Standing
from gateway.routing.limits import BreakerState
from gateway.routing.room import LEAST_S, Hold, Room, find_room
from gateway.routing.rules import queues_of

_log = PacedLog(__name__, most=100)
CONGESTED = 90
"""From here on a peer's own figure says that it is nearly congested (SMPP 5.0 4.8.4.18)."""
_BUDGET_LEAST_S = 1.0
"""Not more often for the sake of a budget: its periods are longer than the clock's steps."""


class Lane:
    """One channel in the eyes of the scheduler.

    Args:
        driver: the channel's driver.
        groups: the channel groups it serves.
        clock: the time.
        rate: pacing in segments; None for as fast as it can.
        rate_text: the rate as configured, for people.
        budget: what it may spend per day and month; None without.
        number: our own number on it, if configured.
        ramping: how a backlog is released after an outage.
        account: what binds to one SMSC account share; None for a channel that stands alone.
    """

    def __init__(
        self,
        driver: Driver,
        *,
        groups: Sequence[str],
        clock: Clock,
        rate: TokenBucket | None = None,
        rate_text: str | None = None,
        budget: Budget | None = None,
        number: str | None = None,
        account: str | None = None,
        ramping: Ramping = NO_RAMP,
    ) -> None:
        self.driver = driver
        self.name = driver.channel_id
        self.traits = driver.traits
        self.queues = queues_of(self.name, groups)
        self.number = number
        self.account = self.name if account is None else account
        self.filled = True
        """Whether it was given all it could take when it was last asked: there may be more in the queue."""
        self.lease: int | None = None
        """The epoch of the lease in the store under which its driver runs; None while none is held: nothing is claimed
        for it then."""
        self.budget = budget
        """What it has spent, without what is on the wire."""
        self._under_way: dict[str, Need] = {}
        self.groups = tuple(groups)
        self._clock = clock
        self._rate = rate
        self._rate_text = rate_text
        self._pace = AdaptivePace(clock.monotonic())
        self.fitness = Fitness(self.name)
        self.release = Release(self.name, ramping, rate, self._pace)
        self._throttled_last: str | None = None
        self.bars = Bars()
        self._turn = Turn(clock) if self.traits.in_turns else None
        self.facts: dict[str, str | int | float | bool | None] = {}
        self.state = ChannelState.STARTING
        self.paused = False
        self.draining = False
        self.leaving: str | None = None
        """Why it takes nothing more and will be closed, in a sentence; None while it is here to stay."""
        self._since: datetime = clock.now()
        self._error: str | None = None
        self.stands_still: str | None = None
        """What the watch over the queue says of it, while nothing moves that could."""
        self.out = False
        """Whether it is out of service: those behind it on ways of messages serve them, too."""
        self.n_begun = 0
        """Messages claimed for it since the daemon started."""
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
            self.fitness.come_up(self._clock.monotonic())
            self.release.note_back(self._clock.monotonic(), proven=False)
        elif self.state is ChannelState.UP:
            self.release.note_lost(self._clock.monotonic())
        if state is not ChannelState.UP:
            self.give_back()
        self.state = state
        self._error = error

    def set_pause(self, pause: Pause) -> None:
        """What an operator wants."""
        self.paused = pause.paused and (self.paused or not pause.draining)
        self.draining = pause.paused and (self.draining or pause.draining)

    def set_ailment(self, error: str | None) -> None:
        """What does not work though it is up; None when all does."""
        self._error = error

    def begin(self, message_id: str, need: Need) -> None:
        """A message was claimed for it; what that needs of the budget is kept back until `end`."""
        self._under_way[message_id] = need
        self.n_begun += 1

    def end(self, message_id: str) -> None:
        """A claimed message needs it no longer."""
        self._under_way.pop(message_id, None)

    def might_take(self, message: Message) -> bool:
        """Whether it serves a message's queue and is fit, busy or not."""
        return (
            message.queue in self.queues
            and self._is_open
            and self.driver.capacity > 0
            and message.recipient not in self.bars
            and (self.traits.takes_options or message.carrier_options is None)
            and self.fitness.rests_s(self._clock.monotonic()) <= 0
        )

    def changes_in_s(self, at: Reading) -> float:
        """Seconds until it may take what it refuses now though it has room; infinite for never."""
        now, wall = at
        soon_s = min(self.bars.next_end() - now, self.release.opens_in_s(now))
        return min(self.budget_changes_in_s(wall), max(LEAST_S, soon_s))

    def has_opened(self, now: float) -> bool:
        """Whether it may take now what it refused though it had room."""
        return self.bars.lift(now) or self.release.has_opened(now)

    @property
    def recipients_under_way(self) -> Collection[str]:
        """Of the messages claimed for it and not settled yet."""
        return {need.recipient for need in self._under_way.values()}

    def room(self, at: Reading) -> Room:
        """Messages it may be given now; if none, when to ask again."""
        return find_room(self._holds(at))

    def _holds(self, at: Reading) -> Iterator[Hold]:
        now = at.monotonic
        if not self._is_open:
            yield Hold("down", 0)
        in_flight = self.in_flight
        room, ahead_s = self.driver.capacity - in_flight, self.ahead_in_s(now)
        if room == 0 and ahead_s <= 0:
            room = 1
        yield Hold("busy", room, ahead_s if ahead_s > 0 else math.inf)
        if (left_s := self.fitness.cooldown.left_s(now)) > 0:
            yield Hold("cooldown", 0, left_s)
        match self.fitness.breaker.state(now):
            case BreakerState.OPEN:
                yield Hold("breaker", 0, self.fitness.breaker.left_s(now))
            case BreakerState.HALF_OPEN:
                yield Hold("breaker", 1 - in_flight)
            case BreakerState.CLOSED:
                pass
        self.release.ramp(now)
        if self._rate is not None:
            yield Hold("rate", self._rate.available(now), self._rate.ready_in_s(now))
        if (borne := self._pace.available(now)) is not None:
            yield Hold("pace", borne, self._pace.ready_in_s(now))
        if self.budget is not None and (left := self._left(at.wall).left(at.wall)) is not None:
            yield Hold("budget", left, self.budget_changes_in_s(at.wall))

    @property
    def _is_open(self) -> bool:
        return self.state is ChannelState.UP and not (self.paused or self.draining or self.leaving)

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
        return self._is_open and self.fitness.rests_s(self._clock.monotonic()) <= 0

    def give_back(self) -> None:
        """A message that waits for its turn must go back."""
        if self._turn is not None:
            self._turn.give_back()

    def taker(self, free: int, at: Reading) -> Taker:
        """It with its room, for the balancer."""
        taker = Taker(self.name, self.queues, free, takes_options=self.traits.takes_options)
        if suspects := self.fitness.suspects:
            taker = taker._replace(avoids=frozenset(suspects))
        if (ordinary := self.release.allow(free, at.monotonic)) < free:
            taker = taker._replace(free=ordinary) if ordinary else taker._replace(urgent_only=True)
        if self.bars:
            taker = taker._replace(bars=self.bars.recipients())
        if self.budget is None:
            return taker
        budget = self._left(at.wall)
        only_urgent = taker.urgent_only or budget.left(at.wall, urgent=False) == 0
        return taker._replace(budget=budget, urgent_only=only_urgent)

    def budget_changes_in_s(self, wall: datetime) -> float:
        """Seconds until its budget may admit what it refuses now; infinite without one."""
        ready_at = None if self.budget is None else self._left(wall).ready_at(wall)
        return math.inf if ready_at is None else max(_BUDGET_LEAST_S, (ready_at - wall).total_seconds())

    async def submit(self, segment: OutboundSegment) -> SubmitResult:
        """Hand one segment to the driver and keep the books of rate, budget, breaker and counters."""
        now = self._clock.monotonic()
        self._pace.take(now)
        self.release.take(now)
        if self._rate is not None:
            self._rate.take(1, now)
        result = await self._submit(segment, now)
        match result:
            case Accepted(congestion=congestion):
                if congestion is not None and congestion >= CONGESTED:
                    self._pace.slow_down(self._clock.monotonic())
                self.sent += 1
                self.release.note_back(now, proven=True)
                self.fitness.cooldown = self.fitness.cooldown.after_success()
                self.fitness.trust(self.fitness.breaker.after_answer(segment.recipient))
                self._spend(segment)
            case Uncertain(code=code, detail=detail):
                self.uncertain += 1
                self._spend(segment)  # it may have gone out
                fault = Fault(kind=FaultKind.CHANNEL, code=code, detail=detail)
                self._distrust(fault, segment.recipient, now, lost=True)
            case Refused(fault=fault):
                self._note_fault(fault, segment.recipient, now)
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

    def _note_fault(self, fault: Fault, recipient: str, began: float) -> None:
        if fault.code == INTERNAL_ERROR:  # it says nothing of the network
            return
        if fault.kind is FaultKind.THROTTLED:
            now = self._clock.monotonic()
            self.fitness.cooldown = self.fitness.cooldown.after_fault(now, recipient, fault.retry_after_s)
            # One recipient again and again, a full mailbox say, is no reason to slow down for all.
            if recipient != self._throttled_last:
                self._pace.slow_down(now)
            self._throttled_last = recipient
            left_s = self.fitness.cooldown.left_s(now)
            _log.info("channel %s is throttled for %.1f s: %s", self.name, left_s, fault.code)
            return
        self.failed += fault.kind is FaultKind.PERMANENT
        match fault.whose:
            case Blame.SEGMENT:
                self.fitness.trust(self.fitness.breaker.after_answer())
            case Blame.UNCLEAR:
                self._distrust(fault, recipient, began)
            case Blame.CHANNEL:
                self._distrust(fault, recipient, began, at_once=True)

    def _distrust(
        self, fault: Fault, recipient: str, began: float, *, at_once: bool = False, lost: bool = False
    ) -> None:
        now, fitness = self._clock.monotonic(), self.fitness
        fitness.distrust(fault, recipient, now, began=began, at_once=at_once, lost=lost)
        if fitness.breaker.until is not None:
            self.release.note_lost(now)
        if isinstance(self.driver, Renews) and self._is_open and fitness.wants_renewal(now):
            _log.warning("channel %s is asked for a new session: %s", self.name, fault.code)
            self.driver.renew(fault, n_recipients=len(fitness.breaker.suspects))

    def _spend(self, segment: OutboundSegment) -> None:
        if self.budget is not None:
            self.budget = self.budget.take(Need(segment.recipient), self._clock.now())

    def _left(self, wall: datetime) -> Budget:
        """The budget with what is on the wire taken off."""
        assert self.budget is not None
        left = self.budget
        for need in self._under_way.values():
            left = left.take(need, wall)
        return left

    def standing(self) -> Standing:
        """The lane as one who asks why a message waits must see it."""
        now, wall = at = read(self._clock)
        rate_s, pace_s = 0.0 if self._rate is None else self._rate.ready_in_s(now), self._pace.ready_in_s(now)
        free = self.room(at).free
        return Standing(
            taker=self.taker(free, at) if free > 0 else None,
            out=self.out,
            snapshot=self._snapshot(at),
            queues=self.queues,
            budget=None if self.budget is None else self._left(wall),
            takes_options=self.traits.takes_options,
            paced_until=wall + timedelta(seconds=max(rate_s, pace_s)) if rate_s > 0 or pace_s > 0 else None,
            slowed_down=pace_s > rate_s,
            ramp_per_s=None if (ramp := self.release.ramp(now)) is None else ramp.per_s(now),
            bars={to: wall + timedelta(seconds=until - now) for to, until in self.bars.items()},
            leaving=self.leaving,
        )

    def snapshot(self) -> ChannelSnapshot:
        """The lane as operators see it."""
        return self._snapshot(read(self._clock))

    def _snapshot(self, at: Reading) -> ChannelSnapshot:
        now, wall = at
        pace = self._pace.rate(now)
        state = self.state
        if self.leaving is not None:
            state = ChannelState.DRAINING
        elif state is not ChannelState.STOPPED and (self.paused or self.draining):
            state = ChannelState.DRAINING if self.draining and self.in_flight else ChannelState.PAUSED
        return ChannelSnapshot(
            name=self.name,
            kind=self.traits.kind,
            state=state,
            groups=self.groups,
            capacity=self.driver.capacity,
            in_flight=self.in_flight,
            tokens=None if self._rate is None else max(0, self._rate.available(now)),
            cooldown_s=round(self.fitness.rests_s(now), 1),
            breaker=self.fitness.breaker.state(now),
            rate=self._rate_text,
            budgets=() if self.budget is None else self.budget.accounts(wall),
            number=self.number,
            since=self._since,
            error=self.leaving or self._error or self.stands_still or self.fitness.reason(now),
            sent=self.sent,
            failed=self.failed,
            uncertain=self.uncertain,
            received=self.received,
            facts=self.facts if pace is None else {**self.facts, "pace_per_s": round(pace, 1)},
        )
