"""The rung that takes a stick's USB device away and gives it back, on a sysfs of the test's own."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from drivers.base import Accepted, ChannelInfo, ChannelNotice, ChannelUp
from drivers.modem.bringup.pin import PinLedger
from drivers.modem.config import ModemConfig
from drivers.modem.driver import ModemDriver
from drivers.modem.recovery.rescue import may_rebind, rebind_usb, run_command
from tests.integration.test_modem_recovery import HASTY, fall_silent, recoveries
from tests.support.eventually import eventually
from tests.support.fake_usb import FakeUsb
from tests.support.modem_driver import running, segment
from tests.support.recording_sink import RecordingSink
from tests.support.scripted_modem import ScriptedModem

pytestmark = pytest.mark.integration

SOCKET = "1-1.3"
PATIENT = replace(HASTY, command_s=1.0, absent_s=5.0)


@pytest.fixture(autouse=True)
def hasty_guards(monkeypatch):
    monkeypatch.setattr("drivers.at.transaction.GUARD_S", 0.05)


@pytest.fixture
def usb(tmp_path):
    return FakeUsb(tmp_path)


def switches_of(usb: FakeUsb, way: str) -> tuple[Path, Path]:
    """The files that take the device away and give it back: its own, or those of the driver of all devices."""
    if way == "authorized":
        own = usb.sysfs / "bus/usb/devices" / SOCKET / "authorized"
        own.write_text("1")
        return own, own
    driver = usb.sysfs / "bus/usb/drivers/usb"
    driver.mkdir(parents=True)
    for name in ("unbind", "bind"):
        (driver / name).touch()
    return driver / "unbind", driver / "bind"


@pytest.mark.parametrize("way", ["authorized", "unbind"])
async def test_a_silent_stick_is_unplugged_by_software_and_comes_back_under_another_name(
    usb, tmp_path, monkeypatch, way
):
    sink, written = RecordingSink(), []
    plain = Path.write_text

    def write(path: Path, word: str) -> int:
        written.append((path.name, word))
        return plain(path, word)

    async with ScriptedModem(tmp_path / "stick") as modem:
        usb.plug(SOCKET, "12d1:1001", {0: ("ttyUSB0", modem.link)})
        switches_of(usb, way)
        config = ModemConfig(
            name="sim-1", usb=SOCKET, keepalive_s=0.02, timing=PATIENT, sysfs=usb.sysfs, dev=usb.dev
        )
        driver = ModemDriver(config, pins=PinLedger())
        async with running(driver, sink):
            await sink.wait_until_up()
            replies = fall_silent(modem)
            with monkeypatch.context() as patch:
                patch.setattr("pathlib.Path.write_text", write)
                await eventually(lambda: len(written) == 2)
            usb.pull(SOCKET)  # as the kernel does: its ports are gone, and come back as others
            modem.swallow.clear()
            modem.replies = replies
            usb.plug(SOCKET, "12d1:1001", {0: ("ttyUSB7", modem.link)})
            await sink.wait_for(lambda: len(sink.of(ChannelUp)) >= 2)
            assert isinstance(await driver.submit(segment()), Accepted)
    assert (
        written
        == {
            "authorized": [("authorized", "0"), ("authorized", "1")],
            "unbind": [("unbind", SOCKET), ("bind", SOCKET)],
        }[way]
    )
    steps = recoveries(sink)
    assert steps[steps.index("usb_rebind") - 1] == "modem_reset", "gentler ones were tried first"
    assert sink.of(ChannelInfo)[-1].facts["port"] == str(usb.dev / "ttyUSB7")
    assert "USB device is unbound" in next(
        notice.detail for notice in sink.of(ChannelNotice) if notice.code == "recovery_usb_rebind"
    )


async def test_the_own_switch_of_a_device_goes_before_that_of_all(usb):
    usb.plug(SOCKET, "12d1:1001", {})
    assert not may_rebind(usb.sysfs, SOCKET)
    unbind, _ = switches_of(usb, "unbind")
    own, _ = switches_of(usb, "authorized")
    assert may_rebind(usb.sysfs, SOCKET)
    assert not may_rebind(usb.sysfs, "1-2"), "nothing is plugged in there"
    assert await rebind_usb(usb.sysfs, SOCKET, 0.0) is None
    assert (own.read_text(), unbind.read_text()) == ("1", "")


async def test_a_device_is_given_back_by_one_who_is_stopped_in_the_middle(usb):
    usb.plug(SOCKET, "12d1:1001", {})
    own, _ = switches_of(usb, "authorized")
    task = asyncio.create_task(rebind_usb(usb.sysfs, SOCKET, 60.0))
    await eventually(lambda: own.read_text() == "0")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert own.read_text() == "1"


async def test_what_the_kernel_refuses_is_said(usb):
    usb.plug(SOCKET, "12d1:1001", {})
    unbind, _ = switches_of(usb, "unbind")
    unbind.unlink()
    unbind.mkdir()
    assert "Is a directory" in (await rebind_usb(usb.sysfs, SOCKET, 0.0) or "")


@pytest.mark.parametrize(
    ("script", "trouble"),
    [
        ('echo "$HONGYAN_USB $1" > "$0.out"', None),
        ("exit 3", "recovery_command ended with 3"),
        ("exec sleep 60", "recovery_command did not end within 0.2 s"),
    ],
)
async def test_an_operators_own_script_is_run_with_what_it_must_know(tmp_path, monkeypatch, script, trouble):
    monkeypatch.setattr("drivers.modem.recovery.rescue.COMMAND_S", 5.0 if trouble is None else 0.2)
    path = tmp_path / "relay"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    assert await run_command((str(path), "port 3"), {"HONGYAN_USB": SOCKET}) == trouble
    if trouble is None:
        assert (tmp_path / "relay.out").read_text() == f"{SOCKET} port 3\n"


async def test_a_script_that_is_not_there_is_said(tmp_path):
    trouble = await run_command((str(tmp_path / "nothing"),), {})
    assert trouble == "recovery_command can't be run: No such file or directory"
