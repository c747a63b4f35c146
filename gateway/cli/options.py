"""Options that many commands share, and values that people type."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from gateway.runtime.forms import BadValue, parse_duration

DEFAULT_URL = "http://127.0.0.1:8080"

Url = Annotated[str, typer.Option("--url", envvar="HONGYAN_URL", help="Where the gateway listens.")]
Key = Annotated[str, typer.Option("--key", envvar="HONGYAN_KEY", help="API key.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs.")]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="Config file. [default: /etc/hongyan/hongyan.toml, if it exists]",
        show_default=False,
    ),
]


def make_app(text: str) -> typer.Typer:
    """A group of commands, all with the same manners."""
    return typer.Typer(
        help=text,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,
    )


def read_duration(text: str) -> float:
    """``90s``, ``10m``, ``2h``, ``1d`` in seconds; anything else is a usage error."""
    try:
        return parse_duration(text)
    except BadValue as error:
        raise typer.BadParameter(str(error)) from None


def read_instant(text: str, now: datetime) -> datetime:
    """An instant: ``2026-12-24T08:00`` by this machine's clock, the same with an offset, or ``+2h`` from now."""
    if text.startswith("+"):
        return now + timedelta(seconds=read_duration(text[1:]))
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise typer.BadParameter(f'"{text}" is no time; write 2026-12-24T08:00, or +2h from now') from None
