"""What a segment costs: by channel, beginning of the number, and day. Pure, and exact to the millionth.

Amounts are whole millionths of a currency's unit. Nothing here is ever a float.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

MICROS: Final = 1_000_000
"""Of one unit of a currency."""
MOST_UNITS: Final = 100_000
"""The highest price of a segment: sums over all that a gateway can send stay within 64 bits."""
ALWAYS: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""``valid_from`` of a price that was never another."""
_AMOUNT: Final = re.compile(r"([0-9]{1,6})(?:\.([0-9]{1,6}))?", re.ASCII)


class Price(NamedTuple):
    """Of one segment.

    Args:
        micros: millionths of the currency's unit; 0 for what is free.
        currency: three letters of ISO 4217.
    """

    micros: int
    currency: str

    def __str__(self) -> str:
        """For people: ``0.045 CNY``."""
        return f"{format_amount(self.micros)} {self.currency}"


class PriceRule(NamedTuple):
    """One line of the price list.

    Args:
        price: see `Price`.
        channel: for this channel; None for others, too.
        group: for channels of this group; None for others, too.
        prefix: for numbers that begin so, with ``+``; empty for all.
        valid_from: since when it holds; aware.
    """

    price: Price
    channel: str | None = None
    group: str | None = None
    prefix: str = ""
    valid_from: datetime = ALWAYS


_Held = tuple[datetime, Price]


class Prices:
    """The price list; immutable.

    The longest prefix wins. Of those with the same, that of the channel goes before that of one of its groups, and
    that before one for all. Of those the newest that holds already.

    Args:
        rules: in any order.
        groups: channel -> its groups, of every channel.
    """

    def __init__(
        self, rules: Iterable[PriceRule] = (), groups: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        listed = list(rules)
        self._for_all = _table([rule for rule in listed if rule.channel is None and rule.group is None])
        self._by_channel = {
            name: _merged(
                _table([rule for rule in listed if rule.channel == name]),
                _table([rule for rule in listed if rule.channel is None and rule.group in served]),
                self._for_all,
            )
            for name, served in (groups or {}).items()
        }
        self._lengths = sorted({len(rule.prefix) for rule in listed}, reverse=True)

    def __bool__(self) -> bool:
        """Whether there is any price."""
        return bool(self._lengths)

    def price_of(self, channel: str, number: str, at: datetime) -> Price | None:
        """What one segment to a number costs; None where the list does not say.

        Args:
            channel: its name. One that is not configured has the prices for all.
            number: E.164 with ``+``, or a short code.
            at: aware.
        """
        table = self._by_channel.get(channel, self._for_all)
        for length in self._lengths:
            for since, price in table.get(number[:length], ()):
                if since <= at:
                    return price
        return None


_Table = dict[str, tuple[_Held, ...]]


def _table(rules: Sequence[PriceRule]) -> _Table:
    """Prefix -> prices, the newest first."""
    found: dict[str, list[_Held]] = {}
    for rule in rules:
        found.setdefault(rule.prefix, []).append((rule.valid_from, rule.price))
    return {
        prefix: tuple(sorted(held, key=lambda one: one[0], reverse=True)) for prefix, held in found.items()
    }


def _merged(*tables: _Table) -> _Table:
    """Tables as one: of a prefix the prices of the first table, and behind them those of the next."""
    found: _Table = {}
    for table in tables:
        for prefix, held in table.items():
            found[prefix] = found.get(prefix, ()) + held
    return found


NO_PRICES: Final = Prices()


def parse_amount(text: str) -> int:
    """A decimal number in millionths.

    >>> parse_amount("0.045"), parse_amount("2")
    (45000, 2000000)

    Raises:
        ValueError: it is none, has more than six digits behind the point, or is above `MOST_UNITS`.
    """
    match = _AMOUNT.fullmatch(text)
    if match is None or (micros := int(match[1]) * MICROS + int((match[2] or "").ljust(6, "0"))) > (
        MOST_UNITS * MICROS
    ):
        raise ValueError("no amount")
    return micros


def format_amount(micros: int) -> str:
    """Millionths as a decimal number, exactly.

    >>> format_amount(135_000), format_amount(2_000_000), format_amount(-5)
    ('0.135', '2', '-0.000005')
    """
    units, rest = divmod(abs(micros), MICROS)
    return f"{'-' if micros < 0 else ''}{units}{f'.{rest:06}'.rstrip('0') if rest else ''}"
