"""How hours, days of the week and time zones are written."""

from __future__ import annotations

from datetime import tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway.routing.periods import ActiveHours
from gateway.routing.routes.conditions import WEEKDAYS, minutes_of
from gateway.settings.forms import BadValue, parse_filled, parse_hours, show


def parse_times(value: object) -> tuple[ActiveHours, ...]:
    """Parts of the day, none overlapping."""
    if not isinstance(value, list) or not value:
        raise BadValue(f'{show(value)} is no list of times; write ["08:00-12:00", "14:00-18:00"]')
    times = tuple(parse_hours(element) for element in value)
    seen: set[int] = set()
    for hours in times:
        minutes = set(minutes_of(hours))
        if minutes & seen:
            raise BadValue(f"{hours} overlaps another time of the list; write each time of the day once")
        seen |= minutes
    return times


def parse_weekdays(value: object) -> frozenset[int]:
    """Days of the week, 0 for Monday: ``["mon-fri", "sun"]``."""
    if not isinstance(value, list) or not value:
        raise BadValue(f'{show(value)} is no list of days; write ["mon-fri"] or ["sat", "sun"]')
    days: list[int] = []
    for element in value:
        first, _, last = parse_filled(element).lower().partition("-")
        if first not in WEEKDAYS or (last or first) not in WEEKDAYS:
            raise BadValue(f"{show(element)} is no day of the week; write one of {', '.join(WEEKDAYS)}")
        start, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
        days += [day % 7 for day in range(start, (end if end >= start else end + 7) + 1)]
    if len(days) > len(set(days)):
        raise BadValue("names a day twice; write each day once")
    return frozenset(days)


def parse_zone(value: object) -> tzinfo:
    """A time zone by its name in the tz database."""
    try:
        return ZoneInfo(parse_filled(value))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadValue(f'{show(value)} is no time zone; write one such as "Asia/Shanghai"') from None
