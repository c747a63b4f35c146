"""Prices: which line of the list a segment is charged by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.routing.prices import Price, PriceRule, Prices, format_amount, parse_amount

NOW = datetime(2026, 6, 1, tzinfo=UTC)
GROUPS = {"a": ("default", "bulk"), "b": ("bulk",), "c": ()}


def yuan(text: str) -> Price:
    return Price(parse_amount(text), "CNY")


def test_the_longest_prefix_wins():
    prices = Prices(
        [
            PriceRule(yuan("1")),
            PriceRule(yuan("0.05"), prefix="+86"),
            PriceRule(yuan("0.04"), prefix="+86138"),
        ],
        GROUPS,
    )
    assert prices.price_of("a", "+8613800138000", NOW) == yuan("0.04")
    assert prices.price_of("a", "+8613900138000", NOW) == yuan("0.05")
    assert prices.price_of("a", "+4915112345678", NOW) == yuan("1")
    assert prices.price_of("a", "10086", NOW) == yuan("1")


def test_a_longer_prefix_for_all_goes_before_a_shorter_one_of_the_channel():
    prices = Prices(
        [PriceRule(yuan("0.05"), channel="a"), PriceRule(yuan("2"), prefix="+1")],
        GROUPS,
    )
    assert prices.price_of("a", "+15551234567", NOW) == yuan("2")
    assert prices.price_of("a", "+8613800138000", NOW) == yuan("0.05")


def test_the_channel_goes_before_its_group_and_that_before_all():
    prices = Prices(
        [PriceRule(yuan("3")), PriceRule(yuan("2"), group="bulk"), PriceRule(yuan("1"), channel="a")],
        GROUPS,
    )
    assert [prices.price_of(name, "+86138", NOW) for name in "abc"] == [yuan("1"), yuan("2"), yuan("3")]
    assert prices.price_of("gone", "+86138", NOW) == yuan("3")


def test_the_newest_price_that_holds_already_counts():
    prices = Prices(
        [
            PriceRule(yuan("3"), valid_from=NOW + timedelta(days=1)),
            PriceRule(yuan("2"), valid_from=NOW),
            PriceRule(yuan("1"), valid_from=NOW - timedelta(days=100)),
        ],
        GROUPS,
    )
    assert prices.price_of("a", "+86138", NOW) == yuan("2")
    assert prices.price_of("a", "+86138", NOW - timedelta(seconds=1)) == yuan("1")
    assert prices.price_of("a", "+86138", NOW + timedelta(days=1)) == yuan("3")
    assert prices.price_of("a", "+86138", NOW - timedelta(days=101)) is None


def test_until_a_more_special_price_holds_the_more_general_one_does():
    tomorrow = NOW + timedelta(days=1)
    prices = Prices(
        [
            PriceRule(yuan("3")),
            PriceRule(yuan("2"), channel="a", valid_from=tomorrow),
            PriceRule(yuan("1"), prefix="+86", valid_from=tomorrow),
        ],
        GROUPS,
    )
    assert prices.price_of("a", "+86138", NOW) == yuan("3")
    assert prices.price_of("a", "+1555", tomorrow) == yuan("2")
    assert prices.price_of("a", "+86138", tomorrow) == yuan("1")


def test_without_a_price_there_is_none():
    assert Prices().price_of("a", "+86138", NOW) is None
    assert not Prices()
    only_b = Prices([PriceRule(yuan("1"), channel="b", prefix="+86")], GROUPS)
    assert only_b
    assert only_b.price_of("a", "+86138", NOW) is None
    assert only_b.price_of("b", "+1", NOW) is None


@pytest.mark.parametrize(
    "text", ["", "1.", ".5", "-1", "+1", "1e3", "0.0000001", "100000.000001", "1,5", "١", " 1", "1\n", "nan"]
)
def test_what_is_no_amount_is_refused(text: str):
    with pytest.raises(ValueError, match="no amount"):
        parse_amount(text)


def test_amounts_are_exact():
    assert [format_amount(parse_amount(t)) for t in ("0.1", "0.10", "0.000001", "100000", "0")] == [
        "0.1",
        "0.1",
        "0.000001",
        "100000",
        "0",
    ]
    assert str(Price(3 * parse_amount("0.1"), "EUR")) == "0.3 EUR"
