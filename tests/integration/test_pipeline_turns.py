"""A channel that sends one segment after the other claims its next message a moment ahead, and safely so."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from drivers.base import FaultKind
from gateway.model.message import Message, SegmentStatus
from gateway.model.request import MessageRequest
from gateway.pipeline.intake.drafts import AcceptedMessage
from gateway.pipeline.sending.schedule import Scheduler
from gateway.pipeline.sending.turns import AHEAD_S, LATE_S, AnswerTimes
from gateway.routing.budgets import Budget, Quota
from gateway.routing.channel import ChannelState
from gateway.routing.periods import Period
from gateway.runtime.app import Gateway
from gateway.settings.config import load_settings
from gateway.store.messages import find_message
from gateway.store.sqlite.engine import SqliteStore
from tests.support.eventually import eventually
from tests.support.fake_driver import DEADLINE_S, ScriptedDriver, refused
from tests.support.gateway import Rig, ScriptedChannel, running
from tests.support.optouts import opt_out
from tests.support.smsc_peer import SmscPeer

pytestmark = pytest.mark.integration

TIME_S = 1.0
JUST_AHEAD_S = TIME_S - AHEAD_S / 2
NUMBERS = [f"+86138001380{i:02d}" for i in range(6)]


async def learn(rig: Rig, driver: ScriptedDriver) -> None:
    """One segment goes out and takes its time: now the next answer is expected."""
    driver.hold()
    message = await rig.send(to=NUMBERS[5])
    await driver.until_submitted(1)
    rig.clock.advance(TIME_S)
    driver.release()
    await rig.until_status(message, "sent")
    driver.hold()


async def one_waits(rig: Rig, driver: ScriptedDriver, **asked: Any) -> Message:
    """One message is on the wire, and the next, which is returned, is claimed and waits for its turn."""
    await rig.send(to=NUMBERS[0])
    await driver.until_submitted(2)
    second = await rig.send(to=NUMBERS[1], **asked)
    rig.clock.advance(JUST_AHEAD_S)
    rig.scheduler.wake()
    await rig.until_status(second, "sending")
    lane = rig.lanes[driver.channel_id]
    await eventually(lambda: lane.ahead_in_s(rig.clock.monotonic()) == math.inf)
    return second


async def test_the_next_message_is_on_record_and_not_with_the_driver_before_the_answer(tmp_path: Path):
    driver = ScriptedDriver("a", capacity=1)
    async with running(tmp_path / "s.db", driver) as rig:
        await learn(rig, driver)
        first, second = await rig.send(to=NUMBERS[0]), await rig.send(to=NUMBERS[1])
        await driver.until_submitted(2)
        assert (await rig.message(second.id)).status == "queued"
        rig.clock.advance(JUST_AHEAD_S)
        rig.scheduler.wake()
        await rig.until_status(second, "sending")
        assert (await rig.segments(second.id))[0].status is SegmentStatus.SENDING
        assert driver.recipients()[1:] == [NUMBERS[0]]
        driver.release()
        await rig.until_status(first, "sent")
        await rig.until_status(second, "sent")
        assert driver.recipients()[1:] == NUMBERS[:2]


async def test_a_free_channel_takes_it_rather_than_one_that_has_something_on_the_wire(tmp_path: Path):
    busy, free = ScriptedDriver("busy", capacity=1), ScriptedDriver("free", capacity=1)
    async with running(tmp_path / "s.db", busy, free) as rig:
        busy.hold()
        rig.lanes["free"].paused = True
        await learn(rig, busy)
        await rig.send(to=NUMBERS[0])
        await busy.until_submitted(2)
        rig.lanes["free"].paused = False
        rig.clock.advance(JUST_AHEAD_S)
        await rig.send(to=NUMBERS[1])
        await free.until_submitted(1)
        assert free.recipients() == [NUMBERS[1]]


async def test_when_the_channel_goes_down_what_waits_goes_by_another(tmp_path: Path):
    driver, other = ScriptedDriver("a", capacity=1), ScriptedDriver("b", capacity=1)
    async with running(tmp_path / "s.db", driver, other) as rig:
        rig.lanes["b"].paused = True
        await learn(rig, driver)
        second = await one_waits(rig, driver)
        rig.lanes["b"].paused = False
        await driver.go_down()
        await other.until_submitted(1)
        assert other.recipients() == [NUMBERS[1]]
        assert (await rig.until_status(second, "sent")).channel == "b"
        assert driver.recipients()[1:] == [NUMBERS[0]]


async def test_after_a_refusal_that_closes_the_channel_what_waits_goes_back(tmp_path: Path):
    driver, other = ScriptedDriver("a", capacity=1), ScriptedDriver("b", capacity=1)
    async with running(tmp_path / "s.db", driver, other) as rig:
        rig.lanes["b"].paused = True
        await learn(rig, driver)
        driver.script.append(refused(FaultKind.CHANNEL))
        await one_waits(rig, driver)
        rig.lanes["b"].paused = False
        driver.release()
        await other.until_submitted(2)
        assert sorted(other.recipients()) == NUMBERS[:2]
        assert driver.recipients()[1:] == [NUMBERS[0]]


async def test_a_stop_gives_back_what_waits(tmp_path: Path):
    driver = ScriptedDriver("a", capacity=1)
    async with running(tmp_path / "s.db", driver) as rig:
        await learn(rig, driver)
        second = await one_waits(rig, driver)
        rig.scheduler.stop()
        await rig.dispatcher.finish(0.05)
        assert (await rig.message(second.id)).status == "queued"


async def test_who_opts_out_while_a_message_waits_for_its_turn_gets_none(tmp_path: Path):
    driver = ScriptedDriver("a", capacity=1)
    async with running(tmp_path / "s.db", driver) as rig:
        await learn(rig, driver)
        second = await one_waits(rig, driver, category="marketing")
        third = await rig.send(to=NUMBERS[2], category="marketing")
        await opt_out(rig.store, rig.clock, NUMBERS[1], source="api")
        driver.release()
        assert (await rig.until_status(second, "blocked")).error is not None
        await rig.until_status(third, "sent")
        assert driver.recipients()[1:] == [NUMBERS[0], NUMBERS[2]]


async def test_a_message_whose_time_is_over_when_its_turn_comes_does_not_go(tmp_path: Path):
    driver = ScriptedDriver("a", capacity=1)
    async with running(tmp_path / "s.db", driver) as rig:
        await learn(rig, driver)
        second = await one_waits(rig, driver, valid_for=60)
        rig.clock.advance(60.0)
        driver.release()
        await rig.until_status(second, "expired")
        assert driver.recipients()[1:] == [NUMBERS[0]]


async def test_a_claim_that_a_stop_finds_on_its_way_is_no_segment_of_unknown_fate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    claiming, claim = threading.Event(), Scheduler._claim

    async def slow_claim(*args: Any, **options: Any) -> Any:
        claiming.set()
        time.sleep(0.1)  # noqa: ASYNC251 - operations run on the writer's thread
        return await claim(*args, **options)

    async with SmscPeer() as peer:
        config = tmp_path / "hongyan.toml"
        config.write_text(
            f"""
            http.listen = "127.0.0.1:0"
            store.url = "sqlite:///{tmp_path}/s.db"
            log.delivery = "{tmp_path}/d.jsonl"
            [[smpp]]
            name = "a"
            host = "127.0.0.1"
            port = {peer.port}
            system_id = "hongyan"
            password = "x"
            """
        )
        gateway = await Gateway.open(load_settings(config))
        await gateway.start()
        try:
            async with asyncio.timeout(DEADLINE_S):
                while gateway.channels.snapshots()[0].state is not ChannelState.UP:  # noqa: ASYNC110
                    await asyncio.sleep(0.002)
            monkeypatch.setattr(Scheduler, "_claim", slow_claim)
            accepted = await gateway.intake.accept(MessageRequest(to=NUMBERS[0], text="hello"), key=None)
            assert isinstance(accepted, AcceptedMessage)
            assert await asyncio.to_thread(claiming.wait, DEADLINE_S)
        finally:
            await gateway.stop(DEADLINE_S)
    store = await SqliteStore.open(tmp_path / "s.db")
    stored = await store.read(lambda tx: find_message(tx, accepted.message.id))
    await store.close()
    assert stored is not None
    assert stored.status == "sent"


async def test_what_a_budget_refused_ahead_goes_when_the_answer_has_left_room_for_it(tmp_path: Path):
    driver = ScriptedDriver("a", capacity=1)
    day = Budget(quotas=(Quota(limit=4, period=Period.DAY),), zone=UTC)
    async with running(tmp_path / "s.db", ScriptedChannel(driver=driver, budget=day)) as rig:
        await learn(rig, driver)
        driver.script.append(refused(FaultKind.PERMANENT))
        first = await rig.send(to=NUMBERS[0])
        await driver.until_submitted(2)
        rig.clock.advance(JUST_AHEAD_S)
        long = await rig.send(to=NUMBERS[1], text="x" * 400)
        await rig.settled_claims()
        assert (await rig.message(long.id)).status == "queued"
        driver.release()
        await rig.until_status(first, "failed")
        await rig.until_status(long, "sent")


def test_nothing_is_expected_of_answers_that_come_irregularly_or_at_once():
    times = AnswerTimes()
    assert times.soonest_s > 3_600
    times.note(3.0)
    assert times.soonest_s == 3.0
    times.note(5.0)
    assert times.soonest_s > 3_600
    assert times.late_s == 5.0 + LATE_S
    quick = AnswerTimes()
    quick.note(0.01)
    assert quick.soonest_s > 3_600
