"""A stick that lists its storage wrongly or not at all, or announces what is elsewhere, loses nothing in silence."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from drivers.base import ChannelNotice, ChannelUp, InboundPart, Receipt
from tests.support.eventually import eventually
from tests.support.modem_driver import QUICK, deliver_pdu, driver_for, report_pdu, running, segment, texts
from tests.support.scripted_modem import ScriptedModem, tpdu_octets

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.recording_sink import RecordingSink

pytestmark = pytest.mark.integration

SOON = replace(QUICK, sweep_soon_s=0.05)


class Memories:
    """Teaches a scripted stick several memories, of which one is read at a time.

    Attributes:
        stored: PDU in hex by memory and index.
        listing, reading: what is answered for the memory that is read; the test may replace them.
    """

    def __init__(self, modem: ScriptedModem, *names: str, size: int = 20) -> None:
        self.modem = modem
        self.stored: dict[str, dict[int, str]] = {name: {} for name in names}
        self.size = size
        self.listing: Callable[[], tuple[str, ...]] = self._list
        self.reading: Callable[[int], tuple[str, ...]] = self._read_one
        self.names = [names[0]] * 3
        quoted = ",".join(f'"{name}"' for name in names)
        modem.replies["AT+CPMS=?"] = (f"+CPMS: ({quoted}),({quoted}),({quoted})", "OK")
        modem.replies["AT+CPMS?"] = lambda _command: (self.use(), "OK")
        self._plain, modem._answer = modem._answer, self.answer  # type: ignore[method-assign]

    @property
    def read(self) -> dict[int, str]:
        return self.stored[self.names[0]]

    def use(self) -> str:
        return "+CPMS: " + ",".join(f'"{name}",{len(self.stored[name])},{self.size}' for name in self.names)

    def _list(self) -> tuple[str, ...]:
        pairs = ((f"+CMGL: {index},1,,{tpdu_octets(pdu)}", pdu) for index, pdu in sorted(self.read.items()))
        return (*(line for pair in pairs for line in pair), "OK")

    def _read_one(self, index: int) -> tuple[str, ...]:
        pdu = self.read.get(index)
        return (f"+CMGR: 1,,{tpdu_octets(pdu)}", pdu, "OK") if pdu else ("+CMS ERROR: 321",)

    def answer(self, command: str) -> None:
        name, _, argument = command.partition("=")
        if name == "AT+CPMS" and argument not in {"", "?"}:
            asked = [word.strip('"') for word in argument.split(",")]
            if not set(asked) <= self.stored.keys():
                self.modem.say("+CMS ERROR: 302")
                return
            self.names[: len(asked)] = asked
            self.modem.say("+CPMS: 0,20,0,20,0,20", "OK")
        elif name == "AT+CMGL":
            self.modem.say(*self.listing())
        elif name == "AT+CMGR":
            self.modem.say(*self.reading(int(argument)))
        elif name == "AT+CMGD":
            index, _, flag = argument.partition(",")
            if flag:
                self.read.clear()
            self.read.pop(int(index), None)
            self.modem.say("OK")
        else:
            self._plain(command)


def codes(sink: RecordingSink) -> set[str]:
    return {notice.code for notice in sink.of(ChannelNotice)}


def ailment(sink: RecordingSink) -> str | None:
    """What the channel shows now while it is up."""
    told = [up.ailment for up in sink.of(ChannelUp)][-1:]
    return told[0].code if told and told[0] else None


@pytest.mark.parametrize("answer", [("+CMS ERROR: 303",), ("OK",), ("ERROR",), ("+CMGL: broken", "OK")])
async def test_what_no_listing_shows_is_read_place_by_place(modem, sink, answer):
    memories = Memories(modem, "ME", "SM")
    memories.listing = lambda: answer
    memories.stored["ME"] = {0: deliver_pdu("before"), 7: deliver_pdu("far")}
    async with running(driver_for(modem), sink):
        await eventually(lambda: sorted(texts(sink)) == ["before", "far"])
        memories.stored["SM"] |= {index: deliver_pdu(f"{index}") for index in (3, 4, 5)}
        modem.say(*(f'+CMTI: "SM",{index}' for index in (3, 4, 5)))
        await eventually(lambda: len(texts(sink)) == 5)
        await eventually(lambda: not any(memories.stored.values()))
    assert ailment(sink) is None


async def test_a_listing_that_shows_some_of_it_is_completed(modem, sink):
    memories = Memories(modem, "SM")
    plain = memories.listing
    memories.listing = lambda: (*plain()[:2], "OK")
    memories.stored["SM"] = {index: deliver_pdu(f"{index}") for index in (1, 2, 9)}
    async with running(driver_for(modem), sink):
        await eventually(lambda: sorted(texts(sink)) == ["1", "2", "9"])


@pytest.mark.parametrize(
    "header", ["+CMGL: {index},{n}", '+CMGL: {index},"REC UNREAD",,{n}', "+CMGL: {index}"]
)
async def test_a_listing_without_states_is_read(modem, sink, header):
    memories = Memories(modem, "ME", "SR")
    memories.listing = lambda: (
        *(
            line
            for index, pdu in memories.read.items()
            for line in (header.format(index=index, n=tpdu_octets(pdu)), pdu)
        ),
        "OK",
    )
    memories.stored["SR"] = {0: report_pdu(1)}
    async with running(driver_for(modem), sink):
        await sink.wait_for_event(Receipt)
    assert "unreadable" not in codes(sink)


@pytest.mark.parametrize("home", ["SR", "SM"])
@pytest.mark.parametrize("n", [1, 12])
async def test_reports_that_lie_elsewhere_than_announced_are_found_and_then_known(modem, sink, home, n):
    memories = Memories(modem, "ME", "SM", "SR")
    async with running(driver_for(modem), sink):
        await sink.wait_until_up()
        await modem.wait_for_command("AT+CMGL=4", times=3)
        n_commands = 0
        for _ in range(3):
            n_before, n_commands = len(sink.of(Receipt)), len(modem.commands)
            memories.stored[home] = {index: report_pdu(n_before + index) for index in range(n)}
            modem.say(*['+CDSI: "ME",0'] * n)
            await eventually(lambda: len(sink.of(Receipt)) == n_before + n)  # noqa: B023
            await eventually(lambda: not memories.stored[home])
        assert "AT+CMGR=0" not in modem.commands[n_commands:], "by now it is known where they are"
    assert ailment(sink) is None


async def test_what_was_announced_and_is_nowhere_is_told(modem, sink):
    memories = Memories(modem, "SM")
    async with running(driver_for(modem), sink):
        await sink.wait_until_up()
        modem.say('+CMTI: "SM",5')
        await eventually(lambda: "announced_not_found" in codes(sink))
        await eventually(lambda: ailment(sink) == "announced_not_found")
        for index in (1, 2, 3):
            memories.stored["SM"][index] = deliver_pdu(f"{index}")
            modem.say(f'+CMTI: "SM",{index}')
        await eventually(lambda: len(texts(sink)) == 3)
        await eventually(lambda: ailment(sink) is None)


async def test_what_was_taken_before_its_announcement_came_is_not_missed(modem, sink):
    memories = Memories(modem, "SM")
    memories.stored["SM"] = {1: deliver_pdu("early")}
    async with running(driver_for(modem), sink):
        await eventually(lambda: texts(sink) == ["early"])
        n_sweeps = modem.commands.count("AT+CMGL=4")
        modem.say('+CMTI: "SM",1')
        await modem.wait_for_command("AT+CMGR=1")
        memories.stored["SM"] = {2: deliver_pdu("late")}
        modem.say('+CMTI: "SM",2')
        await eventually(lambda: texts(sink) == ["early", "late"])
    assert modem.commands.count("AT+CMGL=4") == n_sweeps
    assert not codes(sink)


@pytest.mark.parametrize("times", [2, 3])
async def test_what_is_announced_again_is_not_missed(modem, sink, times):
    memories = Memories(modem, "SM")
    async with running(driver_for(modem, timing=SOON), sink):
        await sink.wait_until_up()
        for index in (1, 2):
            memories.stored["SM"] = {index: deliver_pdu(f"{index}")}
            modem.say(*[f'+CMTI: "SM",{index}'] * times)
            await eventually(lambda: len(texts(sink)) == index)  # noqa: B023
            modem.say(f'+CMTI: "SM",{index}')
            n_reads = modem.commands.count(f"AT+CMGR={index}")
            await modem.wait_for_command(f"AT+CMGR={index}", times=n_reads + 1)
        n_sweeps = modem.commands.count("AT+CMGL=4")
        await modem.wait_for_command("AT+CMGL=4", times=n_sweeps + 4)
    assert not codes(sink)


async def test_a_memory_that_shows_nothing_of_what_it_counts_is_told_and_left(modem, sink):
    modem.replies["AT+CNMI=2,2,0,1,0"] = ("OK",)
    memories = Memories(modem, "SM", "ME")
    memories.listing = lambda: ("OK",)
    memories.reading = lambda _index: ("+CMS ERROR: 500",)
    memories.stored["SM"] = {1: deliver_pdu()}
    async with running(driver_for(modem), sink):
        await eventually(lambda: ailment(sink) == "storage_unreadable")
        # Messages go to the other memory from now on.
        await eventually(lambda: memories.names[2] == "ME")
    assert {"storage_unreadable", "storage_rerouted"} <= codes(sink)


async def test_where_no_memory_can_be_read_messages_are_handed_over(modem, sink):
    modem.replies |= {"AT+CNMI=2,2,0,1,0": ("OK",), "AT+CNMI=2,1,0,1,0": ("OK",)}
    memories = Memories(modem, "SM")
    memories.listing = lambda: ("+CMS ERROR: 303",)
    memories.reading = lambda _index: ("+CMS ERROR: 303",)
    memories.stored["SM"] = {1: deliver_pdu()}
    async with running(driver_for(modem), sink):
        await modem.wait_for_command("AT+CNMI=2,2,0,1,0")
        pdu = deliver_pdu("by hand")
        modem.say(f"+CMT: ,{tpdu_octets(pdu)}", pdu)
        await eventually(lambda: texts(sink) == ["by hand"])


async def test_stored_reports_that_can_not_be_read_are_asked_for_directly(modem, sink):
    modem.replies["AT+CNMI=2,1,0,1,0"] = ("OK",)
    memories = Memories(modem, "ME", "SR")
    plain_listing = memories.listing
    memories.listing = lambda: ("+CMS ERROR: 303",) if memories.names[0] == "SR" else plain_listing()
    memories.reading = lambda _index: ("+CMS ERROR: 500",)
    async with running(driver_for(modem), sink):
        await sink.wait_until_up()
        memories.stored["SR"] = {1: report_pdu(1)}
        modem.say('+CDSI: "SR",1')
        await modem.wait_for_command("AT+CNMI=2,1,0,1,0")
        pdu = report_pdu(2)
        modem.say(f"+CDS: {tpdu_octets(pdu)}", pdu)
        await sink.wait_for_event(Receipt)
    assert "reports_rerouted" in codes(sink)


async def test_reports_that_were_missed_are_no_ailment_any_more_once_they_come_directly(modem, sink):
    modem.replies["AT+CNMI=2,1,0,1,0"] = ("OK",)
    memories = Memories(modem, "ME", "SR")
    async with running(driver_for(modem), sink):
        await sink.wait_until_up()
        modem.say('+CDSI: "BM",0')
        await eventually(lambda: ailment(sink) == "announced_not_found")
        await modem.wait_for_command("AT+CNMI=2,1,0,1,0")
        for n in (1, 2, 3):
            pdu = report_pdu(n)
            modem.say(f"+CDS: {tpdu_octets(pdu)}", pdu)
        await eventually(lambda: ailment(sink) is None)
    assert not any(memories.stored.values())


async def test_a_memory_that_is_chosen_only_with_the_others_is_read(modem, sink):
    memories = Memories(modem, "ME", "SR")
    plain = memories.answer

    def answer(command: str) -> None:
        if command.startswith("AT+CPMS=") and command.count(",") != 2 and "?" not in command:
            modem.say("ERROR")
        else:
            plain(command)

    modem._answer = answer
    memories.stored["SR"] = {0: report_pdu(1)}
    async with running(driver_for(modem), sink):
        await sink.wait_for_event(Receipt)


async def test_reports_that_are_never_announced_are_swept_before_their_storage_is_full(modem, sink):
    memories = Memories(modem, "ME", "SR", size=8)
    driver = driver_for(modem)
    async with running(driver, sink):  # the next sweep by itself would come after 15 s
        await sink.wait_until_up()
        await modem.wait_for_command("AT+CMGL=4", times=2)
        for n in range(1, 6):
            for index in range(4):
                await driver.submit(segment())
                memories.stored["SR"][index] = report_pdu(4 * n + index)
            await eventually(lambda: not memories.stored["SR"])
        assert len(sink.of(Receipt)) == 20


async def test_sweeps_come_sooner_while_they_find_what_nobody_announced(modem, sink):
    memories = Memories(modem, "SM")
    async with running(driver_for(modem, timing=SOON), sink):  # by themselves they would come after a minute
        await modem.wait_for_command("AT+CMGL=4")
        for n in range(3):
            memories.stored["SM"] = {1: deliver_pdu(f"{n}")}
            await eventually(lambda: len(texts(sink)) == n + 1)  # noqa: B023
            await eventually(lambda: not memories.stored["SM"])


@pytest.mark.parametrize("command", ["AT+CMGL", "AT+CMGR"])
async def test_a_command_that_silences_the_stick_is_given_up(modem, sink, monkeypatch, command):
    monkeypatch.setattr("drivers.modem.memories.storage.LIST_TIMEOUT_S", 0.1)
    memories = Memories(modem, "SM")
    modem.swallow.add(command)
    timing = replace(QUICK, command_s=0.1)
    async with running(driver_for(modem, timing=timing), sink):
        await eventually(lambda: sum(c.startswith("AT+CMGL") for c in modem.commands) >= 1)
        for n in range(4):
            memories.stored["SM"][n] = deliver_pdu(f"{n}")
            modem.say(f'+CMTI: "SM",{n}')
        await eventually(lambda: sorted(texts(sink)) == ["0", "1", "2", "3"])
    assert sum(c.startswith(command) for c in modem.commands) <= 3


async def test_a_stick_that_only_sends_is_never_asked_for_what_it_stored(modem, sink):
    Memories(modem, "SM")
    modem.replies["AT+CNMI=2,2,0,1,0"] = ("OK",)
    driver = driver_for(modem, send_only=True, timing=SOON)
    async with running(driver, sink):
        await sink.wait_until_up()
        modem.say('+CMTI: "SM",1', "+SMS FULL")
        pdu = deliver_pdu("direct")
        modem.say(f"+CMT: ,{tpdu_octets(pdu)}", pdu)
        await eventually(lambda: texts(sink) == ["direct"])
        await modem.wait_for_command("AT+CNMI=2,2,0,1,0", times=3)
    assert not [c for c in modem.commands if c.startswith(("AT+CMGL", "AT+CMGR", "AT+CPMS="))]
    assert len(sink.of(InboundPart)) == 1
    assert ailment(sink) is None
