"""What stands in a cell of a table: a text, an instant, a figure, or one of these; on the page and in a CSV file."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple


class Link(NamedTuple):
    """A text that leads to another page."""

    text: str
    href: str


class Badge(NamedTuple):
    """A word for a state.

    Args:
        word: in English, as programs know it; pages translate it.
        tone: ``good``, ``warn``, ``bad``, ``busy`` or empty.
    """

    word: str
    tone: str = ""


class Code(NamedTuple):
    """An id, a code or a number, in letters of one width."""

    text: str


class Lines(NamedTuple):
    """Several texts, one below the other; the first is what matters."""

    texts: tuple[str, ...]


class Step(NamedTuple):
    """One thing that happened, for `ui.story`.

    Args:
        tone: as of a badge.
        notes: lines below the title; empty ones are left out.
    """

    at: datetime
    title: str
    tone: str
    notes: tuple[str, ...]


Cell = str | int | float | datetime | Link | Badge | Code | Lines | None

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def cell_text(cell: Cell) -> str:
    """A cell as a file has it; what a spreadsheet would take for a formula begins with an apostrophe.

    >>> cell_text("=1+1"), cell_text("+8613800138000"), cell_text(None), cell_text(Link("a", "/b"))
    ("'=1+1", '+8613800138000', '', 'a')
    """
    match cell:
        case None:
            return ""
        case datetime():
            return f"{cell:%Y-%m-%dT%H:%M:%SZ}"
        case Link() | Code():
            text = cell.text
        case Badge():
            text = cell.word
        case Lines():
            text = " ".join(cell.texts)
        case _:
            text = str(cell)
    harmless = isinstance(cell, int | float) or (text.startswith("+") and text[1:].isdigit())
    return text if harmless or not text.startswith(_FORMULA) else f"'{text}"


def kind_of_cell(cell: Cell) -> str:
    """The name of its form, for the template."""
    match cell:
        case None:
            return "none"
        case datetime():
            return "time"
        case bool() | int() | float():
            return "figure"
        case str():
            return "text"
        case _:
            return type(cell).__name__.lower()
