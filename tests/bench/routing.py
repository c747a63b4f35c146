"""What a message costs with many rules: CPU of one decision, in one process; the best of many short rounds."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from gateway.model.message import Category
from gateway.routing.periods import ActiveHours
from gateway.routing.routes.carriers import Carriers
from gateway.routing.routes.conditions import Asked, Conditions
from gateway.routing.routes.explain import explain_route
from gateway.routing.routes.table import NO_FACTS, Routes, Rule, Share, Turns
from gateway.settings.carriers import CarrierSettings
from tests.bench.figures import Figure

BENCH = "routing"
N_RULES = 1_000
N_ASKED = 5_000
ROUNDS = 7
IN_ROUND = 500
CHANNELS = {f"c{n}": (f"g{n % 10}", "default") for n in range(20)}
_DICE = random.Random(4711)
_AT = datetime(2026, 5, 4, 12, tzinfo=UTC)


def mixed_rules(n_rules: int) -> list[Rule]:
    """Rules as a large installation may have them: by country and number, by client, by tag, by carrier and time."""
    rules = []
    for n in range(n_rules):
        match n % 5:
            case 0:
                conditions = Conditions(prefix=(f"+{200 + n}",), category=frozenset({Category.OTP}))
            case 1:
                conditions = Conditions(key=frozenset({f"key-{n}"}), encoding=frozenset({"ucs2"}))
            case 2:
                conditions = Conditions(tag=frozenset({f"tag-{n}"}), prefix=("+86",))
            case 3:
                conditions = Conditions(
                    prefix=(f"+8613{n % 10}{n:04}",), carrier=frozenset({"cmcc", "unicom"})
                )
            case _:
                hours = (ActiveHours(480, 1_320),)
                conditions = Conditions(key=frozenset({f"key-{n % 97}"}), hours=hours, zone=UTC)
        steps = ((Share(f"g{n % 10}", 3), Share(f"g{(n + 1) % 10}")), (Share("default"),))
        rules.append(Rule(name=f"r{n}", conditions=conditions, steps=steps))
    return rules


def alike_rules(n_rules: int) -> list[Rule]:
    """The worst that can be indexed: all for one category and one country, apart only by hours."""
    conditions = [
        Conditions(
            prefix=("+86",), category=frozenset({Category.OTP}), hours=(ActiveHours(n, n + 1),), zone=UTC
        )
        for n in range(n_rules)
    ]
    return [Rule(name=f"r{n}", conditions=one, steps=((Share("g1"),),)) for n, one in enumerate(conditions)]


def messages(n: int) -> list[Asked]:
    """Of all kinds."""
    return [
        Asked(
            number=f"+861{_DICE.choice('3589')}{_DICE.randrange(10**9):09}",
            at=_AT + timedelta(minutes=_DICE.randrange(1_440)),
            category=_DICE.choice([Category.OTP, Category.TRANSACTIONAL]),
            key=("01k", f"key-{_DICE.randrange(1_000)}"),
            tags=(f"tag-{_DICE.randrange(1_000)}",) if _DICE.random() < 0.3 else (),
            encoding=_DICE.choice(["gsm7", "ucs2"]),
        )
        for _ in range(n)
    ]


def time_us(routes: Routes, asked: Sequence[Asked]) -> float:
    """Microseconds of one decision."""
    turns, best = Turns(), float("inf")
    for _ in range(ROUNDS):
        for start in range(0, len(asked), IN_ROUND):
            some = asked[start : start + IN_ROUND]
            started = time.process_time()
            for one in some:
                routes.decide(one, NO_FACTS, turns.take)
            best = min(best, (time.process_time() - started) / len(some))
    return best * 1e6


async def routing() -> list[Figure]:
    """All rows."""
    carriers: Carriers = CarrierSettings().load()
    asked = messages(N_ASKED)
    mixed = Routes(mixed_rules(N_RULES), CHANNELS, carriers)
    alike = Routes(alike_rules(N_RULES), CHANNELS, carriers)
    none = Routes((), CHANNELS, carriers)
    started = time.process_time()
    for one in asked[:100]:
        explain_route(mixed, one, NO_FACTS, Turns().peek, (), now=_AT)
    explained_us = (time.process_time() - started) / 100 * 1e6
    return [
        Figure(BENCH, "no rules", time_us(none, asked), "us/message"),
        Figure(BENCH, f"{N_RULES} rules of all kinds", time_us(mixed, asked), "us/message"),
        Figure(
            BENCH, f"{N_RULES} rules that differ by hours alone", time_us(alike, asked[:500]), "us/message"
        ),
        Figure(BENCH, f"explain, {N_RULES} rules", explained_us, "us/question"),
    ]
