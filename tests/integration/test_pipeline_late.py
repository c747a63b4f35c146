"""Answers that came after we had given up waiting for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.base import Accepted, FaultKind, LateResult, Refused, SegmentId
from gateway.errors import Conflict
from gateway.model.message import Message
from gateway.pipeline.operator.verbs import cancel_message
from gateway.pipeline.sending.late import StillSending
from gateway.routing.retry import OnUncertain, RetryPolicy
from tests.support.fake_driver import ScriptedDriver, accepted, refused, uncertain
from tests.support.gateway import Rig, receipt, running
from tests.support.people import OPERATOR
from tests.support.product import resend_message

pytestmark = pytest.mark.integration

THREE_PARTS = "雁" * 150


def late(
    message: Message, result: Accepted | Refused, *, part: int = 1, attempt: int = 1, abandoned: bool = False
) -> LateResult:
    segment_id = SegmentId(f"{message.id}:{part}")
    return LateResult(segment_id=segment_id, attempt=attempt, result=result, abandoned=abandoned)


async def uncertain_message(rig: Rig, driver: ScriptedDriver, **fields) -> Message:
    driver.script.append(uncertain())
    return await rig.until_status(await rig.send(**fields), "uncertain")


async def test_a_late_yes_makes_the_uncertain_message_sent_under_its_reference(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await uncertain_message(rig, driver)
        await driver.report(late(message, accepted("abc")))
        sent = await rig.message(message.id)
        assert (sent.status, sent.error) == ("sent", None)
        assert (await rig.segments(message.id))[0].reference == "abc"
        await driver.report(receipt("abc"))
        assert (await rig.message(message.id)).status == "delivered"
        assert len(driver.submitted) == 1


async def test_a_receipt_that_came_before_the_late_yes_is_kept_for_it(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await uncertain_message(rig, driver)
        await driver.report(receipt("abc", to=None))
        assert (await rig.message(message.id)).status == "uncertain"
        await driver.report(late(message, accepted("abc")))
        assert (await rig.message(message.id)).status == "delivered"


async def test_a_late_yes_twice_changes_nothing_more(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await uncertain_message(rig, driver)
        await driver.report(late(message, accepted("abc")))
        await driver.report(late(message, accepted("other")))
        assert (await rig.segments(message.id))[0].reference == "abc"
        assert await rig.states(message.id) == ["queued", "sending", "uncertain", "sent"]


async def test_after_a_late_yes_the_parts_behind_it_go_by_the_same_channel(tmp_path: Path):
    a, b = ScriptedDriver("a"), ScriptedDriver("b")
    a.script.append(accepted("1"))
    async with running(tmp_path / "s.db", a, b) as rig:
        a.script.append(uncertain())
        message = await rig.until_status(await rig.send(text=THREE_PARTS, channel="a"), "uncertain")
        await a.report(late(message, accepted("2"), part=2))
        await rig.until_status(message, "sent")
        assert (len(a.submitted), len(b.submitted)) == (3, 0)
        assert [segment.attempt for segment in a.submitted] == [1, 1, 1]


async def test_a_late_no_for_good_fails_it(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await uncertain_message(rig, driver)
        await driver.report(late(message, refused(FaultKind.PERMANENT, "smpp_0x0b")))
        ended = await rig.message(message.id)
        assert (ended.status, ended.error and ended.error.code) == ("failed", "smpp_0x0b")


async def test_a_late_no_for_now_sends_it_again_once(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await uncertain_message(rig, driver)
        await driver.report(late(message, refused(FaultKind.THROTTLED, "smpp_0x58")))
        await rig.until_status(message, "sent")
        assert len(driver.submitted) == 2


async def test_under_retry_a_late_yes_stops_the_second_attempt(tmp_path: Path):
    driver = ScriptedDriver("a")
    policy = RetryPolicy(on_uncertain=OnUncertain.RETRY)
    async with running(tmp_path / "s.db", driver, policy=policy) as rig:
        driver.script.append(uncertain())
        message = await rig.send()
        await driver.until_submitted(1)
        await rig.until(lambda: _waits_for_retry(rig, message))
        await driver.report(late(message, accepted("abc")))
        assert (await rig.message(message.id)).status == "sent"
        rig.clock.advance(3_600)
        await rig.sweep()
        assert len(driver.submitted) == 1


async def test_an_answer_to_an_attempt_before_the_one_on_the_wire_is_left_alone(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await uncertain_message(rig, driver)
        await driver.report(late(message, accepted("abc"), attempt=7))
        assert (await rig.message(message.id)).status == "uncertain"


async def test_an_answer_that_overtakes_the_record_of_the_timeout_has_to_wait(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        driver.hold()
        message = await rig.send()
        await driver.until_submitted(1)
        with pytest.raises(StillSending):
            await driver.report(late(message, accepted("abc")))
        driver.release()
        await rig.until_status(message, "sent")


async def test_an_answer_whose_asker_was_stopped_counts(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        driver.hold()
        message = await rig.send()
        await driver.until_submitted(1)
        await rig.dispatcher.finish(0.01)
        await driver.report(late(message, accepted("abc"), abandoned=True))
        assert (await rig.message(message.id)).status == "sent"


async def _waits_for_retry(rig: Rig, message: Message) -> bool:
    return (await rig.message(message.id)).status == "queued"


async def waiting_to_be_sent_again(rig: Rig, driver: ScriptedDriver) -> Message:
    driver.script.append(uncertain())
    message = await rig.send()

    async def waits_again() -> bool:
        return await rig.states(message.id) == ["queued", "sending", "queued"]

    await rig.until(waits_again)
    return message


@pytest.mark.parametrize("how", ["canceled", "expired"])
async def test_a_late_yes_for_a_message_that_has_ended_is_seen_on_its_segment(tmp_path: Path, how: str):
    driver = ScriptedDriver("a")
    policy = RetryPolicy(on_uncertain=OnUncertain.RETRY, first_s=3_600.0)
    async with running(tmp_path / "s.db", driver, policy=policy) as rig:
        message = await waiting_to_be_sent_again(rig, driver)
        if how == "canceled":
            await cancel_message(rig.store, rig.clock, message.id, by=OPERATOR)
        else:
            rig.clock.advance(80 * 3_600.0)
            await rig.sweeper.expire()
        await driver.report(late(message, accepted("abc")))
        assert (await rig.message(message.id)).status == how
        await driver.report(receipt("abc"))
        assert (await rig.message(message.id)).status == how
        assert [(s.status, s.reference) for s in await rig.segments(message.id)] == [("delivered", "abc")]


async def test_what_the_network_has_is_not_resent_for_its_message_s_sake(tmp_path: Path):
    driver = ScriptedDriver("a")
    policy = RetryPolicy(on_uncertain=OnUncertain.RETRY, first_s=3_600.0)
    async with running(tmp_path / "s.db", driver, policy=policy) as rig:
        message = await waiting_to_be_sent_again(rig, driver)
        rig.clock.advance(80 * 3_600.0)
        await rig.sweeper.expire()
        await driver.report(late(message, accepted("abc")))
        with pytest.raises(Conflict, match="the network has all of it"):
            await resend_message(rig.store, rig.clock, message.id, by=OPERATOR)
        await rig.until_status(await rig.send(), "sent")  # the others are sent as before
        assert len(driver.submitted) == 2
