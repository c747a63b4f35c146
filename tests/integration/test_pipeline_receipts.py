"""Delivery reports: late, early, twice, for the wrong one, and for what was uncertain."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from drivers.base import FaultKind, Receipt, ReceiptState
from gateway.errors import Conflict, NotFound
from gateway.model.message import Message
from gateway.pipeline.dialects import LEARNED
from gateway.pipeline.receipts import save_accounts
from gateway.pipeline.unmatched import match_receipt
from gateway.store.events import load_timeline
from gateway.store.receipts import count_kept, list_kept
from tests.support.fake_driver import ScriptedDriver, accepted, refused, uncertain
from tests.support.gateway import PHONE, ManualClock, Rig, ScriptedChannel, receipt, running

pytestmark = pytest.mark.integration

OTHER = "+8613900139000"
THREE_PARTS = "雁" * 150


async def sent_as(rig: Rig, driver: ScriptedDriver, reference: str | None, to: str = PHONE) -> Message:
    driver.script.append(accepted(reference))
    return await rig.until_status(await rig.send(to), "sent")


async def status_of(rig: Rig, *messages: Message) -> list[str]:
    return [(await rig.message(m.id)).status.value for m in messages]


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


# --- the reference of a SIM counts to 255 and starts again ---


def modem(driver: ScriptedDriver) -> ScriptedChannel:
    return ScriptedChannel(driver=driver, kind="modem")


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


# --- what was uncertain ---


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


# --- binds of one account, dialects, what names nothing ---


def bind(driver: ScriptedDriver) -> ScriptedChannel:
    return ScriptedChannel(driver=driver, account="carrier")


async def test_a_receipt_on_another_bind_of_the_account_is_ours(tmp_path: Path):
    a, b = ScriptedDriver("a"), ScriptedDriver("b")
    async with running(tmp_path / "s.db", bind(a), bind(b)) as rig:
        await rig.store.write(lambda tx: save_accounts(tx, list(rig.lanes.values())))
        a.script.append(accepted("abc"))
        message = await rig.until_status(await rig.send(channel="a"), "sent")
        await b.report(receipt("abc"))
        assert await status_of(rig, message) == ["delivered"]


async def test_an_early_receipt_on_another_bind_of_the_account_is_kept_for_its_answer(tmp_path: Path):
    a, b = ScriptedDriver("a"), ScriptedDriver("b")
    async with running(tmp_path / "s.db", bind(a), bind(b)) as rig:
        await rig.store.write(lambda tx: save_accounts(tx, list(rig.lanes.values())))
        a.hold()
        a.script.append(accepted("abc"))
        message = await rig.send(channel="a")
        await a.until_submitted(1)
        await b.report(receipt("abc"))
        a.release()
        await rig.until_status(message, "delivered")


def spelled(*spellings: tuple[str, str], to: str | None = PHONE) -> Receipt:
    return replace(
        receipt(*(reference for reference, _ in spellings), to=to),
        dialects=tuple(dialect for _, dialect in spellings),
    )


async def test_the_dialect_of_an_account_is_learned_shown_and_kept_over_a_restart(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        for number in range(LEARNED):
            await sent_as(rig, driver, f"{number + 16:x}")
            await driver.report(spelled((str(number + 16), "as-is"), (f"{number + 16:x}", "hex-to-decimal")))
        assert rig.lanes["a"].facts["receipt_ids"] == "hex-to-decimal"
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        # Both ids exist, and as given it is the other message's: what was learned decides.
        other = await sent_as(rig, driver, "100")
        meant = await sent_as(rig, driver, "64")
        await driver.report(spelled(("100", "as-is"), ("64", "hex-to-decimal")))
        assert await status_of(rig, other, meant) == ["sent", "delivered"]


async def test_before_anything_is_learned_the_spelling_as_given_counts(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        meant = await sent_as(rig, driver, "100")
        other = await sent_as(rig, driver, "64")
        await driver.report(spelled(("100", "as-is"), ("64", "hex-to-decimal")))
        assert await status_of(rig, other, meant) == ["sent", "delivered"]
        assert "receipt_ids" not in rig.lanes["a"].facts


async def test_an_id_that_the_receipt_cut_off_is_found_by_handset(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        meant = await sent_as(rig, driver, "0123456789-abc")
        other = await sent_as(rig, driver, "0123456789-def", to=OTHER)
        await driver.report(spelled(("0123456789", "as-is")))
        assert await status_of(rig, meant, other) == ["delivered", "sent"]


async def test_a_receipt_that_names_only_the_handset_settles_the_one_segment_to_it(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await sent_as(rig, driver, "abc")
        await sent_as(rig, driver, "def", to=OTHER)
        await driver.report(receipt())
        assert await status_of(rig, message) == ["delivered"]


async def test_of_two_segments_to_a_handset_none_is_guessed_and_the_receipt_is_kept(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        messages = [await sent_as(rig, driver, "abc"), await sent_as(rig, driver, "def")]
        await driver.report(receipt())
        assert await status_of(rig, *messages) == ["sent", "sent"]
        [kept] = await rig.store.read(lambda tx: list_kept(tx, channel=None, limit=10, before=None))
        assert (kept.references, kept.early.recipient) == ((), PHONE)
        await match_receipt(rig.store, rig.clock, kept.early.receipt_id, messages[1].id, 1)
        assert await status_of(rig, *messages) == ["sent", "delivered"]
        assert await rig.store.read(count_kept) == 0


async def test_what_was_never_ours_is_kept_and_listed_with_its_spellings(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await driver.report(receipt("abc", "0abc", state=ReceiptState.EXPIRED))
        await driver.report(receipt("def", state=ReceiptState.ENROUTE))
        newest, oldest = await rig.store.read(lambda tx: list_kept(tx, channel="a", limit=10, before=None))
        assert (newest.early.state, oldest.early.state) == ("enroute", "expired")
        assert oldest.references == ("abc", "0abc")
        before = newest.early.receipt_id
        assert await rig.store.read(lambda tx: list_kept(tx, channel="a", limit=10, before=before)) == [
            oldest
        ]
        assert await rig.store.read(lambda tx: list_kept(tx, channel="b", limit=10, before=None)) == []


async def test_a_receipt_is_not_matched_to_what_waits_for_none(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await sent_as(rig, driver, "abc")
        await driver.report(receipt("abc"))
        await driver.report(receipt("xyz"))
        [kept] = await rig.store.read(lambda tx: list_kept(tx, channel=None, limit=10, before=None))
        with pytest.raises(Conflict, match="delivered"):
            await match_receipt(rig.store, rig.clock, kept.early.receipt_id, message.id, 1)
        with pytest.raises(NotFound, match="1 parts"):
            await match_receipt(rig.store, rig.clock, kept.early.receipt_id, message.id, 2)
        with pytest.raises(NotFound):
            await match_receipt(rig.store, rig.clock, message.id, message.id, 1)
        assert await rig.store.read(count_kept) == 1
