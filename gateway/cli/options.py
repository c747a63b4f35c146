"""Options that many commands share, and values that people type."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from gateway.settings.forms import BadValue, parse_duration

DEFAULT_URL = "http://127.0.0.1:8080"

Url = Annotated[str, typer.Option("--url", envvar="HONGYAN_URL", help="Where the gateway listens.")]
Key = Annotated[
    str,
    typer.Option(
        "--key",
        envvar="HONGYAN_KEY",
        help="API key, or @FILE that holds it. HONGYAN_KEY keeps it out of lists of processes.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs.")]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="Config file. [default: /etc/hongyan/hongyan.toml, if it exists]",
        show_default=False,
        readable=False,  # whoever reads it says why not: that is no wrong usage
    ),
]


def make_app(text: str, line: str) -> typer.Typer:
    """A group of commands, all with the same manners.

    Args:
        text: what it is for.
        line: an example.
    """
    return typer.Typer(
        help=text,
        epilog=example(line),
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,  # its options would ask which shell started us; see `hongyan completion`
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def example(line: str) -> str:
    """The end of a command's help: one line to copy, never wrapped."""
    return f"\b\nExample:\n  {line}"


def read_text(text: str) -> str:
    """A text from the command line; ``-`` is what stdin holds, to its last line's end."""
    if text != "-":
        return text
    try:
        # A byte order mark, as some editors put before a text, would make it UCS-2.
        return sys.stdin.read().removeprefix("\ufeff").rstrip("\n")
    except UnicodeDecodeError as error:
        detail = f"what stdin holds is not {error.encoding}; convert it first, such as by iconv"
        raise typer.BadParameter(detail, param_hint="TEXT") from None


def read_duration(text: str, option: str) -> float:
    """``90s``, ``10m``, ``2h``, ``1d`` in seconds; anything else is a usage error of that option."""
    try:
        return parse_duration(text)
    except BadValue as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


def read_instant(text: str, option: str, now: datetime) -> datetime:
    """An instant: ``2026-12-24T08:00`` by this machine's clock, the same with an offset, or ``+2h`` from now."""
    if text.startswith("+"):
        return now + timedelta(seconds=read_duration(text[1:], option))
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        detail = f'"{text}" is no time; write 2026-12-24T08:00, or +2h from now'
        raise typer.BadParameter(detail, param_hint=option) from None


def read_past(text: str | None, option: str) -> str | None:
    """An instant that is over, for the API: ``2026-12-24T08:00`` by this machine's clock, or ``2h`` for so long ago."""
    if not text:
        return None
    now = datetime.now(UTC)
    try:
        return (now - timedelta(seconds=parse_duration(text.removeprefix("-")))).isoformat()
    except BadValue:
        pass
    try:
        return datetime.fromisoformat(text).astimezone().isoformat()
    except ValueError:
        detail = f'"{text}" is no time; write 2026-12-24T08:00, or 90s, 10m, 2h, 3d for so long ago'
        raise typer.BadParameter(detail, param_hint=option) from None
