"""`hongyan doctor`: which modems are there and what stops them from working, one finding a line."""

from __future__ import annotations

import asyncio

import typer

from gateway.cli.options import Config, example
from gateway.cli.serve import find_config


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=example("hongyan doctor --config /etc/hongyan/hongyan.toml"))(doctor)


def doctor(config: Config = None) -> None:
    """Find modems and what stops them.

    Asks every modem that is plugged in, and every port that the config names, unless another program has it
    open. Prints one finding a line, with how to mend it. Exits 1 if anything stops a modem from working, or if
    the config can't be used.
    """
    from gateway.doctor.examination import examine  # noqa: PLC0415 - the serial library is for this command only
    from gateway.doctor.sticks import find_sticks  # noqa: PLC0415
    from gateway.settings.config import SettingsErrors, load_settings  # noqa: PLC0415

    faulty = False
    try:
        modems = load_settings(find_config(config), only=("modems",)).modems
    except SettingsErrors as faults:
        print(f"{faults}\nthe config has faults; what follows looks at the hardware only")
        modems, faulty = (), True
    findings = asyncio.run(examine(find_sticks(), modems))
    for finding in findings:
        print(f"{'ok  ' if finding.good else 'BAD '} {finding.line}")
    if faulty or not all(finding.good for finding in findings):
        raise typer.Exit(1)
