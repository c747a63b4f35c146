"""What the rungs of the recovery ladder do to a stick; which comes when is in `drivers.modem.recovery.ladder`."""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from drivers.errors import WireError
from drivers.modem.asking import try_request
from drivers.modem.bringup.steps import RADIO_TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from drivers.at.port import AtPort
    from drivers.at.transport import OpenWire

logger = logging.getLogger(__name__)

RADIO_OFF_S = 1.0
"""The network must notice that the SIM was away."""
COMMAND_S = 60.0
"""For the operator's own command."""

_ESC = b"\x1b"
_USB_DEVICES = "bus/usb/devices"
_USB_DRIVER = "bus/usb/drivers/usb"


async def soft_reset(port: AtPort) -> None:
    """Give the stick its factory settings. Raises WireError; refusals are tolerated. Cancel: as the port's."""
    await try_request(port, "ATZ")


async def cycle_radio(port: AtPort) -> None:
    """Take the SIM off the network and on again.

    Raises:
        WireError: the stick does not answer.

    Cancel: the radio may stay off; bring-up switches it on.
    """
    for off in ("AT+CFUN=4", "AT+CFUN=0"):
        if await try_request(port, off, timeout_s=RADIO_TIMEOUT_S) is not None:
            break
    await asyncio.sleep(RADIO_OFF_S)
    await try_request(port, "AT+CFUN=1", timeout_s=RADIO_TIMEOUT_S)


async def reset_stick(
    open_wire: OpenWire, path: str, baudrate: int, command: str, answer_s: float
) -> str | None:
    """Restart the stick, also one that does not answer: what hangs is often only its way back to us.

    Args:
        command: restarts the whole stick, such as ``AT+CFUN=1,1`` (3GPP TS 27.007 8.2).
        answer_s: how long it has to hear it; few answer.

    Returns:
        Why it could not be told; None when the command was written.

    Cancel: the wire is closed.
    """
    listener = _EndListener()
    try:
        wire = await open_wire(path, baudrate, listener)
    except WireError as error:
        return str(error)
    try:
        wire.write(_ESC + b"AT\r" + command.encode() + b"\r")
        with suppress(TimeoutError):
            async with asyncio.timeout(answer_s):
                await listener.over.wait()
    finally:
        await wire.close()
    return None


class _EndListener:
    """Waits for the answer to the reset, or for the port to go."""

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self._heard = bytearray()

    def octets_received(self, octets: bytes) -> None:
        self._heard += octets[-64:]
        # One OK may be that of the AT ahead of the command.
        if self._heard.count(b"OK\r") > 1 or b"ERROR" in self._heard:
            self.over.set()

    def wire_lost(self, reason: str) -> None:
        self.over.set()


@dataclass(frozen=True, slots=True)
class _Switch:
    """Files of sysfs that take a USB device away and give it back, and what is written into them."""

    off: Path
    on: Path
    off_word: str
    on_word: str

    def flip(self, *, on: bool) -> str | None:
        """Write; why that could not be done. The kernel may keep us waiting for a device that does not answer."""
        path, word = (self.on, self.on_word) if on else (self.off, self.off_word)
        try:
            path.write_text(word)
        except OSError as error:
            return f"can't write {path}: {error.strerror}"
        return None


def _find_switch(sysfs: Path, usb: str) -> _Switch | None:
    """The device's own switch, which a udev rule may have given us, else that of all devices, which wants root."""
    device, driver = sysfs / _USB_DEVICES / usb, sysfs / _USB_DRIVER
    own = _Switch(device / "authorized", device / "authorized", "0", "1")
    common = _Switch(driver / "unbind", driver / "bind", usb, usb)
    if not device.exists():
        return None
    return next((switch for switch in (own, common) if os.access(switch.off, os.W_OK)), None)


def may_rebind(sysfs: Path, usb: str | None) -> bool:
    """Whether the kernel lets us take this USB device away and give it back."""
    return usb is not None and _find_switch(sysfs, usb) is not None


async def rebind_usb(sysfs: Path, usb: str, pause_s: float) -> str | None:
    """Unplug and plug by software.

    Returns:
        Why it could not be done; None when it was.

    Cancel: the device is given back all the same.
    """
    switch = _find_switch(sysfs, usb)
    if switch is None:
        return f"{usb} may not be taken away"
    loop = asyncio.get_running_loop()
    try:
        error = await loop.run_in_executor(None, partial(switch.flip, on=False))
        if error is None:
            await asyncio.sleep(pause_s)
    finally:
        back_error = await asyncio.shield(loop.run_in_executor(None, partial(switch.flip, on=True)))
    return error or back_error


async def run_command(command: Sequence[str], facts: Mapping[str, str]) -> str | None:
    """Run the operator's own command, without a shell.

    Args:
        command: program and arguments.
        facts: added to its environment.

    Returns:
        Why it failed; None when it ended with 0.

    Cancel: the program is killed.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            env={**os.environ, **facts},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError as error:
        return f"recovery_command can't be run: {error.strerror}"
    try:
        async with asyncio.timeout(COMMAND_S):
            code = await process.wait()
    except TimeoutError:
        return f"recovery_command did not end within {COMMAND_S:g} s"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return f"recovery_command ended with {code}" if code else None
