"""Charts as SVG, drawn on the server: no script and no style of their own, and readable as a table as well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

WIDTH: Final = 720
HEIGHT: Final = 200
_LEFT: Final = 44
_BOTTOM: Final = 24
_TOP: Final = 10


class Series(NamedTuple):
    """Figures of one kind, one for each point of time.

    Args:
        label: in English.
        tone: its colour: ``main``, ``good``, ``bad``, or ``soft``.
        values: None where there is none.
    """

    label: str
    tone: str
    values: Sequence[float | None]


class Bar(NamedTuple):
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float
    tone: str
    value: float
    at: str


class Tick(NamedTuple):
    """A mark of an axis."""

    place: float
    label: str


class Chart(NamedTuple):
    """What a template draws.

    Args:
        points: what stands below each point of time.
        lines: the tone and the points of each series' line, in pieces where a value is missing.
    """

    title: str
    series: Sequence[Series]
    points: Sequence[str]
    bars: Sequence[Bar]
    lines: Sequence[tuple[str, Sequence[str]]]
    rows: Sequence[Tick]
    columns: Sequence[Tick]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not any(value for one in self.series for value in one.values)


def draw_bars(title: str, points: Sequence[str], series: Sequence[Series]) -> Chart:
    """Bars, those of one point of time on top of each other."""
    totals = [sum(one.values[i] or 0 for one in series) for i in range(len(points))]
    top = _round_up(max(totals, default=0))
    step = (WIDTH - _LEFT) / max(1, len(points))
    bars: list[Bar] = []
    for i, point in enumerate(points):
        below = 0.0
        for one in series:
            value = one.values[i] or 0
            if value:
                height = value / top * _span()
                y = HEIGHT - _BOTTOM - below - height
                x = _LEFT + i * step + step * 0.12
                bars.append(
                    Bar(
                        round(x, 1),
                        round(y, 1),
                        round(step * 0.76, 1),
                        round(height, 1),
                        one.tone,
                        value,
                        point,
                    )
                )
                below += height
    return Chart(title, series, points, bars, (), _rows(top), _columns(points, step))


def draw_lines(
    title: str, points: Sequence[str], series: Sequence[Series], top: float | None = None
) -> Chart:
    """A line for each series.

    Args:
        top: of the axis, such as 100 for percents; None for what the values need.
    """
    most = top or _round_up(max((value for one in series for value in one.values if value), default=0))
    step = (WIDTH - _LEFT) / max(1, len(points))
    lines = [(one.tone, _pieces(one.values, most, step)) for one in series]
    return Chart(title, series, points, (), lines, _rows(most), _columns(points, step))


def _pieces(values: Sequence[float | None], top: float, step: float) -> list[str]:
    pieces: list[list[str]] = [[]]
    for i, value in enumerate(values):
        if value is None:
            pieces.append([])
        else:
            y = HEIGHT - _BOTTOM - min(1.0, value / top) * _span()
            pieces[-1].append(f"{_LEFT + (i + 0.5) * step:.1f},{y:.1f}")
    return [" ".join(piece) for piece in pieces if piece]


def _rows(top: float) -> list[Tick]:
    return [
        Tick(
            round(HEIGHT - _BOTTOM - share * _span(), 1),
            f"{top * share:,.4g}" if top < 10_000 else f"{top * share:,.0f}",
        )
        for share in (0.0, 0.5, 1.0)
    ]


def _columns(points: Sequence[str], step: float) -> list[Tick]:
    every = max(1, -(-len(points) // 8))
    return [
        Tick(round(_LEFT + (i + 0.5) * step, 1), point) for i, point in enumerate(points) if i % every == 0
    ]


def _span() -> int:
    return HEIGHT - _BOTTOM - _TOP


def _round_up(value: float) -> float:
    """The top of an axis: 1, 2, 5 times a power of ten.

    >>> _round_up(0), _round_up(7), _round_up(1234)
    (1.0, 10.0, 2000.0)
    """
    power = 1.0
    while power * 10 <= value:
        power *= 10
    return next(power * step for step in (1, 2, 5, 10) if value <= power * step)
