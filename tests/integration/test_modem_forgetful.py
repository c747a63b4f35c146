"""A stick that restarts without a word, or forgets some of what was set, is noticed and set up again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from drivers.base import ChannelDown, ChannelUp
from drivers.modem.bringup.restarts import is_restart, may_be_restart
from tests.support.eventually import eventually
from tests.support.modem_driver import deliver_pdu, driver_for, running, segment, texts

if TYPE_CHECKING:
    from tests.support.scripted_modem import ScriptedModem

pytestmark = pytest.mark.integration


class Memory:
    """Teaches a scripted stick to remember what is set, and to forget it."""

    def __init__(self, modem: ScriptedModem, *, cmee: str = "0", keeps: tuple[str, ...] = ()) -> None:
        self.factory = {"CMEE": cmee, "CMGF": "1", "CSMS": "0", "CNMI": "0,0,0,0,0"}
        self.keeps = keeps
        self.now = dict(self.factory)
        for name in self.factory:
            modem.replies[f"AT+{name}?"] = self._tell
            for command in [c for c in modem.replies if c.startswith(f"AT+{name}=")]:
                modem.replies[command] = self._set

    def _tell(self, command: str) -> tuple[str, ...]:
        name = command.removeprefix("AT+").rstrip("?")
        return f"+{name}: {self.now[name]}", "OK"

    def _set(self, command: str) -> tuple[str, ...]:
        name, _, value = command.removeprefix("AT+").partition("=")
        self.now[name] = value
        return ("OK",)

    def restart(self) -> None:
        self.now |= {name: value for name, value in self.factory.items() if name not in self.keeps}

    @property
    def is_set_up(self) -> bool:
        return self.now == {"CMEE": "1", "CMGF": "0", "CSMS": "1", "CNMI": "2,1,0,2,0"}


@pytest.mark.parametrize("cmee", ["0", "1", "2"])
@pytest.mark.parametrize(
    "keeps", [(), ("CMEE",), ("CMEE", "CMGF"), ("CMGF", "CNMI"), ("CMEE", "CMGF", "CSMS")]
)
async def test_a_restart_that_nobody_saw_is_noticed_whatever_survives_it(modem, sink, cmee, keeps):
    memory = Memory(modem, cmee=cmee, keeps=keeps)
    async with running(driver_for(modem, keepalive_s=0.02), sink):
        await sink.wait_until_up()
        await modem.wait_for_command("AT+CMEE?", times=2)
        memory.restart()
        await eventually(lambda: memory.is_set_up)
        modem.store(1, deliver_pdu("still heard"))
        await eventually(lambda: texts(sink) == ["still heard"])


async def test_a_forgotten_notification_is_set_again_without_leaving_service(modem, sink):
    memory = Memory(modem)
    async with running(driver_for(modem, keepalive_s=0.02), sink):
        await sink.wait_until_up()
        await modem.wait_for_command("AT+CMEE?", times=2)
        memory.now["CNMI"] = "2,0,0,0,0"
        await eventually(lambda: memory.is_set_up)
    assert not sink.of(ChannelDown)


async def test_a_stick_that_sends_all_the_time_is_watched_as_well(modem, sink):
    memory = Memory(modem)
    driver = driver_for(modem, keepalive_s=0.05)
    async with running(driver, sink):
        await sink.wait_until_up()
        await driver.submit(segment())
        memory.restart()
        memory.now["CMGF"] = "0"
        while len(sink.of(ChannelUp)) < 2 and len(modem.payloads) < 5_000:
            await driver.submit(segment())
            await asyncio.sleep(0)
        assert sink.of(ChannelDown)
        await eventually(lambda: memory.is_set_up)


async def test_a_stick_that_has_its_own_way_is_left_in_peace(modem, sink):
    memory = Memory(modem, cmee="2")
    modem.replies["AT+CMEE=1"] = ("OK",)  # says so, and stays at words
    async with running(driver_for(modem, keepalive_s=0.01), sink):
        await sink.wait_until_up()
        modem.replies["AT+CNMI=2,1,0,2,0"] = ("OK",)
        memory.now["CNMI"] = "1,1,0,2,0"
        await modem.wait_for_command("AT+CSQ", times=30)
        assert modem.commands.count("AT+CNMI=2,1,0,2,0") < 20
    assert not sink.of(ChannelDown)


async def test_a_misread_setting_is_no_restart(modem, sink):
    Memory(modem)
    async with running(driver_for(modem, keepalive_s=0.01), sink):
        await sink.wait_until_up()
        await modem.wait_for_command("AT+CMEE?", times=2)
        told = modem.replies["AT+CMEE?"]
        lies = [("+CMEE: 0", "OK")]
        modem.replies["AT+CMEE?"] = lambda c: lies.pop() if lies else told(c)
        await modem.wait_for_command("AT+CMEE?", times=6)
    assert not sink.of(ChannelDown)


@pytest.mark.parametrize("refusal", ["ERROR", "+CMS ERROR: SMS service of ME reserved"])
async def test_an_error_without_a_number_is_a_reason_to_look_at_once(modem, sink, monkeypatch, refusal):
    monkeypatch.setattr("drivers.modem.recovery.health.GLANCE_GAP_S", 0.01)
    memory = Memory(modem, cmee="2")
    driver = driver_for(modem)  # by itself it would look after half a minute
    async with running(driver, sink):
        await sink.wait_until_up()
        await modem.wait_for_command("AT+CMEE?", times=2)
        memory.restart()
        modem.answers.append((refusal,))
        await driver.submit(segment())
        await sink.wait_for(lambda: len(sink.of(ChannelUp)) == 2)
    assert memory.is_set_up


@pytest.mark.parametrize(
    "line", ["+CPIN: READY", "*PSUTTZ: 2026,11,29,20,0,0", "^BOOT:1,0,0,0,75", "+PBREADY"]
)
async def test_what_sticks_say_when_they_start_is_a_reason_to_look_at_once(modem, sink, monkeypatch, line):
    monkeypatch.setattr("drivers.modem.recovery.health.GLANCE_GAP_S", 0.01)
    memory = Memory(modem)
    async with running(driver_for(modem), sink):
        await sink.wait_until_up()
        await modem.wait_for_command("AT+CMEE?", times=2)
        modem.say(line)  # nothing is forgotten
        await modem.wait_for_command("AT+CMEE?", times=3)
        assert len(sink.of(ChannelUp)) == 1
        memory.restart()
        modem.say(line)
        await sink.wait_for(lambda: len(sink.of(ChannelUp)) == 2)
    assert memory.is_set_up


async def test_a_sim_that_was_reset_and_asks_for_its_pin_gets_it(modem, sink):
    entered: list[str] = []

    def enter(command: str) -> tuple[str, ...]:
        entered.append(command)
        modem.replies["AT+CPIN?"] = ("+CPIN: READY", "OK")
        modem.replies["AT+CREG?"] = ("+CREG: 0,1", "OK")
        return ("OK",)

    modem.replies['AT+CPIN="1234"'] = enter
    async with running(driver_for(modem, pin="1234", keepalive_s=0.02), sink):
        await sink.wait_until_up()
        modem.replies |= {"AT+CPIN?": ("+CPIN: SIM PIN", "OK"), "AT+CREG?": ("+CREG: 0,0", "OK")}
        await sink.wait_for(lambda: len(sink.of(ChannelUp)) == 2)
    assert len(entered) == 1


@pytest.mark.parametrize(
    "line",
    [
        "^SYSSTART",
        "SYSSTART",
        "+SYSSTART",
        "MODEM:STARTUP",
        "+KSUP: 0",
        "+WIND: 3",
        "UNDER-VOLTAGE POWER DOWN",
    ],
)
async def test_other_makers_banners_tell_of_a_restart(modem, sink, line):
    async with running(driver_for(modem), sink):
        await sink.wait_until_up()
        await modem.wait_for_command("AT+CMEE?", times=2)
        await modem.wait_for_command("AT+CMGL=4")
        modem.say(line)
        await sink.wait_for(lambda: len(sink.of(ChannelUp)) == 2)


@pytest.mark.parametrize("line", ['+CMTI: "SM",1', "^RSSI:20", "+CREG: 1", "RING"])
def test_what_sticks_say_all_the_time_is_no_restart(line):
    assert not is_restart(line)
    assert not may_be_restart(line)
