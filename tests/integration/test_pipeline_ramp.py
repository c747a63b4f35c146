"""After an outage the backlog is let go slowly at first; what is urgent is not held back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from drivers.base import FaultKind
from drivers.pacing import TokenBucket
from gateway.pipeline.sending.release import Ramping
from gateway.views.messages import load_message_view
from tests.support.fake_driver import ScriptedDriver, refused
from tests.support.gateway import Rig, ScriptedChannel, running

pytestmark = pytest.mark.integration
PER_S = 10.0
N = 60


@asynccontextmanager
async def back_after(
    tmp_path: Path, outage_s: float, ramping: Ramping
) -> AsyncIterator[tuple[Rig, ScriptedDriver]]:
    """A channel of ten a second that was down, with a backlog, and has just come up."""
    driver = ScriptedDriver("a", capacity=100)
    bucket = TokenBucket(PER_S, PER_S, 1_000.0)
    async with running(tmp_path / "s.db", ScriptedChannel(driver=driver, rate=bucket)) as rig:
        rig.lanes["a"].release.ramping = ramping
        await driver.go_down()
        await rig.until(lambda: rig.lanes["a"].state == "down")
        for n in range(N):
            await rig.send(to=f"+86138001380{n:02}")
        rig.clock.advance(outage_s)
        await driver.come_up()
        await rig.settled()
        yield rig, driver


async def per_second(rig: Rig, driver: ScriptedDriver, seconds: int) -> list[int]:
    """What went in each second from now on."""
    counts, before = [], len(driver.submitted)
    for _ in range(seconds):
        for _ in range(5):
            await rig.advance(0.2)
            await rig.settled()
        counts.append(len(driver.submitted) - before)
        before = len(driver.submitted)
    return counts


async def test_the_rate_grows_from_a_tenth_to_all(tmp_path: Path):
    async with back_after(tmp_path, 61.0, Ramping(10.0, 60.0)) as (rig, driver):
        assert len(driver.submitted) == 1
        counts = await per_second(rig, driver, 12)
        assert all(n <= min(10.0, 1 + 0.9 * (second + 1)) + 1 for second, n in enumerate(counts)), counts
        assert counts[0] <= 3
        assert 33 <= sum(counts[:10]) <= 57, counts
        assert counts[11] <= PER_S + 1


async def test_a_short_outage_has_no_ramp_and_neither_has_the_first_start(tmp_path: Path):
    async with back_after(tmp_path, 59.0, Ramping(10.0, 60.0)) as (_, driver):
        assert len(driver.submitted) == PER_S
    async with back_after(tmp_path / "..", 61.0, Ramping(0.0, 60.0)) as (_, driver):
        assert len(driver.submitted) == PER_S, "it is off"


async def test_a_code_is_not_held_back_and_others_say_why_they_wait(tmp_path: Path):
    async with back_after(tmp_path, 61.0, Ramping(60.0, 60.0)) as (rig, driver):
        codes = [await rig.send(to=f"+86138001381{n:02}", category="otp") for n in range(5)]
        for code in codes:
            await rig.until_status(code, "sent")
        waiting = await rig.send()
        assert len(driver.submitted) == 6
        standings = rig.channels.standings()
        shown = await rig.store.read(lambda tx: load_message_view(tx, waiting.id, standings, rig.clock.now()))
        assert shown is not None
        assert isinstance(shown.waiting_for, list)
        assert [reason.code for reason in shown.waiting_for if reason.code != "rate"] == ["ramp"]
        counts = await per_second(rig, driver, 4)
        assert sum(counts) <= 2, "the codes count: others pay for them"


async def test_a_channel_through_which_nothing_got_for_long_is_released_so_too(tmp_path: Path):
    driver = ScriptedDriver("a", capacity=100)
    bucket = TokenBucket(PER_S, PER_S, 1_000.0)
    async with running(tmp_path / "s.db", ScriptedChannel(driver=driver, rate=bucket)) as rig:
        rig.lanes["a"].release.ramping = Ramping(30.0, 60.0)
        driver.script.extend([refused(FaultKind.CHANNEL)] * 8)
        for n in range(N):
            await rig.send(to=f"+86138001380{n:02}")
        await rig.settled()
        while driver.script:
            await rig.advance(61.0)
            await rig.settled()
        before = len(driver.submitted)
        await rig.advance(61.0)  # the last refusal's rest
        await rig.settled()
        counts = await per_second(rig, driver, 3)
        assert len(driver.submitted) > before
        assert max(counts) <= 4, counts


async def test_an_outage_ends_when_the_link_is_back_though_nothing_was_to_be_sent(tmp_path: Path):
    driver = ScriptedDriver("a", capacity=100)
    bucket = TokenBucket(PER_S, PER_S, 1_000.0)
    async with running(tmp_path / "s.db", ScriptedChannel(driver=driver, rate=bucket)) as rig:
        rig.lanes["a"].release.ramping = Ramping(10.0, 60.0)
        await driver.go_down()
        await rig.until(lambda: rig.lanes["a"].state == "down")
        rig.clock.advance(61.0)
        await driver.come_up()
        await rig.settled()
        await rig.advance(3_600.0)  # a quiet night
        for n in range(N):
            await rig.send(to=f"+86138001380{n:02}")
        await rig.settled()
        counts = await per_second(rig, driver, 3)
        assert len(driver.submitted) >= 3 * PER_S, counts
