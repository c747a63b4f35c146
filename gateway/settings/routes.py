"""``[routing]`` and ``[[routes]]``: which messages go by which channels; and the same compiled."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import tzinfo
from typing import Annotated, Any, Final, Literal

import msgspec

from gateway.model.message import Category
from gateway.routing.periods import ActiveHours
from gateway.routing.routes.carriers import Carriers
from gateway.routing.routes.conditions import KEYS, Conditions
from gateway.routing.routes.table import PriceOf, Routes, Rule, Share, no_price
from gateway.routing.ways import MOST_PLACES, one_channel
from gateway.settings.forms import (
    BadValue,
    Duration,
    Form,
    Name,
    list_of,
    one_of,
    parse_filled,
    parse_name,
    show,
)
from gateway.settings.times import parse_times, parse_weekdays, parse_zone

MOST_RULES: Final = 2_000
MOST_IN_STEP: Final = 8
_PREFIX: Final = re.compile(r"\+?[1-9][0-9]{0,14}")
_CATEGORIES: Final = tuple(category.value for category in Category)
_ENCODINGS: Final = ("gsm7", "ucs2", "binary")

Step = tuple[tuple[str, int], ...]
"""Names of groups or channels, with their weights."""


def _parse_prefix(value: object) -> str:
    if not isinstance(value, str) or not _PREFIX.fullmatch(value):
        raise BadValue(
            f'{show(value)} begins no number; write it with plus and country code, such as "+86139"'
        )
    return value


def _list(parse: Any) -> Any:
    read = list_of(parse)

    def parse_all(value: object) -> tuple[str, ...]:
        values = read(value)
        if not values:
            raise BadValue("is empty, so that no message fits; leave the key out for all messages")
        return values

    return parse_all


def _parse_to(value: object) -> tuple[Step, ...]:
    if not isinstance(value, list):
        raise BadValue(f"{show(value)} is not a list; write it in brackets: [{show(value)}]")
    if not value:
        raise BadValue('is empty: the rule routes nowhere; write groups, such as ["default"]')
    steps = tuple(_parse_step(element) for element in value)
    names = [name for step in steps for name, _ in step]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise BadValue(f"{show(twice)} stands twice; write it once")
    if len(names) >= MOST_PLACES:
        raise BadValue(f"has {len(names)} groups; write fewer than {MOST_PLACES}")
    return steps


def _parse_step(value: object) -> Step:
    if isinstance(value, str):
        return ((parse_name(value), 1),)
    if not isinstance(value, Mapping) or not value:
        raise BadValue(
            f'{show(value)} will not do; write a group, or several with weights: "cmcc" or {{cmcc = 3, unicom = 1}}'
        )
    if len(value) > MOST_IN_STEP:
        raise BadValue(f"has {len(value)} groups in one step; write at most {MOST_IN_STEP}")
    return tuple((parse_name(name), _parse_weight(name, weight)) for name, weight in value.items())


def _parse_weight(name: str, value: object) -> int:
    if value == 0 and not isinstance(value, bool):
        raise BadValue(
            f"gives {name} the weight 0, which gets nothing; leave it out, or make it a step of its own"
        )
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1_000:
        raise BadValue(f"gives {name} the weight {show(value)}; write a whole number from 1 to 1000")
    return value


def _words(*choices: str) -> Any:
    return Form(_list(one_of(*choices)))


Names = Annotated[tuple[str, ...], Form(_list(parse_filled))]


class RoutingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[routing]``: when another step of a rule takes over.

    Args:
        failover_after_s: a channel that can't send for so long is out of service.
        failback_after_s: it is back when it could send for so long.
    """

    failover_after_s: Duration = msgspec.field(default=30.0, name="failover_after")
    failback_after_s: Duration = msgspec.field(default=10.0, name="failback_after")


class RouteSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[[routes]]``: one rule. The first whose conditions a message meets takes it. See docs/routing.md.

    Args:
        name: of the rule; unique.
        to: steps in order: a group (or a channel), or several with weights. The next step when all of one is out.
        prefix: beginnings of numbers.
        carrier: carriers, as the carrier files name them.
        category: categories of messages.
        key: names or ids of API keys; accounts as ``smpp:NAME`` and ``kannel:NAME``.
        tag: tags of messages.
        sender: what messages name as their sender. Other rules are not for messages that name one.
        encoding: ``gsm7``, ``ucs2`` or ``binary``.
        hours: times of the day.
        weekdays: days of the week, also from and to.
        zone: the time zone of hours and weekdays; that of this machine without.
        order: ``given``, or ``cost``: the cheapest group first.
        sticky_s: so long a recipient stays with the channel that sent the last message.
    """

    name: Name
    to: Annotated[tuple[Step, ...], Form(_parse_to)]
    prefix: Annotated[tuple[str, ...], Form(_list(_parse_prefix))] = ()
    carrier: Names = ()
    category: Annotated[tuple[str, ...], _words(*_CATEGORIES)] = ()
    key: Names = ()
    tag: Names = ()
    sender: Names = ()
    encoding: Annotated[tuple[str, ...], _words(*_ENCODINGS)] = ()
    hours: Annotated[tuple[ActiveHours, ...], Form(parse_times)] = ()
    weekdays: Annotated[frozenset[int], Form(parse_weekdays)] = frozenset()
    zone: Annotated[tzinfo, Form(parse_zone)] | None = None
    order: Annotated[Literal["given", "cost"], Form(one_of("given", "cost"))] = "given"
    sticky_s: Duration | None = msgspec.field(default=None, name="sticky")

    def faults(self) -> Iterator[tuple[str, str]]:
        """What is given has a meaning beside the rest."""
        if self.order == "cost" and any(weight != 1 for step in self.to for _, weight in step):
            yield "to", 'has weights, which mean nothing with order = "cost"; leave out one of both'
        if self.zone is not None and not (self.hours or self.weekdays):
            yield "zone", "is that of hours and weekdays, and there are none; leave it out"

    def conditions(self) -> Conditions:
        """What the rule asks for."""
        return Conditions(
            prefix=self.prefix,
            carrier=frozenset(self.carrier),
            category=frozenset(map(Category, self.category)),
            key=frozenset(self.key),
            tag=frozenset(self.tag),
            sender=frozenset(self.sender),
            encoding=frozenset(self.encoding),
            hours=self.hours,
            weekdays=self.weekdays,
            zone=self.zone,
        )


def check_routes(
    routes: Sequence[RouteSettings],
    senders: Mapping[str, Sequence[str]],
    receivers: Mapping[str, Sequence[str]],
    carriers: Iterable[str],
) -> Iterator[tuple[str, str]]:
    """Every fault of the rules beside the channels, with the path of its setting.

    Args:
        senders: name -> groups of every channel that can send.
        receivers: of those that only take in.
        carriers: names of all that are known.
    """
    if len(routes) > MOST_RULES:
        yield "routes", f"has {len(routes)} rules; write at most {MOST_RULES}"
        return
    groups = {group for served in senders.values() for group in served}
    deaf = {*receivers, *(group for served in receivers.values() for group in served)}
    known_carriers = set(carriers)
    names: set[str] = set()
    for n, route in enumerate(routes):
        if route.name in names:
            yield f"routes[{n}].name", f'"{route.name}" is that of another rule; write another'
        names.add(route.name)
        for name in (name for step in route.to for name, _ in step if name not in groups | senders.keys()):
            yield f"routes[{n}].to", _no_place(name, groups | senders.keys(), deaf)
        for name in route.carrier:
            if name not in known_carriers:
                yield f"routes[{n}].carrier", f"{show(name)} is not known; {_known(name, known_carriers)}"
    yield from _never_met(routes)


def _no_place(name: str, known: set[str], deaf: set[str]) -> str:
    if name in deaf:
        return f'"{name}" only receives: nothing goes that way; write a group that a sending channel serves'
    return f"no channel serves the group {show(name)}; {_known(name, known)}"


def _known(name: str, known: set[str]) -> str:
    if near := difflib.get_close_matches(name, known, n=1):
        return f"did you mean {near[0]}?"
    return f"known here: {', '.join(sorted(known)[:10]) or 'none'}"


def _never_met(routes: Sequence[RouteSettings]) -> Iterator[tuple[str, str]]:
    """Rules behind one that takes every message that they could take."""
    asked = [route.conditions() for route in routes]
    kinds = [sum(1 << n for n, key in enumerate(KEYS) if getattr(one, key)) for one in asked]
    for n, conditions in enumerate(asked):
        for earlier in range(n):
            if kinds[earlier] & ~kinds[n] & ~_TIMES:
                continue
            if asked[earlier].covers(conditions):
                yield (
                    f"routes[{n}]",
                    (
                        f'"{routes[n].name}" can never take a message: routes[{earlier}] "{routes[earlier].name}" takes'
                        " all of them before; move it up, or leave it out"
                    ),
                )
                break


_TIMES: Final = sum(1 << n for n, key in enumerate(KEYS) if key in {"hours", "weekdays"})


def make_routes(
    routes: Sequence[RouteSettings],
    channels: Mapping[str, Sequence[str]],
    carriers: Carriers,
    price_of: PriceOf = no_price,
) -> Routes:
    """The rules as one value.

    Args:
        channels: name -> groups of every channel that can send.
    """
    groups = {group for served in channels.values() for group in served}
    rules = [
        Rule(
            name=route.name,
            conditions=route.conditions(),
            steps=tuple(
                tuple(Share(name if name in groups else one_channel(name), weight) for name, weight in step)
                for step in route.to
            ),
            by_cost=route.order == "cost",
            sticky_s=route.sticky_s or 0.0,
        )
        for route in routes
    ]
    return Routes(rules, channels, carriers, price_of)
