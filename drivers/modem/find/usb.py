"""USB sticks as the kernel shows them in sysfs: sockets, ids, and the serial ports of each.

Reads files only, opens no port. The root of sysfs and the folder of device nodes are parameters, so that tests
bring trees of their own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

SYSFS = Path("/sys")
DEV = Path("/dev")

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

_SOCKET = re.compile(r"[0-9]+-[0-9]+(?:\.[0-9]+)*")
_TTY = re.compile(r"tty[A-Za-z]+[0-9]+")
_MASS_STORAGE = 0x08


@dataclass(frozen=True, slots=True, kw_only=True)
class Tty:
    """One serial port of a stick.

    Args:
        path: the device node.
        interface: number of the USB interface behind it.
    """

    path: str
    interface: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stick:
    """One USB device that has serial ports, or could have some.

    Args:
        usb: the socket it is in, such as ``1-1.3``.
        vendor_id, product_id: of USB.
        n_device: the kernel's number; a stick that comes back has another.
        product: what it calls itself; empty if it does not.
        ttys: its serial ports, by interface.
        only_storage: it shows itself as a disk with its own drivers on it, and as nothing else.
    """

    usb: str
    vendor_id: int
    product_id: int
    n_device: int
    product: str
    ttys: tuple[Tty, ...]
    only_storage: bool

    @property
    def usb_id(self) -> str:
        """``12d1:1001``."""
        return f"{self.vendor_id:04x}:{self.product_id:04x}"

    @property
    def vendor(self) -> str | None:
        """Its maker; None when that is no maker of modems."""
        return VENDORS.get(self.vendor_id)

    @property
    def is_modem(self) -> bool:
        """Whether it is safe to speak AT to it unasked."""
        return self.vendor is not None and bool(self.ttys)


def scan(sysfs: Path = SYSFS, dev: Path = DEV) -> list[Stick]:
    """What is plugged in: devices with serial ports, and modems in storage mode, in the order of the sockets."""
    folder = sysfs / "bus/usb/devices"
    if not folder.is_dir():
        return []
    names = sorted((p.name for p in folder.iterdir() if _SOCKET.fullmatch(p.name)), key=_socket_order)
    sticks = [stick for name in names if (stick := _read_stick(folder / name, dev)) is not None]
    return [stick for stick in sticks if stick.ttys or (stick.vendor and stick.only_storage)]


def _read_stick(device: Path, dev: Path) -> Stick | None:
    vendor_id, product_id = _read_hex(device / "idVendor"), _read_hex(device / "idProduct")
    if vendor_id is None or product_id is None:
        return None
    interfaces = sorted(device.glob(f"{device.name}:*"))
    classes = {_read_hex(interface / "bInterfaceClass") for interface in interfaces}
    ttys = [tty for interface in interfaces for tty in _read_ttys(interface, dev)]
    return Stick(
        usb=device.name,
        vendor_id=vendor_id,
        product_id=product_id,
        n_device=int(_read(device / "devnum") or "0"),
        product=_read(device / "product"),
        ttys=tuple(sorted(ttys, key=lambda tty: (tty.interface, tty.path))),
        only_storage=classes == {_MASS_STORAGE},
    )


def _read_ttys(interface: Path, dev: Path) -> list[Tty]:
    number = _read_hex(interface / "bInterfaceNumber")
    if number is None:
        number = int(interface.name.rpartition(".")[2])
    # usb-serial drivers hang ttyUSBn below the interface itself, cdc-acm below a folder called tty.
    names = {p.name for folder in (interface, interface / "tty") if folder.is_dir() for p in folder.iterdir()}
    return [Tty(path=str(dev / name), interface=number) for name in names if _TTY.fullmatch(name)]


def _socket_order(name: str) -> list[int]:
    return [int(number) for number in re.findall(r"[0-9]+", name)]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:  # the device may go while we look at it
        return ""


def _read_hex(path: Path) -> int | None:
    try:
        return int(_read(path), 16)
    except ValueError:
        return None
