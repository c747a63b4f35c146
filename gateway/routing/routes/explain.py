"""Why a message would go where: the decision of `gateway.routing.routes.table` in words. Pure.

The decision is that of a real message, by the same function. The channel that would take it now is chosen by
`gateway.routing.balancer.choose_channels`, as the scheduler does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import msgspec

from gateway.model.message import MessageStatus
from gateway.routing.balancer import Candidate, choose_channels
from gateway.routing.budgets import URGENT, Need
from gateway.routing.channel import Standing
from gateway.routing.prices import Price
from gateway.routing.routes.carriers import CarrierFact
from gateway.routing.routes.conditions import Asked
from gateway.routing.routes.table import Decision, Facts, Routes
from gateway.routing.rules import DEFAULT_GROUP
from gateway.routing.waiting import Reason, Waiting, explain_wait
from gateway.routing.ways import describe_place, read_way

MOST_VERDICTS: Final = 1_000
"""Rules that are told of; a longer table is cut, with a word about it."""


class RuleVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule says of a message.

    Args:
        rule: its name.
        matched: it takes the message.
        detail: one sentence: what was met, or the first condition that was not.
    """

    rule: str
    matched: bool
    detail: str


class ChannelVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What one channel would do with a message now.

    Args:
        channel: its name.
        place: the group, or the channel, by which it is on the way: ``group cmcc``.
        step: which place of the way that is, from 1.
        serves: it may take the message now.
        takes: it is the one that does.
        detail: one sentence or more.
        cost: of the whole message there, such as ``0.09 CNY``; null where no price is known.
    """

    channel: str
    place: str
    step: int
    serves: bool
    takes: bool
    detail: str
    cost: str | None


class RouteExplanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why a message would go where.

    Args:
        to: the recipient as it would be stored.
        at: for when the question is: now, or the message's schedule.
        rule: the rule that takes it; null where none does.
        detail: one sentence: why it goes that way.
        way: groups and channels in order; the first that is in service sends it.
        channel: the one that would take it now; null when it would wait.
        channels: all on the way.
        waits_for: why it would wait; empty when a channel takes it now.
        rules: all rules up to the one that takes it, in order.
        rules_left: how many rules are not told of: behind the one that takes it, or too many.
        carrier: whose number it is, and how that is known.
        sticky: one sentence on the channel that the recipient stays with; null where the rule has no ``sticky``.
        segments: how many it has.
        cost: what it would cost by that channel, or by the first on its way; null where no price is known.
    """

    to: str
    at: datetime
    rule: str | None
    detail: str
    way: tuple[str, ...]
    channel: str | None
    channels: tuple[ChannelVerdict, ...]
    waits_for: tuple[Reason, ...]
    rules: tuple[RuleVerdict, ...]
    rules_left: int
    carrier: CarrierFact
    sticky: str | None
    encoding: str
    segments: int
    cost: str | None


def explain_route(
    routes: Routes,
    asked: Asked,
    facts: Facts,
    turn_of: Callable[[str], int],
    standings: Iterable[Standing],
    *,
    now: datetime,
    has_options: bool = False,
) -> RouteExplanation | None:
    """Why a message would go where; None where no channel serves what it asks for: it would be refused.

    Args:
        turn_of: as for `Routes.decide`, by one who only looks.
        standings: all channels as they are.
        now: aware.
        has_options: see `gateway.routing.balancer.Candidate`.
    """
    decision = routes.decide(asked, facts, turn_of)
    if decision.queue is None:
        return None
    candidate = Candidate(
        "", 0, decision.queue, Need(asked.number, asked.n_segments, asked.category in URGENT), has_options
    )
    by_name = {standing.snapshot.name: standing for standing in standings}
    out = {name for name, standing in by_name.items() if standing.out}
    places = decision.places or (_only_place(decision.queue),)
    serving = _serving(routes, decision.queue, places, out)
    lined_up = [replace(by_name[name], queues=(decision.queue,)) for name in serving if name in by_name]
    takers = [s.taker._replace(queues=(decision.queue,)) for s in lined_up if s.taker is not None]
    taking = choose_channels([candidate], takers, now).get("")
    waiting = Waiting(
        status=MessageStatus.QUEUED, queue=decision.queue, need=candidate.need, has_options=has_options
    )
    channels = [
        ChannelVerdict(
            channel=name,
            place=describe_place(place),
            step=step,
            serves=name in serving,
            takes=name == taking,
            detail=_tell_channel(
                by_name.get(name), name == taking, name in serving, waiting, places[: step - 1], now
            ),
            cost=_cost(routes.price_of(name, asked.number, asked.at), asked),
        )
        for step, place in enumerate(places, 1)
        for name in _not_before(routes, places[: step - 1], routes.members.of(place))
    ]
    would = next((one for one in channels if one.takes), next((one for one in channels if one.serves), None))
    verdicts, n_left = _verdicts(routes, asked, decision)
    return RouteExplanation(
        to=asked.number,
        at=asked.at,
        rule=decision.rule.name if decision.rule else None,
        detail=_tell(routes, asked, decision),
        way=tuple(describe_place(place) for place in places),
        channel=taking,
        channels=tuple(channels),
        waits_for=() if taking else tuple(explain_wait(waiting, lined_up, now)),
        rules=verdicts,
        rules_left=n_left,
        carrier=routes.carriers.fact_of(asked.number, facts.known),
        sticky=_tell_sticky(decision, facts),
        encoding=asked.encoding,
        segments=asked.n_segments,
        cost=would.cost if would else None,
    )


def _only_place(queue: str) -> str:
    kind, _, name = queue.partition(":")
    return f"@{name}" if kind == "channel" else name


def _serving(routes: Routes, queue: str, places: Sequence[str], out: Collection[str]) -> list[str]:
    """Channels that may take from a queue now, each once."""
    way = read_way(queue)
    reach = len(places) if way is None else routes.members.reach(way, out)
    return list(dict.fromkeys(name for place in places[:reach] for name in routes.members.of(place)))


def _not_before(routes: Routes, places: Sequence[str], names: Iterable[str]) -> list[str]:
    """Those channels that are in none of these places."""
    before = {name for place in places for name in routes.members.of(place)}
    return [name for name in names if name not in before]


def _verdicts(routes: Routes, asked: Asked, decision: Decision) -> tuple[tuple[RuleVerdict, ...], int]:
    if asked.channel is not None:
        return (), len(routes.rules)
    carrier, found = decision.carrier, []
    for rule in routes.rules[:MOST_VERDICTS]:
        missed = rule.conditions.missed(asked, carrier)
        if missed is None:
            found.append(RuleVerdict(rule=rule.name, matched=True, detail=rule.conditions.tell_met()))
            break
        detail = rule.conditions.tell_missed(missed, asked, carrier)
        found.append(RuleVerdict(rule=rule.name, matched=False, detail=detail))
    return tuple(found), len(routes.rules) - len(found)


def _tell(routes: Routes, asked: Asked, decision: Decision) -> str:
    if asked.channel is not None:
        return f"It is pinned to channel {asked.channel}: no rule is asked."
    if decision.rule is not None:
        by_cost = ""
        if decision.by_cost:
            told = [
                f"{describe_place(place)} {cost or 'without a price'}" for place, cost in decision.by_cost
            ]
            by_cost = f" The cheapest comes first: {', '.join(told)} a segment."
        return f"The rule {decision.rule.name} takes it.{by_cost}"
    no_rule = "There are no rules" if not routes.rules else "No rule takes it"
    if asked.sender is not None:
        return f"{no_rule}: it goes by its sender {asked.sender}."
    return f"{no_rule}: it goes by the group {DEFAULT_GROUP}."


def _tell_sticky(decision: Decision, facts: Facts) -> str | None:
    if decision.rule is None or not decision.rule.sticky_s:
        return None
    if decision.sticky is not None:
        return (
            f"It was sent something by {decision.sticky} lately, and stays with it while that is in service."
        )
    before = facts.sticky.get(decision.rule.name)
    if before is not None:
        return f"It was sent something by {before} lately, which is not on the way of the rule any more."
    return "It was sent nothing by this rule lately: the channel that sends this is remembered."


def _tell_channel(
    standing: Standing | None,
    takes: bool,
    serves: bool,
    waiting: Waiting,
    before: Sequence[str],
    now: datetime,
) -> str:
    if standing is None:
        return "It is not running."
    if takes:
        return "It takes the message now."
    if not serves:
        earlier = " and ".join(describe_place(place) for place in before)
        return f"It takes over when every channel of {earlier} is out of service."
    reasons = explain_wait(waiting, [replace(standing, queues=(waiting.queue,))], now)
    if any(reason.code == "turn" for reason in reasons):
        return "It could take it, too; among equals the one with the most room does."
    return " ".join(reason.detail for reason in reasons)


def _cost(price: Price | None, asked: Asked) -> str | None:
    return None if price is None else str(price._replace(micros=price.micros * asked.n_segments))
