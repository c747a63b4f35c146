"""A code whose time is over is dropped, and never sent late: at the claim, before the wire, and by the network."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.model.message import Category
from gateway.pipeline.sending.segment import outbound_segment
from tests.support.fake_driver import ScriptedDriver
from tests.support.gateway import START, running

pytestmark = pytest.mark.integration


async def test_a_code_that_waited_for_ten_minutes_is_dropped_and_other_messages_are_not(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await driver.go_down()
        await rig.until(lambda: rig.lanes["a"].state == "down")
        code = await rig.send(category="otp")
        patient = await rig.send(category="otp", valid_for=3_600)
        plain = await rig.send(to="+8613800138001")
        rig.clock.advance(601.0)
        await driver.come_up()  # before any sweep: the claim sees it
        await rig.until_status(patient, "sent")
        await rig.until_status(plain, "sent")
        await rig.until_status(code, "expired")
        assert len(driver.submitted) == 2
        error = (await rig.message(code.id)).error
        assert error is not None
        assert error.code == "expired"


async def test_a_code_whose_time_ends_while_its_claim_is_committed_does_not_go(tmp_path: Path, monkeypatch):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        start = rig.scheduler._start

        def slow(claim):
            rig.clock.advance(601.0)
            start(claim)

        monkeypatch.setattr(rig.scheduler, "_start", slow)
        code = await rig.send(category="otp")
        await rig.until_status(code, "expired")
        assert driver.submitted == []


async def test_the_network_is_told_how_long_a_code_is_good_for(tmp_path: Path):
    async with running(tmp_path / "s.db", ScriptedDriver("a"), started=False) as rig:
        for category, valid_for, told in (
            ("otp", None, 600.0),
            ("otp", 120, 120.0),
            ("transactional", None, None),
            ("transactional", 120, 120.0),
        ):
            message = await rig.send(category=category, valid_for=valid_for)
            [segment] = await rig.segments(message.id)
            assert outbound_segment(message, segment, START).valid_for_s == told


async def test_a_code_is_never_good_for_longer_than_other_messages(tmp_path: Path):
    async with running(tmp_path / "s.db", ScriptedDriver("a"), started=False) as rig:
        assert rig.intake.valid_for(Category.OTP) == 600.0
        assert rig.intake.valid_for(Category.TRANSACTIONAL) == 72 * 3_600
