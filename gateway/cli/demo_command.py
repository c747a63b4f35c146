"""`hongyan demo`: its options; the demonstration itself is loaded only to run it."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.options import example


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=example("hongyan demo --modems 8 --messages 200"))(demo)


def demo(
    modems: Annotated[int, typer.Option(min=1, max=64, help="How many simulated modems.")] = 4,
    messages: Annotated[
        int, typer.Option(min=2, max=2_000, help="How many messages in the main part.")
    ] = 100,
) -> None:
    """Show the whole thing at work.

    Needs no hardware, no root and no config file. Ends by itself with a summary; exit 1 if its numbers do
    not add up.
    """
    from gateway.cli.demo import run_demo  # noqa: PLC0415 - aiohttp, rich and the simulators

    run_demo(modems, messages)
