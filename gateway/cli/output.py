"""How results look: tables for people, one JSON object a line for programs; diagnostics go to stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any
from unicodedata import east_asian_width

import msgspec

_COLOURS = {
    "delivered": "green",
    "up": "green",
    "sent": "cyan",
    "sending": "cyan",
    "starting": "cyan",
    "scheduled": "dim",
    "queued": "dim",
    "uncertain": "yellow",
    "paused": "yellow",
    "draining": "yellow",
    "undelivered": "red",
    "failed": "red",
    "expired": "red",
    "blocked": "red",
    "down": "red",
    "stopped": "red",
}


class Failure(Exception):
    """The command could not do it: one sentence that says what to do; exit 1."""


def say(text: str) -> None:
    """A diagnostic, to stderr; where nobody can read it any more, that stops nobody."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def print_json(value: object) -> None:
    """One value on one line."""
    print(msgspec.json.encode(value).decode(), flush=True)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table: drawn on a terminal, plain aligned columns elsewhere (nothing is cut there)."""
    cells = [[_cell(value) for value in row] for row in rows]
    if not sys.stdout.isatty():
        for line in align([[c.upper() for c in columns], *cells]):
            print(line)
        return
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - only for a terminal
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(*columns, box=SIMPLE_HEAD, pad_edge=False)
    for row in cells:
        table.add_row(*(Text(cell, style=_COLOURS.get(cell, "")) for cell in row))
    Console().print(table)


def align(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines with two spaces between columns."""
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell + " " * (w - _width(cell)) for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def paint(word: str) -> str:
    """A status in its colour, when a terminal shows it."""
    codes = {"green": 32, "cyan": 36, "dim": 2, "yellow": 33, "red": 31}
    colour = _COLOURS.get(word)
    return f"\x1b[{codes[colour]}m{word}\x1b[0m" if colour and sys.stdout.isatty() else word


def local_time(rfc3339: str | None, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """An API time by this machine's clock; empty for none."""
    return datetime.fromisoformat(rfc3339).astimezone().strftime(form) if rfc3339 else ""


def describe_error(error: Mapping[str, Any] | None) -> str:
    """An API error object in one line."""
    return f"{error['code']}: {error['detail']}" if error else ""


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def _width(text: str) -> int:
    """Columns on a terminal: Chinese characters take two."""
    return sum(2 if east_asian_width(c) in "WF" else 1 for c in text)
