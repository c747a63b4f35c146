"""Which modems are plugged in, as far as USB tells without asking them: for a start without a config, and for doctor.

Opens no port. An adapter with any device behind it (an Arduino, a label printer) is listed but never
taken for a modem.
"""

from __future__ import annotations

from pathlib import Path

from drivers.modem.find.usb import Stick, scan
from drivers.modem.profile import GENERIC, Profile, choose_profile, load_profiles


def find_sticks() -> list[Stick]:
    """What is plugged in now, in the order of the USB sockets."""
    return scan()


def profile_of(stick: Stick) -> Profile:
    """The profile of a stick's family, by its USB id."""
    return choose_profile(load_profiles(), usb_id=stick.usb_id)


def likely_port(stick: Stick) -> str:
    """The port that most likely takes AT commands; the stick has one at least."""
    best = profile_of(stick).at_interfaces if stick.vendor else GENERIC.at_interfaces
    by_interface = {tty.interface: tty.path for tty in reversed(stick.ttys)}
    return next((by_interface[n] for n in best if n in by_interface), stick.ttys[0].path)


def describe_stick(stick: Stick) -> str:
    """Its maker, what it calls itself, and its USB id."""
    return f"{stick.vendor or 'unknown maker'} {stick.product or 'USB serial device'} ({stick.usb_id})"


def stable_path(port: str, folder: Path = Path("/dev/serial/by-path")) -> str:
    """A name of the port that is still right after the next reboot; the port itself when there is none."""
    names = sorted(folder.iterdir()) if folder.is_dir() else []
    return next((str(name) for name in names if name.resolve() == Path(port).resolve()), port)
