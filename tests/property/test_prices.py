"""Prices, compared with a plain search through the list; and amounts that come back as they were."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from gateway.routing.prices import (
    ALWAYS,
    MICROS,
    MOST_UNITS,
    Price,
    PriceRule,
    Prices,
    format_amount,
    parse_amount,
)

GROUPS = {"a": ("x", "y"), "b": ("y",), "c": ()}
NUMBERS = st.text("+12", max_size=5)
RULES = st.builds(
    PriceRule,
    st.builds(Price, st.integers(0, 9), st.sampled_from(["CNY", "EUR"])),
    channel=st.sampled_from([None, None, "a", "b"]),
    group=st.sampled_from([None, None, "x", "y"]),
    prefix=st.text("+12", max_size=3),
    valid_from=st.integers(0, 4).map(lambda n: ALWAYS + timedelta(days=n)),
).filter(lambda rule: rule.channel is None or rule.group is None)


@given(
    rules=st.lists(RULES, max_size=12), number=NUMBERS, channel=st.sampled_from("abc?"), day=st.integers(0, 5)
)
def test_the_table_says_what_a_search_says(rules: list[PriceRule], number: str, channel: str, day: int):
    at = ALWAYS + timedelta(days=day)
    # Of two that are alike the first counts; `hongyan check` refuses them.
    fitting = [
        rule
        for rule in rules
        if number.startswith(rule.prefix)
        and rule.valid_from <= at
        and rule.channel in {None, channel}
        and (rule.group is None or rule.group in GROUPS.get(channel, ()))
    ]

    def order(rule: PriceRule) -> tuple[int, int, float]:
        scope = 0 if rule.channel else 1 if rule.group else 2
        return -len(rule.prefix), scope, -rule.valid_from.timestamp()

    expected = min(fitting, key=order).price if fitting else None
    groups = {name: served for name, served in GROUPS.items() if name != "?"}
    # A channel that is not configured has no groups, and no line names it.
    assert Prices(rules, groups).price_of(channel, number, at) == expected


@given(st.integers(0, MOST_UNITS * MICROS))
def test_an_amount_comes_back_as_it_was(micros: int):
    assert parse_amount(format_amount(micros)) == micros
