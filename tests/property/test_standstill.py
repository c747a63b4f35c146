"""Whatever the lanes, the clock and the timers do: what could go goes, and no lane without room lacks a reason."""

from __future__ import annotations

import asyncio
import math
from contextlib import closing
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.base import FaultKind, SubmitResult
from drivers.pacing import TokenBucket
from gateway.clock import Reading
from gateway.ids import make_id
from gateway.model.request import MessageRequest
from gateway.pipeline.inbound import Inbox
from gateway.pipeline.intake.accept import Intake
from gateway.pipeline.intake.drafting import IntakeSettings
from gateway.pipeline.sending.dispatch import Dispatcher
from gateway.pipeline.sending.lane import Lane
from gateway.pipeline.sending.schedule import Scheduler
from gateway.pipeline.sweep import Sweeper
from gateway.policy.text import DEFAULT_RULES
from gateway.routing.budgets import Budget, Quota
from gateway.routing.channel import ChannelState
from gateway.routing.periods import Period
from gateway.routing.retry import RetryPolicy
from gateway.routing.shares import Shares
from gateway.routing.troubles import Troubles
from gateway.store.leases import take_lease
from gateway.store.sqlite.transaction import SqliteTx, drive
from gateway.telemetry.metrics import make_metrics
from tests.support.fake_driver import ScriptedDriver, accepted, refused, uncertain
from tests.support.gateway import KEYWORDS
from tests.support.virtual_time import MemoryStore, PassingClock, run_virtually

pytestmark = pytest.mark.property

NUMBERS = [f"+86138001380{n:02}" for n in range(40)]
SETBACKS: dict[str, SubmitResult] = {
    "throttled": refused(FaultKind.THROTTLED),
    "asked to wait": refused(FaultKind.THROTTLED, retry_after_s=2.5),
    "temporary": refused(FaultKind.TEMPORARY),
    "channel": refused(FaultKind.CHANNEL),
    "unknown fate": uncertain(),
    "for good": refused(FaultKind.PERMANENT),
}
SETTLED = {"sent", "uncertain", "failed"}


class Slow(ScriptedDriver):
    """Takes its time for each answer."""

    latency_s = 0.05

    async def submit(self, segment):
        """As scripted, later."""
        await asyncio.sleep(self.latency_s)
        return await super().submit(segment)


@dataclass
class Plan:
    """One channel of a run."""

    capacity: int
    per_s: float | None
    burst: float
    latency_s: float
    setbacks: list[str]
    pauses: list[float]


plans = st.builds(
    Plan,
    capacity=st.sampled_from([1, 1, 2, 10]),
    per_s=st.sampled_from([None, 0.5, 3.0, 7.0, 20.0]),
    burst=st.sampled_from([1.0, 3.0]),
    latency_s=st.sampled_from([0.0, 0.013, 0.25, 1.0]),
    setbacks=st.lists(st.sampled_from([*SETBACKS, "", "", ""]), max_size=6),
    pauses=st.lists(st.floats(0.1, 5.0), max_size=2),
)
timers = st.tuples(
    st.sampled_from([0.0, 1e-7, 1e-4, 2e-3]),  # between two readings of the clock
    st.sampled_from([0.0, 1e-6, 1e-3, 2e-3]),  # early
    st.sampled_from([0.0, 1e-4, 2e-2]),  # late
)


class World:
    """The pipeline from the store to the drivers, in virtual time."""

    def __init__(self, clock: PassingClock, plans: list[Plan], commit_s: float) -> None:
        self.clock, self.store = clock, MemoryStore(commit_s)
        self.drivers, self.lanes, self.plans = [], [], plans
        policy = RetryPolicy(first_s=5.0)
        for n, plan in enumerate(plans):
            driver = Slow(f"c{n}", capacity=plan.capacity)
            driver.latency_s = plan.latency_s
            driver.script.extend(
                SETBACKS[s] if s else accepted(f"{n}-{k}") for k, s in enumerate(plan.setbacks)
            )
            rate = TokenBucket(plan.per_s, plan.burst, clock.at) if plan.per_s else None
            self.drivers.append(driver)
            self.lanes.append(Lane(driver, groups=("default",), clock=clock, rate=rate))
        troubles = Troubles(policy.first_s, policy.cap_s)
        metrics, instance = make_metrics(), make_id()
        for lane in self.lanes:
            lane.lease = drive(take_lease(SqliteTx(self.store.db), lane.name, instance, 60.0))
        self.dispatcher = Dispatcher(self.store, clock, policy, self._release, metrics, troubles)
        shares = Shares(0)
        start = self.dispatcher.start
        self.scheduler = Scheduler(self.store, clock, self.lanes, start, instance, troubles, shares)
        self.store.on_claimable(self.scheduler.wake)
        groups = {lane.name: ("default",) for lane in self.lanes}
        settings = IntakeSettings("CN", groups, 72 * 3_600, DEFAULT_RULES)
        self.intake = Intake(self.store, clock, settings, shares)
        inbox = Inbox(self.store, clock, self.intake, KEYWORDS, "CN", metrics)
        self.sweeper = Sweeper(self.store, clock, inbox, instance=instance, policy=policy, shares=shares)

    def _release(self, lane: Lane) -> None:
        self.scheduler.release(lane)

    async def run(self, n_messages: int, deadline_s: float) -> float:
        """Send so many messages to as many numbers; the seconds until all of them are settled."""
        tasks = [asyncio.create_task(self.scheduler.run()), asyncio.create_task(self._sweep())]
        tasks += [
            asyncio.create_task(self._disturb(*pair)) for pair in zip(self.lanes, self.plans, strict=True)
        ]
        for n in range(n_messages):
            await self.intake.accept(MessageRequest(to=NUMBERS[n % len(NUMBERS)], text="x"), key=None)
        began = self.clock.at
        sql = "SELECT count(*) FROM messages WHERE status NOT IN ('sent', 'uncertain', 'failed')"
        while self.store.db.execute(sql).fetchone()[0]:
            assert self.clock.at - began < deadline_s, [
                (lane.name, lane.filled, lane.snapshot()) for lane in self.lanes
            ]
            await asyncio.sleep(0.2)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return self.clock.at - began

    async def _sweep(self) -> None:
        while True:
            await self.sweeper.promote_due()
            await asyncio.sleep(0.5)

    def close(self) -> None:
        """Python 3.13 warns of a store that nobody closed."""
        self.store.db.close()

    async def _disturb(self, lane: Lane, plan: Plan) -> None:
        """An operator pauses it, or its link goes, and comes again."""
        lane.set_state(ChannelState.UP)
        self.scheduler.wake()
        for pause_s in plan.pauses:
            await asyncio.sleep(pause_s)
            lane.set_state(ChannelState.DOWN)
            await asyncio.sleep(pause_s)
            lane.set_state(ChannelState.UP)
            self.scheduler.wake()


@settings(max_examples=150, deadline=None)
@given(st.lists(plans, min_size=1, max_size=3), timers, st.integers(1, 30), st.sampled_from([0.0, 0.004]))
def test_all_that_waits_goes_whatever_the_channels_the_clock_and_the_timers_do(channels, timing, n, commit_s):
    tick_s, early_s, late_s = timing
    clock = PassingClock(tick_s)

    async def main() -> None:
        with closing(World(clock, channels, commit_s)) as world:
            await world.run(n, 3_000.0)

    run_virtually(clock, early_s, late_s, main())


@settings(max_examples=60, deadline=None)
@given(timers, st.sampled_from([3.0, 7.0, 20.0]), st.sampled_from([0.0, 0.004]), st.sampled_from([1, 10]))
def test_a_channel_with_a_rate_goes_on_at_its_pace(timing, per_s, commit_s, capacity):
    tick_s, early_s, late_s = timing
    clock, n = PassingClock(tick_s), 40
    plan = Plan(capacity, per_s, max(1.0, per_s), 0.0, [], [])

    async def main() -> None:
        with closing(World(clock, [plan], commit_s)) as world:
            taken_s = await world.run(n, 3_000.0)
        assert taken_s <= n / per_s + n * (late_s + 20 * tick_s + 3 * commit_s) + 1.0

    run_virtually(clock, early_s, late_s, main())


class StillClock:
    """One reading."""

    def __init__(self) -> None:
        self.reading = Reading(1_000.0, PassingClock(0.0).now())

    def monotonic(self) -> float:
        """Of the reading."""
        return self.reading.monotonic

    def now(self):
        """Of the reading."""
        return self.reading.wall

    def wait(self, seconds: float) -> Reading:
        """Time passes."""
        from datetime import timedelta

        at = self.reading
        self.reading = Reading(at.monotonic + seconds, at.wall + timedelta(seconds=seconds))
        return self.reading


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([None, 0.3, 1.0, 20.0]),
    st.sampled_from([None, 1, 5]),
    st.lists(st.tuples(st.sampled_from([*SETBACKS, "ok"]), st.floats(0.0, 90.0)), max_size=12),
    st.floats(0.0, 1e-3),
)
async def test_a_lane_without_room_and_nothing_on_its_wire_says_until_when_and_has_room_then(
    per_s, quota, history, early_s
):
    """The one who asks and the one who sleeps get the same answer, whatever has happened, also a moment too early."""
    clock, driver = StillClock(), ScriptedDriver("a", capacity=5)
    rate = TokenBucket(per_s, max(1.0, per_s), clock.monotonic()) if per_s else None
    budget = Budget(quotas=(Quota(limit=quota, period=Period.HOUR),)) if quota else None
    lane = Lane(driver, groups=(), clock=clock, rate=rate, budget=budget)
    lane.set_state(ChannelState.UP)
    for n, (what, pause_s) in enumerate(history):
        driver.script.append(SETBACKS.get(what, accepted(str(n))))
        await lane.submit(segment(NUMBERS[n]))
        clock.wait(pause_s)
    for _ in range(10_000):
        room = lane.room(clock.reading)
        if room.free:
            break
        assert 0 < room.again_in_s < math.inf, "time alone holds it back"
        assert room.why is not None
        clock.wait(max(room.again_in_s - early_s, 1e-4))
    assert lane.room(clock.reading).free > 0


def segment(recipient: str):
    """One segment to a number."""
    from drivers.base import Encoding, OutboundSegment, SegmentId

    return OutboundSegment(
        segment_id=SegmentId("m/1"), recipient=recipient, encoding=Encoding.GSM7, payload=b"x"
    )
