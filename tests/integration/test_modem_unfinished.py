"""What a stick is not ready for at its start comes back by itself, for the whole session; and it is shown meanwhile."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from drivers.base import Accepted, ChannelDown, ChannelInfo, ChannelUp, FaultKind
from drivers.modem.bringup.pin import PinLedger
from tests.support.eventually import eventually
from tests.support.modem_driver import QUICK, deliver_pdu, driver_for, running, segment, texts

if TYPE_CHECKING:
    from tests.support.recording_sink import RecordingSink
    from tests.support.scripted_modem import ScriptedModem

pytestmark = pytest.mark.integration

BUSY = "+CMS ERROR: 314"
SOON = replace(QUICK, sim_busy_s=0.05, unfinished_s=0.01)
CENTRE = "+8613800210500"


def shown(sink: RecordingSink) -> str:
    """What the channel shows while it is up."""
    told = [up.ailment for up in sink.of(ChannelUp)][-1:]
    return f"{told[0].code}: {told[0].detail}" if told and told[0] else ""


def busy_until(modem: ScriptedModem, *commands: str, refusal: str = BUSY) -> list[str]:
    """Make these commands meet a busy SIM; clear the list that this returns to have it ready."""
    busy = list(commands)
    plain = modem._answer

    def answer(command: str) -> None:
        if any(command.startswith(one) for one in busy):
            modem.say(refusal)
        else:
            plain(command)

    modem._answer = answer  # type: ignore[method-assign]
    return busy


@pytest.mark.parametrize(
    ("commands", "part"),
    [
        (("AT+CPMS",), "storage"),
        (("AT+CNMI",), "notifications"),
        (("AT+CSMS",), "message service"),
        (("AT+CSCA",), "service centre"),
        (("AT+CPMS", "AT+CNMI", "AT+CSMS", "AT+CSCA", "AT+CMGL"), "storage, notifications"),
    ],
)
@pytest.mark.parametrize("refusal", [BUSY, "+CME ERROR: 14", "+CMS ERROR: 515"])
async def test_what_the_sim_was_too_busy_for_is_done_later(modem, sink, commands, part, refusal):
    busy = busy_until(modem, *commands, refusal=refusal)
    modem.replies |= {"AT+CSCA?": (f'+CSCA: "{CENTRE}",145', "OK"), f'AT+CSCA="{CENTRE}",145': ("OK",)}
    driver = driver_for(modem, timing=SOON, smsc=CENTRE)
    async with running(driver, sink):
        await sink.wait_until_up()
        assert shown(sink).startswith("setup_unfinished")
        assert part in shown(sink)
        assert isinstance(await driver.submit(segment()), Accepted)
        busy.clear()
        n_before = len(modem.commands)
        await eventually(lambda: shown(sink) == "")
        modem.store(1, deliver_pdu("after"))
        await eventually(lambda: texts(sink) == ["after"])
    later = modem.commands[n_before:]
    assert all(any(command.startswith(one) for command in later) for one in commands)


@pytest.mark.parametrize("refusal", ["ERROR", "+CMS ERROR: 500"])
async def test_a_stick_that_says_error_until_it_is_ready_gets_what_it_refused(modem, sink, refusal):
    busy = busy_until(modem, "AT+CNMI", "AT+CPMS=", refusal=refusal)
    async with running(driver_for(modem, timing=SOON), sink):
        await sink.wait_until_up()
        busy.clear()
        await modem.wait_for_command("AT+CNMI=2,1,0,2,0", times=2)
        modem.store(1, deliver_pdu("after"))
        await eventually(lambda: texts(sink) == ["after"])


@pytest.mark.parametrize("refusal", ["ERROR", BUSY])
async def test_the_pdu_mode_that_is_refused_at_first_is_waited_for(modem, sink, refusal):
    busy = busy_until(modem, "AT+CMGF=0", refusal=refusal)
    async with running(driver_for(modem), sink):
        await modem.wait_for_command("AT+CMGF=0", times=3)
        busy.clear()
        await sink.wait_until_up()
    assert not sink.of(ChannelDown)


async def test_tries_of_what_is_never_ready_become_rare(modem, sink):
    busy_until(modem, "AT+CNMI")
    async with running(driver_for(modem, timing=SOON, keepalive_s=0.01), sink):
        await sink.wait_until_up()
        n_before = modem.commands.count("AT+CNMI=2,1,0,2,0")
        await modem.wait_for_command("AT+CSQ", times=20)
        assert modem.commands.count("AT+CNMI=2,1,0,2,0") - n_before <= 8


async def test_an_init_command_that_met_a_busy_sim_is_run_later(modem, sink):
    busy = busy_until(modem, "AT+OWN")
    modem.replies["AT+OWN=1"] = ("OK",)
    async with running(driver_for(modem, timing=SOON, init_commands=("AT+OWN=1",)), sink):
        await sink.wait_until_up()
        assert "init commands" in shown(sink)
        busy.clear()
        await eventually(lambda: shown(sink) == "")


async def test_the_sims_number_is_waited_for(modem, sink):
    busy = busy_until(modem, "AT+CCID")
    async with running(driver_for(modem), sink):
        await modem.wait_for_command("AT+CCID", times=3)
        busy.clear()
        await sink.wait_until_up()
    assert sink.of(ChannelInfo)[0].facts["iccid"]


async def test_errors_get_their_numbers_also_when_that_was_refused_at_first(modem, sink):
    busy = busy_until(modem, "AT+CMEE=1", refusal="ERROR")
    async with running(driver_for(modem), sink):
        await modem.wait_for_command("AT+CMEE=1")
        busy.clear()
        await modem.wait_for_command("AT+CMEE=1", times=2)
        await sink.wait_until_up()


@pytest.mark.parametrize("refusal", ["+CME ERROR: 10", "+CME ERROR: 13", "ERROR"])
async def test_a_sim_that_a_starting_stick_does_not_know_yet_is_waited_for(modem, sink, refusal):
    busy = busy_until(modem, "AT+CPIN?", refusal=refusal)
    async with running(driver_for(modem), sink):
        await modem.wait_for_command("AT+CPIN?", times=3)
        busy.clear()
        await sink.wait_until_up()
    assert not sink.of(ChannelDown)


async def test_an_answer_without_its_ok_counts(modem, sink, monkeypatch):
    monkeypatch.setattr("drivers.modem.asking.NO_FINAL_S", 0.05)
    modem.replies["AT+CPIN?"] = ("+CPIN: READY",)
    driver = driver_for(modem)
    async with running(driver, sink):
        await sink.wait_until_up()
        assert isinstance(await driver.submit(segment()), Accepted)


async def test_a_character_set_that_another_program_left_keeps_nothing_from_going_up(modem, sink):
    def hexed(text: str) -> str:
        return text.encode("utf-16-be").hex().upper()

    modem.replies |= {
        "AT+CSCS?": ('+CSCS: "UCS2"', "OK"),
        "AT+CSCA?": (f'+CSCA: "{hexed(CENTRE)}",145', "OK"),
        f'AT+CSCA="{CENTRE}",145': ("+CME ERROR: 25",),
        f'AT+CSCA="{hexed(CENTRE)}",145': ("OK",),
    }
    async with running(driver_for(modem, smsc=CENTRE), sink):
        await sink.wait_until_up()
    assert 'AT+CSCS="IRA"' in modem.commands
    assert f'AT+CSCA="{hexed(CENTRE)}",145' in modem.commands
    assert not sink.of(ChannelDown)


async def test_a_service_centre_that_the_stick_refuses_keeps_nothing_from_going_up(modem, sink):
    modem.replies["AT+CSCA?"] = (f'+CSCA: "{CENTRE}",145', "OK")
    async with running(driver_for(modem, smsc=CENTRE), sink):
        await sink.wait_until_up()
    assert not sink.of(ChannelDown)


@pytest.mark.parametrize("smsc", [None, CENTRE])
async def test_a_stick_that_has_no_service_centre_any_more_is_told_it_again(modem, sink, smsc):
    modem.replies |= {"AT+CSCA?": (f'+CSCA: "{CENTRE}",145', "OK"), f'AT+CSCA="{CENTRE}",145': ("OK",)}
    driver = driver_for(modem, smsc=smsc)
    async with running(driver, sink):
        await sink.wait_until_up()
        n_before = modem.commands.count(f'AT+CSCA="{CENTRE}",145')
        modem.answers.append(("+CMS ERROR: 330",))
        await driver.submit(segment())
        await modem.wait_for_command(f'AT+CSCA="{CENTRE}",145', times=n_before + 1)


def lock(
    modem: ScriptedModem, *, tries_command: str = "", n_busy: int = 0, counts: bool = False
) -> dict[str, int]:
    """A SIM whose PIN is 1234, and which is busy when it is entered; what became of it."""
    seen = {"entries": 0, "left": 3, "open": 0}
    modem.replies["AT+CPIN?"] = lambda _c: (
        ("+CPIN: READY" if seen["open"] else "+CPIN: SIM PIN" if seen["left"] else "+CPIN: SIM PUK"),
        "OK",
    )
    if tries_command:
        modem.replies[tries_command] = lambda _c: (f"+SPIC: {seen['left']},10,3,10", "OK")

    def enter(command: str) -> tuple[str, ...]:
        seen["entries"] += 1
        is_right = command == 'AT+CPIN="1234"'
        if seen["entries"] <= n_busy:
            seen["left"] -= counts and not is_right
            return ("+CME ERROR: 14",)
        seen["open"] = int(is_right)
        seen["left"] -= not is_right
        return ("OK",) if is_right else ("+CME ERROR: 16",)

    for pin in ("1234", "9999"):
        modem.replies[f'AT+CPIN="{pin}"'] = enter
    return seen


@pytest.mark.parametrize(("tries_command", "n_busy"), [("", 1), ("AT+SPIC", 1), ("AT+SPIC", 4)])
async def test_a_pin_that_met_a_busy_sim_is_entered_again(modem, sink, tries_command, n_busy):
    seen = lock(modem, tries_command=tries_command, n_busy=n_busy)
    async with running(driver_for(modem, pin="1234"), sink):
        await sink.wait_until_up()
    assert seen["entries"] == n_busy + 1


@pytest.mark.parametrize("tries_command", ["", "AT+SPIC"])
@pytest.mark.parametrize("counts", [False, True])
async def test_a_wrong_pin_that_met_a_busy_sim_leaves_a_try(modem, sink, tries_command, counts):
    seen = lock(modem, tries_command=tries_command, n_busy=1, counts=counts)
    pins = PinLedger()
    for _ in range(3):
        await driver_for(modem, pins, pin="9999").run(sink)
    assert {down.fault.kind for down in sink.of(ChannelDown)} == {FaultKind.CONFIG}
    assert seen["left"] >= 1


async def test_a_pin_is_not_entered_a_third_time_blindly(modem, sink):
    seen = lock(modem, n_busy=9)
    pins = PinLedger()
    for _ in range(3):
        await driver_for(modem, pins, pin="1234").run(sink)
    assert seen["entries"] == 2
    assert sink.of(ChannelDown)[0].fault.code == "pin_unanswered"


@pytest.mark.parametrize("told", ["+CPIN: SIM PIN", "+CPIN: SIM PUK", "+CPIN: PH-NET PIN"])
async def test_a_lock_that_a_starting_sim_only_seems_to_have_stops_nothing(modem, sink, told):
    modem.replies["AT+CPIN?"] = (told, "OK")
    async with running(driver_for(modem), sink):
        await modem.wait_for_command("AT+CPIN?", times=3)
        modem.replies["AT+CPIN?"] = ("+CPIN: READY", "OK")
        await sink.wait_until_up()
    assert not sink.of(ChannelDown)


async def test_a_pin_that_a_starting_sim_does_not_need_is_not_a_refused_one(modem, sink):
    """It says SIM PIN at first, though it has none, and takes no PIN."""
    modem.replies["AT+CPIN?"] = ("+CPIN: SIM PIN", "OK")

    def enter(_command: str) -> tuple[str, ...]:
        modem.replies["AT+CPIN?"] = ("+CPIN: READY", "OK")
        return ("+CME ERROR: 3",)

    modem.replies['AT+CPIN="1234"'] = enter
    async with running(driver_for(modem, pin="1234"), sink):
        await sink.wait_until_up()
