"""What waits is counted right through whole lives of messages, and again at the next start."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.model.message import Message, Segment
from gateway.pipeline.intake.limits import Limits
from gateway.routing.load import WAITING, Fill, Load, coming
from gateway.routing.retry import RetryPolicy
from gateway.store.load import count_load
from gateway.store.messages import save_messages
from gateway.store.ports import CommitFigures, Tx
from tests.property.test_lifecycle_pipeline import N_STEPS, World, everything, step
from tests.support.fake_driver import ScriptedDriver
from tests.support.gateway import Rig, ScriptedChannel, running

pytestmark = pytest.mark.integration

VALID_S = 72 * 3_600.0


@pytest.mark.parametrize("seed", range(3))
async def test_the_count_is_that_of_the_store_at_every_moment(tmp_path: Path, seed: int):
    world = World(seed)
    world.kind = False
    for _ in range(2):
        sim = ScriptedChannel(driver=world.driver("sim"), kind="modem")
        bind = ScriptedChannel(driver=world.driver("bind"))
        drivers = {"sim": sim.driver, "bind": bind.driver}
        policy = RetryPolicy(max_attempts=3)
        async with running(
            tmp_path / "s.db", sim, bind, policy=policy, clock=world.clock, started=False
        ) as rig:
            limits = Limits(world.clock, valid_for_s=VALID_S)
            await limits.open(rig.store)
            rig.store._on_commit = limits.note
            await check(rig, limits)
            await rig.start()
            for _ in range(N_STEPS // 3):
                await step(world, rig, drivers)
                await rig.settled()
                await check(rig, limits)


async def test_what_the_start_settles_after_a_crash_is_not_taken_off_twice(tmp_path: Path):
    driver = ScriptedDriver("a")
    driver.hold()
    async with running(tmp_path / "s.db", driver) as rig:
        for n in range(3):
            await rig.send(to=f"+8613800138{n:03}")
        await rig.until(lambda: len(driver.submitted) == 3)
        # As `Gateway.start` has it after a kill -9: those on the wire are settled, then what waits is counted.
        limits = Limits(rig.clock, valid_for_s=VALID_S)
        rig.store._on_commit = limits.note
        await rig.store.write(lambda tx: tx.execute("UPDATE messages SET owner = 'dead'"))
        await rig.sweeper.recover()
        await limits.open(rig.store)
        await check(rig, limits)
        assert _figures(limits.waiting_of(None)) == (0, 0, {})


async def test_one_that_is_ended_unread_does_not_wait_for_ever(tmp_path: Path):
    async with running(tmp_path / "s.db", ScriptedDriver("a"), started=False) as rig:
        limits = Limits(rig.clock, valid_for_s=VALID_S)
        rig.store._on_commit = limits.note
        damaged = await rig.send()
        await rig.send(to="+8613800138001")
        await rig.store.write(
            lambda tx: tx.execute("UPDATE messages SET body = ? WHERE id = ?", (b"\xff\x00", damaged.id))
        )
        await rig.start()
        await rig.until(lambda: limits.waiting_of(None).messages == 0)
        assert (await rig.message(damaged.id)).status == "failed"
        assert not limits.waiting_of(None).since, "by its age all doors would be shut"


async def check(rig: Rig, limits: Limits) -> None:
    there = Load(VALID_S)
    there.note(coming(message, 1) for message in await everything(rig) if message.status in WAITING)
    counted = Load(VALID_S)
    await count_load(rig.store, counted)
    assert _figures(limits.waiting_of(None)) == _figures(there.all) == _figures(counted.all)


def _figures(fill: Fill) -> tuple[object, ...]:
    return fill.messages, fill.octets, dict(fill.since)


async def test_what_is_rolled_back_is_not_counted(tmp_path: Path):
    async with running(tmp_path / "s.db", ScriptedChannel(driver=World(1).driver("a")), started=False) as rig:
        told: list[CommitFigures] = []
        rig.store._on_commit = told.append
        message: Message = await rig.send()
        with pytest.raises(Exception, match=r"UNIQUE|duplicate|unexpected"):
            await rig.store.write(lambda tx: _save_again(tx, message))
        assert [change.sign for figures in told for change in figures.coming] == [1]


async def _save_again(tx: Tx, message: Message) -> None:

    await save_messages(tx, [(message, [Segment(part=1, payload=b"x")])])
