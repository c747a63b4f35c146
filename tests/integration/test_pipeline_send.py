"""From accept to the network's answer, over scripted drivers and a real store."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.base import FaultKind, OutboundSegment
from drivers.codec.segment import decode_payload
from drivers.codec.udh import decode_udh
from drivers.pacing import TokenBucket
from gateway.routing.budgets import Budget, Quota
from gateway.routing.channel import RESUME
from gateway.routing.periods import Period
from gateway.routing.retry import OnUncertain, RetryPolicy
from gateway.settings.text import TextSettings
from tests.support.fake_driver import ScriptedDriver, accepted, refused, uncertain
from tests.support.gateway import PHONE, ScriptedChannel, running
from tests.support.people import OPERATOR

pytestmark = pytest.mark.integration

OTHER = "+8613900139000"
THREE_PARTS = "雁" * 150
"""67 + 67 + 16 characters of UCS-2."""


def text_of(*segments: OutboundSegment) -> str:
    return "".join(decode_payload(s.encoding, s.payload) for s in segments)


def parts_of(driver: ScriptedDriver) -> list[int]:
    return [c.part if s.udh and (c := decode_udh(s.udh).concat) else 1 for s in driver.submitted]


async def test_a_message_goes_out_and_its_timeline_says_so(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await rig.send(text="你好")
        sent = await rig.until_status(message, "sent")
        assert (sent.channel, sent.sent_at) == ("a", rig.clock.now())
        assert driver.recipients() == [PHONE]
        assert text_of(*driver.submitted) == "你好"
        assert await rig.states(message.id) == ["queued", "sending", "sent"]
        assert (await rig.segments(message.id))[0].reference == "1"


async def test_three_segments_go_by_one_channel_in_order_under_one_reference(tmp_path: Path):
    a, b = ScriptedDriver("a"), ScriptedDriver("b")
    async with running(tmp_path / "s.db", a, b) as rig:
        message = await rig.send(text=THREE_PARTS)
        await rig.until_status(message, "sent")
        (used,) = [driver for driver in (a, b) if driver.submitted]
        assert text_of(*used.submitted) == THREE_PARTS
        concats = [decode_udh(s.udh).concat for s in used.submitted]
        assert [(c.part, c.total, c.reference) for c in concats if c] == [
            (n, 3, message.concat_ref) for n in (1, 2, 3)
        ]
        assert [s.more_to_come for s in used.submitted] == [True, True, False]
        assert [s.attempts for s in await rig.segments(message.id)] == [1, 1, 1]
        assert await rig.states(message.id) == ["queued", "sending", "sent"]


async def test_each_message_to_one_recipient_has_a_concatenation_reference_of_its_own(tmp_path: Path):
    async with running(tmp_path / "s.db", ScriptedDriver("a")) as rig:
        references = [(await rig.send(text=THREE_PARTS)).concat_ref for _ in range(257)]
        assert references[:256] == [*range(1, 256), 0]
        assert references[256] == 1
        assert (await rig.send(OTHER, text=THREE_PARTS)).concat_ref == 1
        assert (await rig.send(OTHER, text="short")).concat_ref is None


async def test_references_of_16_bits_leave_less_room_and_repeat_less_often(tmp_path: Path):
    driver = ScriptedDriver("a")
    long = TextSettings(reference_bits=16).rules()
    async with running(tmp_path / "s.db", driver, text=long) as rig:
        message = await rig.send(text="x" * (2 * 152 + 1))
        await rig.until_status(message, "sent")
        assert [len(segment.payload) for segment in driver.submitted] == [152, 152, 1]
        concats = [decode_udh(segment.udh).concat for segment in driver.submitted]
        assert [(c.reference, c.width, c.total, c.part) for c in concats if c] == [
            (256, 16, 3, n) for n in (1, 2, 3)
        ]
        assert (await rig.send(text=THREE_PARTS)).concat_ref == 257
        assert (await rig.send(OTHER, text="short")).concat_ref is None


async def test_the_highest_priority_goes_first_then_the_oldest(tmp_path: Path):
    driver = ScriptedDriver("a", capacity=1)
    driver.hold()
    async with running(tmp_path / "s.db", driver) as rig:
        blocker = await rig.send("10010")
        await driver.until_submitted(1)
        for to, priority in (("10011", 0), ("10012", 5), ("10013", 9), ("10014", 5)):
            await rig.send(to, priority=priority)
        driver.release()
        await rig.until_status(blocker, "sent")
        await driver.until_submitted(5)
        assert driver.recipients() == ["10010", "10013", "10012", "10014", "10011"]


async def test_pins_and_groups_are_kept_apart(tmp_path: Path):
    a = ScriptedDriver("a")
    b = ScriptedDriver("b")
    channels = (ScriptedChannel(driver=a), ScriptedChannel(driver=b, groups=("otp",)))
    async with running(tmp_path / "s.db", *channels) as rig:
        wishes = {
            "10010": {},
            "10011": {"channel": "b"},
            "10012": {"sender": "otp"},
            "10013": {"sender": "b"},
        }
        for to, wish in wishes.items():
            await rig.until_status(await rig.send(to, **wish), "sent")
        assert a.recipients() == ["10010"]
        assert b.recipients() == ["10011", "10012", "10013"]


async def test_a_pinned_message_waits_for_its_channel(tmp_path: Path):
    a, b = ScriptedDriver("a"), ScriptedDriver("b")
    async with running(tmp_path / "s.db", a, b) as rig:
        await b.go_down()
        message = await rig.send(channel="b")
        await rig.settled()
        assert (await rig.message(message.id)).status == "queued"
        await b.come_up()
        await rig.until_status(message, "sent")
        assert not a.submitted


async def test_a_temporary_refusal_is_tried_again_later_and_later_and_then_fails(tmp_path: Path):
    driver = ScriptedDriver("a")
    driver.script.extend([refused(FaultKind.TEMPORARY, "cms_332")] * 3)
    policy = RetryPolicy(max_attempts=3, first_s=10.0)
    async with running(tmp_path / "s.db", driver, policy=policy) as rig:
        message = await rig.send()
        await rig.until_status(message, "queued")
        await driver.until_submitted(1)
        for n_submits, too_early_s, then_s in ((1, 7.0, 6.0), (2, 14.0, 12.0)):
            await rig.settled()
            waiting = await rig.message(message.id)
            assert waiting.error is not None
            assert (waiting.status, waiting.error.code) == ("queued", "cms_332")
            await rig.advance(too_early_s)
            await rig.settled()
            assert len(driver.submitted) == n_submits
            await rig.advance(then_s)
            await driver.until_submitted(n_submits + 1)
        failed = await rig.until_status(message, "failed")
        assert failed.error is not None
        assert failed.error.code == "cms_332"
        assert (await rig.segments(message.id))[0].attempts == 3
        assert await rig.states(message.id) == ["queued", *["sending", "queued"] * 2, "sending", "failed"]
        assert [d.attempt for d in await rig.details(message.id)] == [None, 1, 1, 2, 2, 3, 3]


async def test_a_temporary_refusal_may_be_followed_by_success(tmp_path: Path):
    driver = ScriptedDriver("a")
    driver.script.append(refused(FaultKind.TEMPORARY, retry_after_s=60.0))
    async with running(tmp_path / "s.db", driver) as rig:
        message = await rig.send()
        await driver.until_submitted(1)
        await rig.settled()
        await rig.advance(59.0)
        await rig.settled()
        assert len(driver.submitted) == 1, "the network asked for a minute"
        await rig.advance(1.0)
        assert (await rig.until_status(message, "sent")).error is None


async def test_a_permanent_refusal_fails_the_message_at_once(tmp_path: Path):
    driver = ScriptedDriver("a")
    driver.script.append(refused(FaultKind.PERMANENT, "smpp_0x0b"))
    async with running(tmp_path / "s.db", driver) as rig:
        message = await rig.send()
        failed = await rig.until_status(message, "failed")
        assert failed.error is not None
        assert failed.error.code == "smpp_0x0b"
        await rig.advance(3_600.0)
        await rig.settled()
        assert len(driver.submitted) == 1


async def test_a_permanent_refusal_of_a_later_part_stops_the_rest(tmp_path: Path):
    driver = ScriptedDriver("a")
    driver.script.extend([accepted("r1"), refused(FaultKind.PERMANENT)])
    async with running(tmp_path / "s.db", driver) as rig:
        message = await rig.send(text=THREE_PARTS)
        await rig.until_status(message, "failed")
        await rig.settled()
        assert [s.status for s in await rig.segments(message.id)] == ["sent", "failed", "queued"]
        assert parts_of(driver) == [1, 2]


async def test_a_channel_that_cannot_hands_over_to_another_at_once(tmp_path: Path):
    a, b = ScriptedDriver("a"), ScriptedDriver("b")
    a.script.append(refused(FaultKind.CHANNEL, "link_down"))
    b.script.append(refused(FaultKind.CHANNEL, "link_down"))
    async with running(tmp_path / "s.db", a, b) as rig:
        await b.go_down()
        b.script.clear()
        b.hold()
        message = await rig.send()
        await a.until_submitted(1)
        await rig.settled()
        await b.come_up()
        await b.until_submitted(1)
        b.release()
        sent = await rig.until_status(message, "sent")
        assert sent.channel == "b"
        (segment,) = await rig.segments(message.id)
        assert (segment.channel, segment.attempts) == ("b", 1), "a channel's own fault uses up no attempt"


async def test_another_channel_that_is_idle_takes_over_without_any_new_message(tmp_path: Path):
    a, b = ScriptedDriver("a"), ScriptedDriver("b")
    for driver in (a, b):
        driver.script.append(refused(FaultKind.CHANNEL, "link_down"))
    async with running(tmp_path / "s.db", a, b) as rig:
        message = await rig.send()
        await rig.until(lambda: a.submitted and b.submitted)
        await rig.settled()
        assert (await rig.message(message.id)).status == "queued", "both cool down"
        await rig.advance(1.0)
        await rig.until_status(message, "sent")


async def test_the_rest_of_a_message_never_goes_by_another_number(tmp_path: Path):
    a, b = ScriptedDriver("a"), ScriptedDriver("b")
    a.script.extend([accepted("r1"), refused(FaultKind.CHANNEL, "link_down")])
    async with running(tmp_path / "s.db", a, b) as rig:
        await b.go_down()
        message = await rig.send(text=THREE_PARTS)
        await a.until_submitted(2)
        await rig.settled()
        await b.come_up()
        await rig.settled()
        assert not b.submitted
        assert (await rig.message(message.id)).status == "queued"
        await rig.advance(1.0)
        await rig.until_status(message, "sent")
        assert parts_of(a) == [1, 2, 2, 3]
        assert not b.submitted


async def test_a_throttled_channel_pauses_and_the_message_is_innocent(tmp_path: Path):
    driver = ScriptedDriver("a")
    driver.script.append(refused(FaultKind.THROTTLED, "smpp_0x58", retry_after_s=30.0))
    async with running(tmp_path / "s.db", driver, policy=RetryPolicy(max_attempts=1)) as rig:
        message = await rig.send()
        await driver.until_submitted(1)
        await rig.settled()
        assert rig.lanes["a"].snapshot().cooldown_s == 30.0
        await rig.advance(29.0)
        await rig.settled()
        assert len(driver.submitted) == 1
        await rig.advance(1.0)
        await rig.until_status(message, "sent")
        assert (await rig.segments(message.id))[0].attempts == 1


async def test_an_uncertain_segment_is_held_and_never_sent_again(tmp_path: Path):
    driver = ScriptedDriver("a")
    driver.script.append(uncertain())
    async with running(tmp_path / "s.db", driver) as rig:
        message = await rig.send()
        held = await rig.until_status(message, "uncertain")
        assert held.error is not None
        assert held.error.code == "link_lost"
        await rig.advance(30 * 86_400.0)
        await rig.settled()
        assert len(driver.submitted) == 1
        assert (await rig.message(message.id)).status == "uncertain"


async def test_an_uncertain_segment_is_sent_again_where_the_operator_says_so(tmp_path: Path):
    driver = ScriptedDriver("a")
    driver.script.extend([uncertain(), uncertain()])
    policy = RetryPolicy(on_uncertain=OnUncertain.RETRY, max_attempts=2, first_s=10.0)
    async with running(tmp_path / "s.db", driver, policy=policy) as rig:
        message = await rig.send()
        await driver.until_submitted(1)
        await rig.settled()
        await rig.advance(13.0)
        await rig.until_status(message, "failed")
        assert len(driver.submitted) == 2
        assert (await rig.details(message.id))[2].error == "link_lost: As scripted."


async def test_an_uncertain_segment_ends_its_message_where_the_operator_says_so(tmp_path: Path):
    driver = ScriptedDriver("a")
    driver.script.append(uncertain())
    async with running(tmp_path / "s.db", driver, policy=RetryPolicy(on_uncertain=OnUncertain.FAIL)) as rig:
        message = await rig.send()
        await rig.until_status(message, "failed")
        assert len(driver.submitted) == 1


async def test_a_rate_holds_back_what_it_does_not_allow_yet(tmp_path: Path):
    driver = ScriptedDriver("a")
    channel = ScriptedChannel(driver=driver, rate=TokenBucket(0.5, 2.0, 1_000.0))
    async with running(tmp_path / "s.db", channel) as rig:
        for n in range(4):
            await rig.send(f"1001{n}")
        await driver.until_submitted(2)
        await rig.settled()
        assert len(driver.submitted) == 2
        await rig.advance(2.0)
        await driver.until_submitted(3)
        await rig.settled()
        assert len(driver.submitted) == 3


async def test_a_quota_is_not_overrun_by_what_is_on_the_wire(tmp_path: Path):
    driver = ScriptedDriver("a", capacity=10)
    driver.hold()
    channel = ScriptedChannel(driver=driver, budget=Budget(quotas=(Quota(limit=3, period=Period.DAY),)))
    async with running(tmp_path / "s.db", channel) as rig:
        for n in range(6):
            await rig.send(f"1001{n}")
            await rig.settled_claims()
        assert len(driver.submitted) == 3
        driver.release()
        await rig.settled()
        assert len(driver.submitted) == 3
        await rig.advance(86_400.0)
        await driver.until_submitted(6)


async def test_a_paused_channel_takes_nothing_until_it_is_resumed(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await rig.channels.pause("a", by=OPERATOR)
        message = await rig.send()
        await rig.settled()
        assert not driver.submitted
        assert (await rig.message(message.id)).status == "queued"
    again = ScriptedDriver("a")
    async with running(tmp_path / "s.db", again) as rig:
        await rig.settled()
        assert not again.submitted, "a pause outlives a restart"
        await rig.channels.pause("a", RESUME, by=OPERATOR)
        await rig.until_status(message, "sent")


async def test_a_stop_releases_the_parts_that_were_not_sent(tmp_path: Path):
    driver = ScriptedDriver("a")
    driver.hold()
    async with running(tmp_path / "s.db", driver, ScriptedDriver("b")) as rig:
        message = await rig.send(text=THREE_PARTS, channel="a")
        await driver.until_submitted(1)
        rig.scheduler.stop()
        rig.dispatcher._stopping = True
        driver.release()
        await rig.until_status(message, "queued")
        assert [s.status for s in await rig.segments(message.id)] == ["sent", "queued", "queued"]
    again = ScriptedDriver("a")
    async with running(tmp_path / "s.db", again) as rig:
        await rig.until_status(message, "sent")
        assert parts_of(again) == [2, 3]


async def test_what_has_no_answer_at_the_stop_is_uncertain_at_the_next_start(tmp_path: Path):
    driver = ScriptedDriver("a")
    driver.hold()
    async with running(tmp_path / "s.db", driver) as rig:
        message = await rig.send()
        await driver.until_submitted(1)
        assert await rig.stop(0.0) == 1
    again = ScriptedDriver("a")
    async with running(tmp_path / "s.db", again) as rig:
        found = await rig.message(message.id)
        assert found.error is not None
        assert (found.status, found.error.code) == ("uncertain", "interrupted")
        assert not again.submitted
