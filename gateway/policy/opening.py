"""Opening: the stretches of time in which the clocks of all zones of a recipient show an hour that is allowed. Pure.

What counts is what the clock on a wall shows, with the date beside it. Where clocks are put forward, hours that begin
in the gap begin at its end; where they are put back, an hour that is shown twice is allowed, or forbidden, twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final, NamedTuple

_DAY_S: Final = 86_400
_STEP_S: Final = 3_600
_EPOCH: Final = date(1970, 1, 1)
_MOST_KEPT: Final = 5_000
"""Days with their zones that are remembered."""
WORKING_DAYS: Final = frozenset(range(5))
"""Monday to Friday."""
LOOK_AHEAD_DAYS: Final = 15
"""So far ahead the next opening is looked for: 14 days from any hour of the first."""

Span = tuple[int, int]
"""From and to, in seconds since 1970; the end is no longer in it."""


class Hours(NamedTuple):
    """Parts of some days of the week.

    Args:
        weekdays: 0 for Monday.
        windows: minutes after midnight, from and to; one that ends before it begins, or when it begins, ends on the
            next day, whatever day that is.
    """

    weekdays: frozenset[int]
    windows: tuple[tuple[int, int], ...]


class Holidays(NamedTuple):
    """Days of one country that are not what their weekday says.

    Args:
        country_code: of the numbers for which they hold; empty for all.
        off: nothing is allowed.
        work: weekends on which people work: as on the days from Monday to Friday.
    """

    country_code: str
    off: frozenset[date]
    work: frozenset[date]

    def hold_for(self, number: str) -> bool:
        """Whether they are those of a number; a short code has those of all countries."""
        return not number.startswith("+") or number.startswith(self.country_code, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """When something is allowed.

    Args:
        hours: a day on which several hold has the windows of all.
        holidays: of any number of countries.
    """

    hours: tuple[Hours, ...]
    holidays: tuple[Holidays, ...] = ()
    _kept: dict[tuple[object, ...], tuple[Span, ...]] = field(default_factory=dict, repr=False, compare=False)

    def next_span(self, at_s: int, zones: Sequence[tzinfo], number: str = "+") -> Span | None:
        """The stretch that holds an instant, or the next one behind it; None within `LOOK_AHEAD_DAYS`.

        Args:
            at_s: seconds since 1970.
            zones: it must be allowed in all of them.
            number: whose holidays count.
        """
        holidays = tuple(n for n, one in enumerate(self.holidays) if one.hold_for(number))
        zones, first = tuple(zones), at_s // _DAY_S
        for day in range(first, first + LOOK_AHEAD_DAYS):
            for start, end in self._of_day(day, zones, holidays):
                if end > at_s:
                    return start, self._prolong(end, zones, holidays)
        return None

    def _prolong(self, end: int, zones: tuple[tzinfo, ...], holidays: tuple[int, ...]) -> int:
        """The end of a stretch that may go on at the midnight of UTC; a day more is enough to know."""
        if (
            end % _DAY_S == 0
            and (spans := self._of_day(end // _DAY_S, zones, holidays))
            and spans[0][0] == end
        ):
            return spans[0][1]
        return end

    def _of_day(self, day: int, zones: tuple[tzinfo, ...], holidays: tuple[int, ...]) -> tuple[Span, ...]:
        """What is allowed in one day of UTC, in order."""
        key = (day, zones, holidays)
        found = self._kept.get(key)
        if found is None:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            spans: list[Span] = [(day * _DAY_S, (day + 1) * _DAY_S)]
            for zone in zones:
                spans = _both(spans, self._in_zone(day, zone, holidays))
            found = self._kept[key] = tuple(spans)
        return found

    def _in_zone(self, day: int, zone: tzinfo, holidays: tuple[int, ...]) -> list[Span]:
        spans: list[Span] = []
        for start, end, offset in _steady(day * _DAY_S, (day + 1) * _DAY_S, zone):
            # By the clock on the wall, as seconds since its 1970.
            spans += [
                (max(opens - offset, start), min(closes - offset, end))
                for opens, closes in self._on_wall(start + offset, end + offset, holidays)
            ]
        return _joined(spans)

    def _on_wall(self, start: int, end: int, holidays: tuple[int, ...]) -> Iterator[Span]:
        """Windows that reach into a stretch of the wall's time."""
        for day in range(start // _DAY_S - 1, (end - 1) // _DAY_S + 1):
            for opens, closes in self._windows(day, holidays):
                opens_s = day * _DAY_S + opens * 60
                closes_s = day * _DAY_S + (closes if closes > opens else closes + 1_440) * 60
                if opens_s < end and closes_s > start:
                    yield opens_s, closes_s

    def _windows(self, day: int, holidays: tuple[int, ...]) -> Iterator[tuple[int, int]]:
        """Those that begin on a day."""
        on = _EPOCH + timedelta(days=day)
        if any(on in self.holidays[n].off for n in holidays):
            return
        works = any(on in self.holidays[n].work for n in holidays)
        for weekdays, windows in self.hours:
            if not weekdays.isdisjoint(WORKING_DAYS) if works else on.weekday() in weekdays:
                yield from windows


def _steady(start: int, end: int, zone: tzinfo) -> Iterator[tuple[int, int, int]]:
    """Parts of a stretch in which clocks are not changed, each with its offset."""
    begun, offset, at = start, _offset(start, zone), start
    while at < end:
        ahead = min(at + _STEP_S, end)
        if (changed := _offset(ahead, zone)) != offset:
            low, high = at, ahead  # the offset is the old one at low, and another at high
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if _offset(middle, zone) == offset else (low, middle)
            if begun < high:
                yield begun, high, offset
            begun, offset = high, changed
        at = ahead
    if begun < end:
        yield begun, end, offset


def _offset(at_s: int, zone: tzinfo) -> int:
    offset = datetime.fromtimestamp(at_s, UTC).astimezone(zone).utcoffset()
    return 0 if offset is None else round(offset.total_seconds())


def _joined(spans: list[Span]) -> list[Span]:
    """Those that overlap, or meet, as one; in order."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if start >= end:
            continue
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def _both(some: list[Span], others: list[Span]) -> list[Span]:
    """What lies in both lists, which are in order."""
    found, i, j = [], 0, 0
    while i < len(some) and j < len(others):
        start, end = max(some[i][0], others[j][0]), min(some[i][1], others[j][1])
        if start < end:
            found.append((start, end))
        if some[i][1] < others[j][1]:
            i += 1
        else:
            j += 1
    return found
