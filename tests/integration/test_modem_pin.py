"""PINs: entered once, and a refused one never again."""

from __future__ import annotations

import asyncio

import pytest

from drivers.base import ChannelDown, ChannelUp, FaultKind
from drivers.modem.bringup.pin import PinLedger
from tests.support.modem_driver import driver_for, running
from tests.support.scripted_modem import ScriptedModem

pytestmark = pytest.mark.integration


def lock(modem: ScriptedModem, pin: str) -> None:
    """Make the stick ask for a PIN; it counts wrong ones in ``wrong_pins``."""
    state = {"open": False}
    modem.wrong_pins = 0  # type: ignore[attr-defined]

    def ask(_command: str):
        return ("+CPIN: READY" if state["open"] else "+CPIN: SIM PIN", "OK")

    def enter(command: str):
        if command == f'AT+CPIN="{pin}"':
            state["open"] = True
            return ("OK",)
        modem.wrong_pins += 1  # type: ignore[attr-defined]
        return ("+CME ERROR: 16",)

    modem.replies["AT+CPIN?"] = ask
    for guess in ("1234", "9999"):
        modem.replies[f'AT+CPIN="{guess}"'] = enter


async def test_the_right_pin_opens_the_sim(modem, sink):
    lock(modem, "1234")
    async with running(driver_for(modem, pin="1234"), sink):
        await sink.wait_until_up()
    assert modem.commands.count('AT+CPIN="1234"') == 1


async def test_a_wrong_pin_stops_the_channel_and_is_never_tried_again(modem, sink, caplog):
    lock(modem, "1234")
    pins = PinLedger()
    for n_run in (1, 2, 3):
        # Each run is a new driver, as after an operator's reset; it ends by itself.
        async with asyncio.timeout(60):
            await driver_for(modem, pins, pin="9999").run(sink)
        assert len(sink.of(ChannelDown)) == n_run
    assert {down.fault.kind for down in sink.of(ChannelDown)} == {FaultKind.CONFIG}
    assert {down.fault.code for down in sink.of(ChannelDown)} == {"pin_refused"}
    assert modem.wrong_pins == 1
    assert "9999" not in caplog.text
    assert "9999" not in repr(driver_for(modem, pin="9999")._config)


async def test_a_refused_pin_is_not_tried_again_after_a_person_opened_the_sim(modem, sink, tmp_path):
    path = tmp_path / "pins"
    lock(modem, "1234")
    asked = modem.replies["AT+CPIN?"]
    async with asyncio.timeout(60):
        await driver_for(modem, PinLedger(path), pin="9999").run(sink)
    modem.replies["AT+CPIN?"] = ("+CPIN: READY", "OK")
    async with running(driver_for(modem, PinLedger(path), pin="9999"), sink):
        await sink.wait_until_up()
    modem.replies["AT+CPIN?"] = asked  # the stick was off, and so the SIM is locked again
    async with asyncio.timeout(60):
        await driver_for(modem, PinLedger(path), pin="9999").run(sink)
    assert [down.fault.code for down in sink.of(ChannelDown)] == ["pin_refused"] * 2
    assert modem.wrong_pins == 1
    async with running(driver_for(modem, PinLedger(path), pin="1234"), sink):
        await sink.wait_for(lambda: len(sink.of(ChannelUp)) == 2)


async def test_a_pin_that_a_busy_sim_did_not_look_at_is_no_wrong_one(modem, sink):
    lock(modem, "1234")
    modem.replies['AT+CPIN="1234"'] = ("+CME ERROR: 14",)
    pins = PinLedger()
    async with asyncio.timeout(60):
        await driver_for(modem, pins, pin="1234").run(sink)
    modem.replies["AT+CPIN?"] = ("+CPIN: READY", "OK")
    async with running(driver_for(modem, pins, pin="1234"), sink):
        await sink.wait_until_up()
    lock(modem, "1234")
    async with running(driver_for(modem, pins, pin="1234"), sink):
        await sink.wait_for(lambda: len(sink.of(ChannelUp)) == 2)


async def test_a_pin_whose_answer_never_came_is_not_tried_again(modem, sink):
    lock(modem, "1234")
    modem.close_on = "AT+CPIN"
    pins = PinLedger()
    async with running(driver_for(modem, pins, pin="1234"), sink) as task:
        await sink.wait_for_event(ChannelDown)
        modem.close_on = None
        modem.appear()
        await asyncio.wait_for(task, 5)
    assert sink.of(ChannelDown)[-1].fault.code == "pin_refused"
    assert modem.commands.count('AT+CPIN="1234"') == 1


async def test_a_good_pin_is_entered_again_when_the_stick_was_off(modem, sink):
    lock(modem, "1234")
    async with running(driver_for(modem, pin="1234"), sink):
        await sink.wait_until_up()
        modem.vanish()
        await sink.wait_for_event(ChannelDown)
        lock(modem, "1234")
        modem.appear()
        await sink.wait_for(lambda: len(sink.of(ChannelUp)) == 2)
    assert modem.wrong_pins == 0


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (("+CPIN: SIM PIN", "OK"), "pin_missing"),
        (("+CPIN: SIM PUK", "OK"), "puk_required"),
        (("+CPIN: PH-NET PIN", "OK"), "sim_locked"),
        (("+CME ERROR: 12",), "cme_12"),
    ],
)
async def test_a_sim_that_only_a_person_can_open_stops_the_channel(modem, sink, reply, code):
    modem.replies["AT+CPIN?"] = reply
    async with asyncio.timeout(60):
        await driver_for(modem).run(sink)
    down = sink.of(ChannelDown)[0]
    assert (down.fault.kind, down.fault.code) == (FaultKind.CONFIG, code)


@pytest.mark.parametrize("first", ["+CPIN: NOT READY", "+CPIN: NOT INSERTED", "+CP\x7fN: READY"])
async def test_a_sim_that_does_not_say_what_it_waits_for_is_asked_again(modem, sink, first):
    answers = [(first, "OK"), (first, "OK")]
    modem.replies["AT+CPIN?"] = lambda _command: answers.pop() if answers else ("+CPIN: READY", "OK")
    async with running(driver_for(modem), sink):
        await sink.wait_until_up()
    assert not sink.of(ChannelDown)


async def test_a_sim_that_is_never_ready_does_not_stop_the_channel_for_good(modem, sink):
    modem.replies["AT+CPIN?"] = ("+CPIN: NOT READY", "OK")
    async with running(driver_for(modem), sink):
        fault = (await sink.wait_for_event(ChannelDown)).fault
        assert (fault.kind, fault.code) == (FaultKind.CHANNEL, "sim_busy")
        modem.replies["AT+CPIN?"] = ("+CPIN: READY", "OK")
        await sink.wait_until_up()
