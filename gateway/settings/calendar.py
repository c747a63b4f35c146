"""Files of days off, and of the time zones of numbers: shipped ones, and those of the config."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator, Mapping
from datetime import date, timedelta, tzinfo
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway.policy.opening import Holidays
from gateway.policy.zones import Zones
from gateway.settings.forms import BadValue, parse_file, parse_filled, show
from gateway.settings.reader import read_data_file
from gateway.settings.times import parse_zone

MOST_DAYS: Final = 2_000
"""Days off, and working weekends, in one file."""
LONGEST_DAYS: Final = 60
"""Of one holiday."""
_ZONES: Final = "zones.toml"


class HolidayFile(msgspec.Struct, frozen=True, kw_only=True):
    """What one file tells.

    Args:
        name: as the config names it.
    """

    name: str
    holidays: Holidays

    @property
    def last(self) -> date | None:
        """The last day that it knows."""
        return max(self.holidays.off | self.holidays.work, default=None)


def shipped(name: str) -> Path | None:
    """A file of ``config/calendar``: beside the package, or where pip has put it."""
    beside = Path(__file__).parents[2] / "config" / "calendar"
    installed = Path(sysconfig.get_path("data")) / "share" / "hongyan" / "calendar"
    return next((path for place in (beside, installed) if (path := place / name).is_file()), None)


def parse_holidays(value: object) -> tuple[HolidayFile, ...]:
    """Names of shipped files, such as ``"cn"``, or paths of others."""
    if not isinstance(value, list):
        raise BadValue(f"{show(value)} is not a list; write it in brackets: [{show(value)}]")
    return tuple(_find(parse_filled(element)) for element in value)


def _find(name: str) -> HolidayFile:
    if "/" not in name and not name.endswith(".toml"):
        path = shipped(f"{name}.toml") if name.isalnum() else None
        if path is None or path.name == _ZONES:
            raise BadValue(
                f'{show(name)} is no calendar that comes with the gateway; write "cn", or the path of a file'
            )
        return HolidayFile(name=name, holidays=read_holidays(path))
    path = parse_file(name)
    return HolidayFile(name=name, holidays=read_holidays(path))


def read_holidays(path: Path) -> Holidays:
    """Read a file such as ``config/calendar/cn.toml``.

    Raises:
        BadValue: it is none; the first fault.
    """
    document = read_data_file(path)
    try:
        return _holidays(document)
    except BadValue as error:
        raise BadValue(f"{path}: {error}") from None


def _holidays(document: Mapping[str, Any]) -> Holidays:
    code, tables = document.get("country_code", ""), document.get("holidays", [])
    if document.keys() - {"country_code", "holidays"} or not isinstance(tables, list):
        raise BadValue('write country_code = "86" and [[holidays]], and nothing else')
    if not isinstance(code, str) or (code and not (code.isascii() and code.isdecimal())):
        raise BadValue(f'{show(code)} is no country code; write digits in quotes, such as "86"')
    off: set[date] = set()
    work: set[date] = set()
    for n, table in enumerate(tables):
        try:
            off.update(_days_off(table))
            work.update(_days(table.get("work", [])))
        except BadValue as error:
            raise BadValue(f"holidays[{n}]: {error}") from None
    if both := off & work:
        raise BadValue(f"{min(both)} is a day off, and one of work; write it once")
    if len(off) + len(work) > MOST_DAYS:
        raise BadValue(f"has more than {MOST_DAYS} days; write fewer")
    return Holidays(code, frozenset(off), frozenset(work))


def _days_off(table: object) -> Iterator[date]:
    if not isinstance(table, Mapping) or table.keys() - {"name", "from", "to", "work"}:
        raise BadValue("write name, from, to and work, and nothing else")
    first, last = table.get("from"), table.get("to", table.get("from"))
    (start,), (end,) = _days([first]), _days([last])
    n_days = (end - start).days + 1
    if not 1 <= n_days <= LONGEST_DAYS:
        raise BadValue(f"from {start} to {end} are no 1 to {LONGEST_DAYS} days")
    yield from (start + timedelta(days=n) for n in range(n_days))


def _days(values: object) -> list[date]:
    if not isinstance(values, list) or not all(type(value) is date for value in values):
        raise BadValue(f"{show(values)} are no days; write them without quotes, such as 2026-10-01")
    return values


def load_zones(region: str) -> Zones:
    """The zones of all numbers.

    Args:
        region: where short codes are.

    Raises:
        BadValue: the file of zones is not there, or this system knows no time zones.
    """
    from phonenumbers import country_code_for_region  # noqa: PLC0415 - its tables take a while to load

    areas = _areas()
    code = str(country_code_for_region(region))
    home = areas.get(code) or (parse_zone("UTC"),)
    return Zones(areas=areas, home=home)


@cache
def _areas() -> Mapping[str, tuple[tzinfo, ...]]:
    path = shipped(_ZONES)
    if path is None:
        raise BadValue(
            f"cannot find {_ZONES}, which tells the time zones of numbers; install the gateway anew"
        )
    document: Mapping[str, Any] = read_data_file(path)
    zones: dict[str, tzinfo] = {}
    found = {}
    for area in document["areas"]:
        try:
            known = tuple(zones.setdefault(name, parse_zone(name)) for name in area["zones"])
        except BadValue:
            raise BadValue(
                "needs time zones that this system does not know; install its package tzdata, or `pip install tzdata`"
            ) from None
        found.update(dict.fromkeys(area["prefixes"], known))
    return found
