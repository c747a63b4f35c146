"""A sysfs and a /dev of a test's own: sticks are plugged in, pulled out, and come back under other names."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class FakeUsb:
    """The trees.

    Attributes:
        sysfs, dev: their roots.
    """

    def __init__(self, root: Path) -> None:
        self.sysfs = root / "sys"
        self.dev = root / "dev"
        self._devices = self.sysfs / "bus/usb/devices"
        self._devices.mkdir(parents=True)
        self.dev.mkdir()
        self._n_device = 1
        # Entries that are there on every machine, and are no sticks.
        (self._devices / "usb1").mkdir()
        self.plug("1-9", "046d:c31c", {}, product="Keyboard")

    def plug(
        self,
        socket: str,
        usb_id: str,
        ttys: dict[int, tuple[str, Path]],
        *,
        product: str = "",
        interface_class: str = "ff",
    ) -> None:
        """Plug a device in.

        Args:
            ttys: by interface: the name of the port, and the terminal behind it.
        """
        device = self._devices / socket
        device.mkdir()
        vendor, _, kind = usb_id.partition(":")
        self._n_device += 1
        facts = {"idVendor": vendor, "idProduct": kind, "devnum": str(self._n_device), "product": product}
        for name, value in facts.items():
            (device / name).write_text(f"{value}\n")
        for number in ttys or (0,):
            interface = device / f"{socket}:1.{number}"
            interface.mkdir()
            (interface / "bInterfaceNumber").write_text(f"{number:02x}\n")
            (interface / "bInterfaceClass").write_text(f"{interface_class}\n")
        for number, (name, terminal) in ttys.items():
            interface = device / f"{socket}:1.{number}"
            (interface / "tty" / name if name.startswith("ttyACM") else interface / name).mkdir(parents=True)
            (self.dev / name).symlink_to(terminal)

    def pull(self, socket: str) -> None:
        """Pull a device out."""
        device = self._devices / socket
        for name in {path.name for path in device.rglob("tty[UA]*")}:
            (self.dev / name).unlink()
        shutil.rmtree(device)
