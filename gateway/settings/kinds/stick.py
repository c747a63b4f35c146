"""The settings of ``[[modems]]`` that concern the stick: where it is, what it is, and what may be done to it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Annotated

import msgspec

from drivers.modem.config import USER_PROFILES
from drivers.modem.profile import BadProfile, is_at_command, load_profiles, named_profile
from gateway.settings.forms import (
    BadValue,
    Duration,
    Filled,
    Flag,
    Form,
    Number,
    digits,
    list_of,
    parse_filled,
    show,
    whole_number,
)
from gateway.settings.kinds.sim import SimSettings

_WAYS = ("port", "usb", "imei", "iccid")
_SOCKET = re.compile(r"[0-9]+-[0-9]+(\.[0-9]+)*")


def parse_socket(value: object) -> str:
    """A USB socket as the kernel names it."""
    socket = parse_filled(value)
    if not _SOCKET.fullmatch(socket):
        raise BadValue(f'"{socket}" is no USB socket; write it like "1-1.3", as `hongyan doctor` shows it')
    return socket


def parse_command(value: object) -> tuple[str, ...]:
    """A program and its arguments, in one line as for a shell; nothing of a shell's is expanded."""
    line = parse_filled(value)
    try:
        words = tuple(shlex.split(line))
    except ValueError:
        raise BadValue("has an open quotation mark; close it") from None
    if not words or not words[0].startswith("/"):
        raise BadValue("does not begin with a path; write the whole path")
    return words


def parse_at_command(value: object) -> str:
    """One AT command line."""
    command = parse_filled(value)
    if not is_at_command(command):
        raise BadValue(f'{show(command)} is no AT command; write one line of ASCII, such as "AT^CURC=0"')
    return command


def parse_profile(value: object) -> str:
    """The name of a profile, of ours or of the operator's own, or the path of one; it can be used as it is."""
    name = parse_filled(value)
    try:
        named_profile(name, load_profiles(USER_PROFILES))
    except BadProfile as error:
        raise BadValue(f"can't be used: {error}") from None
    return name


class StickSettings(SimSettings, frozen=True, kw_only=True):
    """The stick of one ``[[modems]]`` table.

    Args:
        port: the serial port for AT commands; a path under /dev/serial stays the same over reboots.
        usb: in place of port: the USB socket that the modem is plugged into; for sticks that are alike.
        imei: in place of port: the modem's own number; the modem is found wherever it is plugged in.
        iccid: in place of port: the number of its SIM card.
        baudrate: speed of a real serial line; USB sticks ignore it.
        smsc: the service centre's number, E.164; only where the SIM does not know it.
        roaming: send also while in a foreign network.
        send_only: never read the storage, so nothing comes in; for phones that fall silent when it is read.
        hang_up_calls: end voice calls at once, because they keep the SIM busy.
        profile: name or path of the stick's profile; without it the profile is chosen by maker and model.
        recovery_command: program that cuts the stick's power for a moment, run when nothing else has helped.
        answer_timeout_s: how long the modem may take to answer a send; without it as long as its profile says.
        keepalive_s: how often a silent modem is asked whether it lives.
        init_commands: AT commands of your own, run after ours at each start.
    """

    port: Filled | None = None
    usb: Annotated[str, Form(parse_socket)] | None = None
    imei: Annotated[str, Form(digits(14, 17))] | None = None
    iccid: Annotated[str, Form(digits(18, 22))] | None = None
    baudrate: Annotated[int, Form(whole_number(300, 4_000_000))] = 115_200
    smsc: Number | None = None
    roaming: Flag = True
    send_only: Flag = False
    hang_up_calls: Flag = False
    profile: Annotated[str, Form(parse_profile)] | None = None
    recovery_command: Annotated[tuple[str, ...], Form(parse_command)] = ()
    answer_timeout_s: Duration | None = msgspec.field(default=None, name="answer_timeout")
    keepalive_s: Duration = msgspec.field(default=30.0, name="keepalive")
    init_commands: Annotated[tuple[str, ...], Form(list_of(parse_at_command))] = ()

    def faults(self) -> Iterator[tuple[str, str]]:
        """One way to find the stick."""
        yield from SimSettings.faults(self)
        given = [key for key in _WAYS if getattr(self, key)]
        if not given:
            yield "port", 'is missing; write port = "/dev/serial/..."'
        if len(given) > 1:
            yield given[1], f"{' and '.join(given)} are given; write only one of them"
