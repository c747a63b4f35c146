"""``[[caps]]`` and ``[[repeats]]``: how many messages a number gets, and how soon the same text again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Final, Literal

import msgspec

from gateway.model.message import Category
from gateway.policy.rules.frequency import Cap, Frequency, Limit, Per
from gateway.policy.rules.repeats import Repeats, RepeatsOf
from gateway.settings.forms import BadValue, Duration, Form, list_of, one_of, parse_filled, show

MOST_TABLES: Final = 100
MOST_COUNT: Final = 500
LONGEST_S: Final = 366 * 86_400
_LIMIT: Final = re.compile(r"([0-9]{1,4}) ?/ ?([0-9]{0,6}) ?(s|sec|min|m|h|hour|d|day)")
_UNITS: Final = {"s": 1, "sec": 1, "min": 60, "m": 60, "h": 3_600, "hour": 3_600, "d": 86_400, "day": 86_400}


def parse_limit(value: object) -> Limit:
    """``"2/7d"``, ``"5/h"``, ``"10/day"``."""
    match = _LIMIT.fullmatch(value) if isinstance(value, str) else None
    most, n_units = (int(match[1]), int(match[2] or 1)) if match else (0, 0)
    if match is None or not most or not n_units:
        raise BadValue(
            f'{show(value)} is no limit; write so many in so long, such as "2/7d", "5/h" or "1/min"'
        )
    seconds = n_units * _UNITS[match[3]]
    if most > MOST_COUNT or seconds > LONGEST_S:
        raise BadValue(f'{show(value)} is too much; write at most {MOST_COUNT}, in at most "366d"')
    return Limit(most, seconds * 1_000, match[0])


def _parse_limits(value: object) -> tuple[Limit, ...]:
    limits = tuple(parse_limit(one) for one in (value if isinstance(value, list) else [value]))
    if not limits:
        raise BadValue('is empty; write one limit, or several: ["1/min", "10/day"]')
    if len(limits) > 10:
        raise BadValue("has more than 10 limits; write fewer")
    return limits


def _parse_categories(value: object) -> tuple[str, ...]:
    categories = list_of(one_of(*(category.value for category in Category)))(value)
    if not categories:
        raise BadValue('is empty; write whose limits they are, such as ["marketing"]')
    return categories


Names = Annotated[tuple[str, ...], Form(list_of(parse_filled))]
Categories = Annotated[tuple[str, ...], Form(_parse_categories)]
_PER = tuple(per.value for per in Per)


class CapSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[[caps]]``: limits of one kind of messages to one number. See docs/hours.md.

    Args:
        limit: so many in any so long stretch of time; several hold together.
        category: whose limits they are.
        brand: in whose name they go; empty for all.
        template: whose text they have; empty for all.
        per: ``number``; or ``brand`` or ``template``, where each has a count of its own.
        over: what becomes of a message that is too much: ``refuse`` or ``later``.
    """

    limit: Annotated[tuple[Limit, ...], Form(_parse_limits)]
    category: Categories
    brand: Names = ()
    template: Names = ()
    per: Annotated[Literal["number", "brand", "template"], Form(one_of(*_PER))] = "number"
    over: Annotated[Literal["refuse", "later"], Form(one_of("refuse", "later"))] = "refuse"

    def cap(self) -> Cap:
        """The same as the rule has it."""
        return Cap(
            limits=self.limit,
            category=frozenset(map(Category, self.category)),
            brand=frozenset(self.brand),
            template=frozenset(self.template),
            per=Per(self.per),
            waits=self.over == "later",
        )


class RepeatSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[[repeats]]``: the same text to the same number.

    Args:
        window_s: two that are less apart are a repeat.
        category: of the messages; empty for all.
        brand: in whose name they go; empty for all.
        action: what becomes of a repeat: ``refuse`` or ``warn``.
    """

    window_s: Duration = msgspec.field(default=600.0, name="window")
    category: Annotated[
        tuple[str, ...], Form(list_of(one_of(*(category.value for category in Category))))
    ] = ()
    brand: Names = ()
    action: Annotated[Literal["refuse", "warn"], Form(one_of("refuse", "warn"))] = "refuse"

    def faults(self) -> Iterator[tuple[str, str]]:
        """Not for ever."""
        if self.window_s > LONGEST_S:
            yield "window", 'is too long; write "366d" or less'

    def kind(self) -> RepeatsOf:
        """The same as the rule has it."""
        return RepeatsOf(
            window_ms=int(self.window_s * 1_000),
            category=frozenset(map(Category, self.category)),
            brand=frozenset(self.brand),
            warns=self.action == "warn",
        )


def make_frequency(tables: Iterable[CapSettings]) -> Frequency:
    """The rule of all caps."""
    return Frequency(caps=tuple(table.cap() for table in tables))


def make_repeats(tables: Iterable[RepeatSettings]) -> Repeats:
    """The rule of all repeats."""
    return Repeats(kinds=tuple(table.kind() for table in tables))


def touches_s(caps: Iterable[CapSettings], repeats: Iterable[RepeatSettings]) -> float:
    """For how many seconds what went out counts anywhere; 0 where nothing is counted."""
    longest_ms = [limit.per_ms for cap in caps for limit in cap.limit]
    return max([ms / 1_000 for ms in longest_ms] + [table.window_s for table in repeats], default=0.0)


def cap_faults(caps: Sequence[CapSettings], repeats: Sequence[RepeatSettings]) -> Iterator[tuple[str, str]]:
    """More tables than anybody reads."""
    for name, tables in (("caps", caps), ("repeats", repeats)):
        if len(tables) > MOST_TABLES:
            yield name, f"has {len(tables)} tables; write at most {MOST_TABLES}"
