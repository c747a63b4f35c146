"""The modem driver over a real pty, against a stick that follows a script: the life of the stick, and its wire."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
import uvloop

from drivers.at.trace import LineTrace
from drivers.at.transport import open_serial
from drivers.base import Accepted, ChannelDown, ChannelInfo, ChannelUp, FaultKind
from drivers.errors import WireLost
from drivers.modem.report import LINK_DOWN
from tests.support.eventually import eventually
from tests.support.modem_driver import QUICK, deliver_pdu, driver_for, running, segment
from tests.support.recording_sink import RecordingSink
from tests.support.scripted_modem import ScriptedModem

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(("hang_up", "n_times"), [(True, 1), (False, 0)])
async def test_calls_are_hung_up_if_that_is_wanted(modem, sink, hang_up, n_times):
    modem.replies["AT+CHUP"] = ("OK",)
    async with running(driver_for(modem, hang_up_calls=hang_up), sink):
        await sink.wait_until_up()
        await modem.wait_for_command("AT+CMGL=4")
        modem.say("RING", '+CLIP: "+8613700137000",145')
        modem.store(1, deliver_pdu())
        await modem.wait_for_command("AT+CMGD=1")
    assert modem.commands.count("AT+CHUP") == n_times


@pytest.mark.parametrize(
    ("known", "wanted", "n_times"),
    [("", "+8613800210500", 1), ("+8613800210500", "+8613800210500", 1), ("", None, 0)],
)
async def test_a_service_centre_is_set_where_the_config_names_one(modem, sink, known, wanted, n_times):
    modem.replies["AT+CSCA?"] = (f'+CSCA: "{known}",145', "OK")
    modem.replies['AT+CSCA="+8613800210500",145'] = ("OK",)
    async with running(driver_for(modem, smsc=wanted), sink):
        await sink.wait_until_up()
    assert modem.commands.count('AT+CSCA="+8613800210500",145') == n_times
    assert sink.of(ChannelInfo)[0].facts["smsc_known"] is bool(known or wanted)


async def test_a_foreign_network_is_used_only_where_that_is_allowed(modem, sink):
    modem.replies["AT+CREG?"] = ("+CREG: 0,5", "OK")
    async with running(driver_for(modem), sink):
        await sink.wait_until_up()
    second = RecordingSink()
    async with running(driver_for(modem, roaming=False), second):
        assert (await second.wait_for_event(ChannelDown)).fault.code == "roaming"


async def test_every_octet_can_be_traced_while_the_port_is_open(modem, driver):
    lines: list[str] = []
    driver.trace.inner = LineTrace(lines.append, lambda: 0.0, "sim-1")
    await driver.submit(segment())
    talk = [line.split(" ", 2)[2].strip() for line in lines]
    assert "> AT+CMGF=0\\r" in talk
    assert any("+CMGS: 1" in line for line in talk)
    assert "8613800138000" not in "".join(lines)


async def test_logs_show_neither_numbers_nor_texts(modem, driver, sink, caplog):
    caplog.set_level("DEBUG")
    await modem.wait_for_command("AT+CMEE?", times=2)  # of bring-up, and of a look: nothing is in flight
    await sink.wait_for(lambda: any("operator" in info.facts for info in sink.of(ChannelInfo)))
    modem.say("+8613700137000 says hello", '+CLIP: "+8613700137000",145')
    await eventually(lambda: "stray line" in caplog.text)
    modem.answers.append(("+CMS ERROR: 38",))
    await driver.submit(segment())
    sink.failures = 1
    modem.store(1, deliver_pdu("secret"))
    await modem.wait_for_command("AT+CMGD=1")
    assert "stray line" in caplog.text
    assert not [
        word for word in ("13700137000", "13800138000", "13900139000", "secret") if word in caplog.text
    ]


async def test_operators_see_who_the_stick_is_and_how_it_fares(modem, driver, sink):
    await sink.wait_for(lambda: any("operator" in info.facts for info in sink.of(ChannelInfo)))
    facts = sink.of(ChannelInfo)[-1].facts
    assert facts == {
        "port": str(modem.link),
        "manufacturer": "huawei",
        "model": "E173",
        "imei": "861696001234567",
        "iccid": "89860012345678901234",
        "number": None,
        "signal_dbm": -73,
        "registration": "home",
        "operator": "CHINA MOBILE",
        "error_rate": None,
        "profile": "huawei",
        "smsc_known": None,
        "usb": None,
    }


async def test_a_stick_that_knows_only_the_last_rung_comes_up(modem, sink):
    for command in ("AT+CNMI=2,1,0,2,0", "ATV1", "AT+CSMS=1", "AT+CPMS=?", "AT+COPS=3,0", "AT+CCID"):
        modem.replies[command] = ("+CMS ERROR: 303",)
    modem.replies["AT+CNMI=2,1"] = ("OK",)
    async with running(driver_for(modem), sink):
        await sink.wait_until_up()


async def test_init_commands_are_sent_and_may_be_refused(modem, sink):
    modem.replies["AT+CFUN=1"] = ("OK",)
    async with running(driver_for(modem, init_commands=("AT+CFUN=1", "AT^NONSENSE")), sink):
        await sink.wait_until_up()
    assert modem.commands.index("AT+CMEE=1") < modem.commands.index("AT+CFUN=1")
    assert "AT^NONSENSE" in modem.commands


async def test_the_stick_may_vanish_and_return_under_the_same_link(modem, driver, sink):
    modem.vanish()
    down = await sink.wait_for_event(ChannelDown)
    assert down.fault.kind is FaultKind.CHANNEL
    modem.stored = {1: deliver_pdu("meanwhile")}
    modem.appear()
    await sink.wait_for(lambda: len(sink.of(ChannelUp)) == 2)
    assert isinstance(await driver.submit(segment()), Accepted)
    await modem.wait_for_command("AT+CMGD=1")
    assert len(sink.of(ChannelDown)) == 1


async def test_a_stick_that_hangs_is_opened_anew(modem, sink, monkeypatch):
    monkeypatch.setattr("drivers.at.transaction.GUARD_S", 0.05)
    async with running(driver_for(modem, keepalive_s=0.05, timing=replace(QUICK, command_s=0.1)), sink):
        await sink.wait_until_up()
        replies = modem.replies
        modem.replies = {}
        modem.swallow.update(replies)
        modem.swallow.update({"AT+CEREG?", "AT+CGREG?"})
        # The driver notices by its look at the stick, whose commands time out, and tries a new port.
        await sink.wait_for(lambda: bool(sink.of(ChannelDown)))
        modem.swallow.clear()
        modem.replies = replies
        await sink.wait_for(lambda: len(sink.of(ChannelUp)) == 2)


@pytest.mark.parametrize("line", ["RDY", "NORMAL POWER DOWN"])
async def test_a_stick_that_says_it_restarted_is_brought_up_anew(modem, driver, sink, line):
    modem.say(line)
    await sink.wait_for(lambda: len(sink.of(ChannelUp)) == 2)
    assert modem.commands.count("AT+CNMI=2,1,0,2,0") >= 2


async def test_a_stick_that_restarted_unnoticed_is_brought_up_anew(modem, sink):
    async with running(driver_for(modem, keepalive_s=0.02), sink):
        await sink.wait_until_up()
        modem.replies["AT+CMEE?"] = ("+CMEE: 0", "OK")
        await sink.wait_for_event(ChannelDown)
        modem.replies["AT+CMEE?"] = ("+CMEE: 1", "OK")
        await sink.wait_for(lambda: len(sink.of(ChannelUp)) == 2)


async def test_a_lost_network_takes_the_channel_down_until_it_is_back(modem, sink):
    async with running(driver_for(modem, keepalive_s=0.02), sink) as task:
        await sink.wait_until_up()
        modem.replies["AT+CREG?"] = ("+CREG: 0,2", "OK")
        down = await sink.wait_for_event(ChannelDown)
        assert down.fault.code == "not_registered"
        modem.replies["AT+CREG?"] = ("+CREG: 0,5", "OK")
        await sink.wait_for(lambda: len(sink.of(ChannelUp)) == 2)
        assert not task.done()


async def test_a_stick_without_network_is_down_with_the_reason(modem, sink):
    modem.replies["AT+CREG?"] = ("+CREG: 0,3", "OK")
    async with running(driver_for(modem), sink):
        down = await sink.wait_for_event(ChannelDown)
    assert (down.fault.kind, down.fault.code) == (FaultKind.CHANNEL, "not_registered")
    assert "denied" in down.fault.detail


async def test_an_lte_stick_registered_for_packets_only_is_in_service(modem, sink):
    modem.replies["AT+CREG?"] = ("+CREG: 0,0", "OK")
    modem.replies["AT+CEREG?"] = ("+CEREG: 0,1", "OK")
    async with running(driver_for(modem), sink):
        await sink.wait_until_up()


async def test_a_prompt_left_open_by_a_killed_process_is_closed_and_sends_nothing(modem, sink):
    modem.prompt_for_payload()
    async with running(driver_for(modem), sink):
        await sink.wait_until_up()
    assert modem.payloads == []


async def test_a_late_answer_to_the_last_process_is_not_taken_for_ours(modem, sink):
    modem.replies["AT"] = ("+CMGS: 9", "OK", "OK")
    async with running(driver_for(modem), sink):
        await sink.wait_until_up()
    assert sink.of(ChannelDown) == []


async def test_a_radio_that_is_off_is_switched_on(modem, sink):
    modem.replies["AT+CFUN?"] = ("+CFUN: 4", "OK")
    modem.replies["AT+CFUN=1"] = ("OK",)
    async with running(driver_for(modem), sink):
        await sink.wait_until_up()
    assert "AT+CFUN=1" in modem.commands


async def test_a_busy_sim_is_waited_for(modem, sink):
    answers = iter([("+CME ERROR: 14",), ("+CME ERROR: 14",), ("+CPIN: READY", "OK")])
    modem.replies["AT+CPIN?"] = lambda _command: next(answers)
    async with running(driver_for(modem), sink):
        await sink.wait_until_up()
    assert sink.of(ChannelDown) == []


@pytest.mark.parametrize("n_turns", range(0, 9, 2))
@pytest.mark.parametrize("end", ["the port goes", "it is unwell"])
async def test_a_stop_is_heeded_also_when_the_stick_fails_at_that_moment(modem, sink, end, n_turns):
    driver = driver_for(modem)
    task = asyncio.create_task(driver.run(sink))
    await sink.wait_until_up()
    session = driver._session
    assert session is not None
    if end == "the port goes":
        session._port.wire_lost("gone")
    else:
        session._complain(LINK_DOWN)
    for _ in range(n_turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task], timeout=5)
    heeded = task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert heeded, "it would go on, beside the next one that is started on this stick"


class Silent:
    """Hears nothing."""

    def octets_received(self, octets):
        pass

    def wire_lost(self, reason):
        pass


async def test_a_port_is_ours_alone(modem):
    wire = await open_serial(str(modem.link), 115200, Silent())
    with pytest.raises(WireLost, match="can't open"):
        await open_serial(str(modem.link), 115200, Silent())
    await wire.close()
    await wire.close()
    again = await open_serial(str(modem.link), 9600, Silent())
    await again.close()


async def test_a_missing_port_says_so(tmp_path):
    with pytest.raises(WireLost, match="No such file"):
        await open_serial(str(tmp_path / "none"), 115200, Silent())


def test_the_driver_runs_on_uvloop_too(tmp_path):
    async def scenario() -> None:
        async with ScriptedModem(tmp_path / "stick") as modem:
            sink = RecordingSink()
            driver = driver_for(modem)
            async with running(driver, sink):
                await sink.wait_until_up()
                assert await driver.submit(segment()) == Accepted(reference="1")
                modem.vanish()
                await sink.wait_for_event(ChannelDown)
                modem.appear()
                await sink.wait_for(lambda: len(sink.of(ChannelUp)) == 2)
                assert await driver.submit(segment()) == Accepted(reference="2")

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())


async def test_a_sims_number_that_was_misread_and_is_not_told_again_ends_nothing(modem, sink):
    driver = driver_for(modem, keepalive_s=0.02, timing=replace(QUICK, command_s=0.5))
    async with running(driver, sink):
        await sink.wait_until_up()

        def misread(_command: str) -> tuple[str, ...]:
            modem.swallow.add("AT+CCID")
            return "+CCID: 89860012345678909999", "OK"

        modem.replies["AT+CCID"] = misread
        await sink.wait_for(lambda: len(sink.of(ChannelUp)) > 1)
        assert {down.fault.code for down in sink.of(ChannelDown)} == {"recovery_resync"}
