"""What messages have cost: rows of ``message_costs``, and their sums in ``cost_sums``.

What a transaction was charged with is written at its end, into both tables, so that they always agree. A price that
changes later changes nothing of it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

from gateway.routing.costs import Charge, Spent
from gateway.store.ports import Tx, placeholders

MOST_OF_DAY: Final = 2_000
"""Rows of ``cost_sums`` for one day. Tags for which there is no room are summed up as `OTHER_TAGS`."""
NO_TAGS: Final = "[]"
OTHER_TAGS: Final = '["(other)"]'
KEEP: Final = timedelta(days=1_100)
"""How long sums are kept: three years of books."""
_CHUNK: Final = 500
_NOTHING: Final = Spent()

Costs = dict[str, Spent]
"""Currency -> how much."""
ByChannel = dict[tuple[str, str], Spent]
"""Channel and currency -> how much."""


class _Place(NamedTuple):
    """The key of a row of ``cost_sums``."""

    day: str
    key_id: str
    tags: str
    channel: str
    currency: str


_FIGURES: Final = ", ".join(Spent._fields)
_ADDED: Final = ", ".join(f"{name} = {name} + ?" for name in Spent._fields)
_ADD_TO_MESSAGE: Final = (
    f"INSERT INTO message_costs (message_id, currency, {_FIGURES}) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (message_id, currency) DO UPDATE SET "
    + ", ".join(f"{name} = message_costs.{name} + excluded.{name}" for name in Spent._fields)
)
_ADD_TO_SUM: Final = (
    f"UPDATE cost_sums SET {_ADDED}"
    " WHERE day = ? AND key_id = ? AND tags = ? AND channel = ? AND currency = ?"
)
_NEW_SUM: Final = (
    f"INSERT INTO cost_sums ({', '.join(_Place._fields)}, {_FIGURES}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class _Booking(NamedTuple):
    """A charge, and what it comes to."""

    charge: Charge
    currency: str
    spent: Spent


async def save_charges(tx: Tx, charges: Sequence[Charge]) -> ByChannel:
    """Write what a transaction was charged with; how much that is. Engines call it before the commit."""
    total: ByChannel = {}
    await _book(
        tx,
        [
            _Booking(one, one.price.currency, one.at_price(one.price.micros))
            for one in charges
            if one.price is not None and one.n_uncertain >= 0
        ],
        total,
    )
    for one in charges:
        if one.n_uncertain < 0 and (settled := await _settle(tx, one)) is not None:
            await _book(tx, [settled], total)
    return total


async def _settle(tx: Tx, one: Charge) -> _Booking | None:
    """A segment that was uncertain costs what it was noted with, whatever the price is by now."""
    rows = await tx.fetch(
        "SELECT currency, uncertain_micros, uncertain_segments FROM message_costs"
        " WHERE message_id = ? AND uncertain_segments > 0 ORDER BY currency",
        (one.message_id,),
    )
    price = one.price
    if rows:
        likely = next((row for row in rows if price and row[0] == price.currency), rows[0])
        return _Booking(one, likely[0], one.at_price(likely[1] // likely[2]))
    if price is None or not one.n_taken:  # it was noted when there was no price
        return None
    return _Booking(one, price.currency, Spent(one.n_taken, one.n_taken * price.micros))


async def _book(tx: Tx, bookings: Sequence[_Booking], total: ByChannel) -> None:
    """Add to both tables, and to ``total``."""
    messages: dict[tuple[str, str], Spent] = {}
    sums: dict[_Place, Spent] = {}
    for one, currency, spent in bookings:
        place = _Place(_day_of(one.at), one.key_id, _put_tags(one.tags), one.channel, currency)
        sums[place] = sums.get(place, _NOTHING).plus(spent)
        message = one.message_id, currency
        messages[message] = messages.get(message, _NOTHING).plus(spent)
    if messages:
        await tx.execute_many(_ADD_TO_MESSAGE, [(*key, *spent) for key, spent in messages.items()])
    for place, spent in sums.items():
        await _add_to_sum(tx, place, spent)
        channel = place.channel, place.currency
        total[channel] = total.get(channel, _NOTHING).plus(spent)


async def _add_to_sum(tx: Tx, place: _Place, spent: Spent) -> None:
    if await tx.execute(_ADD_TO_SUM, (*spent, *place)):
        return
    if place.tags not in {NO_TAGS, OTHER_TAGS} and await _is_full(tx, place.day):
        await _add_to_sum(tx, place._replace(tags=OTHER_TAGS), spent)
        return
    await tx.execute(_NEW_SUM, (*place, *spent))


async def _is_full(tx: Tx, day: str) -> bool:
    """Reads `MOST_OF_DAY` entries of an index at most."""
    sql = "SELECT 1 FROM cost_sums WHERE day = ? LIMIT 1 OFFSET ?"
    return bool(await tx.fetch(sql, (day, MOST_OF_DAY - 1)))


def _day_of(at: datetime) -> str:
    """The day by this machine's clock on the wall, as budgets have it."""
    return at.astimezone().date().isoformat()


def _put_tags(tags: Sequence[str]) -> str:
    return json.dumps(sorted(set(tags)), ensure_ascii=False) if tags else NO_TAGS


async def load_costs(tx: Tx, message_ids: Sequence[str]) -> dict[str, Costs]:
    """What some messages have cost; those that cost nothing are left out."""
    found: dict[str, Costs] = {}
    for start in range(0, len(message_ids), _CHUNK):
        chunk = message_ids[start : start + _CHUNK]
        sql = f"SELECT message_id, currency, {_FIGURES} FROM message_costs WHERE message_id IN ({placeholders(chunk)})"
        for message_id, currency, *figures in await tx.fetch(f"{sql} ORDER BY currency", chunk):
            found.setdefault(message_id, {})[currency] = Spent(*figures)
    return found


class Sum(NamedTuple):
    """What was spent under some of a day, a key, a tag and a channel; None for those that were not asked for.

    Args:
        key_id: empty for the gateway itself.
        tag: empty for messages without one. A message of several tags is in the sum of each.
    """

    day: str | None
    key_id: str | None
    tag: str | None
    channel: str | None
    currency: str
    spent: Spent


DIMENSIONS: Final = ("day", "key", "tag", "channel")
_COLUMNS: Final = {"day": "day", "key": "key_id", "tag": "tags", "channel": "channel"}


async def sum_costs(
    tx: Tx, by: Collection[str], since: date | None, until: date | None, limit: int
) -> list[Sum] | None:
    """Sums of the days from ``since`` to ``until``, both of them included; None where they are more than ``limit``.

    Args:
        by: some of `DIMENSIONS`. Each currency has sums of its own anyhow.
    """
    columns = [_COLUMNS[name] if name in by else "NULL" for name in DIMENSIONS]
    grouped = ", ".join([*(column for column in columns if column != "NULL"), "currency"])
    # PostgreSQL's sums of BIGINT are NUMERIC.
    figures = ", ".join(f"CAST(sum({name}) AS BIGINT)" for name in Spent._fields)
    rows = await tx.fetch(
        f"SELECT {', '.join(columns)}, currency, {figures} FROM cost_sums WHERE day >= ? AND day <= ?"
        f" GROUP BY {grouped} ORDER BY {grouped} LIMIT ?",
        (since.isoformat() if since else "", until.isoformat() if until else "9999-99-99", limit + 1),
    )
    if len(rows) > limit:
        return None
    sums: dict[tuple[str | None, str | None, str | None, str | None, str], Spent] = {}
    for day, key_id, tags, channel, currency, *figures_of in rows:
        for tag in [None] if tags is None else json.loads(tags) or [""]:
            place = day, key_id, tag, channel, currency
            sums[place] = sums.get(place, _NOTHING).plus(Spent(*figures_of))
    if len(sums) > limit:
        return None
    ordered = sorted(sums.items(), key=lambda one: [part or "" for part in one[0]])
    return [Sum(*place, spent) for place, spent in ordered]


async def forget_sums(tx: Tx, before: datetime, limit: int) -> int:
    """Drop the oldest sums of days before ``before``, at most ``limit``; how many."""
    key = ", ".join(_Place._fields)
    return await tx.execute(
        f"DELETE FROM cost_sums WHERE ({key}) IN (SELECT {key} FROM cost_sums WHERE day < ? ORDER BY day LIMIT ?)",
        (_day_of(before), limit),
    )
