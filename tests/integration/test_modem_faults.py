"""What somebody at the port of a simulated stick sees when a fault strikes."""

from __future__ import annotations

import asyncio
import re

import pytest

from simulators.control import ControlPort
from simulators.fault_plan import FaultDesk
from simulators.faults import Fault
from simulators.modem.modem import SimulatedModem
from simulators.network import Network
from tests.support.eventually import eventually
from tests.support.simulated_modem import PHONE, SIM, modem_at, submit_tpdu, wait_for
from tests.support.terminal import HANGUP, open_terminal

pytestmark = pytest.mark.integration


def inject(modem: SimulatedModem, **fields) -> None:
    modem.plan.inject(Fault(**fields), asyncio.get_running_loop().time())


async def struck(modem: SimulatedModem, kind: str) -> None:
    await eventually(lambda: modem.plan.struck[kind] > 0)


async def test_two_finals_and_unsolicited_lines_inside_an_answer():
    async with modem_at(Network()) as (modem, terminal):
        inject(modem, kind="interleave", text="^RSSI:9")
        assert await terminal.ask("AT+CSQ") == "\r\n+CSQ: 20,99\r\n\r\n^RSSI:9\r\n\r\nOK\r\n"
        inject(modem, kind="two_finals")
        await terminal.ask("AT")
        assert (await terminal.expect(r"(?s).*OK\r\n"))[0] == "\r\nOK\r\n"


async def test_error_codes_of_the_stick_and_of_the_network():
    network = Network()
    async with modem_at(network) as (modem, terminal):
        inject(modem, kind="cme_error", code=14, match="+CSQ")
        assert await terminal.ask("AT") == "\r\nOK\r\n"
        assert await terminal.ask("AT+CSQ") == "\r\n+CME ERROR: 14\r\n"
        inject(modem, kind="cms_error", code=42, nth=2)
        assert "+CMGS" in await terminal.send_pdu(submit_tpdu())
        assert "+CMS ERROR: 42" in await terminal.send_pdu(submit_tpdu())
        inject(modem, kind="busy", lasts_s=60)
        await struck(modem, "busy")
        assert await terminal.ask("AT+CMGL=4") == "\r\n+CMS ERROR: 314\r\n"
        assert len(network.accepted) == 1


async def test_the_prompt_without_its_blank_and_no_prompt_at_all():
    async with modem_at(Network()) as (modem, terminal):
        inject(modem, kind="bare_prompt")
        terminal.type("AT+CMGS=20\r")
        await terminal.expect(r"\r\n>\Z")
        terminal.type("\x1b")
        await terminal.expect("OK\r\n")
        inject(modem, kind="no_prompt")
        terminal.type("AT+CMGS=20\r")
        await struck(modem, "no_prompt")
        terminal.type("\x1bAT+CSQ\r")  # it waits for a text all the same, and ESC ends that
        assert (await terminal.expect(r"(?s).*\+CSQ"))[0] == "\r\nOK\r\n\r\n+CSQ"


@pytest.mark.parametrize(("at", "n_taken"), [("pdu", 0), ("answer", 1)])
async def test_a_stick_that_hangs_after_ctrl_z_with_and_without_the_segment_sent(at, n_taken):
    network = Network()
    async with modem_at(network) as (modem, terminal):
        inject(modem, kind="hang", at=at)
        tpdu = submit_tpdu()
        terminal.type(f"AT+CMGS={len(tpdu)}\r")
        await terminal.expect("> ")
        terminal.type((b"\x00" + tpdu).hex() + "\x1a")
        await struck(modem, "hang")
        assert len(network.accepted) == n_taken
        modem.plan.clear()  # the late answer comes
        final = await terminal.expect(r"(?s)\A.*?(OK|\+CMS ERROR: 500)\r\n")
        assert final[1] == ("OK" if n_taken else "+CMS ERROR: 500")
        assert await terminal.ask("AT+CSQ") == "\r\n+CSQ: 20,99\r\n\r\nOK\r\n"


async def test_a_reboot_says_its_banner_and_forgets_settings_but_not_messages():
    network = Network()
    async with modem_at(network, dialect="quectel") as (modem, terminal):
        await terminal.ask("AT+CNMI=2,1")
        await network.add_handset(PHONE).send(SIM, "keep me")
        await terminal.expect(r"\+CMTI")
        inject(modem, kind="reboot", lasts_s=0.05)
        await terminal.expect(r"(?s)RDY\r\n.*SMS DONE\r\n")
        assert await terminal.ask("AT+CNMI?") == "AT+CNMI?\r\r\n+CNMI: 0,0,0,0,0\r\n\r\nOK\r\n"
        assert "+CMGR" in await terminal.ask("AT+CMGR=0")


async def test_a_port_that_is_gone_and_back_as_another(tmp_path):
    async with SimulatedModem(Network(), number=SIM, link=tmp_path / "stick", noise_every_s=0.0) as modem:
        before = (tmp_path / "stick").readlink()
        with open_terminal(modem.port) as terminal:
            inject(modem, kind="reenumerate", lasts_s=0.05)
            await terminal.expect(HANGUP)
        await eventually((tmp_path / "stick").exists)
        assert (tmp_path / "stick").readlink() != before
        with open_terminal(modem.port) as terminal:
            assert "OK" in await terminal.ask("AT")


async def test_a_port_can_come_back_under_another_name(tmp_path):
    async with SimulatedModem(Network(), number=SIM, link=tmp_path / "ttyUSB0", noise_every_s=0.0) as modem:
        inject(modem, kind="reenumerate", lasts_s=0.05, text="ttyUSB3")
        await eventually((tmp_path / "ttyUSB3").exists)
        assert not (tmp_path / "ttyUSB0").is_symlink()
        assert modem.port.endswith("ttyUSB3")


async def test_reports_are_lost_doubled_and_late():
    network = Network()
    async with modem_at(network) as (modem, terminal):
        await terminal.ask("AT+CNMI=2,1,0,1")
        inject(modem, kind="receipt_lost", nth=1)
        inject(modem, kind="receipt_twice", nth=2)
        for _ in range(2):
            await terminal.send_pdu(submit_tpdu(report=True))
        await wait_for(network, lambda: True)
        await terminal.expect(r"(?s)\+CDS.*\+CDS")
        assert modem.plan.struck == {"receipt_lost": 1, "receipt_twice": 1}


async def test_parts_come_out_of_order():
    network = Network()
    async with modem_at(network) as (modem, terminal):
        await terminal.ask("AT+CMGF=1;+CNMI=2,2")
        inject(modem, kind="parts_swapped")
        await network.add_handset(PHONE).send(SIM, "1" * 153 + "2" * 10)
        await terminal.expect(r"(?s)\+CMT: .*2222222222.*\+CMT: .*1111111111")


async def test_a_full_storage_and_what_fills_it():
    network = Network()
    async with modem_at(network) as (modem, terminal):
        inject(modem, kind="storage_filled")
        await eventually(lambda: modem.device.storages["SM"].full)
        await network.add_handset(PHONE).send(SIM, "wait for me")
        await terminal.expect("SMMEMFULL")
        assert network.n_waiting(SIM) == 1
        await terminal.ask("AT+CMGD=0,4")
        await wait_for(network, lambda: network.n_waiting(SIM) == 0)


async def test_no_network_for_a_while():
    network = Network()
    async with modem_at(network) as (modem, terminal):
        await terminal.ask("AT+CREG=1")
        inject(modem, kind="deregistered", lasts_s=0.1)
        await terminal.expect(r"\+CREG: 0")
        terminal.type("AT+CMGS=20\r")
        await terminal.expect(r"\+CMS ERROR: 331")
        await terminal.expect(r"\+CREG: 1")


async def test_a_sim_that_asks_for_its_pin_again():
    async with modem_at(Network()) as (modem, terminal):
        inject(modem, kind="pin_lock", text="4321")
        await terminal.expect(r"\+CPIN: SIM PIN")
        assert "SIM PIN" in await terminal.ask("AT+CPIN?")
        assert "OK" in await terminal.ask('AT+CPIN="4321"')
        assert "READY" in await terminal.ask("AT+CPIN?")


async def test_answers_byte_by_byte_over_a_slow_line_and_with_the_echo_stuck():
    async with modem_at(Network()) as (modem, terminal):
        inject(modem, kind="split", lasts_s=60)
        inject(modem, kind="slow_line", count=9_600, lasts_s=60)
        inject(modem, kind="echo_stuck")
        await struck(modem, "echo_stuck")
        began = asyncio.get_running_loop().time()
        answer = await terminal.ask("AT+CGMI")
        assert answer == "AT+CGMI\r\r\nhuawei\r\n\r\nOK\r\n"
        assert asyncio.get_running_loop().time() - began > 8 * 10 / 9_600


async def test_noise_and_wrong_bytes():
    async with modem_at(Network()) as (modem, terminal):
        inject(modem, kind="garbage", count=30)
        answer = await terminal.ask("AT")
        assert re.fullmatch(r"(?s).{30}\r\nOK\r\n", answer)
        inject(modem, kind="garble")
        terminal.type("AT\r")
        await terminal.expect("\xff")


async def test_the_reference_wraps():
    async with modem_at(Network()) as (modem, terminal):
        inject(modem, kind="mr_jump", code=255)
        await struck(modem, "mr_jump")
        assert "+CMGS: 255" in await terminal.send_pdu(submit_tpdu())
        assert "+CMGS: 0" in await terminal.send_pdu(submit_tpdu())


async def test_over_the_control_port():
    network = Network()
    desk = FaultDesk(clock=asyncio.get_running_loop().time)
    async with modem_at(network, desk=desk, name="sim-1") as (_, terminal), ControlPort(desk) as control:
        reader, writer = await asyncio.open_connection("127.0.0.1", control.port)
        writer.write(b'{"do":"inject","fault":{"kind":"cme_error","code":100,"target":"sim-1"}}\n')
        assert b'"ok":true' in await reader.readline()
        assert await terminal.ask("AT") == "\r\n+CME ERROR: 100\r\n"
        writer.write(b'{"do":"stats"}\n')
        assert b'{"sim-1":{"cme_error":1}}' in await reader.readline()
        writer.close()
        await writer.wait_closed()
