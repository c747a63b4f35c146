"""Leases of channels on both engines: one owner at a time, judged by the store's clock."""

from __future__ import annotations

import asyncio

import pytest

from gateway.store.leases import (
    find_held,
    find_lease,
    release_leases,
    release_others,
    renew_leases,
    take_lease,
)
from gateway.store.ports import Tx
from tests.support.stores import OpenStore

pytestmark = pytest.mark.contract


async def test_of_two_that_ask_at_once_one_gets_it(store: OpenStore, other: OpenStore):
    for n in range(10):
        asked = (
            s.write(lambda tx, name=f"c{n}", who=who: take_lease(tx, name, who, 60.0))  # type: ignore[misc]
            for s, who in ((store, "x"), (other, "y"))
        )
        assert sorted(await asyncio.gather(*asked), key=str) == [1, None]


async def test_a_lease_is_taken_renewed_lost_and_never_two_peoples(store: OpenStore, other: OpenStore):
    async def take(s: OpenStore, who: str) -> int | None:
        return await s.write(lambda tx: take_lease(tx, "c", who, 60.0))

    async def renew(s: OpenStore, who: str, epoch: int) -> set[str]:
        return await s.write(lambda tx: renew_leases(tx, who, {"c": epoch, "d": 1}, 60.0))

    assert await take(store, "x") == 1
    assert await take(other, "y") is None
    assert await renew(store, "x", 1) == {"c"}
    assert await renew(other, "y", 1) == set()
    assert await take(store, "x") == 2, "it may begin anew"
    assert await renew(store, "x", 1) == set(), "and the lease of before is another one"
    await store.write(lambda tx: renew_leases(tx, "x", {"c": 2}, -1.0))
    assert await take(other, "y") == 3, "it has run out"
    assert await renew(store, "x", 2) == set()
    found = await store.read(lambda tx: find_lease(tx, "c"))
    assert found is not None
    assert (found.owner, found.epoch) == ("y", 3)
    assert 50.0 < found.left_s <= 60.0
    assert await store.read(lambda tx: find_held(tx, "x", {"c": 2})) == set()
    assert await store.read(lambda tx: find_held(tx, "y", {"c": 3, "d": 1})) == {"c"}
    assert await store.read(lambda tx: find_held(tx, "y", {"c": 2})) == set()


async def test_what_is_released_can_be_taken_at_once(store: OpenStore, other: OpenStore):
    async def take(tx: Tx) -> list[int | None]:
        return [await take_lease(tx, name, who, 60.0) for name, who in (("c", "x"), ("d", "y"))]

    assert await store.write(take) == [1, 1]
    await store.write(lambda tx: release_leases(tx, "x"))
    assert await other.write(lambda tx: take_lease(tx, "c", "y", 60.0)) == 2
    await other.write(lambda tx: release_others(tx, "z"))
    assert await other.write(lambda tx: take_lease(tx, "c", "z", 60.0)) == 3
    assert await other.write(lambda tx: take_lease(tx, "d", "z", 60.0)) == 2
