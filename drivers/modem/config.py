"""The configuration of one modem channel."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from drivers.modem.timing import ModemTiming

USER_PROFILES = Path("/etc/hongyan/modems")
"""Profiles of the operator's own; see `drivers.modem.profile`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModemConfig:
    """One stick. One of ``port``, ``usb``, ``imei``, ``iccid`` says which.

    Args:
        name: the channel's name.
        port: path of the serial port; best a stable one such as those under ``/dev/serial``.
        usb: the USB socket, such as ``1-1.3``.
        imei: the stick's own number.
        iccid: the SIM's.
        baudrate: ignored by USB sticks.
        pin: of the SIM; None when it asks for none.
        number: the SIM's own, E.164.
        smsc: the service centre's number, E.164; None leaves what the SIM knows.
        roaming: whether segments may go out by a foreign network.
        send_only: never read a storage, which silences some phones; what is handed over directly is still taken.
        hang_up_calls: end voice calls, which would keep the SIM busy.
        profile: name or path of the stick's profile; None to match by what it is.
        user_profiles: folder of profiles beside those that come with us.
        answer_timeout_s: how long the network may take to answer a segment; None for what the stick's profile says.
        keepalive_s: between two looks at the stick's health.
        init_commands: extra AT commands at each bring-up.
        recovery_command: program and arguments that cut the stick's power for a moment; empty for none.
        timing: the waits nobody needs to change but tests.
        sysfs, dev: where the kernel shows devices; only tests have others.
    """

    name: str
    port: str | None = None
    usb: str | None = None
    imei: str | None = None
    iccid: str | None = None
    baudrate: int = 115200
    pin: str | None = field(default=None, repr=False)
    number: str | None = None
    smsc: str | None = None
    roaming: bool = True
    send_only: bool = False
    hang_up_calls: bool = False
    profile: str | None = None
    user_profiles: Path = USER_PROFILES
    answer_timeout_s: float | None = None
    keepalive_s: float = 30.0
    init_commands: tuple[str, ...] = ()
    recovery_command: tuple[str, ...] = ()
    timing: ModemTiming = field(default_factory=ModemTiming)
    sysfs: Path = Path("/sys")
    dev: Path = Path("/dev")
