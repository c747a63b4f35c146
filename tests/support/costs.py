"""The books: what messages have cost, held against the sums."""

from __future__ import annotations

from gateway.routing.costs import Spent
from gateway.store.costs import sum_costs
from gateway.store.ports import Store, Tx

_FIGURES = ", ".join(f"CAST(sum({name}) AS BIGINT)" for name in Spent._fields)


async def check_books(store: Store) -> dict[str, Spent]:
    """Currency -> what was spent; by every way of summing up, and exactly."""

    async def look(tx: Tx) -> dict[str, Spent]:
        rows = await tx.fetch(f"SELECT currency, {_FIGURES} FROM message_costs GROUP BY currency")
        of_messages = {row[0]: Spent(*row[1:]) for row in rows}
        for by in ((), ("day",), ("key", "channel"), ("day", "key", "channel")):
            sums: dict[str, Spent] = {}
            for one in await sum_costs(tx, by, None, None, 1_000) or []:
                sums[one.currency] = sums.get(one.currency, Spent()).plus(one.spent)
            assert sums == of_messages, f"by {by}"
        return of_messages

    return await store.read(look)
