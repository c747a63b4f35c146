"""Sticks that fail in every way, and what the driver does about it, on a real pty."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from drivers.at.transport import open_serial
from drivers.base import (
    Accepted,
    ChannelDown,
    ChannelInfo,
    ChannelNotice,
    ChannelUp,
    Fault,
    FaultKind,
    Refused,
    Uncertain,
)
from drivers.modem.bringup.pin import PinLedger
from drivers.modem.config import ModemConfig
from drivers.modem.driver import ModemDriver
from tests.support.modem_driver import QUICK, driver_for, running, segment
from tests.support.recording_sink import RecordingSink
from tests.support.scripted_modem import ScriptedModem

pytestmark = pytest.mark.integration

HASTY = replace(
    QUICK,
    command_s=0.4,
    quarantine_s=0.05,
    quarantine_cap_s=0.1,
    reset_s=0.05,
    reset_answer_s=0.05,
    absent_s=0.2,
    registration_s=0.05,
)


@pytest.fixture(autouse=True)
def hasty_guards(monkeypatch):
    monkeypatch.setattr("drivers.at.transaction.GUARD_S", 0.1)
    monkeypatch.setattr("drivers.modem.recovery.rescue.RADIO_OFF_S", 0.01)


def recoveries(sink: RecordingSink) -> list[str]:
    codes = [notice.code for notice in sink.of(ChannelNotice)]
    return [code.removeprefix("recovery_") for code in codes if code.startswith("recovery_")]


def fall_silent(modem: ScriptedModem) -> dict:
    replies, modem.replies = modem.replies, {}
    modem.swallow |= {"AT", "prompt", "AT+CMGS", *replies, "AT+CMGL", "AT+CEREG?", "AT+CGREG?"}
    return replies


async def test_a_stick_without_network_gets_gentle_help_first_and_then_the_rest(modem, sink, tmp_path):
    cut = tmp_path / "power-was-cut"
    command = ("/bin/sh", "-c", f'echo "$HONGYAN_CHANNEL $HONGYAN_PORT" > {cut}')
    modem.replies["AT+CREG?"] = ("+CREG: 0,2", "OK")
    modem.replies |= dict.fromkeys(("ATZ", "AT+CFUN=4", "AT+CFUN=1", "AT+CFUN=1,1"), ("OK",))
    async with running(driver_for(modem, timing=HASTY, recovery_command=command), sink):
        await sink.wait_for(lambda: "quarantine" in recoveries(sink))
        assert cut.read_text() == f"sim-1 {modem.link}\n"
        modem.replies["AT+CREG?"] = ("+CREG: 0,1", "OK")
        await sink.wait_until_up()
    assert recoveries(sink)[:8] == [
        "soft_reset", "radio_cycle", "reopen", "reopen", "reopen", "modem_reset", "command", "quarantine",
    ]  # fmt: skip
    relevant = [c for c in modem.commands if c in {"ATZ", "AT+CFUN=4", "AT+CFUN=1", "AT+CFUN=1,1"}]
    assert relevant[:4] == ["ATZ", "AT+CFUN=4", "AT+CFUN=1", "AT+CFUN=1,1"]
    downs = [down.fault.code for down in sink.of(ChannelDown)]
    assert downs[:2] == ["not_registered", "recovery_soft_reset"]
    assert sink.of(ChannelInfo)[-1].facts["last_recovery"] in {"quarantine", "soft_reset", "radio_cycle"}


async def test_the_first_rung_that_helps_is_the_last_one_climbed(modem, sink):
    answers = iter([("+CREG: 0,2", "OK")] * 50)
    modem.replies["AT+CREG?"] = lambda _command: next(answers)

    def radio_back(_command):
        modem.replies["AT+CREG?"] = ("+CREG: 0,1", "OK")
        return ("OK",)

    modem.replies |= {"ATZ": ("OK",), "AT+CFUN=4": ("OK",), "AT+CFUN=1": radio_back}
    async with running(driver_for(modem, timing=HASTY), sink):
        await sink.wait_until_up()
    assert recoveries(sink) == ["soft_reset", "radio_cycle"]


async def test_a_stick_that_went_silent_is_down_at_once_and_restarted_in_the_end(modem, sink):
    driver = driver_for(modem, keepalive_s=0.02, timing=HASTY)
    async with running(driver, sink):
        await sink.wait_until_up()
        replies = fall_silent(modem)
        down = await sink.wait_for_event(ChannelDown)
        assert down.fault.code == "recovery_resync"
        await modem.wait_for_command("AT+CFUN=1,1")
        modem.swallow.clear()
        modem.replies = replies
        await sink.wait_for(lambda: len(sink.of(ChannelUp)) == 2)
        assert isinstance(await driver.submit(segment()), Accepted)
    assert recoveries(sink)[:5] == ["resync", "reopen", "reopen", "reopen", "modem_reset"]


async def test_a_slow_stick_is_not_a_dead_one(modem, sink):
    driver = driver_for(modem, keepalive_s=0.02, timing=HASTY)
    async with running(driver, sink):
        await sink.wait_until_up()
        # One question is not answered in time, and AT is: the port stays open and the channel comes back.
        modem.swallow.add("AT+CSQ")
        await sink.wait_for_event(ChannelDown)
        modem.swallow.clear()
        await sink.wait_for(lambda: len(sink.of(ChannelUp)) == 2)
    assert set(recoveries(sink)) == {"resync"}


async def test_a_stick_that_answers_at_and_nothing_else_is_unwell(modem, sink):
    modem.replies["ATZ"] = lambda _command: (modem.swallow.clear(), ("OK",))[1]
    async with running(driver_for(modem, keepalive_s=0.02, timing=HASTY), sink):
        await sink.wait_until_up()
        modem.swallow.add("AT+CSQ")
        await modem.wait_for_command("ATZ")
        await sink.wait_for(lambda: recoveries(sink)[-1:] == ["soft_reset"])
        await sink.wait_for(lambda: isinstance(sink.handled[-1], ChannelUp))


async def test_segments_that_nobody_answers_any_more_call_for_help(modem, sink):
    modem.replies["ATZ"] = lambda _command: (modem.swallow.clear(), ("OK",))[1]
    driver = driver_for(modem, answer_timeout_s=0.05, timing=HASTY)
    async with running(driver, sink):
        await sink.wait_until_up()
        modem.swallow.add("payload")
        for n_up in (1, 2):
            await sink.wait_for(lambda n_up=n_up: len(sink.of(ChannelUp)) == n_up)
            assert isinstance(await driver.submit(segment(recipient=f"+861380013800{n_up}")), Uncertain)
        await modem.wait_for_command("ATZ")
        await sink.wait_for(lambda: len(sink.of(ChannelUp)) == 3)
        assert isinstance(await driver.submit(segment()), Accepted)
    assert recoveries(sink) == ["resync", "resync", "soft_reset"]


async def test_a_stick_that_is_plugged_in_again_ends_the_quarantine(modem, sink):
    slow = replace(HASTY, quarantine_s=600.0, quarantine_cap_s=600.0, absent_s=0.02)
    async with running(driver_for(modem, timing=slow), sink):
        await sink.wait_until_up()
        modem.vanish()
        await sink.wait_for(lambda: "quarantine" in recoveries(sink))
        assert sink.of(ChannelDown)[-1].fault.retry_after_s == 600.0
        modem.appear()
        await sink.wait_for(lambda: len(sink.of(ChannelUp)) == 2)


async def test_a_port_that_another_program_holds_is_waited_for_and_nothing_is_reset(modem, sink, tmp_path):
    import serial

    ran = tmp_path / "ran"
    with serial.Serial(str(modem.link), exclusive=True):
        async with running(
            driver_for(modem, timing=HASTY, recovery_command=("/bin/touch", str(ran))), sink
        ) as task:
            await sink.wait_for(lambda: len(recoveries(sink)) == 8)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    assert set(recoveries(sink)) == {"reopen"}
    assert not ran.exists()
    assert sink.of(ChannelDown)[0].fault.kind is FaultKind.CHANNEL


class Deaf:
    """A line at the wrong speed: nothing gets through."""

    def write(self, octets):
        pass

    async def close(self):
        pass


async def test_a_modem_on_a_serial_line_is_found_at_another_speed_and_that_is_told(modem, sink, monkeypatch):
    async def open_wire(path, baudrate, listener):
        return await open_serial(path, baudrate, listener) if baudrate == 9_600 else Deaf()

    monkeypatch.setattr("drivers.modem.recovery.climber.has_speed", lambda _place: True)
    monkeypatch.setattr("drivers.modem.find.probe.PROBE_S", 0.5)
    config = ModemConfig(name="sim-1", port=str(modem.link), timing=replace(HASTY, command_s=2.0))
    async with running(ModemDriver(config, pins=PinLedger(), open_wire=open_wire), sink):
        await sink.wait_until_up()
    (told,) = [notice for notice in sink.of(ChannelNotice) if notice.code == "other_speed"]
    assert "baudrate = 9600" in told.detail


async def test_a_command_that_fails_or_is_missing_is_no_disaster(modem, sink, caplog):
    modem.replies["AT+CREG?"] = ("+CREG: 0,2", "OK")
    driver = driver_for(modem, timing=HASTY, recovery_command=("/nonexistent/relay",))
    async with running(driver, sink):
        await sink.wait_for(lambda: "quarantine" in recoveries(sink))
    assert "recovery_command can't be run" in caplog.text


async def test_a_stick_that_answers_at_and_refuses_every_segment_gets_help_when_it_is_asked_for(modem, sink):
    modem.replies["ATZ"] = ("OK",)
    driver = driver_for(modem, timing=HASTY)
    async with running(driver, sink):
        await sink.wait_until_up()
        modem.answers.append(("+CMS ERROR: 500",))
        refused = await driver.submit(segment())
        assert isinstance(refused, Refused)
        driver.renew(refused.fault, n_recipients=3)
        await sink.wait_for(lambda: len(sink.of(ChannelUp)) == 2)
        assert isinstance(await driver.submit(segment()), Accepted)
    assert recoveries(sink) == ["soft_reset"]
    assert "cms_500" in sink.of(ChannelDown)[0].fault.detail


async def test_for_the_sake_of_one_recipient_it_gets_the_gentle_rungs_only(modem, sink):
    modem.replies |= dict.fromkeys(("ATZ", "AT+CFUN=4", "AT+CFUN=1", "AT+CFUN=1,1"), ("OK",))
    driver = driver_for(modem, timing=HASTY)
    fault = Fault(kind=FaultKind.TEMPORARY, code="cms_38", detail="Network out of order.")
    async with running(driver, sink):
        for n in range(1, 6):
            await sink.wait_for(lambda n=n: len(sink.of(ChannelUp)) >= min(n, 3))
            driver.renew(fault, n_recipients=1)
        assert recoveries(sink) == ["soft_reset", "radio_cycle"]
        assert isinstance(await driver.submit(segment()), Accepted)
        driver.renew(fault, n_recipients=1)
        await sink.wait_for(lambda: len(sink.of(ChannelUp)) == 4)
