"""``[[prices]]``: what a segment costs, by channel or group and by the beginning of the number."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Annotated

import msgspec

from gateway.routing.prices import ALWAYS, MOST_UNITS, Price, PriceRule, Prices, parse_amount
from gateway.settings.forms import BadValue, Form, Name, list_of, show

_PREFIX = re.compile(r"\+?[0-9]{1,15}", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}")


def _parse_price(value: object) -> int:
    """``"0.045"`` in millionths; never a float on the way."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, float):
        raise BadValue(f'{show(value)} without quotes is not exact; write it as text, such as "0.045"')
    try:
        return parse_amount(value if isinstance(value, str) else "")
    except ValueError:
        raise BadValue(
            f"{show(value)} is no price; write a number up to {MOST_UNITS} in quotes, with at most six digits behind"
            ' the point, such as "0.045"'
        ) from None


def _parse_currency(value: object) -> str:
    if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
        raise BadValue(f'{show(value)} is no currency; write its three capital letters, such as "CNY"')
    return value


def _parse_prefix(value: object) -> str:
    if not isinstance(value, str) or not _PREFIX.fullmatch(value):
        raise BadValue(
            f"{show(value)} begins no number; write plus, country code and digits, or a short code's digits,"
            ' such as "+86138"'
        )
    return value


def _parse_since(value: object) -> datetime:
    """A day, which begins at midnight in UTC, or an instant."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value) if len(value) > 10 else date.fromisoformat(value)
        except ValueError:
            value = None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time(), UTC)
    if not isinstance(value, datetime) or value.tzinfo is None or not 1970 <= value.year <= 9000:
        raise BadValue("is no instant; write a day, such as 2026-01-01, or 2026-01-01T00:00:00+08:00")
    return value.astimezone(UTC)


class PriceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[[prices]]``: one line of the price list.

    Args:
        price: of a segment, in millionths.
        currency: three letters of ISO 4217.
        channel: the channel that it is for; None for any.
        group: the channel group that it is for; None for any.
        prefixes: beginnings of the numbers that it is for; empty for all numbers.
        valid_from: since when it holds.
    """

    price: Annotated[int, Form(_parse_price)]
    currency: Annotated[str, Form(_parse_currency)]
    channel: Name | None = None
    group: Name | None = None
    prefixes: Annotated[tuple[str, ...], Form(list_of(_parse_prefix))] = ()
    valid_from: Annotated[datetime, Form(_parse_since)] = ALWAYS

    def faults(self) -> Iterator[tuple[str, str]]:
        """It is for a channel or for a group."""
        if self.channel is not None and self.group is not None:
            yield "group", "stands beside channel; write one of them"

    def rules(self) -> Iterator[PriceRule]:
        """The same, a line for each prefix."""
        price = Price(self.price, self.currency)
        for prefix in self.prefixes or ("",):
            yield PriceRule(price, self.channel, self.group, prefix, self.valid_from)


def make_prices(lines: Iterable[PriceSettings], groups: Mapping[str, Sequence[str]]) -> Prices:
    """The price list.

    Args:
        groups: channel -> its groups, of every channel.
    """
    return Prices([rule for line in lines for rule in line.rules()], groups)


def price_faults(
    lines: Sequence[PriceSettings], groups: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, str]]:
    """Prices of nothing, and two prices for one thing.

    Args:
        groups: channel -> its groups, of every channel.
    """
    served = {group for names in groups.values() for group in names}
    first: dict[tuple[str | None, str | None, str, datetime], int] = {}
    for i, line in enumerate(lines):
        if line.channel is not None and line.channel not in groups:
            yield f"prices[{i}].channel", f"no channel is called {line.channel}; write one of {_list(groups)}"
        if line.group is not None and line.group not in served:
            yield (
                f"prices[{i}].group",
                f"no channel serves the group {line.group}; write one of {_list(served)}",
            )
        for rule in line.rules():
            other = first.setdefault((*rule[1:4], rule.valid_from), i)
            if other != i:
                yield f"prices[{i}]", _twice(rule, f"prices[{other}]")
    yield from _between_groups(first, groups)


def _between_groups(
    first: Mapping[tuple[str | None, str | None, str, datetime], int], groups: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, str]]:
    """A channel of two groups must not have two prices by them."""
    for channel, names in groups.items():
        by_group: dict[tuple[str, datetime], int] = {}
        for (_, group, prefix, since), i in first.items():
            if group not in names or (channel, None, prefix, since) in first:
                continue
            j = by_group.setdefault((prefix, since), i)
            if j != i:
                advice = f'write a price of its own, with channel = "{channel}"'
                yield (
                    f"prices[{i}].group",
                    f"channel {channel} has another price by prices[{j}].group; {advice}",
                )


def _twice(rule: PriceRule, other: str) -> str:
    whose = rule.channel or rule.group or "all channels"
    return (
        f"{whose} has a price for {rule.prefix or 'all numbers'} from the same day in {other}; "
        "leave one out, or write another valid_from"
    )


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none, as there are no channels"
