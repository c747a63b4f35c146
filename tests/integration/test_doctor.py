"""`hongyan doctor` against simulated sticks on real ptys."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from drivers.modem.find.checkup import check_up
from drivers.modem.find.usb import scan
from gateway.doctor.examination import examine
from gateway.doctor.obstacles import Holder
from gateway.settings.config import ModemSettings
from gateway.settings.secrets import Secret
from simulators.modem.modem import SimulatedModem
from simulators.network import Network
from tests.support.fake_usb import FakeUsb

pytestmark = pytest.mark.integration


@pytest.fixture
async def network():
    network = Network()
    yield network
    await network.close()


@pytest.mark.parametrize("dialect", ["huawei", "quectel", "simcom"])
async def test_a_stick_in_good_order_is_usable_and_stays_as_it_was(network, dialect):
    async with SimulatedModem(network, number="+8613800138000", dialect=dialect) as modem:
        findings = await examine([], [ModemSettings(name="sim-1", port=modem.port)])
        assert [good for good, _ in findings] == [True], findings
        assert "usable, in the config" in findings[0].line
        assert modem.device.imei in findings[0].line


async def test_a_sim_with_a_pin_is_told_of_and_the_pin_is_not_entered(network):
    async with SimulatedModem(network, number="+8613800138000", pin="1234") as modem:
        ((good, line),) = await examine([], [ModemSettings(name="sim-1", port=modem.port)])
        assert not good
        assert "PIN" in line
        checkup = await check_up(modem.port, 115200)
        assert checkup is not None
        assert checkup.sim == "SIM PIN"


@pytest.fixture
def usb(tmp_path):
    return FakeUsb(tmp_path)


@pytest.mark.parametrize("way", ["imei", "iccid"])
async def test_a_modem_that_the_config_names_by_what_it_is_gets_no_advice_that_it_follows_already(
    network, usb, way
):
    async with SimulatedModem(network, number="+8613800138000", pin="1234") as modem:
        usb.plug("1-1", "12d1:1001", {0: ("ttyUSB0", Path(modem.port))})
        who = {"imei": modem.device.imei, "iccid": modem.device.sim.iccid}[way]
        settings = ModemSettings(name="sim-1", pin=Secret("1234"), **{way: who})  # type: ignore[arg-type]
        findings = await examine(scan(usb.sysfs, usb.dev), [settings])
    assert [good for good, _ in findings] == [True], findings
    assert "usable, in the config" in findings[0].line


async def test_a_modem_that_runs_already_is_not_called_missing(network, usb, monkeypatch):
    monkeypatch.setattr("gateway.doctor.examination.find_holder", lambda _port: Holder(1, "hongyan"))
    async with SimulatedModem(network, number="+8613800138000") as modem:
        usb.plug("1-1", "12d1:1001", {0: ("ttyUSB0", Path(modem.port))})
        settings = ModemSettings(name="sim-1", imei=modem.device.imei)
        findings = await examine(scan(usb.sysfs, usb.dev), [settings])
    assert [good for good, _ in findings] == [True, True], findings
    assert "hongyan channels" in findings[-1].line


async def test_the_port_that_answers_is_found_among_those_of_a_stick(network, usb, monkeypatch):
    monkeypatch.setattr("drivers.modem.find.checkup.SILENCE_S", 3.0)
    master, slave = os.openpty()
    try:
        async with SimulatedModem(network, number="+8613800138000") as modem:
            usb.plug(
                "1-1",
                "2dee:4d57",
                {0: ("ttyUSB0", Path(os.ttyname(slave))), 2: ("ttyUSB1", Path(modem.port))},
            )
            ((good, line),) = await examine(scan(usb.sysfs, usb.dev), [ModemSettings(name="a", usb="1-1")])
    finally:
        os.close(master)
        os.close(slave)
    assert good, line
    assert f"at {usb.dev}/ttyUSB1: " in line


async def test_a_port_without_a_stick_behind_it_is_told_of(monkeypatch):
    monkeypatch.setattr("drivers.modem.find.checkup.SILENCE_S", 0.1)
    master, slave = os.openpty()
    try:
        ((good, line),) = await examine([], [ModemSettings(name="sim-1", port=os.ttyname(slave))])
    finally:
        os.close(master)
        os.close(slave)
    assert not good
    assert "nothing answers AT" in line


async def test_a_port_in_use_names_the_program(network):
    async with SimulatedModem(network, number="+8613800138000") as modem:
        code = "import sys, time; held = open(sys.argv[1]); print('ready', flush=True); time.sleep(60)"
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, modem.port, stdout=asyncio.subprocess.PIPE
        )
        try:
            assert process.stdout is not None
            await process.stdout.readline()
            ((good, line),) = await examine([], [ModemSettings(name="sim-1", port=modem.port)])
        finally:
            process.kill()
            await process.communicate()
    assert not good
    assert f"(process {process.pid})" in line
    assert f"end it: `kill {process.pid}`" in line, "it is this user's own"
