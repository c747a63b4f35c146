"""What comes in: parts joined, repeats dropped, keywords obeyed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from drivers.base import Concat, Encoding, InboundPart
from drivers.codec.gsm7 import encode_gsm7
from drivers.inbound_kind import InboundKind
from gateway.model.message import Keyword
from gateway.store.suppressions import find_suppression
from tests.support.fake_driver import ScriptedDriver
from tests.support.gateway import OPT_OUT_REPLY, PHONE, START, Rig, ScriptedChannel, running

pytestmark = pytest.mark.integration

OTHER = "+8613900139000"


def single(text: str, sender: str = PHONE, dedupe_key: str | None = None) -> InboundPart:
    return InboundPart(
        sender=sender, encoding=Encoding.GSM7, payload=encode_gsm7(text), dedupe_key=dedupe_key
    )


def part_of(
    n: int,
    total: int,
    payload: str | bytes,
    *,
    reference: int = 7,
    sender: str = PHONE,
    width: int = 8,
    sent_at: datetime | None = None,
) -> InboundPart:
    octets = payload if isinstance(payload, bytes) else payload.encode("utf-16-be")
    return InboundPart(
        sender=sender,
        encoding=Encoding.UCS2,
        payload=octets,
        concat=Concat(reference=reference, total=total, part=n, width=width),
        network_time=sent_at,
    )


async def texts(rig: Rig) -> list[str | None]:
    return [message.text for message in await rig.inbound()]


async def answers(driver: ScriptedDriver, rig: Rig) -> Sequence[str]:
    await rig.settled()
    return driver.recipients()


async def test_a_text_is_stored_before_the_network_may_forget_it(tmp_path: Path):
    driver = ScriptedDriver("sim")
    channel = ScriptedChannel(driver=driver, kind="modem", number="+8613700137000")
    async with running(tmp_path / "s.db", channel) as rig:
        await driver.report(single("hello", sender="13800138000"))
        (message,) = await rig.inbound()
        assert (message.sender, message.recipient, message.channel) == (PHONE, "+8613700137000", "sim")
        assert (message.text, message.parts, message.complete) == ("hello", 1, True)
        assert [e.type for e in await rig.events(message.id)] == ["inbound.received"]
        assert rig.lanes["sim"].snapshot().received == 1


async def test_a_reply_names_the_message_it_answers(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver, ScriptedDriver("b")) as rig:
        await rig.until_status(await rig.send(channel="a"), "sent")
        latest = await rig.until_status(await rig.send(channel="a"), "sent")
        await rig.until_status(await rig.send(channel="b"), "sent")
        await rig.until_status(await rig.send(OTHER, channel="a"), "sent")
        await driver.report(single("thanks"))
        assert [m.in_reply_to for m in await rig.inbound()] == [latest.id]


@pytest.mark.parametrize(("age", "n_answers"), [(timedelta(days=2), 1), (timedelta(days=730), 0)])
async def test_an_opt_out_holds_however_old_it_is_and_is_answered_while_somebody_waits(
    tmp_path: Path, age: timedelta, n_answers: int
):
    driver = ScriptedDriver("sim")
    async with running(tmp_path / "s.db", driver) as rig:
        await driver.report(replace(single("TD"), network_time=START - age))
        (message,) = await rig.inbound()
        assert message.keyword is Keyword.OPT_OUT
        assert await rig.store.read(lambda tx: find_suppression(tx, PHONE, "everything"))
        assert len(await answers(driver, rig)) == n_answers


async def test_an_opt_in_of_long_ago_lifts_nothing(tmp_path: Path):
    driver = ScriptedDriver("sim")
    async with running(tmp_path / "s.db", driver) as rig:
        await driver.report(single("TD"))
        await driver.report(replace(single("START"), network_time=START - timedelta(days=700)))
        assert await rig.store.read(lambda tx: find_suppression(tx, PHONE, "everything"))
        assert len(await answers(driver, rig)) == 1


async def test_what_came_long_ago_is_no_reply_to_what_went_out_today(tmp_path: Path):
    driver = ScriptedDriver("sim")
    async with running(tmp_path / "s.db", driver) as rig:
        await rig.until_status(await rig.send(channel="sim"), "sent")
        await driver.report(replace(single("see you at 8"), network_time=START - timedelta(days=700)))
        assert [m.in_reply_to for m in await rig.inbound()] == [None]


@pytest.mark.parametrize("kind", list(InboundKind))
async def test_what_is_no_message_of_a_person_is_marked_and_gets_no_answer(tmp_path: Path, kind: InboundKind):
    driver = ScriptedDriver("sim")
    async with running(tmp_path / "s.db", driver) as rig:
        await rig.until_status(await rig.send(channel="sim"), "sent")
        n_before = len(driver.recipients())
        await driver.report(replace(single("help"), kind=kind))
        await driver.report(single("a person's", sender=OTHER))
        marked = {m.text: (m.kind, m.in_reply_to) for m in await rig.inbound()}
        assert marked == {"help": (kind.value, None), "a person's": (None, None)}
        assert len(await answers(driver, rig)) == n_before


async def test_the_same_part_again_is_dropped(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        for _ in range(3):
            await driver.report(single("hello", dedupe_key="sim:14:hello"))
        assert await texts(rig) == ["hello"]


async def test_the_same_key_on_another_channel_is_another_part(tmp_path: Path):
    a, b = ScriptedDriver("a"), ScriptedDriver("b")
    async with running(tmp_path / "s.db", a, b) as rig:
        await a.report(single("hello", dedupe_key="1"))
        await b.report(single("hello", dedupe_key="1"))
        assert await texts(rig) == ["hello", "hello"]


async def test_two_equal_texts_without_a_key_are_two(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await driver.report(single("ok"))
        await driver.report(single("ok"))
        assert await texts(rig) == ["ok", "ok"]


async def test_a_repeated_part_neither_completes_nor_doubles(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        for n in (2, 2, 1):
            assert await texts(rig) == []
            await driver.report(part_of(n, 2, "鸿" if n == 1 else "雁"))
        assert await texts(rig) == ["鸿雁"]
        rig.clock.advance(3_601.0)
        assert await rig.inbox.give_out_stale() == 0, "the repeated part is not given out on its own"
        (message,) = await rig.inbound()
        assert (message.parts, message.complete) == (2, True)


async def test_parts_of_other_messages_are_not_mixed_in(tmp_path: Path):
    driver, other = ScriptedDriver("a"), ScriptedDriver("b")
    async with running(tmp_path / "s.db", driver, other) as rig:
        await driver.report(part_of(1, 2, "A1"))
        await driver.report(part_of(2, 2, "x", reference=8))
        await driver.report(part_of(2, 2, "x", width=16))
        await driver.report(part_of(2, 3, "x"))
        await driver.report(part_of(2, 2, "x", sender=OTHER))
        await other.report(part_of(2, 2, "x"))
        assert await texts(rig) == []
        await driver.report(part_of(2, 2, "A2"))
        assert await texts(rig) == ["A1A2"]


async def test_a_pair_of_surrogates_cut_between_two_parts_is_one_character(tmp_path: Path):
    driver = ScriptedDriver("a")
    octets = "a🦢b".encode("utf-16-be")
    async with running(tmp_path / "s.db", driver) as rig:
        await driver.report(part_of(2, 2, octets[4:]))
        await driver.report(part_of(1, 2, octets[:4]))
        assert await texts(rig) == ["a🦢b"]


async def test_binary_parts_are_joined_as_octets(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        for n, octets in ((2, b"\xff\x00"), (1, b"\x00\x01")):
            concat = Concat(reference=1, total=2, part=n)
            await driver.report(
                InboundPart(sender=PHONE, encoding=Encoding.BINARY, payload=octets, concat=concat)
            )
        (message,) = await rig.inbound()
        assert (message.text, message.data) == (None, b"\x00\x01\xff\x00")


async def test_what_is_not_complete_in_time_is_given_out_as_it_is(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await driver.report(part_of(3, 3, "third"))
        rig.clock.advance(1_800.0)
        await driver.report(part_of(1, 3, "first"))
        rig.clock.advance(3_600.0)
        assert await rig.inbox.give_out_stale() == 0, "the wait counts from the part that came last"
        rig.clock.advance(1.0)
        assert await rig.inbox.give_out_stale() == 1
        assert await rig.inbox.give_out_stale() == 0
        (message,) = await rig.inbound()
        assert (message.text, message.parts, message.complete) == ("first[…]third", 3, False)


async def test_parts_survive_a_restart(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver):
        await driver.report(part_of(2, 2, "雁"))
    again = ScriptedDriver("a")
    async with running(tmp_path / "s.db", again) as rig:
        await again.report(part_of(1, 2, "鸿"))
        assert await texts(rig) == ["鸿雁"]


async def test_a_later_message_that_uses_the_reference_again_is_joined_of_its_own_parts(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        for text in ("AB", "CD"):
            await driver.report(part_of(1, 2, text[0]))
            await driver.report(part_of(2, 2, text[1]))
        assert await texts(rig) == ["AB", "CD"]


async def test_a_reference_used_again_never_mixes_two_messages(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await driver.report(part_of(1, 2, "A1"))
        rig.clock.advance(3 * 3_600.0)
        for part in (part_of(1, 2, "B1"), part_of(1, 2, "B1"), part_of(2, 2, "B2")):
            await driver.report(part)
        assert [(m.text, m.complete) for m in await rig.inbound()] == [("A1[…]", False), ("B1B2", True)]


async def test_a_late_part_joins_the_message_that_was_given_out_without_it(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await driver.report(part_of(1, 4, "一", sent_at=START))
        await driver.report(part_of(3, 4, "三", sent_at=START))
        rig.clock.advance(3_601.0)
        assert await rig.inbox.give_out_stale() == 1
        (early,) = await rig.inbound()
        assert (early.text, early.complete) == ("一[…]三[…]", False)
        rig.clock.advance(3 * 86_400.0)
        await driver.report(part_of(2, 4, "二", sent_at=START))
        await driver.report(part_of(4, 4, "四", sent_at=START))
        (late,) = await rig.inbound()
        assert (late.id, late.text, late.complete) == (early.id, "一二三四", True)
        events = [e.type for e in await rig.events(early.id)]
        assert events == ["inbound.received", "inbound.updated", "inbound.updated"]
        assert rig.lanes["a"].snapshot().received == 0, "given out by the sweeper, not by a part"


async def test_a_late_part_of_another_message_with_the_same_reference_does_not_join(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await driver.report(part_of(1, 2, "A1", sent_at=START))
        await driver.report(part_of(2, 2, "B2", sent_at=START + timedelta(hours=5)))
        await driver.report(part_of(1, 2, "B1", sent_at=START + timedelta(hours=5)))
        await driver.report(part_of(2, 2, "A2", sent_at=START))
        assert await texts(rig) == ["B1B2", "A1A2"]


async def test_two_equal_messages_that_are_two_stay_two(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        for n in (1, 1, 2, 2):
            await driver.report(part_of(n, 2, "鸿" if n == 1 else "雁"))
        assert await texts(rig) == ["鸿雁", "鸿雁"]


async def test_conflicting_parts_belong_to_two_messages(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        for n, text in ((1, "A1"), (1, "B1"), (2, "A2"), (2, "B2")):
            await driver.report(part_of(n, 2, text))
        assert await texts(rig) == ["A1A2", "B1B2"]


async def test_parts_in_two_encodings_are_one_text(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        gsm7 = InboundPart(
            sender=PHONE,
            encoding=Encoding.GSM7,
            payload=encode_gsm7("code €5 "),
            concat=Concat(reference=7, total=2, part=1),
        )
        await driver.report(part_of(2, 2, "验证码"))
        await driver.report(gsm7)
        (message,) = await rig.inbound()
        assert (message.text, message.encoding) == ("code €5 验证码", "ucs2")


async def test_a_piece_of_a_text_is_no_keyword_but_the_whole_is(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await driver.report(part_of(1, 2, "T"))
        rig.clock.advance(3_601.0)
        await rig.inbox.give_out_stale()
        assert (await rig.send(category="marketing")).status == "queued"
        await driver.report(part_of(2, 2, "D"))
        (message,) = await rig.inbound()
        assert message.keyword is Keyword.OPT_OUT
        assert (await rig.send(category="marketing")).status == "blocked"


# --- keywords ---


async def test_an_opt_out_stops_marketing_and_is_confirmed_once(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        for _ in range(3):
            await driver.report(single("TD"))
        assert await answers(driver, rig) == [PHONE]
        assert driver.submitted[0].payload == encode_gsm7(OPT_OUT_REPLY)
        assert [m.keyword for m in await rig.inbound()] == [Keyword.OPT_OUT] * 3
        assert (await rig.send(category="marketing")).status == "blocked"
        assert [e.type for e in await rig.events(PHONE)] == ["subscription.opted_out"]


async def test_an_opt_out_on_a_receiver_is_confirmed_by_the_default_group(tmp_path: Path):
    receiver, sender = ScriptedDriver("rx", capacity=0), ScriptedDriver("tx")
    async with running(tmp_path / "s.db", receiver, sender) as rig:
        await receiver.report(single("TD"))
        assert await answers(sender, rig) == [PHONE]
        assert sender.submitted[0].payload == encode_gsm7(OPT_OUT_REPLY)


async def test_an_opt_out_in_two_parts_counts(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await driver.report(part_of(2, 2, "订"))
        await driver.report(part_of(1, 2, "退"))
        assert (await rig.send(category="marketing")).status == "blocked"


async def test_an_opt_in_undoes_it_and_is_confirmed_only_if_it_did(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await driver.report(single("START"))
        assert await answers(driver, rig) == []
        await driver.report(single("TD"))
        await driver.report(single("start"))
        assert await answers(driver, rig) == [PHONE, PHONE]
        await rig.until_status(await rig.send(category="marketing"), "sent")


async def test_the_answer_goes_by_the_channel_that_was_asked(tmp_path: Path):
    a, b = ScriptedDriver("a"), ScriptedDriver("b")
    async with running(tmp_path / "s.db", a, b) as rig:
        await b.report(single("HELP"))
        assert await answers(b, rig) == [PHONE]
        assert not a.submitted


async def test_a_sender_that_cannot_be_answered_is_obeyed_without_a_word(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await driver.report(single("TD", sender="HONGYAN"))
        assert await answers(driver, rig) == []
        assert [e.type for e in await rig.events("HONGYAN")] == ["subscription.opted_out"]


async def test_what_waits_for_a_marketing_slot_when_the_opt_out_comes_is_blocked(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await rig.send(category="marketing", schedule_at=START + timedelta(hours=1))
        await driver.report(single("TD"))
        await rig.advance(3_600.0)
        await rig.until_status(message, "blocked")


async def test_an_opt_out_under_the_number_of_ucs2_holds_and_is_shown_as_it_was_meant(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await driver.report(InboundPart(sender=PHONE, encoding=Encoding.UCS2, payload=b"STOP"))
        [message] = await rig.inbound()
        assert (message.text, message.keyword) == ("STOP", "opt_out")
