"""How results look: tables for people, one JSON object a line for programs; diagnostics go to stderr."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from shutil import get_terminal_size
from typing import IO, Any
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


_PAINT = re.compile(r"\x1b\[\d+m")
_CONTROL = re.compile(r"\x1b(?!\[\d{1,2}m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]")


class Failure(Exception):
    """The command could not do it: one sentence that says what to do; exit 1."""


def open_private(path: Path, mode: str, **options: Any) -> IO[Any]:
    """Open a file to be written that holds what is told of people: a new one is readable for its owner alone."""
    return open(path, mode, opener=lambda name, flags: os.open(name, flags, 0o600), **options)


def say(text: str) -> None:
    """A diagnostic, to stderr; where nobody can read it any more, that stops nobody."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def print_json(value: object) -> None:
    """One value on one line."""
    print(msgspec.json.encode(value).decode(), flush=True)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table with nothing cut; the columns that a terminal has no room for stand on lines of their own."""
    cells = [[_cell(value) for value in row] for row in rows]
    if not sys.stdout.isatty():
        for line in align([[c.upper() for c in columns], *cells]):
            print(line)
        return
    for line in lay_out(columns, cells, get_terminal_size().columns):
        print(line)


def lay_out(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """A table for a terminal: as many columns side by side as fit, the rest named and indented below each row.

    An id, a state or a name is whole wherever it stands; only what is wider than the terminal is broken by it.
    """
    head = [column.upper() for column in columns]
    n = len(columns)
    while n > 1 and max(map(_width, align([row[:n] for row in [head, *rows]]))) > width:
        n -= 1
    lines = align([[*row[:n]] for row in [head, *rows]], paint_cells=True)
    shown = [f"\x1b[1m{lines[0]}\x1b[0m" if _has_colours() else lines[0]]
    for row, line in zip(rows, lines[1:], strict=True):
        shown.append(line)
        rest = [f"{name} {paint(cell)}" for name, cell in zip(columns[n:], row[n:], strict=True) if cell]
        shown += [f"    {folded}" for folded in fold(rest, width - 4)]
    return shown


def fold(parts: Iterable[str], width: int) -> list[str]:
    """Parts, two spaces between them, in lines of that width; no part is broken that fits one."""
    lines: list[str] = []
    for part in parts:
        if lines and _width(lines[-1]) + 2 + _width(part) <= width:
            lines[-1] += f"  {part}"
        else:
            lines.append(part)
    return lines


def align(rows: Sequence[Sequence[str]], *, paint_cells: bool = False) -> list[str]:
    """Rows as lines with two spaces between columns."""
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            (paint(cell) if paint_cells else cell) + " " * (w - _width(cell))
            for cell, w in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]


def paint(word: str) -> str:
    """A status in its colour, when a terminal shows it."""
    codes = {"green": 32, "cyan": 36, "dim": 2, "yellow": 33, "red": 31}
    colour = _COLOURS.get(word)
    return f"\x1b[{codes[colour]}m{word}\x1b[0m" if colour and _has_colours() else word


def _has_colours() -> bool:
    """Whether who reads stdout sees colours, and has not said that he wants none (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def local_time(rfc3339: str | None, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """An API time by this machine's clock; empty for none."""
    return datetime.fromisoformat(rfc3339).astimezone().strftime(form) if rfc3339 else ""


def describe_error(error: Mapping[str, Any] | None) -> str:
    """An API error object in one line."""
    return f"{error['code']}: {error['detail']}" if error else ""


def _cell(value: object) -> str:
    return "" if value is None else plain(str(value))


def plain(text: str) -> str:
    """A text without what a terminal would obey: anybody may have written it. Colours of ours stay."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def _width(text: str) -> int:
    """Columns on a terminal: Chinese characters take two."""
    return sum(2 if east_asian_width(c) in "WF" else 1 for c in _PAINT.sub("", text))
