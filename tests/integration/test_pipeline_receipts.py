"""Delivery reports: late, early, twice, for the wrong one, and for messages of several parts."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from drivers.base import FaultKind, ReceiptState
from gateway.store.events import load_timeline
from tests.support.fake_driver import ScriptedDriver, accepted, refused, uncertain
from tests.support.gateway import receipt, running
from tests.support.receipts import THREE_PARTS, sent_as, status_of

pytestmark = pytest.mark.integration


async def test_a_receipt_delivers_the_message(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await sent_as(rig, driver, "abc")
        rig.clock.advance(10.0)
        seen_at = rig.clock.now() - timedelta(seconds=3)
        await driver.report(receipt("ABC", "abc", done_at=seen_at))
        delivered = await rig.message(message.id)
        assert (delivered.status, delivered.delivered_at) == ("delivered", seen_at)
        assert (await rig.segments(message.id))[0].delivered_at == seen_at
        last = (await rig.details(message.id))[-1]
        assert (last.status, last.ref) == ("delivered", "abc")


@pytest.mark.parametrize("hours", [-9, 8])
async def test_a_network_clock_that_cannot_be_right_is_not_believed(tmp_path: Path, hours: int):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await sent_as(rig, driver, "abc")
        await driver.report(receipt("abc", done_at=rig.clock.now() + timedelta(hours=hours)))
        assert (await rig.message(message.id)).delivered_at == rig.clock.now()


@pytest.mark.parametrize("state", ["expired", "rejected", "undeliverable", "deleted"])
async def test_a_receipt_of_failure_makes_it_undelivered_and_says_why(tmp_path: Path, state: str):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await sent_as(rig, driver, "abc")
        await driver.report(receipt("abc", state=ReceiptState(state), code="tp_st_0x41"))
        ended = await rig.message(message.id)
        assert ended.status == "undelivered"
        assert ended.error is not None
        assert ended.error.code == f"receipt_{state}"
        assert "tp_st_0x41" in ended.error.detail


async def test_a_receipt_that_is_no_end_is_in_the_timeline(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await sent_as(rig, driver, "abc")
        await driver.report(receipt("abc", state=ReceiptState.ENROUTE))
        await driver.report(receipt("abc", state=ReceiptState.UNKNOWN))
        events = await rig.store.read(lambda tx: load_timeline(tx, message.id))
        assert [event.type for event in events][-2:] == ["receipt.enroute", "receipt.unknown"]


async def test_a_receipt_that_is_no_end_changes_nothing(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await sent_as(rig, driver, "abc")
        await driver.report(receipt("abc", state=ReceiptState.ENROUTE))
        await driver.report(receipt("abc", state=ReceiptState.UNKNOWN))
        assert await status_of(rig, message) == ["sent"]
        await driver.report(receipt("abc"))
        assert await status_of(rig, message) == ["delivered"]


async def test_a_receipt_that_is_faster_than_the_answer_is_kept_for_it(tmp_path: Path):
    driver = ScriptedDriver("a")
    driver.script.append(accepted("abc"))
    driver.early = [receipt("0abc", "abc")]
    async with running(tmp_path / "s.db", driver) as rig:
        message = await rig.send()
        await rig.until_status(message, "delivered")
        assert await rig.states(message.id) == ["queued", "sending", "sent", "delivered"]


async def test_early_receipts_of_every_part_deliver_the_whole(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        driver.early = [receipt("1"), receipt("2"), receipt("3")]
        message = await rig.send(text=THREE_PARTS)
        await rig.until_status(message, "delivered")
        assert await rig.states(message.id) == ["queued", "sending", "sent", "delivered"]


async def test_the_same_receipt_twice_is_one(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await sent_as(rig, driver, "abc")
        for state in (ReceiptState.DELIVERED, ReceiptState.DELIVERED, ReceiptState.EXPIRED):
            await driver.report(receipt("abc", state=state))
        assert await rig.states(message.id) == ["queued", "sending", "sent", "delivered"]


async def test_a_receipt_of_another_channel_is_not_ours(tmp_path: Path):
    a, b = ScriptedDriver("a"), ScriptedDriver("b")
    async with running(tmp_path / "s.db", a, b) as rig:
        a.script.append(accepted("abc"))
        message = await rig.until_status(await rig.send(channel="a"), "sent")
        await b.report(receipt("abc"))
        assert await status_of(rig, message) == ["sent"]


async def test_a_receipt_without_a_recipient_counts_on_smpp(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await sent_as(rig, driver, "abc")
        await driver.report(receipt("abc", to=None))
        assert await status_of(rig, message) == ["delivered"]


async def test_a_national_spelling_of_the_recipient_is_the_same_handset(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await sent_as(rig, driver, "abc")
        await driver.report(receipt("abc", to="13800138000"))
        assert await status_of(rig, message) == ["delivered"]


# --- several parts ---


async def test_a_message_is_delivered_when_all_its_parts_are(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await rig.until_status(await rig.send(text=THREE_PARTS), "sent")
        for reference, expected in (("3", "sent"), ("1", "sent"), ("2", "delivered")):
            await driver.report(receipt(reference))
            assert await status_of(rig, message) == [expected]


async def test_one_part_that_did_not_arrive_spoils_the_whole(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await rig.until_status(await rig.send(text=THREE_PARTS), "sent")
        await driver.report(receipt("1"))
        await driver.report(receipt("2", state=ReceiptState.UNDELIVERABLE))
        await driver.report(receipt("3"))
        ended = await rig.message(message.id)
        assert ended.error is not None
        assert (ended.status, ended.error.code) == ("undelivered", "partially_delivered")
        assert ended.error.detail.startswith("2 of its 3 parts arrived. receipt_undeliverable:")
        assert [s.status for s in await rig.segments(message.id)] == ["delivered", "undelivered", "delivered"]
        assert await rig.states(message.id) == ["queued", "sending", "sent", "undelivered"]


async def test_a_receipt_between_two_parts_waits_for_the_verdict(tmp_path: Path):
    driver = ScriptedDriver("a")
    driver.script.extend([accepted("1"), refused(FaultKind.TEMPORARY)])
    async with running(tmp_path / "s.db", driver) as rig:
        message = await rig.send(text=THREE_PARTS)
        await driver.until_submitted(2)
        await rig.settled()
        await driver.report(receipt("1", state=ReceiptState.UNDELIVERABLE))
        assert await status_of(rig, message) == ["queued"]
        await rig.advance(60.0)
        ended = await rig.until_status(message, "undelivered")
        assert ended.error is not None
        assert ended.error.code == "receipt_undeliverable"


async def test_a_message_that_did_not_arrive_says_why_whichever_receipt_came_last(tmp_path: Path):
    driver = ScriptedDriver("a")
    driver.script.extend([accepted("1"), accepted("2"), uncertain()])
    async with running(tmp_path / "s.db", driver) as rig:
        message = await rig.until_status(await rig.send(text=THREE_PARTS), "uncertain")
        await driver.report(receipt("1", state=ReceiptState.EXPIRED))
        await driver.report(receipt("2"))
        assert await status_of(rig, message) == ["uncertain"]
        await driver.report(receipt("xyz"))
        ended = await rig.message(message.id)
        assert ended.status == "undelivered"
        assert ended.error is not None
        assert ended.error.code == "partially_delivered"
        assert "2 of its 3 parts arrived. receipt_expired:" in ended.error.detail
