"""What time alone does, in the sweeper's own loop: promotions, expiry, owners that died, old rows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from drivers.base import FaultKind
from gateway.errors import StoreFull
from gateway.pipeline import sweep
from gateway.pipeline.sweep import (
    OWNER_TIMEOUT,
    SLOW_TICK_S,
    Sweeper,
)
from gateway.store.leases import beat
from gateway.store.ports import Tx
from gateway.store.queue import claim_messages, end_misdated_pauses
from tests.support.fake_driver import ScriptedDriver, refused
from tests.support.gateway import START, ManualClock, Rig, running

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def _short_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.pipeline.sweep.TICK_S", 0.002)


@asynccontextmanager
async def sweeping(rig: Rig) -> AsyncIterator[None]:
    task = asyncio.create_task(rig.sweeper.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def count(rig: Rig, table: str) -> int:
    rows = await rig.store.read(lambda tx: tx.fetch(f"SELECT count(*) FROM {table}"))
    return int(rows[0][0])


async def test_a_schedule_comes_due_by_itself(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig, sweeping(rig):
        messages = [await rig.send(schedule_at=START + timedelta(hours=1)) for _ in range(3)]
        rig.clock.advance(3_600.0)
        for message in messages:
            await rig.until_status(message, "sent")


async def test_what_waits_too_long_expires_by_itself(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await driver.go_down()
        async with sweeping(rig):
            message = await rig.send(valid_for=60)
            rig.clock.advance(60.0 + SLOW_TICK_S)
            await rig.until_status(message, "expired")


async def test_what_a_dead_instance_was_sending_is_uncertain_and_a_living_one_is_left_alone(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await driver.go_down()
        theirs, ours = await rig.send(), await rig.send()
        for message, owner in ((theirs, "elsewhere"), (ours, rig.sweeper._instance)):
            await rig.store.write(
                lambda tx, m=message, o=owner: claim_messages(tx, {m.id: "a"}, o, rig.clock.now())  # type: ignore[misc]
            )
        await rig.store.write(lambda tx: beat(tx, "elsewhere", rig.clock.now()))
        async with sweeping(rig):
            rig.clock.advance(OWNER_TIMEOUT.total_seconds() - 1.0)
            await asyncio.gather(*(rig.retention.round() for _ in range(3)))
            assert (await rig.message(theirs.id)).status == "sending"
            rig.clock.advance(SLOW_TICK_S + 2.0)
            held = await rig.until_status(theirs, "uncertain")
            assert held.error is not None
            assert held.error.code == "interrupted"
            assert (await rig.message(ours.id)).status == "sending"


async def test_a_long_sweep_or_a_clock_that_is_set_takes_nothing_from_who_is_sending_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        real, n_sweeps = rig.sweeper.expire, 0

        async def takes_minutes() -> int:
            nonlocal n_sweeps
            rig.clock.advance(2 * OWNER_TIMEOUT.total_seconds())
            n_sweeps += 1
            return await real()

        monkeypatch.setattr(rig.sweeper, "expire", takes_minutes)
        driver.hold()
        message = await rig.send()
        await driver.until_submitted(1)
        async with sweeping(rig):
            await rig.until(lambda: n_sweeps >= 2)
            driver.release()
            await rig.until_status(message, "sent")
        assert await rig.states(message.id) == ["queued", "sending", "sent"]


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_pause_does_not_last_for_hours_when_the_clock_is_put_back(tmp_path: Path, restarted: bool):
    driver, clock = ScriptedDriver("a"), ManualClock()
    driver.script.append(refused(FaultKind.TEMPORARY))
    async with running(tmp_path / "s.db", driver, clock=clock) as rig, sweeping(rig):
        message = await rig.send()
        await driver.until_submitted(1)
        await rig.settled()
        scheduled = await rig.send(schedule_at=clock.now() + timedelta(minutes=1))
        if not restarted:
            clock.put_back(8 * 3_600.0)
            clock.advance(SLOW_TICK_S)
            await rig.until_status(message, "sent")
    if restarted:
        clock.put_back(8 * 3_600.0)
        async with running(tmp_path / "s.db", driver, clock=clock) as rig, sweeping(rig):
            await rig.until_status(message, "sent")
    assert driver.submitted[-1].segment_id == f"{message.id}:1"
    async with running(tmp_path / "s.db", driver, clock=clock, started=False) as rig:
        assert (await rig.message(scheduled.id)).status == "scheduled"


async def test_a_clock_that_was_put_back_is_seen_to_when_the_store_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    driver, clock = ScriptedDriver("a"), ManualClock()
    driver.script.append(refused(FaultKind.TEMPORARY))
    async with running(tmp_path / "s.db", driver, clock=clock) as rig:
        message = await rig.send()
        await driver.until_submitted(1)
        await rig.settled()
    clock.put_back(8 * 3_600.0)
    failures = [StoreFull("no room")] * 2  # an operation that fails is run once more by itself

    async def end(tx: Tx, now: datetime, margin: timedelta) -> int:
        if failures:
            raise failures.pop()
        return await end_misdated_pauses(tx, now, margin)

    monkeypatch.setattr(sweep, "end_misdated_pauses", end)
    async with running(tmp_path / "s.db", driver, clock=clock) as rig, sweeping(rig):
        await rig.until(lambda: not failures)
        clock.advance(SLOW_TICK_S)
        await rig.until_status(message, "sent")


async def test_a_start_settles_more_than_one_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("gateway.pipeline.sweep.BATCH", 3)
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver, started=False) as rig:
        messages = [await rig.send() for _ in range(8)]
        channels: dict[str, str] = {m.id: "a" for m in messages}
        await rig.store.write(lambda tx: claim_messages(tx, channels, "dead", rig.clock.now()))
        assert await rig.sweeper.recover() == 8
        assert await rig.sweeper.recover() == 0
        assert {(await rig.message(m.id)).status.value for m in messages} == {"uncertain"}
        assert await rig.states(messages[0].id) == ["queued", "uncertain"]


async def test_a_sweep_that_fails_is_not_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        failures = iter([True, True])
        real = Sweeper.promote_due

        async def failing(self: Sweeper) -> int:
            if next(failures, False):
                raise StoreFull("no room")
            return await real(self)

        monkeypatch.setattr(Sweeper, "promote_due", failing)
        message = await rig.send(schedule_at=START + timedelta(hours=1))
        async with sweeping(rig):
            rig.clock.advance(3_600.0)
            await rig.until_status(message, "sent")


async def test_others_hear_that_we_live_while_a_campaign_comes_due(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async with running(tmp_path / "s.db", ScriptedDriver("a")) as rig:
        n_beats = 0

        async def endless() -> int:
            await asyncio.sleep(0.001)
            rig.clock.advance(1.0)
            return sweep.BATCH

        async def live(_tx) -> None:
            nonlocal n_beats
            n_beats += 1

        monkeypatch.setattr(rig.sweeper, "promote_due", endless)
        monkeypatch.setattr(rig.sweeper, "_live", live)
        async with sweeping(rig):
            await rig.until(lambda: n_beats >= 3)
