"""``[[hours]]``: when messages of which kind may go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Annotated, Final, Literal

import msgspec

from gateway.model.message import Category
from gateway.policy.opening import Hours, Opening
from gateway.policy.rules.hours import EXEMPT, HoursOf, HoursRule
from gateway.policy.zones import Zones
from gateway.routing.periods import ActiveHours
from gateway.settings.calendar import HolidayFile, load_zones, parse_holidays
from gateway.settings.forms import BadValue, Form, list_of, one_of, parse_duration, parse_filled
from gateway.settings.times import parse_times, parse_weekdays, parse_zone

MOST_TABLES: Final = 100
RECIPIENT: Final = None
"""The zone of whoever gets the message."""
LONGEST_SPREAD_S: Final = 86_400.0
EVERY_DAY: Final = frozenset(range(7))
_SURVEYED_DAYS: Final = 400
_LONGEST_WAIT: Final = timedelta(days=14)
_DAY_S: Final = 86_400


def _parse_zone(value: object) -> tzinfo | None:
    if value == "recipient":
        return RECIPIENT
    try:
        return parse_zone(value)
    except BadValue as error:
        raise BadValue(f'{error}, or "recipient"') from None


def _parse_spread(value: object) -> float:
    """A duration, or ``"0s"``."""
    return 0.0 if value == "0s" else parse_duration(value)


Names = Annotated[tuple[str, ...], Form(list_of(parse_filled))]
Categories = Annotated[tuple[str, ...], Form(list_of(one_of(*(category.value for category in Category))))]


class HoursSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[[hours]]``: one kind of messages on some days. See docs/hours.md.

    Args:
        windows: parts of the day in which messages may go.
        category: empty for all but ``otp`` and ``emergency``.
        key: names of API keys; accounts as ``smpp:NAME`` and ``kannel:NAME``; empty for all.
        brand: in whose name they go; empty for all.
        weekdays: days of the week; without it every day.
        zone: ``recipient``, or a time zone.
        holidays: calendars with days off and working weekends.
        outside: what becomes of a message outside: ``later`` or ``refuse``.
        spread_s: what waited is released over so long a time from the beginning of the hours.
    """

    windows: Annotated[tuple[ActiveHours, ...], Form(parse_times)]
    category: Categories = ()
    key: Names = ()
    brand: Names = ()
    weekdays: Annotated[frozenset[int], Form(parse_weekdays)] = EVERY_DAY
    zone: Annotated[tzinfo, Form(_parse_zone)] | None = RECIPIENT
    holidays: Annotated[tuple[HolidayFile, ...], Form(parse_holidays)] = ()
    outside: Annotated[Literal["later", "refuse"], Form(one_of("later", "refuse"))] = "later"
    spread_s: Annotated[float, Form(_parse_spread)] = msgspec.field(default=1_800.0, name="spread")

    def faults(self) -> Iterator[tuple[str, str]]:
        """A spread that is no day long."""
        if self.spread_s > LONGEST_SPREAD_S:
            yield "spread", 'is longer than a day; write "24h" or less'

    @property
    def kind(self) -> tuple[frozenset[str], ...]:
        """Whose hours they are; tables with the same belong together."""
        return frozenset(self.category), frozenset(self.key), frozenset(self.brand)

    def concerns(self, category: Category) -> bool:
        """Whether they are for a category."""
        return category.value in self.category if self.category else category not in EXEMPT


def make_hours(tables: Iterable[HoursSettings], region: str) -> HoursRule:
    """The rule.

    Raises:
        BadValue: see `load_zones`.
    """
    return HoursRule(hours=tuple(_hours_of(group) for _, group in _groups(tables)), zones=load_zones(region))


def _groups(tables: Iterable[HoursSettings]) -> Iterator[tuple[int, list[HoursSettings]]]:
    """Tables that belong together, each group with the place of its first."""
    found: dict[tuple[frozenset[str], ...], tuple[int, list[HoursSettings]]] = {}
    for i, table in enumerate(tables):
        found.setdefault(table.kind, (i, []))[1].append(table)
    yield from found.values()


def _hours_of(group: Sequence[HoursSettings]) -> HoursOf:
    first = group[0]
    return HoursOf(
        opening=_opening(group),
        category=frozenset(map(Category, first.category)),
        key=frozenset(first.key),
        brand=frozenset(first.brand),
        zone=first.zone,
        refuses=first.outside == "refuse",
        spread_s=first.spread_s,
    )


def _opening(group: Sequence[HoursSettings]) -> Opening:
    windows = [tuple((hours.start_min, hours.end_min) for hours in table.windows) for table in group]
    return Opening(
        hours=tuple(Hours(table.weekdays, times) for table, times in zip(group, windows, strict=True)),
        holidays=tuple(file.holidays for file in group[0].holidays),
    )


_SHARED: Final = ("zone", "holidays", "outside", "spread")


def hours_faults(tables: Sequence[HoursSettings], region: str) -> Iterator[tuple[str, str]]:
    """Tables of one kind that say different things, and hours in which nothing would ever go."""
    if not tables:
        return
    if len(tables) > MOST_TABLES:
        yield "hours", f"has {len(tables)} tables; write at most {MOST_TABLES}"
        return
    try:
        zones = load_zones(region)
    except BadValue as error:
        yield "hours", str(error)
        return
    for first, group in _groups(tables):
        for table in group[1:]:
            for key in _SHARED:
                field = "spread_s" if key == "spread" else key
                if getattr(table, field) != getattr(group[0], field):
                    yield (
                        f"hours[{tables.index(table)}].{key}",
                        f"is another than in hours[{first}], which is for the same messages; write the same in both",
                    )
        if never := _never_opens(group, zones):
            yield f"hours[{first}]", never


def _never_opens(group: Sequence[HoursSettings], zones: Zones) -> str:
    """What is wrong where messages might wait for longer than 14 days; of recipients, with those at home."""
    opening = _opening(group)
    where = zones.home if group[0].zone is None else (group[0].zone,)
    days = [day for file in opening.holidays for day in file.off]
    first, last = min(days, default=None), max(days, default=None)
    begin = datetime(2026, 1, 1, tzinfo=UTC) if first is None else _midnight(first) - _LONGEST_WAIT
    end = begin + timedelta(days=_SURVEYED_DAYS) if last is None else _midnight(last) + _LONGEST_WAIT
    at_s, end_s = int(begin.timestamp()), int(end.timestamp())
    while at_s < end_s:
        span = opening.next_span(at_s, where, "" if group[0].zone is None else "+")
        if span is None or span[0] - at_s > _LONGEST_WAIT.total_seconds():
            day = datetime.fromtimestamp(at_s, UTC).date()
            return f"lets nothing go for more than 14 days from {day} on; write longer hours, or more days"
        at_s = span[1]
    return ""


def _midnight(day: object) -> datetime:
    return datetime.fromisoformat(f"{day}T00:00:00+00:00")


def ends_soon(tables: Iterable[HoursSettings], now: datetime) -> Iterator[tuple[str, str]]:
    """Calendars that know no day off beyond the next weeks."""
    for i, table in enumerate(tables):
        for file in table.holidays:
            if file.last is not None and file.last < (now + timedelta(days=30)).date():
                yield (
                    f"hours[{i}].holidays",
                    (
                        f"{file.name} knows no day off after {file.last}; add those announced since, or every day"
                        " counts as its weekday says"
                    ),
                )
