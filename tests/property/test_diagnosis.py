"""Diagnosis of generated outcomes: the cause that was planted is found, and chance is no cause."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.routing.diagnosis import Condition, Outcomes, Traits, diagnose

pytestmark = pytest.mark.property

CHANNELS = [f"channel-{n}" for n in range(4)]
CARRIERS = {"+86133": "telecom", "+86153": "telecom", "+86138": "cmcc", "+86139": "cmcc", "+1212": ""}
TAGS = ["otp", "sale", "news", "bill"]
CATEGORIES = ["transactional", "otp", "marketing"]


def draw(source: random.Random) -> Traits:
    prefix = source.choice(list(CARRIERS))
    tags = (source.choice(TAGS),)
    return Traits(source.choice(CHANNELS), CARRIERS[prefix], prefix, tags, source.choice(CATEGORIES))


CONDITIONS = [
    *(Condition("channel", value) for value in CHANNELS),
    *(Condition("carrier", value) for value in ("telecom", "cmcc")),
    *(Condition("prefix", value) for value in CARRIERS),
    *(Condition("tag", value) for value in TAGS),
    *(Condition("category", value) for value in CATEGORIES),
]


@st.composite
def causes(draw_from: st.DrawFn) -> tuple[Condition, ...]:
    first = draw_from(st.sampled_from(CONDITIONS))
    numbers = {"carrier", "prefix"}  # a carrier says nothing beside a prefix
    others = [c for c in CONDITIONS if c.what != first.what and {c.what, first.what} != numbers]
    second = draw_from(st.none() | st.sampled_from(others))
    return (first,) if second is None else (first, second)


@settings(max_examples=60, deadline=None)
@given(
    cause=causes(),
    seed=st.integers(0, 2**32),
    n=st.integers(1_500, 4_000),
    share=st.floats(0.6, 1.0),
    elsewhere=st.floats(0.0, 0.05),
)
def test_the_cause_that_was_planted_is_found(cause, seed, n, share, elsewhere):
    source, outcomes = random.Random(seed), Outcomes()
    for _ in range(n):
        traits = draw(source)
        is_so = set(cause) <= set(traits.conditions())
        fails = source.random() < (share if is_so else elsewhere)
        outcomes.note(traits, "code" if fails else None, 0.0)
    (finding,) = diagnose(outcomes.cells(0.0))
    # Of two conditions that hold together for few, one may be all that the figures tell apart from chance.
    assert finding.conditions
    assert set(finding.conditions) <= set(cause)
    assert finding.fault == "code"


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32), n=st.integers(10, 3_000), rate=st.floats(0.0, 0.25))
def test_chance_is_no_cause(seed, n, rate):
    source, outcomes = random.Random(seed), Outcomes()
    for _ in range(n):
        outcomes.note(draw(source), "code" if source.random() < rate else None, 0.0)
    assert diagnose(outcomes.cells(0.0)) == []


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_whatever_comes_figures_add_up(data):
    outcomes, n = Outcomes(), 0
    kinds = st.builds(
        Traits,
        st.sampled_from(["", "a", "b"]),
        st.sampled_from(["", "c", "d"]),
        st.sampled_from(["", "x", "y"]),
        st.lists(st.sampled_from("pqr"), max_size=3).map(tuple),
        st.sampled_from(["", "otp"]),
    )
    for traits, fault, count in data.draw(
        st.lists(st.tuples(kinds, st.sampled_from([None, "f", "g"]), st.integers(1, 60)), max_size=20)
    ):
        for _ in range(count):
            outcomes.note(traits, fault, 0.0)
            n += 1
    for finding in diagnose(outcomes.cells(0.0)):
        assert finding.inside.n + finding.outside.n == n
        assert 10 <= finding.inside.n_failed <= finding.inside.n
        assert finding.inside.share > finding.outside.share
        assert 0 <= finding.outside.n_failed <= finding.outside.n
