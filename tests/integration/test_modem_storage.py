"""Storages that are busy, full without a word, or passed by: what lies in them is found all the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drivers.base import ChannelNotice, InboundPart
from tests.support.eventually import eventually
from tests.support.modem_driver import (
    QUICK,
    deliver_pdu,
    driver_for,
    list_and_delete,
    running,
    segment,
    texts,
)
from tests.support.scripted_modem import NEARLY_FULL, ScriptedModem

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("refusal", ["+CMS ERROR: 314", "+CME ERROR: 14", "+CMS ERROR: 515"])
async def test_a_storage_that_is_busy_is_looked_at_again_soon(modem, sink, refusal):
    refusals = [(refusal,), (refusal,)]

    def listing(_command: str) -> tuple[str, ...]:
        return refusals.pop() if refusals else (*modem._list(), "OK")

    modem.replies["AT+CMGL=4"] = listing
    modem.stored[1] = deliver_pdu()
    async with running(driver_for(modem), sink):  # the next sweep by itself would come after a minute
        await modem.wait_for_command("AT+CMGD=1")
    assert len(sink.of(InboundPart)) == 1


async def test_a_storage_that_the_stick_does_not_have_is_not_asked_for_again_and_again(modem, sink):
    modem.replies["AT+CMGL=4"] = ("+CMS ERROR: 303",)
    timing = replace(QUICK, sweep_after_failure_s=0.001)
    async with running(driver_for(modem, timing=timing, keepalive_s=0.01), sink):
        await modem.wait_for_command("AT+CMGL=4")
        await modem.wait_for_command("AT+CSQ", times=10)
    assert modem.commands.count("AT+CMGL=4") == 1


def say_use(modem: ScriptedModem) -> None:
    """Teach the stick to tell how full it is, of 10 places."""

    def use(_command: str) -> tuple[str, ...]:
        return "+CPMS: " + ",".join([f'"SM",{len(modem.stored)},10'] * 3), "OK"

    modem.replies["AT+CPMS?"] = use


async def test_a_storage_that_fills_without_a_word_is_emptied_and_told_of(modem, sink):
    say_use(modem)
    list_and_delete(modem, obeys=True)
    async with running(driver_for(modem, keepalive_s=0.02), sink):
        await sink.wait_until_up()
        await modem.wait_for_command("AT+CMGL=4")
        for index in range(7):
            modem.stored[index] = deliver_pdu(f"no line told of {index}")
        await modem.wait_for_command("AT+CPMS?", times=modem.commands.count("AT+CPMS?") + 3)
        assert not sink.of(InboundPart), "seven of ten are no hurry"
        modem.stored[7] = deliver_pdu("nor of this")
        await eventually(lambda: modem.stored == {})
    assert len(sink.of(InboundPart)) == 8
    assert [notice.code for notice in sink.of(ChannelNotice)] == ["storage_full"]


async def test_what_can_not_be_deleted_is_not_swept_again_and_again(modem, sink):
    say_use(modem)
    modem.stored = {index: deliver_pdu(f"{index}") for index in range(9)}
    plain = modem._answer
    modem._answer = lambda c: modem.say("+CMS ERROR: 320") if c.startswith("AT+CMGD=") else plain(c)
    timing = replace(QUICK, sweep_after_failure_s=60.0)
    async with running(driver_for(modem, timing=timing, keepalive_s=0.01), sink):
        await sink.wait_until_up()
        await modem.wait_for_command("AT+CPMS?", times=12)
        n_sweeps = modem.commands.count("AT+CMGL=4")
        await modem.wait_for_command("AT+CPMS?", times=modem.commands.count("AT+CPMS?") + 10)
        assert modem.commands.count("AT+CMGL=4") <= n_sweeps + 2, "a sweep of a full storage lists it twice"
    assert len({part.dedupe_key for part in sink.of(InboundPart)}) == 9


async def test_what_a_broken_listing_did_not_show_is_not_deleted_with_the_rest(modem, sink):
    listings: list[list[str]] = []

    def listing(_command: str) -> tuple[str, ...]:
        lines = modem._list()
        if not listings:
            lines = [line.replace("+CMGL: 3", "+CNGL: 3") for line in lines]
        listings.append(lines)
        return (*lines, "OK")

    modem.replies["AT+CMGL=4"] = listing
    modem.stored = {index: deliver_pdu(f"{index}") for index in range(1, 7)}
    list_and_delete(modem, obeys=True)
    async with running(driver_for(modem), sink):
        await modem.wait_for_command("AT+CMGL=4")
        await eventually(lambda: modem.stored.keys() <= {3})
        modem.say("+CMTI: broken")
        await eventually(lambda: not modem.stored)
    assert set(texts(sink)) == set("123456")


async def test_one_place_that_can_not_be_freed_keeps_no_other_from_it(modem, sink):
    modem.replies["AT+CPMS=?"] = ('+CPMS: ("ME","SM"),("ME","SM"),("ME","SM")', "OK")
    modem.replies['AT+CPMS="ME","ME","ME"'] = modem.replies['AT+CPMS="ME"'] = ("OK",)
    modem.replies['AT+CPMS="SM"'] = ("OK",)
    modem.stored = {index: deliver_pdu(f"{index}") for index in range(1, 7)}
    plain = modem._answer
    refused = ("AT+CMGD=1",)
    modem._answer = lambda c: modem.say("+CMS ERROR: 320") if c.startswith(refused) else plain(c)
    async with running(driver_for(modem), sink):
        await eventually(lambda: list(modem.stored) == [1])
        await modem.wait_for_command('AT+CPMS="SM"')
    assert len({part.dedupe_key for part in sink.of(InboundPart)}) == 6


async def test_a_storage_that_stays_full_is_told_of_once(modem, sink):
    modem.replies["AT+CPMS?"] = ('+CPMS: "SM",9,10,"SM",9,10,"SM",9,10', "OK")
    modem.stored = {index: deliver_pdu(f"{index}") for index in range(9)}
    plain = modem._answer
    modem._answer = lambda c: modem.say("+CMS ERROR: 320") if c.startswith("AT+CMGD=") else plain(c)
    timing = replace(QUICK, sweep_after_failure_s=0.01)

    def n_told() -> int:
        return [notice.code for notice in sink.of(ChannelNotice)].count("storage_full")

    async with running(driver_for(modem, timing=timing), sink):
        await modem.wait_for_command("AT+CMGL=4", times=6)
        assert n_told() == 1
        modem._answer, modem.stored = plain, {}
        modem.replies["AT+CPMS?"] = ('+CPMS: "SM",0,10', "OK")
        for _ in range(2):  # one may be under way
            modem.say("+CMTI: broken")
            await modem.wait_for_command("AT+CMGL=4", times=modem.commands.count("AT+CMGL=4") + 1)
        modem.replies["AT+CPMS?"] = ('+CPMS: "SM",9,10', "OK")
        modem.say("+CMTI: broken")
        await eventually(lambda: n_told() == 2)


async def test_a_stick_that_always_says_what_nobody_understands_is_swept_ever_more_rarely(modem, sink):
    timing = replace(QUICK, sweep_after_failure_s=0.001)
    async with running(driver_for(modem, timing=timing, keepalive_s=0.005), sink):
        await modem.wait_for_command("AT+CMGL=4")
        for _ in range(40):
            modem.say("+CHATTER: 1")
            await modem.wait_for_command("AT+CMEE?", times=modem.commands.count("AT+CMEE?") + 2)
        assert 2 <= modem.commands.count("AT+CMGL=4") < 20


async def test_a_new_bring_up_looks_at_what_is_stored(modem, sink):
    driver = driver_for(modem)
    async with running(driver, sink):
        await sink.wait_until_up()
        await modem.wait_for_command("AT+CMGL=4")
        modem.answers.append(("+CMS ERROR: 310",))
        await driver.submit(segment())
        modem.stored[1] = deliver_pdu("no line told of it")
        await modem.wait_for_command("AT+CMGD=1")
    assert len(sink.of(InboundPart)) == 1


async def test_what_comes_after_the_listing_is_safe_from_a_stick_that_deletes_one_place_only(modem, sink):
    def listing(_command: str) -> tuple[str, ...]:
        lines = modem._list()
        if len(lines) > 6:
            modem.store(1, deliver_pdu("late"))
        return (*lines, "OK")

    plain = modem._answer
    modem._answer = lambda command: plain(command.removesuffix(",1"))
    modem.replies["AT+CMGL=4"] = listing
    modem.stored = {index: deliver_pdu(f"{index}") for index in range(2, 7)}
    async with running(driver_for(modem), sink):
        await eventually(lambda: "late" in texts(sink))


@pytest.mark.parametrize("n", [2, 6])
@pytest.mark.parametrize("use", ["0,20", "18,20"])
async def test_a_message_whose_listing_came_broken_is_read_again_and_not_thrown_away(modem, sink, n, use):
    modem.replies["AT+CPMS?"] = (f'+CPMS: "SM",{use},"SM",{use},"SM",{use}', "OK")
    modem.stored = {index: deliver_pdu(f"{index}") for index in range(1, n + 1)}
    listing = modem._list
    modem._list = lambda: [line.replace("0891", "08\x7f1") if "0031" in line else line for line in listing()]
    async with running(driver_for(modem), sink):
        await eventually(lambda: not modem.stored)
    assert sorted(texts(sink)) == [f"{index}" for index in range(1, n + 1)]
    assert "unreadable" not in {notice.code for notice in sink.of(ChannelNotice)}


async def test_what_is_no_pdu_at_all_is_kept_as_it_is_when_room_is_made(modem, sink):
    modem.replies["AT+CPMS?"] = NEARLY_FULL
    modem.stored = {1: "no hex"}
    async with running(driver_for(modem), sink):
        await eventually(lambda: not modem.stored)
    assert [(part.sender, part.payload) for part in sink.of(InboundPart)] == [("unreadable", b"no hex")]


@pytest.mark.parametrize("told", [None, "+CMS ERROR: 500"], ids=["the same", "refused"])
async def test_what_can_not_be_read_is_not_looked_at_again_and_again(modem, sink, told):
    timing = replace(QUICK, sweep_after_failure_s=0.001)
    modem.stored = {index: f"0791FF{index:02}" for index in range(1, 7)}
    if told is not None:
        modem.replies |= {f"AT+CMGR={index}": (told,) for index in modem.stored}
    async with running(driver_for(modem, timing=timing, keepalive_s=0.01), sink):
        await modem.wait_for_command("AT+CMGL=4")
        await modem.wait_for_command("AT+CSQ", times=10)
    assert modem.commands.count("AT+CMGL=4") == 1
    assert {notice.code for notice in sink.of(ChannelNotice)} == {"unreadable"}


@pytest.mark.parametrize("n", [1, 6])
async def test_what_has_a_status_that_nobody_knows_is_no_draft(modem, sink, n):
    modem.replies["AT+CPMS?"] = NEARLY_FULL
    modem.stored = {index: deliver_pdu(f"{index}") for index in range(1, n + 1)}
    modem.status = 5
    async with running(driver_for(modem), sink):
        await eventually(lambda: not modem.stored)
    raw = sink.of(InboundPart)
    assert {part.sender for part in raw} == {"unreadable"}
    assert sorted(part.payload for part in raw) == sorted(
        bytes.fromhex(deliver_pdu(f"{index}")) for index in range(1, n + 1)
    )


async def test_a_status_that_was_broken_on_the_line_is_read_again(modem, sink):
    listing = modem._list
    modem._list = lambda: [line.replace("1,0,,", "1,10,,") for line in listing()]
    modem.stored = {1: deliver_pdu("whole")}
    async with running(driver_for(modem), sink):
        await eventually(lambda: not modem.stored)
    assert texts(sink) == ["whole"]


@pytest.mark.parametrize("status", [2, 3])
async def test_drafts_are_deleted_when_room_is_made_and_nobody_is_told(modem, sink, status):
    modem.replies["AT+CPMS?"] = NEARLY_FULL
    modem.stored = {1: deliver_pdu("a draft")}
    modem.status = status
    async with running(driver_for(modem), sink):
        await eventually(lambda: not modem.stored)
    assert not sink.of(InboundPart)
