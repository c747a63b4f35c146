"""Tables: their columns once, for the page and for a file; walked through by cursor, narrowed by the address."""

from __future__ import annotations

import csv
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from io import StringIO
from typing import Any, Final, Generic, NamedTuple, TypeVar

from aiohttp import web

from gateway.access.permissions import Permission
from gateway.console.cells import Cell, cell_text
from gateway.console.page import NotAllowed, Visit
from gateway.http.query import make_page, read_cursor

Item = TypeVar("Item")

PAGE: Final = 50
"""Rows on a page."""
TEXT_CHARS: Final = 80
"""Of a text on a page."""
CHUNK: Final = 500
MOST_ROWS: Final = 100_000
"""Of one file; its last line says so when there were more."""


class Column(NamedTuple, Generic[Item]):
    """One column.

    Args:
        name: in files; as the API calls it.
        title: on the page; in English, said in the visitor's language.
        cell: what stands in it.
        main: what a row is known by: on a phone it is the head of a card.
    """

    name: str
    title: str
    cell: Callable[[Item], Cell]
    main: bool = False


class Filter(NamedTuple):
    """One field above a table, which narrows it.

    Args:
        name: in the address.
        label: in English.
        kind: of the field: ``search``, ``text``, ``datetime-local``, or ``select``.
        choices: value -> label in English, for ``select``; an empty one is added.
        otherwise: what the list shows where nothing is chosen.
    """

    name: str
    label: str
    kind: str = "text"
    choices: tuple[tuple[str, str], ...] = ()
    otherwise: str = "all"


@dataclass(kw_only=True)
class Listing(Generic[Item]):
    """A table of things.

    Args:
        name: of the file, and the table's id on the page.
        load: up to so many rows behind a place, None for the first, in an order that does not change.
        key: a row's place.
        by_id: places are ids.
    """

    name: str
    columns: Sequence[Column[Item]]
    load: Callable[[int, str | None], Awaitable[Sequence[Item]]]
    key: Callable[[Item], str]
    by_id: bool = True
    filters: Sequence[Filter] = ()
    empty: str = "Nothing here yet."


@dataclass(slots=True, kw_only=True)
class Table:
    """One page of a listing, for the template.

    Args:
        rows: each with what it shows and what it is.
        next_href: the page behind this one; None for the last.
        first_href: the first page; None on it.
        csv_href: the whole list as a file; None where the visitor may not have it.
    """

    name: str
    columns: Sequence[Column[Any]]
    rows: Sequence[tuple[Sequence[Cell], Any]]
    filters: Sequence[Filter] = ()
    values: dict[str, str] = field(default_factory=dict)
    next_href: str | None = None
    first_href: str | None = None
    csv_href: str | None = None
    empty: str = ""

    @property
    def is_narrowed(self) -> bool:
        """Whether a filter is set."""
        return any(self.values.values())


async def show_list(visit: Visit, listing: Listing[Item], template: str, **values: Any) -> web.StreamResponse:
    """The page of a listing; or its file, where the address asks for one."""
    if is_file(visit):
        return await send_csv(visit, listing)
    return visit.render(template, table=await load_table(visit, listing), **values)


async def load_table(visit: Visit, listing: Listing[Item], limit: int = PAGE) -> Table:
    """The part of a listing that the address names.

    Raises:
        InvalidRequest: its cursor is none of ours.
    """
    after = read_cursor(visit.query.get("cursor") or None, ids=listing.by_id)
    rows, cursor = make_page(await listing.load(limit + 1, after), limit, listing.key)
    cells = [([column.cell(row) for column in listing.columns], row) for row in rows]
    return Table(
        name=listing.name,
        columns=listing.columns,
        rows=cells,
        filters=listing.filters,
        values={one.name: visit.query.get(one.name, "") for one in listing.filters},
        next_href=visit.address(cursor=cursor) if cursor else None,
        first_href=visit.address(cursor=None) if after else None,
        csv_href=visit.address(format="csv", cursor=None) if may_export(visit) else None,
        empty=listing.empty,
    )


def is_file(visit: Visit) -> bool:
    """Whether the address asks for a list as a file."""
    return visit.query.get("format") == "csv"


def cut_text(visit: Visit, text: str | None) -> str | None:
    """A text as a list has it: its beginning on the page, and all of it in a file."""
    if text is None or len(text) <= TEXT_CHARS or is_file(visit):
        return text
    return f"{text[:TEXT_CHARS]}…"


def at_utc(text: str) -> str:
    """What a field for a time holds, which has no zone, as a time in UTC.

    >>> at_utc("2026-01-02T03:04"), at_utc("2026-01-02T03:04:05Z")
    ('2026-01-02T03:04:00Z', '2026-01-02T03:04:05Z')
    """
    if text.endswith("Z"):
        return text
    return f"{text}Z" if text.count(":") > 1 else f"{text}:00Z"


def may_export(visit: Visit) -> bool:
    """Whether the visitor may take whole lists out."""
    return visit.principal.may_somewhere(Permission.LISTS_EXPORT)


async def send_csv(visit: Visit, listing: Listing[Item]) -> web.StreamResponse:
    """The whole list, as narrowed, as a file; put on record.

    Raises:
        NotAllowed: the visitor may not have it.
    """
    if not may_export(visit):
        raise NotAllowed("your roles do not allow taking out whole lists")
    await visit.audit("list.exported", listing.name)
    name = f"{listing.name}-{visit.product.clock.now():%Y%m%d-%H%M%S}.csv"
    response = web.StreamResponse(
        headers={
            "Content-Type": "text/csv; charset=utf-8",
            "Content-Disposition": f'attachment; filename="{name}"',
        }
    )
    await response.prepare(visit.request)
    # With its mark in front spreadsheets read Chinese as UTF-8.
    await response.write("\ufeff".encode() + _lines([[column.name for column in listing.columns]]))
    n_rows, after = 0, None
    while rows := await listing.load(CHUNK, after):
        kept = rows[: MOST_ROWS - n_rows]
        await response.write(
            _lines([cell_text(column.cell(row)) for column in listing.columns] for row in kept)
        )
        n_rows, after = n_rows + len(kept), listing.key(rows[-1])
        if n_rows >= MOST_ROWS:
            await response.write(_lines([[f"cut at {MOST_ROWS} rows; narrow the list"]]))
            break
        if len(rows) < CHUNK:
            break
    await response.write_eof()
    return response


def _lines(rows: Any) -> bytes:
    file = StringIO()
    csv.writer(file).writerows(rows)
    return file.getvalue().encode()
