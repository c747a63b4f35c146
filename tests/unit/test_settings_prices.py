"""[[prices]]: what may be written, and what is refused in which words."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.routing.prices import Price
from gateway.settings.config import SettingsErrors, load_settings
from gateway.settings.prices import make_prices
from tests.support.settings import write

pytestmark = pytest.mark.unit

CHANNELS = """
[[smpp]]
name = "a"
host = "h"
system_id = "s"
password = "p"
groups = ["default", "bulk"]
"""
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def faults(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(SettingsErrors) as caught:
        load_settings(write(tmp_path, CHANNELS + text))
    return str(caught.value).replace(f"{tmp_path}/hongyan.toml", "FILE").splitlines()


def test_a_price_list_as_it_is_meant(tmp_path: Path):
    settings = load_settings(
        write(
            tmp_path,
            CHANNELS
            + """
[[prices]]
price = "0.045"
currency = "CNY"
[[prices]]
channel = "a"
prefixes = ["+8613", "+8615"]
price = "0.04"
currency = "CNY"
valid_from = 2026-01-01
[[prices]]
group = "bulk"
prefixes = ["+8613"]
price = 1
currency = "EUR"
valid_from = "2027-01-01T00:00:00+08:00"
""",
        )
    )
    prices = make_prices(settings.prices, {"a": ("default", "bulk")})
    assert prices.price_of("a", "+861380000", NOW) == Price(40_000, "CNY")
    assert prices.price_of("a", "+861900000", NOW) == Price(45_000, "CNY")
    assert settings.prices[1].valid_from == datetime(2026, 1, 1, tzinfo=UTC)
    assert settings.prices[2].valid_from == datetime(2026, 12, 31, 16, tzinfo=UTC)


PRICE = '[[prices]]\nprice = "1"\ncurrency = "CNY"\n'
BAD = {
    "no currency": (
        '[[prices]]\nprice = "1"\n',
        "FILE:prices[0].currency: is missing; write currency = ...",
    ),
    "no price": ('[[prices]]\ncurrency = "CNY"\n', "FILE:prices[0].price: is missing; write price = ..."),
    "float": (
        '[[prices]]\nprice = 0.045\ncurrency = "CNY"\n',
        'FILE:prices[0].price: 0.045 without quotes is not exact; write it as text, such as "0.045"',
    ),
    "no amount": (
        '[[prices]]\nprice = "cheap"\ncurrency = "CNY"\n',
        (
            'FILE:prices[0].price: "cheap" is no price; write a number up to 100000 in quotes, with at most six digits '
            'behind the point, such as "0.045"'
        ),
    ),
    "currency": (
        '[[prices]]\nprice = "1"\ncurrency = "yuan"\n',
        'FILE:prices[0].currency: "yuan" is no currency; write its three capital letters, such as "CNY"',
    ),
    "prefix": (
        f'{PRICE}prefixes = ["+86 138"]\n',
        (
            'FILE:prices[0].prefixes: "+86 138" begins no number; write plus, country code and digits, or a short '
            'code\'s digits, such as "+86138"'
        ),
    ),
    "instant": (
        f'{PRICE}valid_from = "soon"\n',
        "FILE:prices[0].valid_from: is no instant; write a day, such as 2026-01-01, or 2026-01-01T00:00:00+08:00",
    ),
    "time without zone": (
        f"{PRICE}valid_from = 2026-01-01T00:00:00\n",
        "FILE:prices[0].valid_from: is no instant; write a day, such as 2026-01-01, or 2026-01-01T00:00:00+08:00",
    ),
    "unknown channel": (
        f'{PRICE}channel = "b"\n',
        "FILE:prices[0].channel: no channel is called b; write one of a",
    ),
    "unknown group": (
        f'{PRICE}group = "b"\n',
        "FILE:prices[0].group: no channel serves the group b; write one of bulk, default",
    ),
    "both": (
        f'{PRICE}channel = "a"\ngroup = "bulk"\n',
        "FILE:prices[0].group: stands beside channel; write one of them",
    ),
    "twice": (
        f'{PRICE}prefixes = ["+1", "+86"]\n{PRICE}prefixes = ["+86"]\n',
        (
            "FILE:prices[1]: all channels has a price for +86 from the same day in prices[0]; leave one out, or write "
            "another valid_from"
        ),
    ),
    "by two groups": (
        f'{PRICE}group = "bulk"\n{PRICE}group = "default"\n',
        (
            "FILE:prices[1].group: channel a has another price by prices[0].group; write a price of its own, with "
            'channel = "a"'
        ),
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_said_with_what_to_write(tmp_path: Path, name: str):
    text, expected = BAD[name]
    assert faults(tmp_path, text) == [expected]


def test_a_price_of_its_own_settles_which_group_counts(tmp_path: Path):
    load_settings(
        write(
            tmp_path,
            f'{CHANNELS}{PRICE}group = "bulk"\n{PRICE}group = "default"\n{PRICE}channel = "a"\n',
        )
    )
