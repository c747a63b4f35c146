"""Rows of the table "Figures": what was measured, beside what it was in version 0.1.0 and what it shall be."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Row(NamedTuple):
    """One figure, measured some times.

    Args:
        what: it is.
        before: what version 0.1.0 had, in words.
        goal: which the median shall reach.
        values: one of each round.
        unit: of all of them.
        at_least: whether more is better.
    """

    what: str
    before: str
    goal: float | None
    values: Sequence[float]
    unit: str = ""
    at_least: bool = False

    @property
    def median(self) -> float:
        """Of all rounds."""
        return statistics.median(self.values)

    @property
    def verdict(self) -> str:
        """Whether the goal is reached; if not, how far it is."""
        if self.goal is None:
            return ""
        share = self.median / self.goal
        reached = share >= 1 if self.at_least else share <= 1
        return "reached" if reached else f"{share:.2f} of goal"


_HEADS = ("what", "0.1.0", "goal", "now: each", "median", "")


def show_rows(rows: Iterable[Row]) -> None:
    """Print them as a table."""
    lines = [_HEADS, *(_format(row) for row in rows)]
    widths = [max(len(line[n]) for line in lines) for n in range(len(_HEADS))]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print(" | ".join(cells).rstrip(), flush=True)


def _format(row: Row) -> tuple[str, ...]:
    goal = "" if row.goal is None else f"{'>=' if row.at_least else '<='} {_number(row.goal)}"
    what = f"{row.what} [{row.unit}]" if row.unit else row.what
    each = " ".join(_number(value) for value in row.values)
    return what, row.before, goal, each, _number(row.median), row.verdict


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"
