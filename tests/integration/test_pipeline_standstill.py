"""Messages wait, a channel has room, and nothing moves: that is told, and the queue is looked at again."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.pacing import TokenBucket
from gateway.model.alarm import Alarm, AlarmKind
from gateway.pipeline.alarms import raise_alarm
from gateway.pipeline.sending.standstill import LOOK_S, STANDSTILL_S
from gateway.store.alarms import list_alarms
from gateway.store.ports import Tx
from tests.support.fake_driver import ScriptedDriver
from tests.support.gateway import Rig, ScriptedChannel, running
from tests.support.people import OPERATOR

pytestmark = pytest.mark.integration


def alarms(rig: Rig) -> float:
    value = rig.metrics.registry.get_sample_value("hongyan_channel_standstills_total", {"channel": "a"})
    return value or 0.0


async def open_alarms(rig: Rig) -> list[Alarm]:
    return await rig.store.read(lambda tx: list_alarms(tx, limit=10))


async def lose_the_wake_up(rig: Rig, monkeypatch) -> None:
    """A message comes and nobody tells the scheduler."""
    with monkeypatch.context() as lost:
        lost.setattr(rig.store, "_tell_claimable", [])
        await rig.send()


async def look(rig: Rig, seconds: float) -> None:
    for _ in range(round(seconds / LOOK_S)):
        await rig.watch.look()
        rig.clock.advance(LOOK_S)
    await rig.watch.look()


async def test_a_lost_wake_up_is_told_and_made_good(tmp_path: Path, monkeypatch):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await rig.settled()
        await lose_the_wake_up(rig, monkeypatch)
        monkeypatch.setattr(
            rig.scheduler, "wake", lambda _queues=None: None
        )  # at first the cure does not work either
        await look(rig, STANDSTILL_S)
        assert driver.submitted == []
        assert alarms(rig) == 1
        [alarm] = await open_alarms(rig)
        assert (alarm.kind, alarm.subject) == (AlarmKind.STANDSTILL, "a")
        assert "1 messages could go" in alarm.detail
        error = rig.lanes["a"].snapshot().error
        assert error is not None
        assert error.startswith("standstill")
        assert [event.type for event in await rig.events("a")][-1] == "alarm.raised"
        await look(rig, STANDSTILL_S)
        assert len(await open_alarms(rig)) == alarms(rig) == 1, "it is told once"
        monkeypatch.undo()
        await look(rig, LOOK_S)
        await driver.until_submitted(1)
        await rig.settled()
        await rig.watch.look()
        assert rig.lanes["a"].snapshot().error is None
        assert alarms(rig) == 1
        assert await open_alarms(rig) == []
        assert [event.type for event in await rig.events("a")][-1] == "alarm.cleared"


async def test_an_alarm_from_before_the_last_start_is_cleared_when_all_goes_well(tmp_path: Path):
    async with running(tmp_path / "s.db", ScriptedDriver("a")) as rig:

        async def op(tx: Tx) -> None:
            await raise_alarm(tx, rig.clock, AlarmKind.STANDSTILL, "a", "It stood still before.")

        await rig.store.write(op)
        await rig.watch.look()
        assert await open_alarms(rig) == []


async def test_a_lost_word_costs_one_look_and_no_alarm(tmp_path: Path, monkeypatch):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await rig.settled()
        await lose_the_wake_up(rig, monkeypatch)
        await rig.watch.look()
        await driver.until_submitted(1)
        assert alarms(rig) == 0


async def test_only_the_channels_that_serve_a_queue_are_woken_for_it(tmp_path: Path):
    async with running(tmp_path / "s.db", ScriptedDriver("a"), ScriptedDriver("b")) as rig:
        await rig.settled()
        assert not any(lane.filled for lane in rig.lanes.values())
        rig.scheduler.stop()
        await rig.send(channel="b")
        assert [name for name, lane in rig.lanes.items() if lane.filled] == ["b"]
        await rig.send()
        assert [name for name, lane in rig.lanes.items() if lane.filled] == ["a", "b"]


async def test_a_channel_that_may_not_send_does_not_stand_still(tmp_path: Path):
    driver = ScriptedDriver("a")
    bucket = TokenBucket(1 / 3_600, 1.0, 1_000.0)
    async with running(tmp_path / "s.db", ScriptedChannel(driver=driver, rate=bucket)) as rig:
        for _ in range(3):
            await rig.send()
        await rig.settled()
        await look(rig, 3 * STANDSTILL_S)
        assert len(driver.submitted) == 1
        assert alarms(rig) == 0


async def test_a_channel_without_work_and_one_that_is_paused_do_not_stand_still(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await look(rig, 3 * STANDSTILL_S)
        await rig.channels.pause("a", by=OPERATOR)
        await rig.send()
        await look(rig, 3 * STANDSTILL_S)
        assert alarms(rig) == 0
