"""The table of rules: which of them takes a message, and which way that sends it. Pure.

`Routes` is one immutable value, compiled from the config. `Routes.decide` is all there is to a decision: what people
are told beforehand (`gateway.routing.routes.explain`) is made of its answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from math import gcd
from typing import Final, NamedTuple

from gateway.routing.prices import Price
from gateway.routing.routes.carriers import Carriers, Known
from gateway.routing.routes.conditions import Asked, Conditions
from gateway.routing.rules import choose_queue
from gateway.routing.ways import Members, one_channel, read_way, way_queue

PriceOf = Callable[[str, str, datetime], Price | None]
"""The price of one segment: channel, number, when; None where nobody says."""


class Share(NamedTuple):
    """A place in a step.

    Args:
        place: a group, or a channel as ``@NAME``.
        weight: how many messages begin there, for one of a place of weight 1.
    """

    place: str
    weight: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule.

    Args:
        name: unique.
        conditions: which messages it is for.
        steps: where they go; the next step when all of one is out of service.
        by_cost: the cheapest place first, whatever the step.
        sticky_s: so long a recipient stays with a channel, counted from the last message; 0 for not at all.
    """

    name: str
    conditions: Conditions = field(default_factory=Conditions)
    steps: tuple[tuple[Share, ...], ...]
    by_cost: bool = False
    sticky_s: float = 0.0


class Facts(NamedTuple):
    """What the store knows of a recipient.

    Args:
        known: whose number it is.
        sticky: rule -> the channel that the recipient last was sent something by.
    """

    known: Known | None = None
    sticky: Mapping[str, str] = {}


NO_FACTS: Final = Facts()


class Decision(NamedTuple):
    """Where a message goes.

    Args:
        queue: where it waits; None when no channel serves what it asks for.
        rule: that took it; None for none.
        places: the way, in order; empty without a rule.
        carrier: of its number, as far as somebody asked.
        sticky: the channel that its recipient stays with.
        by_cost: what a segment costs at most at each place, where the order is by that.
    """

    queue: str | None
    rule: Rule | None = None
    places: tuple[str, ...] = ()
    carrier: str | None = None
    sticky: str | None = None
    by_cost: tuple[tuple[str, Price | None], ...] = ()


class Turns:
    """How many messages each rule has taken: by that shares are kept exactly. May be asked from any thread."""

    def __init__(self) -> None:
        self._taken: dict[str, int] = {}

    def take(self, rule: str) -> int:
        """The turn of the next message of a rule, from 0."""
        turn = self._taken.get(rule, 0)
        self._taken[rule] = turn + 1
        return turn

    def peek(self, rule: str) -> int:
        """The same, for one who only looks."""
        return self._taken.get(rule, 0)

    def taken(self) -> dict[str, int]:
        """Rule -> how many, since the start."""
        return dict(self._taken)


def no_price(_channel: str, _number: str, _at: datetime) -> Price | None:
    """Of a gateway without a price list."""
    return None


class Routes:
    """All rules, compiled; immutable.

    Args:
        rules: in the order of the config: the first that fits takes a message.
        channels: name -> groups of every channel that can send.
        carriers: whose numbers are.
        price_of: for rules that go by cost.
    """

    def __init__(
        self,
        rules: Sequence[Rule] = (),
        channels: Mapping[str, Sequence[str]] | None = None,
        carriers: Carriers | None = None,
        price_of: PriceOf = no_price,
    ) -> None:
        self.rules = tuple(rules)
        self.channels = dict(channels or {})
        self.members = Members(self.channels)
        self.carriers = carriers or Carriers()
        self.price_of = price_of
        self.sticky = {rule.name: rule.sticky_s for rule in self.rules if rule.sticky_s}
        """The rules that remember the channel of each recipient, and for how many seconds."""
        self._asks_carrier = any(rule.conditions.carrier for rule in self.rules)
        self.asks_store = self._asks_carrier or bool(self.sticky)
        """Whether a decision may depend on what the store knows of a recipient."""
        self._index = _Index(self.rules)

    def __bool__(self) -> bool:
        """Whether there is any rule."""
        return bool(self.rules)

    def decide(self, asked: Asked, facts: Facts, turn_of: Callable[[str], int]) -> Decision:
        """Where a message goes.

        Args:
            asked: of the message.
            facts: of its recipient.
            turn_of: the turn of a rule's next message; asked once, for the rule that takes it.
        """
        if self.rules and asked.channel is None:
            carrier = self._carrier_of(asked, facts)
            rule = self.find_rule(asked, carrier)
            if rule is not None:
                return self._go(rule, asked, facts, carrier, turn_of(rule.name))
        return Decision(choose_queue(self.channels, channel=asked.channel, sender=asked.sender))

    def find_rule(self, asked: Asked, carrier: str | None) -> Rule | None:
        """The first rule that fits."""
        for place in self._index.candidates(asked, carrier):
            rule = self.rules[place]
            if rule.conditions.missed(asked, carrier) is None:
                return rule
        return None

    def _carrier_of(self, asked: Asked, facts: Facts) -> str | None:
        return self.carriers.name_of(asked.number, facts.known) if self._asks_carrier else None

    def _go(self, rule: Rule, asked: Asked, facts: Facts, carrier: str | None, turn: int) -> Decision:
        costs: tuple[tuple[str, Price | None], ...] = ()
        if rule.by_cost:
            costs = self._by_cost([share.place for step in rule.steps for share in step], asked)
            places = [place for place, _ in costs]
        else:
            places = [place for step in rule.steps for place in in_turn(step, turn)]
        sticky = facts.sticky.get(rule.name)
        if sticky is not None and any(sticky in self.members.of(place) for place in places):
            places = [one_channel(sticky), *(place for place in places if place != one_channel(sticky))]
        else:
            sticky = None
        queue = way_queue(places, rule.name if rule.sticky_s else "")
        return Decision(queue, rule, tuple(places), carrier, sticky, costs)

    def cost_at(self, place: str, asked: Asked) -> Price | None:
        """What a segment costs at most at a place; None where no price is known, or they are of several currencies."""
        prices = [self.price_of(name, asked.number, asked.at) for name in self.members.of(place)]
        known = [price for price in prices if price is not None]
        if len(known) < len(prices) or len({price.currency for price in known}) != 1:
            return None
        return max(known, key=lambda price: price.micros)

    def _by_cost(self, places: Sequence[str], asked: Asked) -> tuple[tuple[str, Price | None], ...]:
        """Places by cost, those whose cost is not known last; as they stand where currencies can't be compared."""
        costs = [(place, self.cost_at(place, asked)) for place in places]
        if len({cost.currency for _, cost in costs if cost is not None}) > 1:
            return tuple(costs)
        return tuple(sorted(costs, key=lambda one: (one[1] is None, one[1].micros if one[1] else 0)))

    def serves(self, queue: str) -> tuple[str, ...]:
        """Every channel that serves a queue, now or when others are out of service."""
        if (way := read_way(queue)) is not None:
            return tuple(dict.fromkeys(name for place in way.places for name in self.members.of(place)))
        kind, _, name = queue.partition(":")
        return self.members.of(one_channel(name) if kind == "channel" else name)


def in_turn(step: Sequence[Share], turn: int) -> Iterator[str]:
    """The places of a step for one message.

    A round has as many turns as all weights together. In each round each place is first as often as its weight says.
    The second place is chosen likewise among the others; the rest follow as they stand.

    >>> [next(in_turn([Share("a", 3), Share("b")], turn)) for turn in range(8)]
    ['a', 'b', 'a', 'a', 'a', 'b', 'a', 'a']
    """
    left = list(step)
    for _ in range(min(2, len(step) - 1)):
        whole = sum(share.weight for share in left)
        turn, at = divmod(turn, whole)
        at = at * _stride(whole) % whole
        for share in left:
            at -= share.weight
            if at < 0:
                break
        left.remove(share)
        yield share.place
    yield from (share.place for share in left)


def _stride(whole: int) -> int:
    """A step through a circle that comes to every place once, and to neighbours far apart in time."""
    step = max(1, round(whole * 0.618))
    while gcd(step, whole) > 1:
        step += 1
    return step


_INDEXED: Final = ("prefix", "key", "tag", "sender", "carrier", "category", "encoding")


_REMEMBERED_MINUTES: Final = 1_500
"""Most messages ask for now, some for an hour of today: a day and a little more."""


class _Index:
    """Finds the few rules that may fit: each rule stands under the values of its rarest condition, and under its times.

    Places of rules are the bits of a number: of a thousand rules those that meet several conditions are found at once.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        n_rules: dict[tuple[str, object], int] = {}
        for rule in rules:
            for key in _INDEXED:
                for value in getattr(rule.conditions, key):
                    n_rules[key, value] = n_rules.get((key, value), 0) + 1
        self._others = 0
        by: dict[str, dict[object, int]] = {key: {} for key in _INDEXED}
        for place, rule in enumerate(rules):
            given = {key: values for key in _INDEXED if (values := getattr(rule.conditions, key))}
            if not given:
                self._others |= 1 << place
                continue
            rarest = min(given, key=lambda key: sum(n_rules[key, value] for value in given[key]))
            for value in given[rarest]:
                by[rarest][value] = by[rarest].get(value, 0) | 1 << place
        self._lengths = sorted({len(str(prefix)) for prefix in by["prefix"]})
        self._by = {key: places for key, places in by.items() if places}
        self._timed = [
            (1 << place, rule.conditions) for place, rule in enumerate(rules) if rule.conditions.is_timed
        ]
        self._any_timed = sum(bit for bit, _ in self._timed)
        self._closed_in = lru_cache(_REMEMBERED_MINUTES)(self._find_closed)

    def candidates(self, asked: Asked, carrier: str | None) -> Iterator[int]:
        """Places of rules that may fit, in order."""
        found = self._others
        by = self._by
        if (places := by.get("prefix")) is not None:
            for n in self._lengths:
                found |= places.get(asked.number[:n], 0)
        values: tuple[tuple[str, Sequence[object]], ...] = (
            ("key", asked.key),
            ("tag", asked.tags),
            ("sender", (asked.sender,)),
            ("carrier", (carrier,)),
            ("category", (asked.category,)),
            ("encoding", (asked.encoding,)),
        )
        for key, wanted in values:
            if (places := by.get(key)) is not None:
                for value in wanted:
                    found |= places.get(value, 0)
        if found & self._any_timed:
            found &= ~self._closed_in(int(asked.at.timestamp()) // 60)
        while found:
            first = found & -found
            yield first.bit_length() - 1
            found ^= first

    def _find_closed(self, minute: int) -> int:
        """The rules that are for other times.

        Args:
            minute: since 1970, UTC.
        """
        at = datetime.fromtimestamp(60 * minute, UTC)
        return sum(bit for bit, conditions in self._timed if conditions.missed_time(at) is not None)
