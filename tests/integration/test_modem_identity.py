"""A modem is its IMEI, its SIM or its socket, not its tty: on real ptys behind a sysfs of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from drivers.base import Accepted, ChannelDown, ChannelInfo, ChannelNotice, ChannelUp, FaultKind
from drivers.modem.bringup.pin import PinLedger
from drivers.modem.config import ModemConfig
from drivers.modem.driver import ModemDriver
from drivers.modem.find.finder import StickBook
from drivers.modem.sims import SimLedger
from tests.integration.test_modem_recovery import HASTY
from tests.support.fake_usb import FakeUsb
from tests.support.modem_driver import running, segment
from tests.support.recording_sink import RecordingSink
from tests.support.scripted_modem import ScriptedModem

pytestmark = pytest.mark.integration

PATIENT = replace(HASTY, command_s=2.0, absent_s=5.0)


@pytest.fixture
def usb(tmp_path):
    return FakeUsb(tmp_path)


@pytest.fixture(autouse=True)
def short_probes(monkeypatch):
    monkeypatch.setattr("drivers.modem.find.probe.PROBE_S", 0.5)


@pytest.fixture
async def sticks(tmp_path):
    """Three sticks with an IMEI and a SIM of their own."""
    async with AsyncExitStack() as stack:
        modems = []
        for n in range(3):
            modem = await stack.enter_async_context(ScriptedModem(tmp_path / f"pty{n}"))
            modem.replies["AT+CGSN"] = (f"8616960012{n}4567", "OK")
            modem.replies["AT^ICCID?"] = (f"^ICCID: 8986001234567890123{n}", "OK")
            modems.append(modem)
        yield modems


def driver_for(tree: FakeUsb, name: str = "sim-1", book: Any = None, **changes: Any) -> ModemDriver:
    sims = changes.pop("sims", None)
    config = ModemConfig(name=name, timing=PATIENT, sysfs=tree.sysfs, dev=tree.dev, **changes)
    return ModemDriver(config, pins=PinLedger(), sims=sims, book=book)


def plug_all(tree: FakeUsb, modems: list[ScriptedModem]) -> None:
    """Each into a socket of its own."""
    for n, modem in enumerate(modems):
        tree.plug(f"1-{n + 1}", "12d1:1001", {0: (f"ttyUSB{n}", modem.link)})


def mute(modem: ScriptedModem) -> None:
    """A port that belongs to a stick and takes no AT commands."""
    modem.swallow |= {"AT", *modem.replies, "AT+CGMI"}


async def test_a_stick_is_found_by_its_imei_wherever_it_is_plugged_in(usb, sticks, sink):
    plug_all(usb, sticks)
    async with running(driver_for(usb, imei="861696001224567"), sink):
        await sink.wait_until_up()
    facts = sink.of(ChannelInfo)[0].facts
    assert (facts["imei"], facts["port"], facts["usb"]) == (
        "861696001224567",
        str(usb.dev / "ttyUSB2"),
        "1-3",
    )


async def test_a_stick_is_found_by_its_sim(usb, sticks, sink):
    plug_all(usb, sticks)
    async with running(driver_for(usb, iccid="89860012345678901231"), sink):
        await sink.wait_until_up()
    assert sink.of(ChannelInfo)[0].facts["usb"] == "1-2"


async def test_the_port_that_answers_is_found_among_those_of_a_stick(usb, sticks, sink):
    mute(sticks[0])
    mute(sticks[2])
    ttys = {n: (f"ttyUSB{n}", modem.link) for n, modem in enumerate(sticks)}
    usb.plug("1-1.3", "1546:1102", ttys)
    async with running(driver_for(usb, usb="1-1.3"), sink):
        await sink.wait_until_up()
    assert sink.of(ChannelInfo)[0].facts["port"] == str(usb.dev / "ttyUSB1")


@pytest.mark.parametrize("way", ["usb", "imei", "port"])
async def test_a_stick_that_comes_back_under_another_name_is_followed(usb, sticks, sink, way):
    stick, other, _ = sticks
    usb.plug("1-1", "12d1:1001", {0: ("ttyUSB0", stick.link)})
    where = {"usb": "1-1", "imei": "861696001204567", "port": str(usb.dev / "ttyUSB0")}[way]
    driver = driver_for(usb, book=None, **{way: where})
    async with running(driver, sink):
        await sink.wait_until_up()
        assert isinstance(await driver.submit(segment()), Accepted)
        usb.pull("1-1")
        stick.vanish()
        await sink.wait_for_event(ChannelDown)
        # Another stick takes its name while it starts anew.
        usb.plug("1-2", "12d1:1001", {0: ("ttyUSB0", other.link)})
        stick.appear()
        usb.plug("1-1", "12d1:1001", {0: ("ttyUSB3", stick.link)})
        await sink.wait_for(lambda: len(sink.of(ChannelUp)) == 2 and "ttyUSB3" in str(last_port(sink)))
        assert isinstance(await driver.submit(segment()), Accepted)
    assert other.payloads == []
    assert len(stick.payloads) == 2


def last_port(sink: RecordingSink) -> object:
    return sink.of(ChannelInfo)[-1].facts["port"]


async def test_two_configs_for_one_stick_are_refused(usb, sticks, sink):
    usb.plug("1-1", "12d1:1001", {0: ("ttyUSB0", sticks[0].link)})
    book, second_sink = StickBook(), RecordingSink()
    async with running(driver_for(usb, "a", book, port=str(usb.dev / "ttyUSB0")), sink):
        await sink.wait_until_up()
        for way in ({"usb": "1-1"}, {"imei": "861696001204567"}, {"port": str(sticks[0].link)}):
            async with asyncio.timeout(60):
                await driver_for(usb, "b", book, **way).run(second_sink)
            fault = second_sink.of(ChannelDown)[-1].fault
            assert (fault.kind, fault.code) == (FaultKind.CONFIG, "stick_taken")
            assert "hannel a has" in fault.detail
    # The first one is stopped: its stick is free again.
    async with running(driver_for(usb, "b", book, usb="1-1"), second_sink):
        await second_sink.wait_until_up()


async def test_one_sim_in_two_configs_is_refused_even_in_two_sticks(usb, sticks, sink):
    for n, modem in enumerate(sticks[:2]):
        usb.plug(f"1-{n + 1}", "12d1:1001", {0: (f"ttyUSB{n}", modem.link)})
        modem.replies["AT^ICCID?"] = ("^ICCID: 89860012345678901230", "OK")
    book, second_sink = StickBook(), RecordingSink()
    async with running(driver_for(usb, "a", book, usb="1-1"), sink):
        await sink.wait_until_up()
        async with asyncio.timeout(60):
            await driver_for(usb, "b", book, usb="1-2").run(second_sink)
    assert second_sink.of(ChannelDown)[-1].fault.code == "stick_taken"


async def test_a_swapped_sim_is_told_of_also_after_a_restart_of_the_program(usb, sticks, tmp_path):
    usb.plug("1-1", "12d1:1001", {0: ("ttyUSB0", sticks[0].link)})
    notices = []
    for iccid in ("89860012345678901230", "89860012345678901230", "89860099999999999999"):
        sticks[0].replies["AT^ICCID?"] = (f"^ICCID: {iccid}", "OK")
        sink = RecordingSink()
        async with running(driver_for(usb, usb="1-1", sims=SimLedger(tmp_path / "sims")), sink):
            await sink.wait_until_up()
        notices.append([notice.code for notice in sink.of(ChannelNotice)])
    assert notices == [[], [], ["sim_swapped"]]


def swap_sims(one: ScriptedModem, other: ScriptedModem) -> None:
    a, b = one.replies["AT^ICCID?"], other.replies["AT^ICCID?"]
    one.replies["AT^ICCID?"], other.replies["AT^ICCID?"] = b, a


async def test_a_sim_that_is_put_into_another_stick_in_mid_work_is_followed(usb, sticks, sink):
    plug_all(usb, sticks[:2])
    driver = driver_for(usb, iccid="89860012345678901230", keepalive_s=0.05)
    async with running(driver, sink):
        await sink.wait_until_up()
        swap_sims(*sticks[:2])  # no port hangs up, nothing restarts
        await sink.wait_for(lambda: len(sink.of(ChannelUp)) == 2)
        assert isinstance(await driver.submit(segment()), Accepted)
    assert (len(sticks[0].payloads), len(sticks[1].payloads)) == (0, 1), "the other SIM sent nothing"
    assert sink.of(ChannelInfo)[-1].facts["usb"] == "1-2"


async def test_sims_that_change_places_in_mid_work_stop_no_channel(usb, sticks, sink):
    book, sinks = StickBook(), [sink, RecordingSink()]
    async with AsyncExitStack() as stack:
        for n, modem in enumerate(sticks[:2]):
            usb.plug(f"1-{n + 1}", "12d1:1001", {0: (f"ttyUSB{n}", modem.link)})
            driver = driver_for(usb, f"sim-{n}", book, usb=f"1-{n + 1}", keepalive_s=0.05)
            await stack.enter_async_context(running(driver, sinks[n]))
            await sinks[n].wait_until_up()
        swap_sims(*sticks[:2])
        for one in sinks:
            await one.wait_for(lambda one=one: len(one.of(ChannelUp)) == 2)
            assert "sim_swapped" in {notice.code for notice in one.of(ChannelNotice)}


@asynccontextmanager
async def two_pulled_out(
    tree: FakeUsb, modems: list[ScriptedModem], sink: RecordingSink
) -> AsyncIterator[RecordingSink]:
    """Two channels, each named by its port, whose sticks were pulled out at work; the second one's sink."""
    book, second_sink = StickBook(), RecordingSink()
    plug_all(tree, modems[:2])
    async with (
        running(driver_for(tree, "a", book, port=str(tree.dev / "ttyUSB0")), sink),
        running(driver_for(tree, "b", book, port=str(tree.dev / "ttyUSB1")), second_sink),
    ):
        await sink.wait_until_up()
        await second_sink.wait_until_up()
        for n, modem in enumerate(modems[:2]):
            tree.pull(f"1-{n + 1}")
            modem.vanish()
        yield second_sink


async def test_a_stick_that_comes_back_under_the_name_of_another_channels_is_that_of_its_own(
    usb, sticks, sink
):
    async with two_pulled_out(usb, sticks, sink) as second_sink:
        sticks[1].appear()
        usb.plug("1-2", "12d1:1001", {0: ("ttyUSB0", sticks[1].link)})
        await second_sink.wait_for(lambda: len(second_sink.of(ChannelUp)) == 2)
        assert len(sink.of(ChannelUp)) == 1
        sticks[0].appear()
        usb.plug("1-1", "12d1:1001", {0: ("ttyUSB1", sticks[0].link)})
        await sink.wait_for(lambda: len(sink.of(ChannelUp)) == 2)


async def test_a_stick_that_came_back_before_we_looked_is_not_waited_for(usb, sticks, sink):
    usb.plug("1-1", "12d1:1001", {0: ("ttyUSB0", sticks[0].link)})
    config = ModemConfig(
        name="sim-1",
        imei="861696001204567",
        timing=replace(PATIENT, absent_s=60.0),
        sysfs=usb.sysfs,
        dev=usb.dev,
    )
    async with running(ModemDriver(config, pins=PinLedger()), sink):
        await sink.wait_until_up()
        usb.pull("1-1")
        sticks[0].vanish()
        sticks[0].appear()
        usb.plug("1-1", "12d1:1001", {0: ("ttyUSB3", sticks[0].link)})
        await sink.wait_for(lambda: len(sink.of(ChannelUp)) == 2)


async def test_a_stick_that_moved_into_another_channels_socket_serves_when_nobody_came_back_there(
    usb, sticks, sink, monkeypatch
):
    monkeypatch.setattr("drivers.modem.find.finder.HOME_S", 0.1)
    async with two_pulled_out(usb, sticks, sink):
        sticks[0].appear()
        usb.plug("1-2", "2c7c:0125", {0: ("ttyUSB0", sticks[0].link)})
        await sink.wait_for(lambda: len(sink.of(ChannelUp)) == 2)
