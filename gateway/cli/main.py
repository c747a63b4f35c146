"""The console script `hongyan`: puts the families of commands together and turns failures into exit codes.

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Annotated

import typer

from gateway.cli import (
    alarms,
    alerts,
    audit,
    channels,
    check_message,
    completion,
    consent,
    costs,
    db,
    demo_command,
    doctor,
    inbound,
    keys,
    messages,
    numbers,
    preview,
    reload,
    reviews,
    route,
    send,
    serve,
    simulate,
    smpp_account,
    subject,
    suppress,
    tail,
    users,
    webhooks,
)
from gateway.cli.options import make_app
from gateway.cli.output import Failure, say
from gateway.errors import GatewayError

FAMILIES = (
    serve,
    demo_command,
    send,
    preview,
    check_message,
    messages,
    tail,
    inbound,
    channels,
    alarms,
    alerts,
    costs,
    suppress,
    consent,
    numbers,
    reviews,
    subject,
    route,
    webhooks,
    reload,
    keys,
    users,
    smpp_account,
    audit,
    db,
    doctor,
    simulate,
    completion,
)
"""In the order of the help; each adds its commands with ``register(app)``."""

_NOT_WRITTEN = {errno.EPIPE, errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EBADF}
"""What stdout fails with: nobody reads on, its terminal was closed, there is no room."""

app = make_app(
    "Self-hosted SMS gateway: USB modems and SMPP accounts behind one dependable HTTP API.",
    "hongyan send +8613900139000 'hello' --wait",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - rarely asked for

        print(f"hongyan {version('hongyan')}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    pass


for _family in FAMILIES:
    _family.register(app)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    hold_standard_streams()
    if isinstance(sys.stdout, TextIOWrapper):
        # Texts may hold what the terminal's encoding does not.
        sys.stdout.reconfigure(errors="backslashreplace")
    code = _run(argv)
    try:
        sys.stdout.flush()
    except OSError as error:
        code = _results_lost(error)
    return code


def _run(argv: Sequence[str] | None) -> int:
    try:
        app(args=argv, prog_name="hongyan")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except (Failure, GatewayError) as failure:
        say(str(failure))
        return 1
    except UnicodeEncodeError:  # what is no UTF-8 on the command line comes as lone surrogates
        say("something on the command line is not UTF-8; look at the terminal's encoding (LANG)")
        return 2
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        # What a command does with files and links it explains itself; what is left are its results.
        if error.errno not in _NOT_WRITTEN:
            raise
        return _results_lost(error)
    return 0


def hold_standard_streams() -> None:
    """Open what was closed of stdin, stdout and stderr (``>&-``): else the next file takes its place.

    What is printed would then be written into that file, and that file may be the store.
    """
    for fd, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest that is free, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(fd, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - for good


def _results_lost(error: OSError) -> int:
    """Nobody reads on (``| head``), which needs no word, or there is no room; what is left is thrown away."""
    if error.errno != errno.EPIPE:
        say(f"cannot write the results: {error.strerror or error}")
    with contextlib.suppress(OSError, ValueError):  # or Python itself complains when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
