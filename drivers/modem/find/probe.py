"""Who is behind a port, and at which speed it answers: asked with a port opened for that and closed again."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from drivers.at.port import AtPort
from drivers.at.responses import parse_digits
from drivers.errors import DriverError
from drivers.modem.asking import try_request

if TYPE_CHECKING:
    from collections.abc import Iterable

    from drivers.at.transport import OpenWire
    from drivers.modem.profile import Profile

PROBE_S = 4.0
"""For a port to say who is behind it; one guard of the dialogue and two answers."""
SPEEDS = (115_200, 9_600, 57_600, 19_200, 38_400, 230_400, 460_800, 921_600)
"""What modems on serial lines are set to, likeliest first."""
_SERIAL_LINE = re.compile(r"tty(?:S|AMA|HS|THS|mxc|O|PS|UL)[0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """What a stick says of itself and its SIM."""

    imei: str | None = None
    iccid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a stick is.

    Args:
        port: takes AT commands.
        usb: its socket; None for a port that is not on USB.
        usb_id: ``12d1:1001``; None as above.
        interface: of USB; None as above.
        profile: of its family, as far as USB tells.
    """

    port: str
    usb: str | None = None
    usb_id: str | None = None
    interface: int | None = None
    profile: Profile


def has_speed(place: Place) -> bool:
    """Whether the port is a real line: there, the wrong speed looks like a dead modem."""
    return place.usb is None and _SERIAL_LINE.fullmatch(Path(place.port).resolve().name) is not None


async def find_speed(place: Place, configured: int, open_wire: OpenWire) -> int:
    """The speed at which the modem answers; the configured one when it does at none. Cancel: the port is closed."""
    for speed in (configured, *(speed for speed in SPEEDS if speed != configured)):
        if await ask_port(place.port, speed, open_wire, ()) is not None:
            return speed
    return configured


async def ask_port(
    path: str, baudrate: int, open_wire: OpenWire, iccid_commands: Iterable[str]
) -> Who | None:
    """Who is behind a port; None when nothing there answers AT, or somebody else has it open.

    Cancel: the port is closed.
    """
    port = AtPort(f"probe of {path}", lambda _urc: None, command_timeout_s=PROBE_S / 2)
    who: Who | None = None
    with suppress(TimeoutError, DriverError):
        async with asyncio.timeout(PROBE_S):
            await port.open(path, baudrate, open_wire)
            owner = asyncio.create_task(port.run())
            try:
                who = await _ask_who(port, iccid_commands)
            finally:
                owner.cancel()
                await asyncio.gather(owner, return_exceptions=True)
                await port.close()  # the owner may not have begun
    return who


async def _ask_who(port: AtPort, iccid_commands: Iterable[str]) -> Who:
    imei = parse_digits(await try_request(port, "AT+CGSN") or ())
    for command in iccid_commands:
        iccid = parse_digits(await try_request(port, command) or ())
        if iccid is not None:
            return Who(imei=imei, iccid=iccid)
    return Who(imei=imei)
