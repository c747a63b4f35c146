"""Which modems are plugged in, as far as USB tells without asking them: for a start without a config, and for doctor.

Opens no port. An adapter with any device behind it (an Arduino, a label printer) is listed but never
taken for a modem.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Protocol

VENDORS = {
    0x0BDB: "Ericsson",
    0x1199: "Sierra Wireless",
    0x12D1: "Huawei",
    0x1410: "Novatel",
    0x1546: "u-blox",
    0x19D2: "ZTE",
    0x1BBB: "Alcatel",
    0x1BC7: "Telit",
    0x1C9E: "Longcheer",
    0x1E0E: "SIMCom",
    0x1E2D: "Cinterion",
    0x2001: "D-Link",
    0x2C7C: "Quectel",
    0x2CB7: "Fibocom",
    0x2DEE: "MeiG",
    0x0AF0: "Option",
}
"""USB vendors whose serial ports are those of a modem."""

_AT_INTERFACE = {0x2C7C: 2, 0x1E0E: 2, 0x19D2: 1}
"""Where a vendor's AT port is not behind the lowest interface: there Quectel and SIMCom have diagnostics, and
on ZTE the second answers while the modem port may be in use."""


class PortInfo(Protocol):
    """What we use of pyserial's ``ListPortInfo``."""

    device: str
    vid: int | None
    pid: int | None
    product: str | None
    location: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stick:
    """One USB device with serial ports.

    Args:
        at_port: the port that most likely takes AT commands.
        ports: all its ports, by interface.
        vendor: its maker; None when that is no maker of modems.
        product: what it calls itself.
        usb_id: ``12d1:1001``.
    """

    at_port: str
    ports: tuple[str, ...]
    vendor: str | None
    product: str
    usb_id: str

    @property
    def is_modem(self) -> bool:
        """Whether it is safe to speak AT to it unasked."""
        return self.vendor is not None


def find_sticks() -> list[Stick]:
    """What is plugged in now, in the order of the USB sockets."""
    from serial.tools.list_ports import comports  # noqa: PLC0415 - only needed here

    return group_ports(comports())


def group_ports(ports: Iterable[PortInfo]) -> list[Stick]:
    """Join the ports of one USB device and choose the AT port among them; ports that are not on USB are left out."""
    on_usb = sorted((p for p in ports if p.vid is not None), key=_place)
    return [_make_stick(list(group)) for _, group in groupby(on_usb, key=lambda p: _place(p)[0])]


def stable_path(port: str, folder: Path = Path("/dev/serial/by-path")) -> str:
    """A name of the port that is still right after the next reboot; the port itself when there is none."""
    names = sorted(folder.iterdir()) if folder.is_dir() else []
    return next((str(name) for name in names if name.resolve() == Path(port).resolve()), port)


def _place(port: PortInfo) -> tuple[str, int, str]:
    """USB socket, interface, device: ``1-1.2:1.0`` is interface 0 of what is plugged into 1-1.2."""
    socket, _, interface = (port.location or port.device).partition(":")
    number = interface.rpartition(".")[2]
    return socket, int(number) if number.isdecimal() else 0, port.device


def _make_stick(ports: list[PortInfo]) -> Stick:
    first = ports[0]
    vid, pid = first.vid or 0, first.pid or 0
    at_interface = _AT_INTERFACE.get(vid)
    at_port = next((p for p in ports if _place(p)[1] == at_interface), first)
    return Stick(
        at_port=at_port.device,
        ports=tuple(p.device for p in ports),
        vendor=VENDORS.get(vid),
        product=first.product or "USB serial device",
        usb_id=f"{vid:04x}:{pid:04x}",
    )
