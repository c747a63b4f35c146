"""Order by class, and a dispatch that has lost its message to somebody else."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from gateway.pipeline.sweep import OWNER_TIMEOUT, Sweeper
from gateway.store.queue import find_orphans
from tests.support.fake_driver import ScriptedDriver
from tests.support.gateway import Rig, running

pytestmark = pytest.mark.integration


async def test_an_otp_behind_200_marketing_messages_goes_first(tmp_path: Path):
    driver = ScriptedDriver("a", capacity=1)
    async with running(tmp_path / "s.db", driver) as rig:
        await driver.go_down()
        for _ in range(200):
            await rig.send("10010", category="marketing", priority=9)
        otp = await rig.send("10011", category="otp", priority=0)
        transactional = await rig.send("10012", priority=0)
        emergency = await rig.send("10013", category="emergency", priority=0)
        await driver.come_up()
        for message in (emergency, otp, transactional):
            await rig.until_status(message, "sent")
        assert driver.recipients()[:3] == ["10013", "10011", "10012"]


async def _adopted_meanwhile(rig: Rig, path: Path) -> None:
    """Another instance takes this one for dead, and its sweep settles what it was sending."""
    theirs = Sweeper(
        rig.store, rig.clock, rig.inbox, instance="another", policy=rig.policy, shares=rig.shares
    )
    rig.clock.advance(2 * OWNER_TIMEOUT.total_seconds())
    assert await rig.store.read(lambda tx: find_orphans(tx, rig.clock.now(), 5, instance="another"))
    await theirs._adopt_orphans()


@pytest.mark.parametrize("n_chars", [10, 200])
async def test_who_has_lost_its_message_to_a_sweep_writes_nothing_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, n_chars: int
):
    caplog.set_level(logging.WARNING, "gateway.pipeline.sending.dispatch")
    driver = ScriptedDriver("a", capacity=1)
    async with running(tmp_path / "s.db", driver) as rig:
        driver.hold()
        message = await rig.send(text="x" * n_chars)
        await driver.until_submitted(1)
        await _adopted_meanwhile(rig, tmp_path)
        before = await rig.states(message.id)
        assert before == ["queued", "sending", "uncertain"]
        driver.release()
        following = await rig.send("10011")
        await rig.until_status(following, "sent")
        assert (await rig.message(message.id)).status == "uncertain"
        assert await rig.states(message.id) == before
        assert [s.reference for s in await rig.segments(message.id)] == [None] * (1 if n_chars < 160 else 2)
        said = [r.getMessage() for r in caplog.records if message.id in r.getMessage()]
        assert len(said) == 1
        assert "not being sent by this instance any more" in said[0]
        assert len(driver.submitted) == 2, "the rest of it is not sent"
