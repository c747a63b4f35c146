"""`hongyan doctor`: which modems are there and what stops them from working, one finding a line."""

from __future__ import annotations

import grp
import os
from collections.abc import Iterator
from pathlib import Path

import typer

from gateway.cli.options import Config, example
from gateway.cli.serve import find_config
from gateway.runtime.settings import ModemSettings, SettingsErrors, load_settings
from gateway.runtime.sticks import Stick, find_sticks, stable_path

_USB_ID = "/sys/bus/usb/devices"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=example("hongyan doctor --config /etc/hongyan/hongyan.toml"))(doctor)


def doctor(config: Config = None) -> None:
    """Find modems and what stops them.

    One finding a line, with how to mend it; exit 1 if anything stops a modem from working.
    """
    try:
        modems = load_settings(find_config(config)).modems
    except SettingsErrors as faults:
        print(f"{faults}\nthe config has faults; what follows looks at the hardware only")
        modems = ()
    sticks = find_sticks()
    findings = [*examine_sticks(sticks, modems), *examine_modems(sticks, modems)]
    for good, line in findings:
        print(f"{'ok  ' if good else 'BAD '} {line}")
    if not all(good for good, _ in findings):
        raise typer.Exit(1)


def examine_sticks(sticks: list[Stick], modems: tuple[ModemSettings, ...]) -> Iterator[tuple[bool, str]]:
    """What is plugged in: may we open it, and does the config name it?"""
    named = {os.path.realpath(modem.port) for modem in modems if modem.port}
    if not sticks:
        yield (
            False,
            f"no USB serial device is plugged in, as far as {_USB_ID} says; plug a modem in, or see lsusb",
        )
    for stick in sticks:
        what = f"{stick.vendor or 'unknown maker'} {stick.product} ({stick.usb_id}) at {stick.at_port}"
        if not stick.is_modem:
            yield True, f"{what}: not known as a modem; left alone unless the config names it"
            continue
        if trouble := why_closed(stick.at_port):
            yield False, f"{what}: {trouble}"
        elif named.isdisjoint(os.path.realpath(port) for port in stick.ports):
            yield (
                True,
                f'{what}: usable; to use it, add [[modems]] with port = "{stable_path(stick.at_port)}"',
            )
        else:
            yield True, f"{what}: usable, and in the config"


def examine_modems(sticks: list[Stick], modems: tuple[ModemSettings, ...]) -> Iterator[tuple[bool, str]]:
    """What the config names: is it there?"""
    present = {os.path.realpath(port) for stick in sticks for port in stick.ports}
    for modem in modems:
        if modem.port is None or os.path.realpath(modem.port) in present:
            continue
        if trouble := why_closed(modem.port):
            yield False, f"modem {modem.name} in the config: {trouble}"
        else:
            yield True, f"modem {modem.name} in the config: {modem.port} can be opened"


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
