"""What on this machine keeps a program from a serial port: rights, other programs, ModemManager."""

from __future__ import annotations

import grp
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
OUR_RULES = ("70-hongyan-modems.rules",)
"""systemd/70-hongyan-modems.rules, once installed: it keeps ModemManager away from modems."""
RULES_FOLDERS = (Path("/etc/udev/rules.d"), Path("/usr/lib/udev/rules.d"), Path("/run/udev/rules.d"))


@dataclass(frozen=True, slots=True)
class Holder:
    """A program that has a port open."""

    pid: int
    name: str

    @property
    def is_ours(self) -> bool:
        """It is a hongyan that runs."""
        return self.name == "hongyan"


def why_closed(port: str) -> str | None:
    """Why this user can't use the port and what to do; None when nothing is in the way."""
    path = Path(port)
    if not path.exists():
        return f"{port} is not there; plug the modem in, or correct port"
    if os.access(path, os.R_OK | os.W_OK):
        return None
    try:
        group = grp.getgrgid(path.stat().st_gid).gr_name
    except KeyError:
        group = str(path.stat().st_gid)
    return f"no permission; run `sudo usermod -aG {group} $USER` and log in again"


def find_holder(port: str, proc: Path = PROC) -> Holder | None:
    """Another program that has the port open, as far as this user may see it."""
    device = os.path.realpath(port)
    for process in sorted(proc.iterdir()):
        if not process.name.isdecimal() or int(process.name) == os.getpid():
            continue
        with suppress(OSError):  # it ended, or is not ours to look into
            if any(os.path.realpath(handle) == device for handle in (process / "fd").iterdir()):
                return Holder(int(process.name), _name(process))
    return None


def modem_manager_meddles(proc: Path = PROC, rules: tuple[Path, ...] = RULES_FOLDERS) -> bool:
    """Whether ModemManager runs and nothing keeps it from our modems."""
    if any((folder / name).exists() for folder in rules for name in OUR_RULES):
        return False
    for process in proc.iterdir():
        with suppress(OSError):
            if process.name.isdecimal() and (process / "comm").read_text().strip() == "ModemManager":
                return True
    return False


def _name(process: Path) -> str:
    """What people call a program: for an interpreter, the script that it runs."""
    words = (process / "cmdline").read_text(errors="replace").split("\0")
    script = words[1] if len(words) > 1 and Path(words[0]).name.startswith("python") else words[0]
    return Path(script).name or (process / "comm").read_text().strip()
