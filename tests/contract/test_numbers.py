"""What is kept of numbers, on either engine: whom networks call dead, and how many messages a limit let through."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from gateway.policy.rules.number_limits import NumberLimit
from gateway.store.numbers import (
    count_numbers,
    find_counts,
    find_failures,
    forget_counts,
    forget_failures,
    forget_old_failures,
    list_dead,
    note_failure,
    note_tries,
)
from tests.support.gateway import PHONE, START
from tests.support.stores import OpenStore

pytestmark = pytest.mark.contract

OTHER = "+8613900139000"
BRITAIN = NumberLimit("+44", 10, 3_600)
ABROAD = NumberLimit("+", 100, 60, beside=("+86",))


async def fail(store: OpenStore, number: str, message_id: str, at=START) -> None:
    await store.write(
        lambda tx: note_failure(tx, number, "cms_1", channel="sim-1", message_id=message_id, now=at)
    )


async def test_failures_count_once_a_message_until_one_arrives(store: OpenStore):
    for message_id in ("a", "a", "b"):
        await fail(store, PHONE, message_id)
    await fail(store, OTHER, "c", START + timedelta(hours=1))
    found = await store.read(lambda tx: find_failures(tx, [PHONE, OTHER, "+8613700137000"]))
    assert {number: one.n for number, one in found.items()} == {PHONE: 2, OTHER: 1}
    [row] = await store.read(lambda tx: list_dead(tx, fewest=2, limit=10, after=None))
    assert (row.number, row.n_failures, row.code, row.channel, row.message_id) == (
        PHONE,
        2,
        "cms_1",
        "sim-1",
        "b",
    )
    assert await store.write(lambda tx: forget_failures(tx, {PHONE})) == 1
    assert await store.write(lambda tx: forget_failures(tx, set())) == 0
    assert [
        row.number for row in await store.read(lambda tx: list_dead(tx, fewest=1, limit=10, after=None))
    ] == [OTHER]


async def test_a_try_puts_off_the_next_as_a_failure_does(store: OpenStore):
    later = START + timedelta(days=31)
    for message_id in ("a", "b"):
        await fail(store, PHONE, message_id)
    await fail(store, OTHER, "c")
    await store.write(lambda tx: note_tries(tx, {PHONE, OTHER}, fewest=2, now=later))
    found = await store.read(lambda tx: find_failures(tx, [PHONE, OTHER]))
    assert (found[PHONE].last_at, found[OTHER].last_at) == (later, START)


async def test_old_failures_are_forgotten_oldest_first(store: OpenStore):
    for day, number in enumerate((PHONE, OTHER, "+8613700137000")):
        await fail(store, number, "a", START + timedelta(days=day))
    before = START + timedelta(days=2)
    assert await store.write(lambda tx: forget_old_failures(tx, before, 1)) == 1
    assert await store.write(lambda tx: forget_old_failures(tx, before, 10)) == 1
    assert len(await store.read(lambda tx: list_dead(tx, fewest=1, limit=10, after=None))) == 1


async def test_messages_are_counted_over_a_rolling_window(store: OpenStore):
    numbers = ["+447400123456", PHONE, "+447400123457", "10086"]
    await store.write(lambda tx: count_numbers(tx, [BRITAIN, ABROAD], numbers, START))

    async def before(seconds: float, *recipients: str) -> dict[str, int]:
        now = START + timedelta(seconds=seconds)
        return dict(await store.read(lambda tx: find_counts(tx, [BRITAIN, ABROAD], recipients, now)))

    assert await before(0, "+447400123456") == {"+44/3600": 2, "+/60": 2}
    assert await before(59, "+33612345678", PHONE, "10086") == {"+/60": 2}
    assert await before(3_599, "+447400123456") == {"+44/3600": 2, "+/60": 0}
    assert await before(3_700, "+447400123456") == {"+44/3600": 0, "+/60": 0}
    assert await before(0, PHONE, "10086") == {}


async def test_counts_that_count_no_more_are_forgotten(store: OpenStore):
    await store.write(lambda tx: count_numbers(tx, [BRITAIN, ABROAD], ["+447400123456"], START))
    assert await store.write(lambda tx: forget_counts(tx, START + timedelta(seconds=60), 10)) == 0
    assert await store.write(lambda tx: forget_counts(tx, START + timedelta(seconds=90), 10)) == 1
    assert await store.write(lambda tx: forget_counts(tx, START + timedelta(hours=2), 10)) == 1


async def test_two_stores_count_and_fail_together(store: OpenStore, other: OpenStore):
    async def one(owner: OpenStore, n: int) -> None:
        await owner.write(lambda tx: count_numbers(tx, [BRITAIN], ["+447400123456"], START))
        await fail(owner, PHONE, str(n))

    await asyncio.gather(
        *(one(owner, 2 * n + i) for n in range(20) for i, owner in enumerate((store, other)))
    )
    counts = await store.read(lambda tx: find_counts(tx, [BRITAIN], ["+447400123456"], START))
    assert counts == {"+44/3600": 40}
    assert (await other.read(lambda tx: find_failures(tx, [PHONE])))[PHONE].n == 40
