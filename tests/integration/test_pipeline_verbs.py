"""Cancel, resend, schedules, expiry, opt-out: what people and time do to a message."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from drivers.base import FaultKind
from gateway.errors import Conflict, InvalidRequest, NotFound
from gateway.pipeline.operator.verbs import cancel_message
from tests.support.fake_driver import ScriptedDriver, accepted, refused, uncertain
from tests.support.gateway import PHONE, START, receipt, running
from tests.support.optouts import opt_in, opt_out
from tests.support.people import OPERATOR
from tests.support.product import resend_message

pytestmark = pytest.mark.integration

THREE_PARTS = "雁" * 150


async def test_a_queued_message_can_be_canceled(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await driver.go_down()
        message = await rig.send()
        assert (await cancel_message(rig.store, rig.clock, message.id, by=OPERATOR)).status == "canceled"
        await driver.come_up()
        await rig.settled()
        assert not driver.submitted
        assert await rig.states(message.id) == ["queued", "canceled"]
        with pytest.raises(Conflict, match="canceled"):
            await cancel_message(rig.store, rig.clock, message.id, by=OPERATOR)
        with pytest.raises(Conflict, match="canceled"):
            await resend_message(rig.store, rig.clock, message.id, by=OPERATOR)


async def test_a_canceled_pause_does_not_wake_the_message(tmp_path: Path):
    driver = ScriptedDriver("a")
    driver.script.append(refused(FaultKind.TEMPORARY))
    async with running(tmp_path / "s.db", driver) as rig:
        message = await rig.send()
        await driver.until_submitted(1)
        await rig.settled()
        await cancel_message(rig.store, rig.clock, message.id, by=OPERATOR)
        await rig.advance(3_600.0)
        await rig.settled()
        assert len(driver.submitted) == 1
        assert (await rig.message(message.id)).status == "canceled"


async def test_what_is_on_the_wire_or_partly_out_cannot_be_canceled(tmp_path: Path):
    driver = ScriptedDriver("a")
    driver.script.extend([accepted("1"), refused(FaultKind.TEMPORARY)])
    driver.hold()
    async with running(tmp_path / "s.db", driver) as rig:
        message = await rig.send(text=THREE_PARTS)
        await driver.until_submitted(1)
        with pytest.raises(Conflict, match="sending"):
            await cancel_message(rig.store, rig.clock, message.id, by=OPERATOR)
        driver.release()
        await driver.until_submitted(2)
        await rig.settled()
        with pytest.raises(Conflict, match="partly sent"):
            await cancel_message(rig.store, rig.clock, message.id, by=OPERATOR)
        with pytest.raises(NotFound):
            await cancel_message(rig.store, rig.clock, "nobody", by=OPERATOR)


async def test_a_failed_message_can_be_resent_with_all_its_attempts(tmp_path: Path):
    driver = ScriptedDriver("a")
    driver.script.append(refused(FaultKind.PERMANENT))
    async with running(tmp_path / "s.db", driver) as rig:
        message = await rig.until_status(await rig.send(), "failed")
        again = await resend_message(rig.store, rig.clock, message.id, by=OPERATOR)
        assert (again.status, again.error) == ("queued", None)
        await rig.until_status(message, "sent")
        assert (await rig.segments(message.id))[0].attempts == 1
        assert await rig.states(message.id) == ["queued", "sending", "failed", "queued", "sending", "sent"]
        with pytest.raises(Conflict, match="sent"):
            await resend_message(rig.store, rig.clock, message.id, by=OPERATOR)


async def test_an_uncertain_message_goes_again_when_the_operator_says_so(tmp_path: Path):
    driver = ScriptedDriver("a")
    driver.script.append(uncertain())
    async with running(tmp_path / "s.db", driver) as rig:
        message = await rig.until_status(await rig.send(), "uncertain")
        await resend_message(rig.store, rig.clock, message.id, by=OPERATOR)
        await rig.until_status(message, "sent")  # no sweep has to tell of it
        assert len(driver.submitted) == 2


async def test_a_resend_sends_only_what_did_not_arrive_and_by_the_same_channel(tmp_path: Path):
    a, b = ScriptedDriver("a"), ScriptedDriver("b")
    a.script.extend([accepted("1"), uncertain()])
    async with running(tmp_path / "s.db", a, b) as rig:
        await b.go_down()
        message = await rig.until_status(await rig.send(text=THREE_PARTS), "uncertain")
        await a.go_down()
        await b.come_up()
        await resend_message(rig.store, rig.clock, message.id, by=OPERATOR)
        await rig.sweep()
        await rig.settled()
        assert not b.submitted, "the handset joins parts by their sender"
        await a.come_up()
        await rig.until_status(message, "sent")
        assert [s.payload for s in a.submitted[2:]] == [s.payload for s in await rig.segments(message.id)][1:]


async def test_a_resend_gets_time_to_live_anew(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await driver.go_down()
        message = await rig.send(valid_for=60)
        await rig.advance(60.0)
        await rig.until_status(message, "expired")
        await driver.come_up()
        await resend_message(rig.store, rig.clock, message.id, by=OPERATOR)
        await rig.sweep()
        await rig.until_status(message, "sent")


async def test_a_scheduled_message_waits_for_its_time(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        at = (START + timedelta(hours=2)).astimezone(timezone(timedelta(hours=8)))
        message = await rig.send(schedule_at=at)
        assert (message.status, message.schedule_at) == ("scheduled", at)
        assert message.schedule_at is not None
        assert message.schedule_at.utcoffset() == timedelta(0)
        assert message == await rig.message(message.id)
        await rig.advance(7_199.0)
        await rig.settled()
        assert not driver.submitted
        await rig.advance(1.0)
        await rig.until_status(message, "sent")
        assert await rig.states(message.id) == ["scheduled", "queued", "sending", "sent"]


@pytest.mark.parametrize(
    "at", [START + timedelta(days=367), datetime.max.replace(tzinfo=timezone(timedelta(hours=-12)))]
)
async def test_a_schedule_too_far_ahead_is_refused(tmp_path: Path, at: datetime):
    async with running(tmp_path / "s.db", ScriptedDriver("a")) as rig:
        with pytest.raises(InvalidRequest) as refusal:
            await rig.send(schedule_at=at)
        assert [e.code for e in refusal.value.errors] == ["too_far"]


async def test_a_schedule_in_the_past_is_now(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await rig.send(schedule_at=START - timedelta(hours=1))
        assert (message.status, message.schedule_at) == ("queued", None)


async def test_a_scheduled_message_can_be_canceled(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await rig.send(schedule_at=START + timedelta(hours=2))
        await cancel_message(rig.store, rig.clock, message.id, by=OPERATOR)
        await rig.advance(7_200.0)
        await rig.settled()
        assert not driver.submitted
        assert await rig.states(message.id) == ["scheduled", "canceled"]


async def test_time_to_live_of_a_scheduled_message_begins_at_its_time(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await rig.send(schedule_at=START + timedelta(hours=2), valid_for=60)
        assert message.expires_at == START + timedelta(hours=2, seconds=60)


async def test_what_no_channel_took_in_time_expires(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await driver.go_down()
        message = await rig.send(valid_for=60)
        await rig.advance(59.9)
        assert (await rig.message(message.id)).status == "queued"
        await rig.advance(0.1)
        expired = await rig.message(message.id)
        assert (expired.status, expired.error and expired.error.code) == ("expired", "expired")
        await driver.come_up()
        await rig.settled()
        assert not driver.submitted


async def test_a_claim_does_not_send_what_has_expired_since_the_last_sweep(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await driver.go_down()
        message = await rig.send(valid_for=60)
        rig.clock.advance(60.0)
        await driver.come_up()
        await rig.until_status(message, "expired")
        assert not driver.submitted


async def test_the_network_is_told_what_is_left_of_the_time_to_live(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await driver.go_down()
        await rig.send(valid_for=600)
        rig.clock.advance(100.0)
        await driver.come_up()
        await driver.until_submitted(1)
        assert driver.submitted[0].valid_for_s == 500.0


# --- opt-out ---


async def test_who_opts_out_after_the_accept_gets_no_marketing(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await driver.go_down()
        marketing = await rig.send(category="marketing")
        transactional = await rig.send(category="transactional")
        await opt_out(rig.store, rig.clock, PHONE, source="api")
        await driver.come_up()
        await rig.until_status(transactional, "sent")
        blocked = await rig.until_status(marketing, "blocked")
        assert (blocked.error and blocked.error.code) == "opted_out"
        assert await rig.states(marketing.id) == ["queued", "blocked"]
        assert len(driver.submitted) == 1


async def test_who_opted_out_is_blocked_at_the_door_until_they_opt_in_again(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        first = await opt_out(rig.store, rig.clock, PHONE, source="api", reason="asked by phone")
        rig.clock.advance(60.0)
        assert await opt_out(rig.store, rig.clock, PHONE, source="cli") == first, "the first entry stays"
        assert (await rig.send(category="marketing")).status == "blocked"
        assert (
            await rig.send(category="marketing", schedule_at=START + timedelta(days=1))
        ).status == "blocked"
        assert await opt_in(rig.store, rig.clock, PHONE, source="api")
        assert not await opt_in(rig.store, rig.clock, PHONE, source="api")
        await rig.until_status(await rig.send(category="marketing"), "sent")
        kinds = [event.type for event in await rig.events(PHONE)]
        assert kinds == ["subscription.opted_out", "subscription.opted_in"]


async def test_a_blocked_message_leaves_room_for_those_behind_it(tmp_path: Path):
    driver = ScriptedDriver("a", capacity=1)
    async with running(tmp_path / "s.db", driver) as rig:
        await driver.go_down()
        blocked = [await rig.send(category="marketing", priority=9) for _ in range(3)]
        behind = await rig.send("10010", category="marketing", priority=0)
        await opt_out(rig.store, rig.clock, PHONE, source="api")
        await driver.come_up()
        await rig.until_status(behind, "sent")
        assert [(await rig.message(m.id)).status.value for m in blocked] == ["blocked"] * 3


async def test_a_resend_of_marketing_asks_the_list_again(tmp_path: Path):
    driver = ScriptedDriver("a")
    driver.script.append(refused(FaultKind.PERMANENT))
    async with running(tmp_path / "s.db", driver) as rig:
        message = await rig.until_status(await rig.send(category="marketing"), "failed")
        await opt_out(rig.store, rig.clock, PHONE, source="api")
        await resend_message(rig.store, rig.clock, message.id, by=OPERATOR)
        await rig.sweep()
        await rig.until_status(message, "blocked")
        assert len(driver.submitted) == 1


async def test_a_late_receipt_of_the_first_try_does_not_end_a_resent_message(tmp_path: Path):
    driver = ScriptedDriver("a")
    driver.script.extend([uncertain(), refused(FaultKind.TEMPORARY)])
    async with running(tmp_path / "s.db", driver) as rig:
        message = await rig.until_status(await rig.send(), "uncertain")
        await resend_message(rig.store, rig.clock, message.id, by=OPERATOR)
        await rig.sweep()
        await driver.until_submitted(2)
        await rig.settled()
        await driver.report(receipt("xyz"))
        assert (await rig.message(message.id)).status == "queued"
        await rig.advance(60.0)
        await rig.until_status(message, "sent")
