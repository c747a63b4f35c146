"""The console script `hongyan`: puts the families of commands together and turns failures into exit codes.

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Annotated

import typer

from gateway.cli import (
    channels,
    db,
    demo_command,
    doctor,
    keys,
    messages,
    preview,
    send,
    serve,
    simulate,
    smpp_account,
    suppress,
    tail,
)
from gateway.cli.options import make_app
from gateway.cli.output import Failure, say
from gateway.errors import GatewayError

FAMILIES = (
    serve,
    demo_command,
    send,
    preview,
    messages,
    tail,
    channels,
    suppress,
    keys,
    smpp_account,
    db,
    doctor,
    simulate,
)
"""In the order of the help; each adds its commands with ``register(app)``."""

app = make_app("Self-hosted SMS gateway: USB modems and SMPP accounts behind one dependable HTTP API.")


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
    if isinstance(sys.stdout, TextIOWrapper):
        # Texts may hold what the terminal's encoding does not.
        sys.stdout.reconfigure(errors="backslashreplace")
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
    return 0
