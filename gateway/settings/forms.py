"""How single settings are written: pure parsers from TOML values, each with a sentence for what is wrong.

A parser takes any TOML value and returns the setting, or raises `BadValue` with what is wrong and what
to write. A `Form` in a field's annotation says which parser reads it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from gateway.files import open_plain, why_unreadable
from gateway.routing.periods import ActiveHours

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(ms|s|m|h|d)")
_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_CENTURY_S = 36_500 * 86_400.0
_RATE = re.compile(r"([0-9]{1,9}) ?/ ?(s|sec|min|h|hour|day)")
_RATE_UNITS = {"s": 1.0, "sec": 1.0, "min": 60.0, "h": 3600.0, "hour": 3600.0, "day": 86400.0}
_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9]) ?- ?([01][0-9]|2[0-4]):([0-5][0-9])")
_USSD = re.compile(r"[*#0-9+]{1,182}")
_PORT = re.compile(r"[0-9]{1,5}")
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")


class BadValue(ValueError):
    """A setting is written wrongly; the sentence says how and what to write instead."""


@dataclass(frozen=True, slots=True)
class Form:
    """Marks a field's annotation with the parser that reads it."""

    parse: Callable[[Any], object]


@dataclass(frozen=True, slots=True)
class Rate:
    """So many segments in so many seconds."""

    count: int
    per_s: float

    def __str__(self) -> str:
        unit = next(
            (name for name, seconds in _RATE_UNITS.items() if seconds == self.per_s), f"{self.per_s:g}s"
        )
        return f"{self.count}/{unit}"


class Listen(NamedTuple):
    """Where a server listens; port 0 lets the system choose one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def show(value: object) -> str:
    """A TOML value as it would stand in the file, cut short."""
    if isinstance(value, bool):
        return str(value).lower()
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def parse_text(value: object) -> str:
    """Any text."""
    if not isinstance(value, str):
        raise BadValue(f"{show(value)} is not text; write it in quotes")
    return value


def parse_filled(value: object) -> str:
    """Text that is not empty."""
    text = parse_text(value)
    if not text.strip():
        raise BadValue("is empty; write a value or leave the key out")
    return text


def parse_flag(value: object) -> bool:
    """``true`` or ``false``."""
    if not isinstance(value, bool):
        raise BadValue(f"{show(value)} is neither true nor false; write one of them, without quotes")
    return value


def whole_number(low: int, high: int) -> Callable[[object], int]:
    """A parser of whole numbers from ``low`` to ``high``."""

    def parse(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise BadValue(f"{show(value)} will not do; write a whole number from {low} to {high}")
        return value

    return parse


def one_of(*choices: str) -> Callable[[object], str]:
    """A parser of words from a fixed set."""

    def parse(value: object) -> str:
        if value not in choices:
            raise BadValue(f"{show(value)} is not known; write one of {', '.join(choices)}")
        return str(value)

    return parse


def digits(low: int, high: int) -> Callable[[object], str]:
    """A parser of identities made of ``low`` to ``high`` digits, given as text."""

    def parse(value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch("[0-9]*", value) or not low <= len(value) <= high:
            raise BadValue(f"{show(value)} will not do; write {low} to {high} digits in quotes")
        return value

    return parse


def short_text(n_chars: int) -> Callable[[object], str]:
    """A parser of ASCII text of a bounded length, as SMPP's C-octet strings are."""

    def parse(value: object) -> str:
        text = parse_text(value)
        if not text.isascii() or len(text) > n_chars:
            raise BadValue(f"{show(value)} will not do; write at most {n_chars} characters, ASCII only")
        return text

    return parse


def parse_duration(value: object) -> float:
    """``"90s"``, ``"10m"``, ``"2h"``, ``"1d"`` in seconds."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise BadValue(f'{show(value)} has no unit; write "{value}s" for seconds, or m, h, d')
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None or (seconds := float(match[1]) * _DURATION_UNITS[match[2]]) <= 0:
        raise BadValue(
            f'{show(value)} is not a duration; write a number and a unit, such as "90s", "10m", "2h" or "1d"'
        )
    if seconds > _CENTURY_S:  # what is added to an instant must stay in the calendar
        raise BadValue(f'{show(value)} is longer than a century; write at most "36500d"')
    return seconds


def parse_rate(value: object) -> Rate:
    """``"10/min"``, ``"200/day"``, ``"100/s"``."""
    match = _RATE.fullmatch(value) if isinstance(value, str) else None
    if match is None or (count := int(match[1])) == 0:
        raise BadValue(f'{show(value)} is not a rate; write a number per s, min, h or day, such as "10/min"')
    return Rate(count, _RATE_UNITS[match[2]])


def parse_quota(value: object) -> Rate:
    """``"200/day"``: a rate that is a limit, not a pace."""
    try:
        return parse_rate(value)
    except BadValue:
        raise BadValue(
            f'{show(value)} is not a quota; write a number per day, h, min or s, such as "200/day"'
        ) from None


def parse_hours(value: object) -> ActiveHours:
    """``"08:00-22:00"``, or over midnight ``"22:00-06:00"``; ``"24:00"`` may end a day."""
    match = _HOURS.fullmatch(value) if isinstance(value, str) else None
    start_min, end_min = (
        (int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])) if match else (0, 0)
    )
    if start_min == end_min or end_min > 24 * 60:
        raise BadValue(f'{show(value)} are no hours of the day; write from and to, such as "08:00-22:00"')
    return ActiveHours(start_min, end_min)


def parse_ussd(value: object) -> str:
    """A USSD code such as ``"*100#"``."""
    if not isinstance(value, str) or not _USSD.fullmatch(value):
        raise BadValue(f'{show(value)} is not a USSD code; write digits, * and #, such as "*100#"')
    return value


def parse_pattern(value: object) -> str:
    """A regular expression whose first group holds what is looked for."""
    text = parse_filled(value)
    try:
        n_groups = re.compile(text).groups
    except (re.error, RecursionError, OverflowError) as error:
        raise BadValue(f"{show(value)} is not a regular expression: {error}") from None
    if n_groups == 0:
        raise BadValue(f"{show(value)} has no group; put the number in brackets: 'Balance: ([0-9.]+)'")
    return text


def parse_amount(value: object) -> float:
    """An amount of money or units: a number, of any sign."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadValue(f"{show(value)} is not a number; write one without quotes, such as 10 or 2.5")
    return float(value)


def parse_name(value: object) -> str:
    """The name of a channel or a group."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise BadValue(
            f"{show(value)} is not a name; write up to 64 letters, digits, dots, dashes and underscores"
        )
    return value


def parse_number(value: object) -> str:
    """A phone number of our own, E.164."""
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        raise BadValue('is not a full number; write it with plus and country code: "+8613800138000"')
    return value


def parse_region(value: object) -> str:
    """A region that the number plan knows, such as ``CN``."""
    from phonenumbers import SUPPORTED_REGIONS  # noqa: PLC0415 - its tables take a while to load

    if not isinstance(value, str) or value not in SUPPORTED_REGIONS:
        raise BadValue(f'{show(value)} is not a region; write two capital letters, such as "CN"')
    return value


def parse_listen(value: object) -> Listen:
    """``"127.0.0.1:8080"``, ``"[::1]:8080"``, ``"0.0.0.0:80"``."""
    host, _, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    bare = host.removeprefix("[").removesuffix("]")
    if not bare or (":" in bare) != host.startswith("[") or not _PORT.fullmatch(port) or int(port) > 65535:
        raise BadValue(f'{show(value)} is not an address; write host and port: "127.0.0.1:8080"')
    return Listen(bare, int(port))


def parse_file(value: object) -> Path:
    """A file that is there and readable."""
    path = Path(parse_filled(value))
    try:
        open_plain(path).close()
    except (OSError, ValueError) as error:
        raise BadValue(f"cannot read {path}: {why_unreadable(path, error)}") from None
    return path


def list_of(parse: Callable[[Any], str]) -> Callable[[object], tuple[str, ...]]:
    """A parser of lists, each element read by ``parse``; none twice."""

    def parse_all(value: object) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise BadValue(f"{show(value)} is not a list; write it in brackets: [{show(value)}]")
        values = tuple(parse(element) for element in value)
        if twice := next((v for v in values if values.count(v) > 1), None):
            raise BadValue(f"{show(twice)} stands twice in the list; write it once")
        return values

    return parse_all


def parse_groups(value: object) -> tuple[str, ...]:
    """Channel groups: one at least."""
    groups = list_of(parse_name)(value)
    if not groups:
        raise BadValue('is empty; write at least one group, such as ["default"]')
    return groups


Text = Annotated[str, Form(parse_text)]
Filled = Annotated[str, Form(parse_filled)]
Flag = Annotated[bool, Form(parse_flag)]
Duration = Annotated[float, Form(parse_duration)]
Name = Annotated[str, Form(parse_name)]
Number = Annotated[str, Form(parse_number)]
Region = Annotated[str, Form(parse_region)]
Address = Annotated[Listen, Form(parse_listen)]
File = Annotated[Path, Form(parse_file)]
Pace = Annotated[Rate, Form(parse_rate)]
Limit = Annotated[Rate, Form(parse_quota)]
Hours = Annotated[ActiveHours, Form(parse_hours)]
UssdCode = Annotated[str, Form(parse_ussd)]
Pattern = Annotated[str, Form(parse_pattern)]
Amount = Annotated[float, Form(parse_amount)]
Groups = Annotated[tuple[str, ...], Form(parse_groups)]
Words = Annotated[tuple[str, ...], Form(list_of(parse_filled))]
TcpPort = Annotated[int, Form(whole_number(1, 65535))]
