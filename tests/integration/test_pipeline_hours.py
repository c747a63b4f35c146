"""Hours, caps and repeats in the pipeline: nothing goes at night, the morning is no flood, and nobody gets too many."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from gateway.model.message import Category
from gateway.model.request import MessageRequest
from gateway.pipeline.chores import Keeping, make_chores
from gateway.policy.opening import Hours, Opening
from gateway.policy.rules.frequency import Cap, Frequency
from gateway.policy.rules.hours import HoursOf, HoursRule
from gateway.policy.rules.repeats import Repeats, RepeatsOf
from gateway.policy.zones import Zones
from gateway.settings.caps import parse_limit
from gateway.store.holds import find_holds
from gateway.store.touches import find_touches
from gateway.views.messages import load_message_view
from tests.support.fake_driver import ScriptedDriver
from tests.support.gateway import PHONE, ManualClock, Rig, running
from tests.support.policy import SHOP, put_rules, send_as_shop

pytestmark = pytest.mark.integration

CHINA = ZoneInfo("Asia/Shanghai")
EIGHT = datetime(2026, 12, 2, 8, tzinfo=CHINA)


def hours(spread_s: float = 1_800.0) -> HoursRule:
    opening = Opening(hours=(Hours(frozenset(range(7)), ((480, 1260),)),))
    return HoursRule(
        hours=(HoursOf(opening=opening, spread_s=spread_s),),
        zones=Zones(areas={"86": (CHINA,)}, home=(CHINA,)),
    )


def cap(limit: str, *, waits: bool = True) -> Frequency:
    category = frozenset({Category.MARKETING})
    return Frequency(caps=(Cap(limits=(parse_limit(limit),), category=category, waits=waits),))


def clock_at(local: datetime) -> ManualClock:
    return ManualClock(local.astimezone(UTC))


async def pass_time(rig: Rig, driver: ScriptedDriver, seconds: float, step_s: float) -> list[datetime]:
    """Let time pass in steps; when each message was given to the channel."""
    times, seen = [], len(driver.submitted)
    for _ in range(int(seconds / step_s)):
        await rig.advance(step_s)
        await rig.settled()
        times += [rig.clock.now()] * (len(driver.submitted) - seen)
        seen = len(driver.submitted)
    return times


async def test_what_comes_at_night_goes_in_the_morning_a_little_at_a_time(tmp_path: Path):
    driver = ScriptedDriver("a", capacity=100)
    clock = clock_at(EIGHT - timedelta(hours=9))
    async with running(tmp_path / "s.db", driver, clock=clock) as rig:
        await put_rules(rig, hours())
        messages = [await send_as_shop(rig, f"+861380013{n:04}", category="marketing") for n in range(60)]
        code = await send_as_shop(rig, category="otp")
        await rig.until_status(code, "sent")
        assert len(driver.submitted) == 1
        times = await pass_time(rig, driver, 10 * 3_600, 120)
        assert len(times) == 60
        assert EIGHT <= min(times) <= EIGHT + timedelta(minutes=4)
        assert EIGHT + timedelta(minutes=24) <= max(times) <= EIGHT + timedelta(minutes=32)
        assert max(Counter(times).values()) < 20, "it is no flood"
        assert (await rig.message(messages[0].id)).status == "sent"


async def test_what_a_channel_could_not_take_in_time_waits_for_the_next_hours(tmp_path: Path):
    driver = ScriptedDriver("a")
    clock = clock_at(EIGHT.replace(hour=20, minute=59))
    async with running(tmp_path / "s.db", driver, clock=clock, started=False) as rig:
        await put_rules(rig, hours(spread_s=0))
        message = await send_as_shop(rig, category="marketing")
        assert message.status == "queued"
        clock.advance(60)
        await rig.start()
        await rig.settled()
        assert driver.submitted == []
        hold = (await rig.store.read(lambda tx: find_holds(tx, [message.id])))[message.id]
        assert hold.code == "outside_hours"
        assert hold.until == EIGHT + timedelta(days=1)
        times = await pass_time(rig, driver, 12 * 3_600, 600)
        assert times == [EIGHT + timedelta(days=1)]


async def test_what_is_scheduled_for_the_night_goes_in_the_morning(tmp_path: Path):
    driver = ScriptedDriver("a")
    clock = clock_at(EIGHT.replace(hour=12))
    async with running(tmp_path / "s.db", driver, clock=clock) as rig:
        await put_rules(rig, hours(spread_s=0))
        at_night = EIGHT.replace(hour=23).astimezone(UTC)
        message = await send_as_shop(rig, category="marketing", schedule_at=at_night)
        assert message.status == "scheduled"
        assert await pass_time(rig, driver, 24 * 3_600, 1_200) == [EIGHT + timedelta(days=1)]


async def test_what_is_too_much_goes_as_soon_as_it_is_not(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await put_rules(rig, cap("2/60s"))
        for n in range(6):
            await send_as_shop(rig, text=f"text {n}", category="marketing")
        await rig.settled()
        times = [rig.clock.now()] * len(driver.submitted)
        assert len(times) == 2
        times += await pass_time(rig, driver, 180, 5)
        assert len(times) == 6
        assert all(
            later - first >= timedelta(seconds=60) for first, later in zip(times, times[2:], strict=False)
        )


async def test_after_an_outage_real_times_count(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver, started=False) as rig:
        await put_rules(rig, cap("1/60s", waits=False))
        for n in range(4):
            at = rig.clock.now() + timedelta(seconds=60 * n)
            message = await send_as_shop(rig, text=f"text {n}", category="marketing", schedule_at=at)
            assert message.status in {"queued", "scheduled"}
        rig.clock.advance(600)  # nothing could go; all are due by now
        await rig.sweep()
        await rig.start()
        await rig.settled()
        times = [rig.clock.now()] * len(driver.submitted)
        assert len(times) == 1
        times += await pass_time(rig, driver, 300, 5)
        assert len(times) == 4
        assert all(later - first >= timedelta(seconds=60) for first, later in pairwise(times))


async def test_in_one_batch_each_counts_for_those_behind_it(tmp_path: Path):
    async with running(tmp_path / "s.db", ScriptedDriver("a")) as rig:
        await put_rules(rig, cap("1/d", waits=False), Repeats(kinds=(RepeatsOf(window_ms=60_000),)))
        wanted = [
            {"to": PHONE, "text": "a", "category": "marketing"},
            {"to": PHONE, "text": "b", "category": "marketing"},
            {"to": PHONE, "text": "a"},
            {"to": PHONE, "text": "c"},
        ]
        requests = [msgspec.convert(one, MessageRequest) for one in wanted]
        await rig.batches.accept(requests, key=SHOP)
        found = await rig.store.read(lambda tx: tx.fetch("SELECT status, error FROM messages ORDER BY id"))
        codes = [None if error is None else re.match("[a-z_]+", error)[0] for _, error in found]  # type: ignore[index]
        assert codes == [None, "frequency_capped", "repeated_text", None]


async def test_what_counts_no_more_is_deleted(tmp_path: Path):
    async with running(tmp_path / "s.db", ScriptedDriver("a")) as rig:
        await put_rules(rig, cap("2/d"))
        await send_as_shop(rig, category="marketing")
        rig.retention.adopt(make_chores(Keeping(touches=86_400.0)))
        await rig.settled()
        rig.clock.advance(86_000)
        await rig.retention.round()
        assert await rig.store.read(lambda tx: find_touches(tx, [PHONE]))
        rig.clock.advance(401)
        await rig.retention.round()
        assert not await rig.store.read(lambda tx: find_touches(tx, [PHONE]))


async def test_what_is_scheduled_for_the_night_says_that_it_waits_for_the_morning(tmp_path: Path):
    async with running(
        tmp_path / "s.db", ScriptedDriver("a"), clock=clock_at(EIGHT - timedelta(hours=9))
    ) as rig:
        await put_rules(rig, hours(spread_s=0.0))
        at = (EIGHT - timedelta(hours=8)).isoformat()
        message = await send_as_shop(rig, category="marketing", schedule_at=at)
        for _ in range(2):  # before that time, and behind it
            standings, now = rig.channels.standings(), rig.clock.now()
            shown = await rig.store.read(lambda tx: load_message_view(tx, message.id, standings, now))  # noqa: B023
            assert shown is not None
            assert shown.waiting_for
            assert [(r.code, r.until) for r in shown.waiting_for] == [("outside_hours", EIGHT)]
            await rig.advance(2 * 3_600)
