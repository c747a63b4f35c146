"""The page of components, in development: what pages are made of, in both schemes and languages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from aiohttp import web

from gateway.console.cells import Badge, Cell, Code, Lines, Link, Step
from gateway.console.charts import Series, draw_bars, draw_lines
from gateway.console.forms import Form
from gateway.console.listing import Column, Filter, Listing, show_list
from gateway.console.page import Page, Visit
from gateway.errors import NotFound


async def show_components(visit: Visit) -> web.StreamResponse:
    """All of them.

    Raises:
        NotFound: this is no development.
    """
    if not visit.console.terms.develops:
        raise NotFound(visit.t("There is no such page."))
    now = visit.product.clock.now()
    hours = [f"{hour:02}:00" for hour in range(24)]
    values = [float(hour * hour % 17) for hour in range(24)]
    bars = draw_bars("Bars", hours, (Series("Good", "good", values), Series("Bad", "bad", values[::-1])))
    lines = draw_lines("Lines", hours, (Series("Main", "main", values), Series("Soft", "soft", values[::-1])))
    faulty = Form([("number", "123"), ("text", "你好")])
    faulty.faults["number"] = visit.t("give a number with its country, such as +8613800138000")

    async def load(limit: int, _after: str | None) -> Sequence[int]:
        return range(5)[:limit]

    cells: dict[str, Any] = {
        "Text": lambda n: f"row {n}",
        "Code": lambda n: Code(f"01J{n:023}"),
        "Badge": lambda n: Badge(
            ("good", "warn", "bad", "busy", "plain")[n], ("good", "warn", "bad", "busy", "")[n]
        ),
        "Figure": lambda n: n * 1234,
        "Time": lambda _n: now,
        "Link": lambda n: Link(f"link {n}", "/console/"),
        "Lines": lambda _n: Lines(("first", "second")),
    }
    listing = Listing[int](
        name="components",
        columns=[Column(title.lower(), title, cell, main=title == "Text") for title, cell in cells.items()],
        load=load,
        key=str,
        filters=(Filter("q", "Search", "search"), Filter("kind", "Choice", "select", (("a", "A"),))),
    )
    pairs: list[tuple[str, Cell]] = [(title, cell(1)) for title, cell in cells.items()]
    story = [Step(now, title, title, ("what it says",)) for title in ("good", "warn", "bad", "busy")]
    return await show_list(
        visit,
        listing,
        "components.html",
        bars=bars,
        lines=lines,
        pairs=pairs,
        story=story,
        faulty=faulty,
    )


PAGES: Final = (Page(path="/_components", handler=show_components),)
