"""The life of a simulated modem's port: opened, taken, neglected, pulled out, one of many."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import struct
import termios
from pathlib import Path

import pytest
import uvloop

from simulators.modem import modem as modem_module
from simulators.modem.fleet import run_modems, start_modems
from simulators.modem.modem import SimulatedModem
from simulators.network import Network
from tests.support.simulated_modem import PHONE, SIM, modem_at, submit_tpdu, wait_for
from tests.support.terminal import DEADLINE_S, HANGUP, open_terminal

pytestmark = pytest.mark.integration


async def test_messages_wait_while_the_stick_is_out(tmp_path: Path):
    network = Network()
    phone = network.add_handset(PHONE)
    modem = SimulatedModem(network, number=SIM, link=tmp_path / "sim-1", noise_every_s=0.0)
    await modem.start()
    await modem.stop()
    assert not (tmp_path / "sim-1").is_symlink()
    await phone.send(SIM, "still there?")
    await modem.start()
    with open_terminal(str(tmp_path / "sim-1")) as terminal:
        await wait_for(network, lambda: len(phone.receipts) == 1)
        assert "+CMGL: 0,0,," in await terminal.ask("AT+CMGL=4")
    await modem.stop()


async def test_the_port_survives_programs_that_come_and_go():
    async with SimulatedModem(Network(), number=SIM, noise_every_s=0.0) as modem:
        for _ in range(3):
            with open_terminal(modem.port) as terminal:
                assert "OK" in await terminal.ask("AT")


async def test_programs_may_take_the_port_for_themselves_for_a_while():
    async with SimulatedModem(Network(), number=SIM, noise_every_s=0.0) as modem:
        with open_terminal(modem.port) as terminal:
            fcntl.ioctl(terminal.fd, termios.TIOCEXCL)
            assert exclusive(terminal.fd)
            await terminal.ask("AT")
            assert not exclusive(terminal.fd), "or only root could open the port again"
        with open_terminal(modem.port) as terminal:
            await terminal.ask("AT")


def exclusive(fd: int) -> bool:
    tiocgexcl = 0x80045440  # asm-generic/ioctls.h; not in the termios module
    return struct.unpack("i", fcntl.ioctl(fd, tiocgexcl, struct.pack("i", 0)))[0] != 0


async def test_pulling_it_out_forgets_settings_and_the_opened_sim(tmp_path: Path):
    modem = SimulatedModem(Network(), number=SIM, pin="1234", link=tmp_path / "sim", noise_every_s=0.0)
    async with modem:
        with open_terminal(modem.port) as terminal:
            await terminal.ask('ATE0;+CPIN="1234"')
            terminal.type("AT+CMGS=20\r")
            await terminal.expect("> ")
    async with modem:
        with open_terminal(modem.port) as terminal:
            assert await terminal.ask("AT+CPIN?") == "AT+CPIN?\r\r\n+CPIN: SIM PIN\r\n\r\nOK\r\n"


async def test_a_program_that_comes_late_is_not_flooded(monkeypatch):
    monkeypatch.setattr(modem_module, "UNREAD_FOR_S", 0.0)
    network = Network()
    async with SimulatedModem(network, number=SIM, noise_every_s=0.0) as modem:
        for n in range(10_000):
            modem.device.notify([f"^RSSI:{n}"])
            await asyncio.sleep(0)
        with open_terminal(modem.port) as terminal:
            seen = await terminal.ask("AT")
    assert len(seen) < 40_000, "what the kernel holds, and not all that was ever said"


async def test_no_modem_is_left_when_one_can_not_start(tmp_path: Path):
    (tmp_path / "sim-2").write_text("somebody's file")
    with pytest.raises(OSError, match="sim-2"):
        await start_modems(Network(), 2, tmp_path)
    assert not (tmp_path / "sim-1").is_symlink()
    assert (tmp_path / "sim-2").is_file()


async def test_pulling_it_out_hangs_up():
    modem = SimulatedModem(Network(), number=SIM, noise_every_s=0.0)
    await modem.start()
    with open_terminal(modem.port) as terminal:
        await terminal.ask("AT")
        await modem.stop()
        await terminal.expect(HANGUP)


async def test_what_nobody_reads_is_bounded_and_the_stick_stays_alive():
    network = Network()
    async with SimulatedModem(network, number=SIM, noise_every_s=0.0) as modem:
        fd = os.open(modem.port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        for _ in range(200):
            with contextlib.suppress(BlockingIOError):
                os.write(fd, b"AT+CNMI=?\r" * 10)
            await asyncio.sleep(0)
        termios.tcflush(fd, termios.TCIOFLUSH)
        os.close(fd)
        with open_terminal(modem.port) as terminal:
            terminal.type("\rAT+CGMM\r")
            await terminal.expect(r"\r\nE173\r\n")


def test_it_runs_on_uvloop():
    async def scenario() -> None:
        network = Network()
        phone = network.add_handset(PHONE)
        async with modem_at(network) as (_, terminal):
            await terminal.ask("AT+CNMI=2,1,0,1,0")
            assert "+CMGS: 0" in await terminal.send_pdu(submit_tpdu(report=True))
            await terminal.expect(r"\+CDS: ")
            await phone.send(SIM, "and back")
            await terminal.expect(r"\+CMTI: ")

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())


async def test_many_modems_under_stable_names(tmp_path: Path):
    network = Network()
    modems = await start_modems(network, 3, tmp_path / "ports")
    assert [Path(modem.port).name for modem in modems] == ["sim-1", "sim-2", "sim-3"]
    assert len({modem.number for modem in modems}) == len({modem.device.imei for modem in modems}) == 3
    for modem in modems:
        with open_terminal(modem.port) as terminal:
            assert modem.device.dialect.model in await terminal.ask("AT+CGMM")
        await modem.stop()


async def test_the_program_announces_its_ports_and_cleans_up(tmp_path: Path):
    announced: asyncio.Queue[str] = asyncio.Queue()
    running = asyncio.ensure_future(run_modems(n=2, directory=tmp_path, announce=announced.put_nowait))
    async with asyncio.timeout(DEADLINE_S):
        lines = [await announced.get(), await announced.get()]
    assert str(tmp_path / "sim-1") in lines[0]
    with open_terminal(str(tmp_path / "sim-2")) as terminal:
        assert "OK" in await terminal.ask("AT")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not any((tmp_path / name).is_symlink() for name in ("sim-1", "sim-2"))
