"""Route: where a new message waits, by the rules of the config.

Without rules that is one look at the groups. With rules that ask for nothing the store knows it is decided where the
draft is made. Where a rule asks for the carrier, or stays with a channel, it is decided in the transaction that stores
the message, with what the store knows of the recipient then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from drivers.codec.segment import Plan
from gateway.model.message import ApiKey
from gateway.model.request import CommonFields
from gateway.routing.routes.conditions import Asked
from gateway.routing.routes.table import NO_FACTS, Decision, Facts, Routes, Turns
from gateway.store.ports import Tx
from gateway.store.routes import find_facts


class Routed(NamedTuple):
    """A way that was decided.

    Args:
        queue: where the message waits.
        rule: that took it; None for none.
        tag: see `gateway.pipeline.intake.drafts.Draft`.
    """

    queue: str
    rule: str | None
    tag: int | None


class Unsettled(NamedTuple):
    """A message whose way depends on what the store knows of its recipient.

    Args:
        recipient: of whom.
        settle: decides, with a place in its line.
    """

    recipient: str
    settle: Callable[[Facts], Routed]


class Router:
    """Holds the rules, and counts what they take.

    Args:
        routes: see `Routes`.
    """

    def __init__(self, routes: Routes) -> None:
        self.routes = routes
        self.turns = Turns()

    def adopt(self, routes: Routes) -> None:
        """Go by other rules from now on; what waits already keeps its way."""
        self.routes = routes

    def decide(self, asked: Asked, facts: Facts = NO_FACTS, *, takes: bool = True) -> Decision:
        """Where a message goes.

        Args:
            takes: False for one who only looks.
        """
        return self.routes.decide(asked, facts, self.turns.take if takes else self.turns.peek)

    def leave_open(self, asked: Asked, queue: str, join: Callable[[str], int | None]) -> Unsettled | None:
        """What is left to be decided where a message is stored; None where all is decided.

        Args:
            queue: where it waits if nothing is found then.
            join: takes its place in the line of a queue.
        """
        if asked.channel is not None or not self.routes.asks_store:
            return None

        def settle(facts: Facts) -> Routed:
            decision = self.decide(asked, facts)
            where = decision.queue or queue
            return Routed(where, decision.rule.name if decision.rule else None, join(where))

        return Unsettled(asked.number, settle)


def names_of(key: ApiKey | None) -> tuple[str, ...]:
    """By what rules know who sends: id and name of an API key, ``smpp:NAME`` or ``kannel:NAME`` of an account."""
    if key is None:
        return ()
    return (key.id,) if ":" in key.id else (key.id, key.name)


def asked_of(
    request: CommonFields, recipient: str, key: ApiKey | None, plan: Plan | None, at: datetime
) -> Asked:
    """What rules may ask for of a message that is being made of a request.

    Args:
        plan: of its text; None where that can't be sent, or is not known.
        at: when it may go.
    """
    return Asked(
        recipient,
        at,
        request.category,
        names_of(key),
        request.tags,
        request.sender,
        request.channel,
        plan.encoding.value if plan is not None else "gsm7",
        len(plan.segments) if plan is not None else 1,
    )


async def settle_all(tx: Tx, open_ones: Sequence[Unsettled], now: datetime) -> list[Routed]:
    """Decide on messages inside the operation that stores them; in their order."""
    facts = await find_facts(tx, {one.recipient for one in open_ones}, now)
    return [one.settle(facts.get(one.recipient, NO_FACTS)) for one in open_ones]
