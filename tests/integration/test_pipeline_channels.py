"""Channels under their supervisor: what operators tell them, and what becomes of a driver that breaks."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from drivers.base import EventSink, FaultKind
from gateway.errors import NotFound
from gateway.routing.channel import DRAIN, RESUME, ChannelState
from tests.support.fake_driver import ScriptedDriver
from tests.support.gateway import Rig, running
from tests.support.people import OPERATOR

pytestmark = pytest.mark.integration


class Wire(ScriptedDriver):
    """Counts who is on it, closes slowly, and may break."""

    n_runs = 0
    n_open = 0
    most_open = 0
    break_next = False
    stop_next = False
    closes: asyncio.Event | None = None

    async def run(self, sink: EventSink) -> None:
        self.n_runs += 1
        self.n_open += 1
        self.most_open = max(self.most_open, self.n_open)
        try:
            if self.break_next:
                self.break_next = False
                raise ZeroDivisionError
            if self.stop_next:
                self.stop_next = False
                await self.go_down(FaultKind.CONFIG)
                return
            await super().run(sink)
        finally:
            for _ in range(5):
                await asyncio.sleep(0)
            if self.closes is not None:
                await self.closes.wait()
            self.n_open -= 1


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.pacing.Backoff.next_s", lambda self: 0.0)


async def up_again(rig: Rig, driver: Wire, n_runs: int) -> None:
    await rig.until(lambda: driver.n_runs == n_runs and rig.lanes["a"].state is ChannelState.UP)


async def test_a_reset_closes_the_wire_before_it_is_opened_again(tmp_path: Path):
    driver = Wire("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await asyncio.gather(*(rig.channels.reset("a", by=OPERATOR) for _ in range(3)))
        await up_again(rig, driver, driver.n_runs)
        assert driver.most_open == 1, "one owner per wire"
        await rig.until_status(await rig.send(), "sent")


async def test_a_wire_that_takes_long_to_close_is_not_opened_a_second_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr("gateway.channels.supervise.STOP_S", 0.01)
    driver, other = Wire("a"), Wire("b")
    driver.closes = asyncio.Event()
    async with running(tmp_path / "s.db", driver, other) as rig:
        for _ in range(2):
            assert (await rig.channels.reset("a", by=OPERATOR)).state is ChannelState.STARTING
        assert (driver.n_runs, driver.most_open) == (1, 1)
        assert "channel a" in caplog.text
        await rig.channels.reset("b", by=OPERATOR)
        await rig.until(lambda: other.n_runs == 2)
        driver.closes.set()
        await up_again(rig, driver, 2)
        assert driver.most_open == 1, "one owner per wire"
        await rig.until_status(await rig.send(), "sent")


async def test_a_stop_does_not_wait_for_a_reset_that_takes_long_and_disturbs_no_closing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("gateway.channels.supervise.STOP_S", 0.01)
    driver = Wire("a")
    driver.closes = asyncio.Event()
    async with running(tmp_path / "s.db", driver) as rig:
        await rig.channels.reset("a", by=OPERATOR)
        await rig.channels.stop()
        assert driver.n_open == 1, "still at it"
        driver.closes.set()
        await rig.until(lambda: driver.n_open == 0)
        assert driver.n_runs == 1


async def test_a_driver_that_breaks_is_started_anew_and_the_timeline_says_so(tmp_path: Path):
    driver = Wire("a")
    async with running(tmp_path / "s.db", driver) as rig:
        driver.break_next = True
        await rig.channels.reset("a", by=OPERATOR)
        await up_again(rig, driver, 3)
        await rig.until_status(await rig.send(), "sent")
        told = [e.type for e in await rig.events("a")]
        assert told == ["channel.up", "channel.reset", "channel.down", "channel.up"]


async def test_a_channel_that_a_person_must_mend_stays_stopped_until_it_is_reset(tmp_path: Path):
    driver = Wire("a")
    async with running(tmp_path / "s.db", driver) as rig:
        driver.stop_next = True
        await rig.channels.reset("a", by=OPERATOR)
        await rig.until(lambda: rig.lanes["a"].state is ChannelState.STOPPED)
        snapshot = rig.channels.snapshot("a")
        assert snapshot is not None
        assert snapshot.error == "link_down: As scripted."
        message = await rig.send()
        await rig.settled()
        assert not driver.submitted
        await rig.channels.reset("a", by=OPERATOR)
        await rig.until_status(message, "sent")


async def test_a_drained_channel_finishes_and_takes_nothing_more(tmp_path: Path):
    driver = ScriptedDriver("a")
    driver.hold()
    async with running(tmp_path / "s.db", driver) as rig:
        on_wire = await rig.send()
        await driver.until_submitted(1)
        assert (await rig.channels.pause("a", DRAIN, by=OPERATOR)).state is ChannelState.DRAINING
        behind = await rig.send()
        driver.release()
        await rig.until_status(on_wire, "sent")
        await rig.settled()
        (snapshot,) = rig.channels.snapshots()
        assert (snapshot.state, snapshot.in_flight, snapshot.sent) == (ChannelState.PAUSED, 0, 1)
        assert (await rig.message(behind.id)).status == "queued"
        assert (await rig.channels.pause("a", RESUME, by=OPERATOR)).state is ChannelState.UP
        await rig.until_status(behind, "sent")


async def test_a_channel_that_does_not_exist_is_not_found(tmp_path: Path):
    async with running(tmp_path / "s.db", ScriptedDriver("a")) as rig:
        for verb in (rig.channels.pause, rig.channels.reset):
            with pytest.raises(NotFound):
                await verb("b", by=OPERATOR)
        assert rig.channels.snapshot("b") is None
