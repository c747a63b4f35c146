"""`hongyan serve` and `hongyan check`: the daemon and its config file."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.options import Config, example
from gateway.cli.output import Failure, say
from gateway.files import why_unreadable
from gateway.runtime.tls import check_tls
from gateway.settings.config import DEFAULT_CONFIG, Settings, SettingsErrors, load_settings
from gateway.settings.store import StoreSettings


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=example("hongyan serve --config /etc/hongyan/hongyan.toml"))(serve)
    app.command(epilog=example("hongyan check --config /etc/hongyan/hongyan.toml"))(check)


def find_config(config: Path | None) -> Path | None:
    """The file named, or the default one if it exists, or None: embedded defaults.

    One that is there and closed to this user is no reason to go on without it.
    """
    if config is not None:
        return config
    try:
        DEFAULT_CONFIG.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        pass
    return DEFAULT_CONFIG


def read_store(config: Path | None) -> StoreSettings:
    """The store that the config names; nothing else of it need be right, or readable to this user.

    Raises:
        SettingsErrors: which `main` shows line by line.
    """
    return load_settings(find_config(config), only=("store",)).store


def serve(
    config: Config = None,
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Add two simulated modems and a simulated SMSC.")
    ] = False,
    trace: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write all that modems are told and say into this file, numbers and texts masked.",
        ),
    ] = None,
) -> None:
    """Run the gateway until Ctrl-C or SIGTERM.

    Without any config file it keeps its store in ./var, listens on 127.0.0.1:8080 and uses the modems that
    are plugged in, or simulated ones when there are none. SIGHUP opens the delivery log anew and reads the config
    anew, as `hongyan reload` does.
    """
    from gateway.doctor.sticks import find_sticks  # noqa: PLC0415
    from gateway.runtime.daemon import run  # noqa: PLC0415 - loads the whole product
    from gateway.runtime.first_start import describe_sticks, with_sticks  # noqa: PLC0415

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
        run(settings, source=path, simulate=simulate, trace=trace)
    except OSError as error:
        raise Failure(_explain(error, settings)) from error


def check(config: Config = None) -> None:
    """Validate the config file.

    Names every fault and what to write instead, and exits 1 if there is one. Warns of what works but is hardly
    meant, such as a password that everybody may read. With warnings alone it exits 0.
    """
    from gateway.settings.doubts import find_doubts  # noqa: PLC0415 - for this command only

    path = find_config(config)
    try:
        settings = load_settings(path)
        check_tls(settings, path)
    except SettingsErrors as faults:
        print(faults)
        raise typer.Exit(1) from None
    doubts = find_doubts(settings, path) if path else []
    for doubt in doubts:
        print(f"{path}:{doubt.key_path + ':' if doubt.key_path else ''} warning: {doubt.reason}")
    n_modems, n_smpp = len(settings.modems), len(settings.smpp)
    but = f"; {len(doubts)} warning{'s' * (len(doubts) > 1)}" if doubts else ""
    modems, accounts = (
        f"{n_modems} modem{'s' * (n_modems != 1)}",
        f"{n_smpp} SMPP account{'s' * (n_smpp != 1)}",
    )
    print(f"{path or 'embedded defaults'}: good; {modems}, {accounts}{but}")


def _explain(error: OSError, settings: Settings) -> str:
    """Why it can't start and what to do, by what is true of the address or the file."""
    where = str(error.filename or settings.http.listen)
    is_server = error.filename is None or where.startswith("smpp_server ")
    if not is_server:
        return f"cannot start: {where}: {why_unreadable(Path(where), error)}"
    key = "smpp_server.listen" if error.filename else "http.listen"
    where = where.removeprefix("smpp_server ")
    match error:
        case OSError(errno=int(code)) if code < 0:  # the resolver's own codes
            return f"no address is known for the host of {where}; write an address of this machine as {key}"
        case OSError(errno=errno.EADDRINUSE):
            return f"{where} is in use; stop what listens there, or write another {key}"
        case OSError(errno=errno.EACCES):
            return f"may not listen on {where}; write a port above 1023 as {key}"
        case OSError(errno=errno.EADDRNOTAVAIL):
            return f"{where} is no address of this machine; write one of its own as {key}, such as 127.0.0.1"
        case _:
            return f"cannot start: {where}: {error.strerror or error}"
