"""Budgets of a SIM in the whole pipeline: what waits, what passes by, and what a restart remembers."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from drivers.base import ChannelInfo, FaultKind
from gateway.pipeline.sending.due import LOOK_AHEAD
from gateway.routing.budgets import Budget, Quota, RecipientCap
from gateway.routing.periods import ActiveHours, Period
from tests.support.fake_driver import ScriptedDriver, accepted, refused, uncertain
from tests.support.gateway import START, ManualClock, Rig, ScriptedChannel, running

pytestmark = pytest.mark.integration

DAY_S = 86_400.0
THREE_PARTS = "x" * 400
A, B, C = "+8613800138001", "+8613800138002", "+8613800138003"


def quota(limit: int, reserve: int = 0, period: Period = Period.DAY) -> Budget:
    return Budget(quotas=(Quota(limit=limit, period=period, reserve=reserve),), zone=UTC)


def recipients(limit: int) -> Budget:
    return Budget(caps=(RecipientCap(limit=limit, period=Period.MONTH),), zone=UTC)


def sim(budget: Budget, capacity: int = 1) -> tuple[ScriptedDriver, ScriptedChannel]:
    driver = ScriptedDriver("sim", capacity=capacity)
    return driver, ScriptedChannel(driver=driver, kind="modem", budget=budget)


async def statuses(rig: Rig, *ids: str) -> list[str]:
    return [(await rig.message(i)).status.value for i in ids]


async def insert(rig: Rig, driver: ScriptedDriver, iccid: str) -> None:
    await rig.settled()
    rig.clock.advance(1.0)
    await driver.go_down()
    await driver.report(ChannelInfo(facts={"iccid": iccid}))
    await driver.come_up()


async def test_the_reserve_goes_to_urgent_messages_whatever_waits_before_them(tmp_path: Path):
    driver, channel = sim(quota(4, reserve=2))
    async with running(tmp_path / "s.db", channel) as rig:
        plain = [(await rig.send(A)).id for _ in range(30)]
        await rig.settled()
        assert len(driver.submitted) == 2
        otp = await rig.send(B, category="otp")
        emergency = await rig.send(C, category="emergency", priority=0)
        await rig.until_status(otp, "sent")
        await rig.until_status(emergency, "sent")
        last = await rig.send(C, category="otp", valid_for=3 * 86_400)
        await rig.settled()
        assert await statuses(rig, last.id) == ["queued"], "the quota holds for urgent ones as well"
        await rig.advance(DAY_S)
        await rig.until_status(last, "sent")
        await rig.settled()
        assert (await statuses(rig, *plain)).count("sent") == 2 + 1, "what is urgent goes first, and counts"


async def test_a_message_of_many_parts_waits_for_a_day_with_room_and_holds_up_nobody(tmp_path: Path):
    driver, channel = sim(quota(4))
    async with running(tmp_path / "s.db", channel) as rig:
        await rig.until_status(await rig.send(A), "sent")
        await rig.until_status(await rig.send(A), "sent")
        long = await rig.send(A, THREE_PARTS)
        behind = await rig.send(A)
        await rig.until_status(behind, "sent")
        await rig.settled()
        assert await statuses(rig, long.id) == ["queued"]
        await rig.advance(DAY_S)
        await rig.until_status(long, "sent")
        assert len(driver.submitted) == 6


async def test_known_recipients_are_served_behind_many_new_ones(tmp_path: Path):
    driver, channel = sim(recipients(1))
    async with running(tmp_path / "s.db", channel) as rig:
        await rig.until_status(await rig.send(A), "sent")
        for n in range(20):
            await rig.send(f"+86138001390{n:02}", valid_for=30 * 86_400)
        known = await rig.send(A)
        await rig.until_status(known, "sent")
        assert set(driver.recipients()) == {A}
        assert LOOK_AHEAD > 20
        rig.clock.advance((datetime(2026, 4, 1, tzinfo=UTC) - rig.clock.now()).total_seconds())
        rig.scheduler.note_time()
        await driver.until_submitted(3)


async def test_urgent_messages_that_the_reserve_admits_pass_by_those_that_it_does_not(tmp_path: Path):
    budget = Budget(
        quotas=(Quota(limit=4, period=Period.DAY, reserve=2),),
        caps=(RecipientCap(limit=1, period=Period.DAY),),
        zone=UTC,
    )
    _, channel = sim(budget)
    async with running(tmp_path / "s.db", channel) as rig:
        for _ in range(2):
            await rig.until_status(await rig.send(A), "sent")
        new = [(await rig.send(n, category="otp")).id for n in (B, C)]
        long = await rig.send(A, THREE_PARTS, category="emergency")
        alarm = await rig.send(A, category="emergency")
        await rig.until_status(alarm, "sent")
        await rig.settled()
        assert await statuses(rig, *new, long.id) == ["queued"] * 3


async def test_the_reserve_goes_to_urgent_messages_far_behind_long_ones(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("gateway.pipeline.sending.due.LOOK_AHEAD", 3)
    _, channel = sim(quota(4, reserve=2))
    async with running(tmp_path / "s.db", channel) as rig:
        await rig.until_status(await rig.send(A), "sent")  # one is left for those that are not urgent
        long = [(await rig.send(A, THREE_PARTS)).id for _ in range(5)]
        otp = await rig.send(B, category="otp")
        await rig.until_status(otp, "sent")
        await rig.settled()
        assert await statuses(rig, *long) == ["queued"] * 5


async def test_what_one_sim_may_not_send_goes_by_another_at_once(tmp_path: Path):
    driver, channel = sim(recipients(1))
    other = ScriptedDriver("other", capacity=1)
    async with running(tmp_path / "s.db", channel, other) as rig:
        await rig.until_status(await rig.send(A, channel="sim"), "sent")
        for number in (B, C):
            await rig.until_status(await rig.send(number), "sent")
        assert driver.recipients() == [A]
        assert other.recipients() == [B, C]


async def test_nothing_goes_outside_the_active_hours(tmp_path: Path):
    driver, channel = sim(Budget(hours=ActiveHours(8 * 60, 22 * 60), zone=UTC))
    night = ManualClock(datetime(2026, 3, 14, 23, tzinfo=UTC))
    async with running(tmp_path / "s.db", channel, clock=night) as rig:
        message = await rig.send(category="emergency")
        await rig.settled()
        assert not driver.submitted
        await rig.advance(9 * 3_600.0 - 1)
        await rig.settled()
        assert not driver.submitted
        await rig.advance(1)
        await rig.until_status(message, "sent")


async def test_a_refused_segment_costs_nothing_and_one_of_unknown_fate_does(tmp_path: Path):
    driver, channel = sim(quota(2))
    driver.script.extend([refused(FaultKind.PERMANENT), uncertain(), accepted("1")])
    async with running(tmp_path / "s.db", channel) as rig:
        for n, status in enumerate(("failed", "uncertain", "sent", "queued")):
            message = await rig.send(f"+861380013800{n}")
            await rig.settled()
            await rig.until_status(message, status)
        assert len(driver.submitted) == 3


async def test_a_restart_remembers_what_was_sent(tmp_path: Path):
    budget = Budget(
        quotas=(Quota(limit=4, period=Period.DAY), Quota(limit=5, period=Period.MONTH)),
        caps=(RecipientCap(limit=2, period=Period.MONTH),),
        zone=UTC,
    )
    driver, channel = sim(budget)
    driver.script.extend([accepted("1"), refused(FaultKind.PERMANENT), uncertain()])
    async with running(tmp_path / "s.db", channel) as rig:
        for number, status in ((A, "sent"), (C, "failed"), (B, "uncertain")):
            await rig.until_status(await rig.send(number), status)
        kept = rig.lanes["sim"].budget
        assert kept is not None
    again, channel = sim(budget)
    clock = ManualClock(START + timedelta(hours=1))
    async with running(tmp_path / "s.db", channel, clock=clock, started=False) as rig:
        await rig.budgets.restore(rig.lanes.values())
        assert rig.lanes["sim"].budget == kept
        await rig.start()
        new, long = await rig.send(C), await rig.send(A, THREE_PARTS)
        await rig.until_status(await rig.send(B, "x" * 200), "sent")
        await rig.settled()
        assert await statuses(rig, new.id, long.id) == ["queued", "queued"]
        await rig.advance(DAY_S)
        await rig.settled()
        assert len(again.submitted) == 2, "the day is new, the month is not: one segment is left of it"
        await rig.until_status(await rig.send(A), "sent")


async def test_what_a_sim_has_used_goes_with_it(tmp_path: Path):
    first, second = ScriptedDriver("first", capacity=1), ScriptedDriver("second", capacity=1)

    def channels() -> list[ScriptedChannel]:
        return [
            ScriptedChannel(driver=driver, kind="modem", budget=quota(4), groups=(driver.channel_id,))
            for driver in (first, second)
        ]

    def used(rig: Rig) -> tuple[int, ...]:
        found = (rig.channels.snapshot(name) for name in ("first", "second"))
        return tuple(snapshot.budgets[0].used for snapshot in found if snapshot is not None)

    async with running(tmp_path / "s.db", *channels()) as rig:
        await rig.until_status(await rig.send(A, sender="first"), "sent")
        await rig.settled()
        assert used(rig) == (1, 0)
        await insert(rig, first, "8986001")
        assert used(rig) == (1, 0), "the first SIM that is known was always there"
        await rig.until_status(await rig.send(A, sender="first"), "sent")
        await insert(rig, first, "8986002")
        assert used(rig) == (0, 0), "another SIM has its own"
        await rig.until_status(await rig.send(A, sender="first"), "sent")
        await insert(rig, second, "8986001")
        assert used(rig) == (1, 2), "the old SIM brings what it has used"
        await rig.until_status(await rig.send(A, sender="second"), "sent")
        await insert(rig, second, "8986001")
        assert used(rig) == (1, 3)
        clock = ManualClock(rig.clock.now())
    async with running(tmp_path / "s.db", *channels(), clock=clock, started=False) as rig:
        await rig.budgets.restore(rig.lanes.values())
        assert used(rig) == (1, 3), "also after a restart, before anybody has asked the SIMs"


async def test_a_sim_that_comes_back_brings_what_it_has_used_elsewhere(tmp_path: Path):
    drivers = ScriptedDriver("first", capacity=1), ScriptedDriver("second", capacity=1)
    channels = [
        ScriptedChannel(driver=d, kind="modem", budget=quota(4), groups=(d.channel_id,)) for d in drivers
    ]
    async with running(tmp_path / "s.db", *channels) as rig:
        for driver in drivers:
            await insert(rig, driver, "8986001")
            await rig.until_status(await rig.send(A, sender=driver.channel_id), "sent")
            await rig.settled()
            await driver.go_down()
        await insert(rig, drivers[0], "8986001")
        snapshot = rig.channels.snapshot("first")
        assert snapshot is not None
        assert snapshot.budgets[0].used == 2


async def test_a_sim_that_is_new_by_a_clock_that_is_behind_is_the_newest_all_the_same(tmp_path: Path):
    driver, channel = sim(quota(4))
    async with running(tmp_path / "s.db", channel) as rig:
        await insert(rig, driver, "8986001")
        await insert(rig, driver, "8986002")
        await rig.until_status(await rig.send(A), "sent")
        rig.clock.advance(-1_000.0)
        await insert(rig, driver, "8986003")
        snapshot = rig.channels.snapshot("sim")
        assert snapshot is not None
        assert snapshot.budgets[0].used == 0


@pytest.mark.parametrize("wrong_days", [40, -40])
async def test_what_was_counted_by_a_wrong_clock_is_counted_anew_when_it_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong_days: int
):
    monkeypatch.setattr("gateway.channels.budgets.LOOK_S", 0.001)
    _, channel = sim(quota(3))
    async with running(tmp_path / "s.db", channel) as rig:
        await rig.until_status(await rig.send(A), "sent")
    driver, channel = sim(quota(3))
    clock = ManualClock(START + timedelta(days=wrong_days))
    async with running(tmp_path / "s.db", channel, clock=clock, started=False) as rig:
        await rig.budgets.restore(rig.lanes.values())
        await rig.start()
        watch = asyncio.create_task(rig.budgets.run(list(rig.lanes.values()), rig.scheduler.note_time))

        def used() -> tuple[int, datetime | None]:
            snapshot = rig.channels.snapshot("sim")
            assert snapshot is not None
            return snapshot.budgets[0].used, snapshot.budgets[0].until

        driver.hold()
        message = await rig.send(A)
        await driver.until_submitted(1)
        clock.put_back(wrong_days * DAY_S)
        driver.release()
        await rig.until_status(message, "sent")
        midnight = datetime(2026, 3, 15, tzinfo=UTC)
        n = 2 if wrong_days > 0 else 1  # what is dated into another day does not count on this one
        await rig.until(lambda: used() == (n, midnight))
        messages = [await rig.send(A) for _ in range(4 - n)]
        await rig.until(lambda: used() == (3, midnight))
        await rig.settled()
        assert (await statuses(rig, *(m.id for m in messages))).count("queued") == 1
        await rig.advance(DAY_S)
        for each in messages:
            await rig.until_status(each, "sent")
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)


async def test_an_operator_sees_what_is_used(tmp_path: Path):
    _, channel = sim(quota(4, reserve=1))
    async with running(tmp_path / "s.db", channel) as rig:
        await rig.until_status(await rig.send(A), "sent")
        snapshot = rig.channels.snapshot("sim")
        assert snapshot is not None
        [account] = snapshot.budgets
        assert (account.what, account.limit, account.used, account.reserve) == ("segments", 4, 1, 1)
        assert account.until == datetime(2026, 3, 15, tzinfo=UTC)
