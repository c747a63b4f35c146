"""Messages that wait for a person: let go, rejected, overtaken by an opt-out or by time, and the alarm."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from drivers.base import FaultKind
from gateway.errors import Conflict
from gateway.model.actor import Actor, ActorKind
from gateway.model.alarm import AlarmKind
from gateway.model.message import Message
from gateway.pipeline.operator.reviews import Verdict, decide_review
from gateway.policy.decision import ALLOW, Later, Review
from gateway.store.alarms import find_subjects
from gateway.store.reviews import Alike, Decision
from tests.support.fake_driver import ScriptedDriver, refused
from tests.support.gateway import START, Rig, running
from tests.support.optouts import opt_out
from tests.support.people import OPERATOR
from tests.support.policy import Says, Writes, put_rules, send_as_shop
from tests.support.product import resend_message

pytestmark = pytest.mark.integration

LOOK = Review("odd_text", "It has odd words.")
ANN = Actor(ActorKind.KEY, "ann")


async def decide(
    rig: Rig, message: Message, decision: Decision = Decision.APPROVED, all_of: Alike = Alike.MESSAGE
) -> int:
    verdict = Verdict(decision, all_of, "because")
    return await rig.store.write(lambda tx: decide_review(tx, rig.clock, message.id, verdict, by=ANN))


async def test_only_what_is_approved_goes_out(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await put_rules(rig, texts=[Writes(lambda _s: LOOK)])
        good, bad = await send_as_shop(rig, text="good"), await send_as_shop(rig, text="bad")
        await rig.settled()
        assert driver.submitted == []
        assert await decide(rig, good) == 1
        assert await decide(rig, bad, Decision.REJECTED) == 1
        await rig.until_status(good, "sent")
        await rig.settled()
        assert [segment.payload for segment in driver.submitted] == [b"good"]
        assert await rig.states(bad.id) == ["queued", "blocked"]
        blocked = [e.data for e in await rig.events(bad.id) if e.type == "message.blocked"]
        assert [msgspec.json.decode(data)["by"] for data in blocked] == ["key:ann"]


async def test_a_campaign_of_one_text_is_one_decision(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await put_rules(rig, texts=[Writes(lambda _s: LOOK)])
        many = [await send_as_shop(rig, to=f"+86138001380{n:02}", text="sale") for n in range(20)]
        assert await decide(rig, many[7], all_of=Alike.TEXT) == 20
        for message in many:
            await rig.until_status(message, "sent")
        assert len(driver.submitted) == 20


async def test_who_opted_out_during_the_review_gets_nothing(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await put_rules(rig, texts=[Writes(lambda _s: LOOK)])
        message = await send_as_shop(rig, category="marketing")
        await opt_out(rig.store, rig.clock, message.recipient, source="api")
        with suppress(Conflict):  # it may be blocked by now
            await decide(rig, message)
        blocked = await rig.until_status(message, "blocked")
        assert blocked.error is not None
        assert blocked.error.code == "opted_out"
        assert driver.submitted == []


async def test_what_a_person_let_go_is_not_asked_about_again_and_still_waits_for_its_time(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        later = Later(START.replace(hour=22), "outside_hours", "It is too early.")
        times = Says(again_=lambda _s: later if rig.clock.now() < later.until else ALLOW)
        asks = Says(lambda _s: LOOK)
        await put_rules(rig, asks, times)
        message = await send_as_shop(rig)
        assert await decide(rig, message) == 1
        await rig.settled()
        assert driver.submitted == [], "it waits for the evening"
        await rig.advance(13 * 3_600)
        await rig.until_status(message, "sent")


async def test_a_message_whose_time_ends_in_review_expires_and_says_so(tmp_path: Path):
    async with running(tmp_path / "s.db", ScriptedDriver("a")) as rig:
        await put_rules(rig, texts=[Writes(lambda s: LOOK if s.text == "odd" else ALLOW)])
        message = await send_as_shop(rig, text="odd", valid_for=60)
        await rig.advance(61)
        expired = await rig.until_status(message, "expired")
        assert expired.error is not None
        assert "before a person decided" in expired.error.detail


async def test_what_expired_undecided_waits_for_a_person_again_when_it_is_sent_again(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await put_rules(rig, texts=[Writes(lambda _s: LOOK)])
        message = await send_as_shop(rig, valid_for=60)
        await rig.advance(61)
        await rig.until_status(message, "expired")
        await resend_message(rig.store, rig.clock, message.id, by=OPERATOR)
        await rig.settled()
        assert driver.submitted == [], "sending again is no decision on the text"
        assert await decide(rig, message) == 1
        await rig.until_status(message, "sent")


async def test_what_was_let_go_once_goes_at_once_when_it_is_sent_again(tmp_path: Path):
    driver = ScriptedDriver("a")
    driver.script.append(refused(FaultKind.PERMANENT))
    async with running(tmp_path / "s.db", driver) as rig:
        await put_rules(rig, texts=[Writes(lambda _s: LOOK)])
        message = await send_as_shop(rig)
        await decide(rig, message)
        await rig.until_status(message, "failed")
        await resend_message(rig.store, rig.clock, message.id, by=OPERATOR)
        await rig.until_status(message, "sent")


async def test_one_of_a_sequence_in_review_does_not_stop_those_before_it(tmp_path: Path):
    driver = ScriptedDriver("a", capacity=4)
    async with running(tmp_path / "s.db", driver) as rig:
        await put_rules(rig, texts=[Writes(lambda s: LOOK if s.text == "c" else ALLOW)])
        driver.hold()
        _, second, third, _ = [await send_as_shop(rig, text=text, sequence="order") for text in "abcd"]
        await driver.until_submitted(1)
        driver.release()
        await rig.until_status(second, "sent")
        await rig.settled()
        assert [segment.payload for segment in driver.submitted] == [b"a", b"b"]
        await decide(rig, third)
        await driver.until_submitted(4)
        assert [segment.payload for segment in driver.submitted] == [b"a", b"b", b"c", b"d"]


async def test_messages_that_wait_long_are_an_alarm_until_none_does(tmp_path: Path):
    async with running(tmp_path / "s.db", ScriptedDriver("a")) as rig:
        await put_rules(rig, texts=[Writes(lambda _s: LOOK)])
        message = await send_as_shop(rig)
        rig.sweeper.reviews.adopt(600.0)

        async def alarms() -> set[str]:
            await rig.sweeper.reviews.look()
            return await rig.store.read(lambda tx: find_subjects(tx, AlarmKind.REVIEW))

        assert await alarms() == set()
        rig.clock.advance(601)
        assert await alarms() == {"reviews"}
        assert await alarms() == {"reviews"}
        await decide(rig, message)
        assert await alarms() == set()
