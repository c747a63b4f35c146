"""Routing rules: the index finds what reading all finds, shares are kept, and no message is without a reason."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model.message import Category, MessageStatus
from gateway.routing.budgets import Budget, Need, Quota
from gateway.routing.channel import ChannelSnapshot, ChannelState, Standing
from gateway.routing.periods import ActiveHours, Period
from gateway.routing.routes.carriers import Carrier, CarrierRange, Carriers, Known
from gateway.routing.routes.conditions import Asked, Conditions
from gateway.routing.routes.explain import explain_route
from gateway.routing.routes.fitness import Fitness
from gateway.routing.routes.table import Facts, Routes, Rule, Share, Turns, in_turn
from gateway.routing.waiting import Waiting, explain_wait
from gateway.routing.ways import read_way

START = datetime(2026, 3, 14, 9, 26, tzinfo=UTC)
CHANNELS = {"a1": ("a",), "a2": ("a", "b"), "b1": ("b", "default"), "c1": ("c",)}
PLACES = ["a", "b", "c", "@a1", "@c1"]
CARRIERS = Carriers(
    [Carrier("cmcc", "m"), Carrier("unicom", "u")],
    [CarrierRange("+86138", "cmcc"), CarrierRange("+86130", "unicom")],
)
NUMBERS = ["+8613800138000", "+8613000138000", "+447700900123", "10086"]


def some(values: list[str]) -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(st.sampled_from(values), max_size=2)


CONDITIONS = st.builds(
    Conditions,
    prefix=st.lists(st.sampled_from(["+86", "+861", "+8613", "+44", "1"]), max_size=2, unique=True).map(
        tuple
    ),
    carrier=some(["cmcc", "unicom"]),
    category=st.frozensets(st.sampled_from(Category), max_size=2),
    key=some(["k1", "shop", "smpp:crm"]),
    tag=some(["vip", "x"]),
    sender=st.one_of(st.just(frozenset()), some(["pool", "a"])),
    encoding=some(["gsm7", "ucs2"]),
    hours=st.sampled_from([(), (ActiveHours(480, 720),), (ActiveHours(1320, 360), ActiveHours(600, 660))]),
    weekdays=st.frozensets(st.integers(0, 6), max_size=3),
    zone=st.just(UTC),
)


@st.composite
def rule_tables(draw: st.DrawFn, most: int = 12) -> Routes:
    rules = []
    for n in range(draw(st.integers(0, most))):
        places = draw(st.lists(st.sampled_from(PLACES), min_size=1, max_size=4, unique=True))
        cut = draw(st.integers(1, len(places)))
        weights = [draw(st.integers(1, 5)) for _ in places]
        shares = [Share(place, weight) for place, weight in zip(places, weights, strict=True)]
        steps = tuple(step for step in (tuple(shares[:cut]), tuple(shares[cut:])) if step)
        sticky_s = draw(st.sampled_from([0.0, 86_400.0]))
        rules.append(
            Rule(
                name=f"r{n}",
                conditions=draw(CONDITIONS),
                steps=steps,
                sticky_s=sticky_s,
                by_cost=draw(st.booleans()),
            )
        )
    return Routes(rules, CHANNELS, CARRIERS)


ASKED = st.builds(
    Asked,
    number=st.sampled_from(NUMBERS),
    at=st.integers(0, 7 * 24 * 60).map(lambda minutes: START + timedelta(minutes=minutes)),
    category=st.sampled_from(Category),
    key=st.sampled_from([(), ("k1", "shop"), ("smpp:crm",)]),
    tags=st.sampled_from([(), ("vip",), ("x", "y")]),
    sender=st.sampled_from([None, "pool", "a", "default"]),
    channel=st.sampled_from([None, None, None, "a1"]),
    encoding=st.sampled_from(["gsm7", "ucs2", "binary"]),
)
FACTS = st.builds(
    Facts,
    known=st.sampled_from([None, Known("unicom", "api"), Known("cmcc", "receipt"), Known("gone", "api")]),
    sticky=st.dictionaries(st.sampled_from(["r0", "r1"]), st.sampled_from([*CHANNELS, "gone"])),
)


@st.composite
def channel_standings(draw: st.DrawFn) -> list[Standing]:
    found = []
    for name, groups in CHANNELS.items():
        snapshot = ChannelSnapshot(
            name=name,
            kind="smpp",
            groups=groups,
            since=START,
            state=draw(st.sampled_from(ChannelState)),
            in_flight=draw(st.integers(0, 1)),
            cooldown_s=draw(st.sampled_from([0.0, 3.0])),
        )
        quota = Quota(limit=1, period=Period.DAY, used=1, ends_at=START + timedelta(days=9))
        budget = draw(st.sampled_from([None, Budget(quotas=(quota,))]))
        found.append(
            Standing(
                snapshot=snapshot,
                queues=(f"channel:{name}", *(f"group:{g}" for g in groups)),
                budget=budget,
                out=draw(st.booleans()),
            )
        )
    return found


@given(routes=rule_tables(), asked=ASKED, facts=FACTS)
@settings(max_examples=400, deadline=None)
def test_the_index_finds_the_rule_that_reading_all_of_them_finds(routes: Routes, asked: Asked, facts: Facts):
    decision = routes.decide(asked, facts, Turns().peek)
    carrier = CARRIERS.name_of(asked.number, facts.known)
    fitting = [rule.name for rule in routes.rules if rule.conditions.missed(asked, carrier) is None]
    expected = fitting[0] if fitting and asked.channel is None else None
    assert (decision.rule.name if decision.rule else None) == expected
    if decision.rule is not None:
        listed = {share.place for step in decision.rule.steps for share in step}
        assert listed <= set(decision.places), "whatever comes first, no place is lost"
        assert len(decision.places) == len(set(decision.places)), "and none stands twice"


@given(routes=rule_tables(), asked=ASKED, facts=FACTS, standings=channel_standings())
@settings(max_examples=400, deadline=None)
def test_a_message_is_never_without_a_reason(
    routes: Routes, asked: Asked, facts: Facts, standings: list[Standing]
):
    """Either a channel takes it, or the explanation and the wait itself name what holds it back; each in a sentence."""
    explained = explain_route(routes, asked, facts, Turns().peek, standings, now=START)
    decision = routes.decide(asked, facts, Turns().peek)
    if decision.queue is None:
        assert explained is None
        assert asked.sender == "pool", "it is refused when it comes: nobody serves what it asks for"
        return
    assert explained is not None
    assert explained.channels, "some channel is on every way"
    assert explained.channel is not None or explained.waits_for
    out = {s.snapshot.name for s in standings if s.out}
    serving = routes.members.serving([decision.queue], out)
    as_they_serve = [serving_too(s, (*s.queues, *serving.get(s.snapshot.name, ()))) for s in standings]
    waiting = Waiting(status=MessageStatus.QUEUED, queue=decision.queue, need=Need(asked.number))
    reasons = explain_wait(waiting, as_they_serve, START)
    assert reasons
    assert "no_channel" not in {reason.code for reason in reasons}
    for text in (
        explained.detail,
        *(r.detail for r in explained.rules),
        *(c.detail for c in explained.channels),
    ):
        assert text.endswith(".")
        assert text[0].isupper()
    assert sum(rule.matched for rule in explained.rules) == (explained.rule is not None)


def serving_too(standing: Standing, queues: tuple[str, ...]) -> Standing:
    return Standing(
        snapshot=standing.snapshot,
        queues=queues,
        budget=standing.budget,
        taker=standing.taker,
        out=standing.out,
    )


@given(weights=st.lists(st.integers(1, 1_000), min_size=1, max_size=8), begin=st.integers(0, 5_000))
@settings(max_examples=60, deadline=None)
def test_shares_hold_within_two_percent_over_ten_thousand(weights: list[int], begin: int):
    step = [Share(f"g{n}", weight) for n, weight in enumerate(weights)]
    first = Counter(next(in_turn(step, turn)) for turn in range(begin, begin + 10_000))
    for share in step:
        assert abs(first[share.place] / 10_000 - share.weight / sum(weights)) <= 0.02


@given(weights=st.lists(st.integers(1, 9), min_size=2, max_size=4))
@settings(max_examples=30, deadline=None)
def test_shares_hold_among_the_others_when_one_is_out(weights: list[int]):
    step = [Share(f"g{n}", weight) for n, weight in enumerate(weights)]
    without = Counter(next(place for place in in_turn(step, turn) if place != "g0") for turn in range(10_000))
    left = sum(weights[1:])
    for share in step[1:]:
        assert abs(without[share.place] / 10_000 - share.weight / left) <= 0.02


@given(
    places=st.lists(st.sampled_from(PLACES), min_size=1, max_size=4, unique=True),
    last=st.sampled_from([None, *CHANNELS, "gone"]),
    turn=st.integers(0, 99),
    by_cost=st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_sticky_holds(places: list[str], last: str | None, turn: int, by_cost: bool):
    """The channel that sent the last message comes first, as long as the rule still leads to it."""
    rule = Rule(name="r", steps=(tuple(map(Share, places)),), sticky_s=60.0, by_cost=by_cost)
    routes = Routes([rule], CHANNELS)
    facts = Facts(sticky={} if last is None else {"r": last})
    decision = routes.decide(Asked(NUMBERS[0], START), facts, lambda _: turn)
    on_way = {name for place in places for name in routes.members.of(place)}
    if last in on_way:
        assert decision.places[0] == f"@{last}"
        assert {*decision.places} == {*places, f"@{last}"}
    else:
        assert {*decision.places} == {*places}
    way = read_way(str(decision.queue))
    assert way is not None
    assert (way.places, way.sticky) == (decision.places, "r")


@given(
    looks=st.lists(
        st.tuples(st.floats(0.1, 40), st.lists(st.booleans(), min_size=2, max_size=2)), max_size=30
    )
)
@settings(max_examples=100, deadline=None)
def test_who_is_out_was_unfit_for_long_and_who_is_back_was_fit_for_long(
    looks: list[tuple[float, list[bool]]],
):
    fitness = Fitness(30.0, 10.0)
    now, history = 0.0, []
    for pause_s, fit in looks:
        now += pause_s
        before = fitness.out
        fitness.note({"x": fit[0], "y": fit[1]}, now)
        history.append((now, fit))
        for n, name in enumerate("xy"):
            since = now
            for at, was in reversed(history):
                if was[n] is not fit[n]:
                    break
                since = at
            if name in fitness.out - before:
                assert not fit[n]
                assert now - since >= 30.0
            if name in before - fitness.out:
                assert fit[n]
                assert now - since >= 10.0
            if not fit[n] and now - since >= 30.0:
                assert name in fitness.out
