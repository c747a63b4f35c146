"""What on this machine keeps a program from a serial port: rights, other programs, ModemManager."""

from __future__ import annotations

import os
import pwd
import re
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gateway.files import group_name, user_name, why_unreadable

PROC = Path("/proc")
OUR_RULES = ("70-hongyan-modems.rules",)
"""systemd/70-hongyan-modems.rules, once installed: it keeps ModemManager away from modems."""
RULES_FOLDERS = (Path("/etc/udev/rules.d"), Path("/usr/lib/udev/rules.d"), Path("/run/udev/rules.d"))


@dataclass(frozen=True, slots=True)
class Holder:
    """A program that has a port open.

    Args:
        unit: the systemd service that it is part of; None for one that a person started.
        is_mine: it runs as this user.
    """

    pid: int
    name: str
    unit: str | None = None
    is_mine: bool = False

    @property
    def is_ours(self) -> bool:
        """It is a hongyan that runs."""
        return self.name == "hongyan"

    @property
    def remedy(self) -> str:
        """What ends it, so that it stays away."""
        if self.unit is not None:  # systemd would start what is only killed
            return f"stop its service: `sudo systemctl disable --now {self.unit}`"
        return f"end it: `{'' if self.is_mine else 'sudo '}kill {self.pid}`"


def why_closed(port: str) -> str | None:
    """Why this user can't use the port and what to do; None when nothing is in the way."""
    path = Path(port)
    try:
        status = path.stat()
    except FileNotFoundError:
        return f"{port} is not there; plug the modem in, or correct port"
    except OSError as error:
        return f"{port} can't be looked at: {why_unreadable(path, error)}"
    if not stat.S_ISCHR(status.st_mode):
        return f"{port} is no serial port; correct port"
    if os.access(path, os.R_OK | os.W_OK, effective_ids=True):
        return None
    return f"no permission: {explain_rights(path, status)}"


def explain_rights(path: Path, status: os.stat_result, user: str | None = None) -> str:
    """How a user comes by the right to a device, by whose it is.

    Args:
        user: None for the one who asks.
    """
    owner, group, user = user_name(status.st_uid), group_name(status.st_gid), user or user_name(os.geteuid())
    what = f"it belongs to {owner}:{group}"
    if status.st_gid == 0 or not status.st_mode & stat.S_IRGRP or not status.st_mode & stat.S_IWGRP:
        # Joining a group would not do, and joining root's would give away the machine.
        real = os.path.realpath(path)
        return (
            f"{what} and no group but root's may use it; run "
            f"`sudo chgrp dialout {real} && sudo chmod 660 {real}` (udev does so by itself where it runs), "
            f"and `sudo usermod -aG dialout {user}` if you are not in that group"
        )
    if _is_member(user, status.st_gid):
        return f"{what}, and {user} joined {group} after this login; log out and in again"
    return f"{what}; run `sudo usermod -aG {group} {user}` and log in again"


def _is_member(user: str, gid: int) -> bool:
    """Whether the user is in the group, whatever this session knows of it."""
    try:
        return gid in os.getgrouplist(user, pwd.getpwnam(user).pw_gid)
    except KeyError:
        return False


def find_holder(port: str, proc: Path = PROC) -> Holder | None:
    """Another program that has the port open, as far as this user may see it."""
    device = os.path.realpath(port)
    for process in sorted(proc.iterdir()):
        if not process.name.isdecimal() or int(process.name) == os.getpid():
            continue
        with suppress(OSError):  # it ended, or is not ours to look into
            if any(os.path.realpath(handle) == device for handle in (process / "fd").iterdir()):
                return Holder(
                    int(process.name),
                    _name(process),
                    unit=_unit_of(process),
                    is_mine=process.stat().st_uid == os.geteuid(),
                )
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


def _unit_of(process: Path) -> str | None:
    """The service that systemd runs it in; a user's own session is none."""
    try:
        groups = (process / "cgroup").read_text()
    except OSError:
        return None
    units = re.findall(r"/([^/\n]+\.service)(?=/|$)", groups, re.MULTILINE)
    return next((unit for unit in reversed(units) if not unit.startswith("user@")), None)
