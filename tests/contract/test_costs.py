"""Costs on every engine: written with what is charged or not at all, bounded, summed up exactly."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest

from gateway.errors import Conflict
from gateway.routing.costs import Charge, Spent
from gateway.routing.prices import Price
from gateway.store.costs import MOST_OF_DAY, forget_sums, load_costs, sum_costs
from gateway.store.ports import Tx
from tests.support.costs import check_books
from tests.support.stores import Database, OpenStore

pytestmark = pytest.mark.contract

AT = datetime(2026, 3, 14, 12, tzinfo=UTC)
HUGE = 100_000 * 1_000_000
PRICE = Price(33_333, "CNY")


def a_charge(
    message_id: str = "m1",
    *,
    tags: tuple[str, ...] = (),
    price: Price | None = PRICE,
    moved: tuple[int, int] = (1, 0),
    at: datetime = AT,
    key_id: str = "k1",
) -> Charge:
    return Charge(message_id, key_id, tags, "a", at, price, *moved)


async def put(store: OpenStore, charges: Sequence[Charge], *, fail: bool = False) -> None:
    async def op(tx: Tx) -> None:
        for one in charges:
            tx.charge(one)
        if fail:
            raise Conflict("no")

    await store.write(op)


async def test_what_is_charged_commits_with_its_operation_or_not_at_all(store: OpenStore, other: OpenStore):
    await put(store, [a_charge(), a_charge(), a_charge("m2", price=Price(HUGE, "EUR"))])
    with pytest.raises(Conflict):
        await put(store, [a_charge()], fail=True)
    await put(other, [a_charge()])
    costs = await other.read(lambda tx: load_costs(tx, ["m1", "m2", "m3"]))
    assert costs == {"m1": {"CNY": Spent(3, 99_999)}, "m2": {"EUR": Spent(1, HUGE)}}
    assert await check_books(store) == {"CNY": Spent(3, 99_999), "EUR": Spent(1, HUGE)}


async def test_a_commit_tells_what_was_spent(database: Database):
    told: list[dict[tuple[str, str], Spent]] = []
    watched = await database.open(on_commit=lambda figures: told.append(dict(figures.spent)))
    await put(watched, [a_charge(), a_charge("m2")])
    assert told[-1] == {("a", "CNY"): Spent(2, 66_666)}


async def test_what_was_uncertain_is_settled_with_what_it_was_noted_with(store: OpenStore):
    await put(store, [a_charge(moved=(0, 1))])
    await put(store, [a_charge(moved=(1, -1), price=Price(9, "CNY"))])
    assert await check_books(store) == {"CNY": Spent(1, 33_333)}
    await put(store, [a_charge("m2", moved=(0, 1)), a_charge("m2", moved=(0, -1), price=None)])
    assert (await store.read(lambda tx: load_costs(tx, ["m2"])))["m2"] == {"CNY": Spent()}
    await put(store, [a_charge("m3", moved=(1, -1)), a_charge("m4", moved=(0, -1))])
    assert await check_books(store) == {"CNY": Spent(2, 66_666)}, "m3 had no price when it was noted"


async def test_sums_by_day_key_tag_and_channel(store: OpenStore):
    tomorrow = AT + timedelta(days=1)
    await put(
        store,
        [
            a_charge(tags=("b", "a", "b")),
            a_charge("m2", tags=("a", "b")),
            a_charge("m3", tags=("a",), key_id="", at=tomorrow),
            a_charge("m4", at=tomorrow),
        ],
    )
    day, one = str(AT.astimezone().date()), 33_333

    async def sums(*by: str, since: date | None = None) -> list[tuple[object, ...]]:
        found = await store.read(lambda tx: sum_costs(tx, by, since, None, 100))
        assert found is not None
        return [(*(part for part in s[:4] if part is not None), s.spent.micros) for s in found]

    assert await sums() == [(4 * one,)]
    assert await sums("tag") == [("", one), ("a", 3 * one), ("b", 2 * one)]
    assert await sums("key", "channel") == [("", "a", one), ("k1", "a", 3 * one)]
    assert await sums("day") == [(day, 2 * one), (str(tomorrow.astimezone().date()), 2 * one)]
    assert await sums(since=tomorrow.astimezone().date()) == [(2 * one,)]
    assert await store.read(lambda tx: sum_costs(tx, ["tag"], None, None, 2)) is None, "more than wanted"


async def test_tags_without_end_are_summed_up_together(store: OpenStore):
    charges = [a_charge(f"m{n}", tags=(f"tag {n}",)) for n in range(MOST_OF_DAY + 100)]
    for start in range(0, len(charges), 300):
        await put(store, charges[start : start + 300])
    await put(store, [a_charge("x", tags=("tag 1",)), a_charge("y")])
    await check_books(store)
    sums = await store.read(lambda tx: sum_costs(tx, ["tag"], None, None, 5_000))
    assert sums is not None
    assert len(sums) == MOST_OF_DAY + 2
    by_tag = {one.tag: one.spent.segments for one in sums}
    assert (by_tag["(other)"], by_tag["tag 1"], by_tag[""]) == (100, 2, 1)


async def test_sums_are_forgotten_by_age_a_few_at_a_time(store: OpenStore):
    await put(store, [a_charge(tags=(f"t{n}",), at=AT + timedelta(days=n)) for n in range(5)])
    for expected in (2, 1, 0):
        assert await store.write(lambda tx: forget_sums(tx, AT + timedelta(days=3), 2)) == expected
    left = await store.read(lambda tx: sum_costs(tx, ["tag"], None, None, 10))
    assert [one.tag for one in left or []] == ["t3", "t4"]
