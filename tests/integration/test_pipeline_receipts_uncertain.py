"""Receipts for what was uncertain: what they settle, and what they may not."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from drivers.base import ReceiptState
from tests.support.fake_driver import ScriptedDriver, accepted, uncertain
from tests.support.gateway import ManualClock, receipt, running
from tests.support.receipts import OTHER, THREE_PARTS, modem, sent_as, status_of

pytestmark = pytest.mark.integration


async def test_of_two_uncertain_ones_of_a_sim_the_networks_time_says_which(tmp_path: Path):
    driver = ScriptedDriver("sim", capacity=1)
    driver.script.extend([uncertain(), uncertain()])
    async with running(tmp_path / "s.db", modem(driver)) as rig:
        first = await rig.until_status(await rig.send(), "uncertain")
        taken = rig.clock.now()
        rig.clock.advance(3_600.0)
        second = await rig.until_status(await rig.send(), "uncertain")
        rig.clock.advance(60.0)
        await driver.report(receipt("9", done_at=rig.clock.now()))
        assert await status_of(rig, first, second) == ["uncertain", "uncertain"], "either may be meant"
        await driver.report(receipt("8", accepted_at=taken, done_at=rig.clock.now()))
        assert await status_of(rig, first, second) == ["delivered", "uncertain"]


async def test_a_receipt_that_came_before_we_gave_up_waiting_for_the_answer_counts(tmp_path: Path):
    driver = ScriptedDriver("sim", capacity=1)
    async with running(tmp_path / "s.db", modem(driver)) as rig:
        driver.early = [receipt("8", done_at=rig.clock.now())]
        driver.script.append(uncertain())
        message = await rig.until_status(await rig.send(), "delivered")
        assert await rig.states(message.id) == ["queued", "sending", "uncertain", "delivered"]
        await driver.report(receipt("8", done_at=rig.clock.now()))
        driver.script.append(uncertain())
        await rig.until_status(await rig.send(), "uncertain")


async def test_a_receipt_that_came_twice_before_we_gave_up_waiting_for_the_answer_counts_once(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        driver.early = [receipt("8"), receipt("8")]  # the network missed that we took it
        driver.script.append(uncertain())
        message = await rig.until_status(await rig.send(), "delivered")
        assert await rig.states(message.id) == ["queued", "sending", "uncertain", "delivered"]
        await driver.report(receipt("8"))
        driver.early = [receipt("9"), receipt("9", state=ReceiptState.EXPIRED)]
        driver.script.append(uncertain())
        await rig.until_status(await rig.send(), "uncertain")  # which of both is true nobody can say


async def test_a_repeated_receipt_while_we_wait_for_the_answer_is_not_that_of_the_segment(tmp_path: Path):
    driver = ScriptedDriver("sim", capacity=1)
    async with running(tmp_path / "s.db", modem(driver)) as rig:
        await sent_as(rig, driver, "7")
        await driver.report(receipt("7", done_at=rig.clock.now()))
        driver.early = [receipt("7", done_at=rig.clock.now())]
        driver.script.append(uncertain())
        message = await rig.until_status(await rig.send(), "uncertain")
        driver.early = [receipt("9", to=OTHER)]
        driver.script.append(uncertain())
        await rig.until_status(await rig.send(), "uncertain")
        assert await status_of(rig, message) == ["uncertain"]


async def test_a_receipt_that_may_be_of_the_segment_on_the_wire_settles_no_uncertain_one(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        driver.script.append(uncertain())
        held = await rig.until_status(await rig.send(), "uncertain")
        driver.hold()
        driver.script.append(accepted("xyz"))
        on_wire = await rig.send()
        await driver.until_submitted(2)
        await driver.report(receipt("xyz"))
        assert await status_of(rig, held, on_wire) == ["uncertain", "sending"]
        driver.release()
        await rig.until_status(on_wire, "delivered")
        assert await status_of(rig, held) == ["uncertain"]


async def test_the_receipt_of_another_segment_in_the_window_is_not_taken_by_an_uncertain_one(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        driver.hold()
        driver.script.extend([uncertain(), accepted("xyz")])
        first, second = await rig.send(), await rig.send()
        await driver.until_submitted(2)
        await driver.report(receipt("xyz"))
        driver.release()
        await rig.until_status(second, "delivered")
        await rig.settled()
        assert await status_of(rig, first) == ["uncertain"]


async def test_a_receipt_from_before_its_submit_does_not_settle_an_uncertain_one(tmp_path: Path):
    driver = ScriptedDriver("sim", capacity=1)
    driver.script.append(uncertain())
    async with running(tmp_path / "s.db", modem(driver)) as rig:
        before = rig.clock.now() - timedelta(minutes=6)
        message = await rig.until_status(await rig.send(), "uncertain")
        rig.clock.advance(60.0)
        await driver.report(receipt("8", accepted_at=before, done_at=rig.clock.now()))
        await driver.report(receipt("9", done_at=before))
        assert await status_of(rig, message) == ["uncertain"]
        await driver.report(receipt("10", done_at=rig.clock.now()))
        assert await status_of(rig, message) == ["delivered"]


async def test_what_has_been_uncertain_for_a_week_is_left_to_people(tmp_path: Path):
    driver = ScriptedDriver("a")
    driver.script.append(uncertain())
    async with running(tmp_path / "s.db", driver) as rig:
        message = await rig.until_status(await rig.send(), "uncertain")
        rig.clock.advance(8 * 86_400.0)
        await driver.report(receipt("xyz"))
        assert await status_of(rig, message) == ["uncertain"]


async def test_what_a_killed_gateway_left_on_the_wire_is_settled_by_its_receipt(tmp_path: Path):
    driver = ScriptedDriver("sim", capacity=1)
    driver.hold()
    async with running(tmp_path / "s.db", modem(driver)) as rig:
        message = await rig.send()
        await driver.until_submitted(1)
        taken = rig.clock.now()
        await rig.stop()
    again = ScriptedDriver("sim", capacity=1)
    clock = ManualClock(taken + timedelta(minutes=1))
    async with running(tmp_path / "s.db", modem(again), clock=clock) as rig:
        assert await status_of(rig, message) == ["uncertain"]
        await again.report(receipt("200", accepted_at=taken, done_at=taken))
        assert await status_of(rig, message) == ["delivered"]


async def test_a_receipt_settles_what_was_uncertain(tmp_path: Path):
    driver = ScriptedDriver("a")
    driver.script.append(uncertain())
    async with running(tmp_path / "s.db", driver) as rig:
        message = await rig.until_status(await rig.send(), "uncertain")
        rig.clock.advance(10.0)
        await driver.report(receipt("xyz"))
        settled = await rig.message(message.id)
        assert (settled.status, settled.error) == ("delivered", None)
        assert settled.sent_at == rig.clock.now(), "that it went out is known from now on"
        assert await rig.states(message.id) == ["queued", "sending", "uncertain", "delivered"]
        assert (await rig.segments(message.id))[0].reference == "xyz"


async def test_the_same_receipt_again_does_not_settle_a_second_uncertain_one(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        driver.script.append(uncertain())
        first = await rig.until_status(await rig.send(), "uncertain")
        await driver.report(receipt("xyz"))
        driver.script.append(uncertain())
        second = await rig.until_status(await rig.send(), "uncertain")
        await driver.report(receipt("xyz"))
        assert await status_of(rig, first, second) == ["delivered", "uncertain"]


async def test_of_two_uncertain_to_one_number_nobody_can_say_which(tmp_path: Path):
    driver = ScriptedDriver("a")
    driver.script.extend([uncertain(), uncertain(), uncertain()])
    async with running(tmp_path / "s.db", driver) as rig:
        pair = [await rig.until_status(await rig.send(), "uncertain") for _ in range(2)]
        single = await rig.until_status(await rig.send(OTHER), "uncertain")
        await driver.report(receipt("xyz"))
        await driver.report(receipt("uvw", to=OTHER))
        assert await status_of(rig, *pair, single) == ["uncertain", "uncertain", "delivered"]


async def test_a_receipt_of_no_known_handset_settles_no_uncertain_one(tmp_path: Path):
    driver = ScriptedDriver("a")
    driver.script.append(uncertain())
    async with running(tmp_path / "s.db", driver) as rig:
        message = await rig.until_status(await rig.send(), "uncertain")
        await driver.report(receipt("xyz", to=None))
        await driver.report(receipt("xyz", to=OTHER))
        assert await status_of(rig, message) == ["uncertain"]


async def test_once_the_uncertain_part_is_known_to_be_there_the_rest_goes_by_the_same_channel(tmp_path: Path):
    a, b = ScriptedDriver("a"), ScriptedDriver("b")
    a.script.append(uncertain())
    async with running(tmp_path / "s.db", a, b) as rig:
        await b.go_down()
        message = await rig.until_status(await rig.send(text=THREE_PARTS), "uncertain")
        await b.come_up()
        await rig.settled()
        await a.report(receipt("xyz"))
        await rig.sweep()
        await rig.until_status(message, "sent")
        assert len(a.submitted) == 3
        assert not b.submitted
