"""Long texts that applications cut themselves: joined by our SMPP server, or kept apart."""

from __future__ import annotations

from collections import Counter

import pytest

from drivers.base import Encoding
from drivers.smpp.wire.constants import CommandStatus, Tag
from drivers.smpp.wire.receipt import parse_receipt
from gateway.esme.intake import PART_WAIT
from gateway.store.esme import count_waiting
from tests.support.esme import connected_esme
from tests.support.smpp_application import (
    LONG,
    Served,
    accepted,
    account,
    all_messages,
    parts_of,
    serving,
    submit,
)

pytestmark = pytest.mark.integration


async def give_out(served: Served) -> None:
    """Let the time pass in which parts wait for others."""
    served.rig.clock.advance(PART_WAIT.total_seconds() + 1)
    await served.service._submissions.give_out_stale(served.service._accounts)


async def test_parts_become_one_message_whatever_their_order_and_each_gets_its_receipt(tmp_path):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind()
        parts = parts_of(LONG)
        told = [await accepted(esme, part) for part in reversed(parts)]
        await served.driver.until_submitted(len(parts))
        (message,) = await all_messages(served)
        assert (message.text, message.n_segments) == (LONG, len(parts))
        await served.rig.until_status(message, "sent")
        for number in range(len(parts)):
            await served.report(str(number + 1))
        receipts = [parse_receipt((await esme.take_delivery()).short_message) for _ in parts]
        assert sorted(r.message_id for r in receipts) == sorted(told)
        assert {r.stat for r in receipts} == {"DELIVRD"}


async def test_a_text_of_too_many_parts_is_refused_with_its_first_one(tmp_path):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind()
        for part in parts_of("雁" * 67 * 11):
            assert (await esme.ask(part)).command_status == CommandStatus.RINVMSGLEN
        payload = ((Tag.MESSAGE_PAYLOAD, b"x" * 2_000),)
        answer = await esme.ask(submit("", tlvs=payload))
        assert answer.command_status == CommandStatus.RINVMSGLEN
        assert await all_messages(served) == []


async def test_parts_by_sar_become_one_message(tmp_path):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind()
        for number, text in ((1, "one "), (2, "two")):
            tlvs = (
                (Tag.SAR_MSG_REF_NUM, b"\x01\x02"),
                (Tag.SAR_TOTAL_SEGMENTS, b"\x02"),
                (Tag.SAR_SEGMENT_SEQNUM, bytes((number,))),
            )
            await accepted(esme, submit(text, tlvs=tlvs))
        await served.driver.until_submitted(1)
        assert [m.text for m in await all_messages(served)] == ["one two"]


async def test_parts_kept_apart_are_messages_of_one_segment_with_their_header(tmp_path):
    async with serving(tmp_path / "db", account(join=False)) as served, connected_esme(served.port) as esme:
        await esme.bind()
        parts = parts_of(LONG)
        for part in parts:
            await accepted(esme, part)
        await served.driver.until_submitted(len(parts))
        sent = {(s.udh, s.payload, s.encoding) for s in served.driver.submitted}
        assert sent == {(p.short_message[:6], p.short_message[6:], Encoding.UCS2) for p in parts}


async def test_parts_wait_over_a_restart(tmp_path):
    first, *others = parts_of(LONG)
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind()
        await accepted(esme, first)
        assert served.driver.submitted == []
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind()
        for part in others:
            await accepted(esme, part)
        await served.driver.until_submitted(len(others) + 1)
        assert [m.text for m in await all_messages(served)] == [LONG]


async def test_parts_whose_others_never_come_go_out_by_themselves(tmp_path):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind()
        part = parts_of(LONG)[1]
        told = await accepted(esme, part)
        await give_out(served)
        await served.driver.until_submitted(1)
        (segment,) = served.driver.submitted
        assert segment.udh + segment.payload == part.short_message
        await served.rig.settled()
        await served.report("1")
        assert parse_receipt((await esme.take_delivery()).short_message).message_id == told


async def test_a_reference_that_is_used_again_never_mixes_two_texts(tmp_path):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind()
        lost, fresh = parts_of(LONG), parts_of(LONG[::-1])
        await accepted(esme, lost[0])
        for part in fresh:
            await accepted(esme, part)
        await served.driver.until_submitted(len(fresh) + 1)
        texts = [m.text for m in await all_messages(served)]
        assert LONG[::-1] in texts
        assert len(texts) == 2


async def test_a_part_that_is_sent_again_after_its_text_was_joined_is_told_its_first_id_and_goes_nowhere(
    tmp_path,
):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind()
        parts = parts_of(LONG)
        told = [await accepted(esme, part) for part in parts]
        await served.driver.until_submitted(len(parts))
        # The answer was lost with the link, say.
        assert [await accepted(esme, parts[-1]) for _ in range(2)] == [told[-1]] * 2
        await give_out(served)
        await served.rig.settled()
        assert [m.text for m in await all_messages(served)] == [LONG]
        for number in range(len(parts)):
            await served.report(str(number + 1))
        receipts = [parse_receipt((await esme.take_delivery()).short_message) for _ in parts]
        assert sorted(r.message_id for r in receipts) == sorted(told)
        assert (await served.rig.store.read(count_waiting)) == {}
        # That long after it, it is a part of another text.
        assert await accepted(esme, parts[-1]) != told[-1]


@pytest.mark.parametrize("text", [LONG, LONG[:-1] + "!"])
async def test_a_whole_text_under_the_same_reference_is_another_message_however_much_is_the_same(
    tmp_path, text
):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind()
        parts = parts_of(LONG)
        first = [await accepted(esme, part) for part in parts]
        second = [await accepted(esme, part) for part in parts_of(text)]
        assert second[:-1] == first[:-1]
        await served.driver.until_submitted(2 * len(parts))
        assert Counter(m.text for m in await all_messages(served)) == Counter([LONG, text])
        await served.rig.settled()
        for number in range(2 * len(parts)):
            await served.report(str(number + 1))
        receipts = [parse_receipt((await esme.take_delivery()).short_message) for _ in range(2 * len(parts))]
        assert Counter(r.message_id for r in receipts) == Counter(first + second)
        assert (await served.rig.store.read(count_waiting)) == {}


async def test_a_part_that_waits_already_is_told_the_same_id_again_and_is_not_kept_twice(tmp_path):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind()
        first, *rest = parts_of(LONG)
        assert len({await accepted(esme, first) for _ in range(200)}) == 1
        assert await served.rig.store.read(count_waiting) == {"hongyan": 1}
        assert served.service._states["hongyan"].waiting == 1
        for part in rest:
            await accepted(esme, part)
        await served.driver.until_submitted(1 + len(rest))
        (message,) = await all_messages(served)
        assert message.text == LONG


async def test_a_part_that_waits_already_comes_again_in_one_piece_with_itself(tmp_path):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await esme.bind()
        first, *rest = parts_of(LONG)
        for body in (first, first, *rest, *rest):
            esme.send(body)
        answers = [await esme.receive() for _ in range(2 * len(rest) + 2)]
        assert {answer.command_status for answer in answers} == {0}
        await served.driver.until_submitted(1 + len(rest))
        assert len(await all_messages(served)) == 1
