"""`hongyan serve` and `hongyan check`: the daemon and its config file."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.options import Config, example
from gateway.cli.output import Failure, say
from gateway.runtime.settings import DEFAULT_CONFIG, Settings, SettingsErrors, load_settings
from gateway.runtime.tls import check_tls


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=example("hongyan serve --config /etc/hongyan/hongyan.toml"))(serve)
    app.command(epilog=example("hongyan check --config /etc/hongyan/hongyan.toml"))(check)


def find_config(config: Path | None) -> Path | None:
    """The file named, or the default one if it exists, or None: embedded defaults."""
    if config is None and DEFAULT_CONFIG.exists():
        return DEFAULT_CONFIG
    return config


def read_store_url(config: Path | None) -> str:
    """The store that the config names; nothing else of it need be right, or readable to this user.

    Raises:
        SettingsErrors: which `main` shows line by line.
    """
    return load_settings(find_config(config), only=("store",)).store.url


def serve(
    config: Config = None,
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Add two simulated modems and a simulated SMSC.")
    ] = False,
    trace: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write down all that is said to modems, numbers and texts masked."),
    ] = None,
) -> None:
    """Run the gateway until Ctrl-C or SIGTERM.

    Without any config file it keeps its store in ./var, listens on 127.0.0.1:8080 and uses the modems that
    are plugged in, or simulated ones when there are none. SIGHUP opens the delivery log anew.
    """
    from gateway.runtime.daemon import run  # noqa: PLC0415 - loads the whole product
    from gateway.runtime.first_start import describe_sticks, with_sticks  # noqa: PLC0415
    from gateway.runtime.sticks import find_sticks  # noqa: PLC0415

    path = find_config(config)
    settings = load_settings(path)
    check_tls(settings, path)
    if path is None:
        sticks = find_sticks()
        if not simulate:
            settings = with_sticks(settings, sticks)
        simulate = not settings.modems
        for line in describe_sticks(sticks, simulated=simulate):
            say(line)
    try:
        run(settings, simulate=simulate, first_start=path is None, trace=trace)
    except OSError as error:
        raise Failure(_explain(error, settings)) from error


def check(config: Config = None) -> None:
    """Validate the config file.

    Names every fault and what to write instead.
    """
    path = find_config(config)
    try:
        settings = load_settings(path)
        check_tls(settings, path)
    except SettingsErrors as faults:
        print(faults)
        raise typer.Exit(1) from None
    n_modems, n_smpp = len(settings.modems), len(settings.smpp)
    print(f"{path or 'embedded defaults'}: good; {n_modems} modems, {n_smpp} SMPP accounts")


def _explain(error: OSError, settings: Settings) -> str:
    if error.errno == errno.EADDRINUSE and error.filename is None:
        return f"{settings.http.listen} is in use; stop what listens there, or write another http.listen"
    if error.errno == errno.EACCES and error.filename is None:
        return f"may not listen on {settings.http.listen}; write a port above 1023 as http.listen"
    where = f"{error.filename}: " if error.filename else ""
    return f"cannot start: {where}{error.strerror or error}"
