"""Receipts of a SIM, whose reference counts to 255 and starts again."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from drivers.base import ReceiptState
from tests.support.fake_driver import ScriptedDriver, accepted, uncertain
from tests.support.gateway import receipt, running
from tests.support.receipts import OTHER, modem, sent_as, status_of

pytestmark = pytest.mark.integration


async def test_of_two_with_one_reference_the_newest_to_that_number_is_meant(tmp_path: Path):
    driver = ScriptedDriver("sim", capacity=1)
    async with running(tmp_path / "s.db", modem(driver)) as rig:
        old = await sent_as(rig, driver, "7")
        rig.clock.advance(3_600.0)
        new = await sent_as(rig, driver, "7")
        rig.clock.advance(3_600.0)
        elsewhere = await sent_as(rig, driver, "7", to=OTHER)
        await driver.report(receipt("7"))
        assert await status_of(rig, old, new, elsewhere) == ["sent", "delivered", "sent"]


async def test_another_number_does_not_match_on_a_sim(tmp_path: Path):
    driver = ScriptedDriver("sim", capacity=1)
    async with running(tmp_path / "s.db", modem(driver)) as rig:
        message = await sent_as(rig, driver, "7")
        await driver.report(receipt("7", to=OTHER))
        await driver.report(receipt("7", to=None))
        assert await status_of(rig, message) == ["sent"]


async def test_a_settled_reference_that_is_used_again_waits_for_its_new_segment(tmp_path: Path):
    driver = ScriptedDriver("sim", capacity=1)
    async with running(tmp_path / "s.db", modem(driver)) as rig:
        old = await sent_as(rig, driver, "7")
        await driver.report(receipt("7"))
        rig.clock.advance(3_600.0)
        driver.early = [receipt("7", state=ReceiptState.EXPIRED)]
        driver.script.append(accepted("7"))
        new = await rig.send()
        await rig.until_status(new, "undelivered")
        assert await status_of(rig, old) == ["delivered"]


async def test_a_receipt_from_before_the_submit_is_not_its_own(tmp_path: Path):
    driver = ScriptedDriver("sim", capacity=1)
    async with running(tmp_path / "s.db", modem(driver)) as rig:
        await driver.report(receipt("7", state=ReceiptState.EXPIRED))
        rig.clock.advance(3_600.0)
        message = await sent_as(rig, driver, "7")
        assert await status_of(rig, message) == ["sent"]


async def test_a_repeated_receipt_of_a_sim_settles_nothing_else(tmp_path: Path):
    driver = ScriptedDriver("sim", capacity=1)
    async with running(tmp_path / "s.db", modem(driver)) as rig:
        await sent_as(rig, driver, "7")
        await driver.report(receipt("7"))
        driver.script.append(uncertain())
        held = await rig.until_status(await rig.send(), "uncertain")
        await driver.report(receipt("7"))
        assert await status_of(rig, held) == ["uncertain"]


async def test_a_late_receipt_finds_the_segment_of_its_own_time_though_the_reference_was_used_again(
    tmp_path: Path,
):
    driver = ScriptedDriver("sim", capacity=1)
    async with running(tmp_path / "s.db", modem(driver)) as rig:
        old = await sent_as(rig, driver, "7")
        taken = rig.clock.now()
        rig.clock.advance(3_600.0)  # the stick was restarted: it counts from the beginning
        new = await sent_as(rig, driver, "7")
        rig.clock.advance(60.0)
        done = taken + timedelta(minutes=30)
        await driver.report(receipt("7", accepted_at=taken, done_at=done))
        assert await status_of(rig, old, new) == ["delivered", "sent"]
        await driver.report(receipt("7", accepted_at=taken, done_at=done))
        assert await status_of(rig, new) == ["sent"], "the same receipt again is not that of the new one"


async def test_a_receipt_done_before_the_second_was_sent_is_that_of_the_first(tmp_path: Path):
    driver = ScriptedDriver("sim", capacity=1)
    async with running(tmp_path / "s.db", modem(driver)) as rig:
        old = await sent_as(rig, driver, "7")
        done = rig.clock.now() + timedelta(minutes=1)
        rig.clock.advance(3_600.0)
        new = await sent_as(rig, driver, "7")
        await driver.report(receipt("7", done_at=done))
        assert await status_of(rig, old, new) == ["delivered", "sent"]


async def test_a_receipt_from_before_our_time_settles_nothing(tmp_path: Path):
    driver = ScriptedDriver("sim", capacity=1)
    async with running(tmp_path / "s.db", modem(driver)) as rig:
        message = await sent_as(rig, driver, "7")
        stale = rig.clock.now() - timedelta(days=2)
        await driver.report(receipt("7", accepted_at=stale, done_at=stale))
        assert await status_of(rig, message) == ["sent"]


async def test_a_network_that_stamps_in_a_wrong_zone_is_understood_where_only_one_can_be_meant(
    tmp_path: Path,
):
    driver = ScriptedDriver("sim", capacity=1)
    async with running(tmp_path / "s.db", modem(driver)) as rig:
        only = await sent_as(rig, driver, "7")
        stamped = rig.clock.now() - timedelta(hours=8)
        await driver.report(receipt("7", accepted_at=stamped, done_at=stamped))
        assert await status_of(rig, only) == ["delivered"]
        rig.clock.advance(3_600.0)
        second = await sent_as(rig, driver, "7")
        stamped = rig.clock.now() - timedelta(hours=8)
        await driver.report(receipt("7", accepted_at=stamped, done_at=stamped))
        assert await status_of(rig, second) == ["sent"], "it might be the first one's again"
