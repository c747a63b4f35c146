"""What somebody is owed, on either engine: in order, in shares, past receivers that are dead, and never forgotten."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import pytest

from gateway.ids import make_id
from gateway.outbox.deliver import AtOnce, Deliverer, Missed, Patience, Taken
from gateway.store.outbox import Busy, Lane, Owed, bury, find_due, save_owed, take_off
from gateway.store.outbox_gone import NO_DEBTS, Debts, count_owed, forget_dead, list_dead, replay
from gateway.store.ports import Tx
from tests.support.eventually import eventually
from tests.support.gateway import START, ManualClock
from tests.support.stores import OpenStore

pytestmark = pytest.mark.contract

DAY = timedelta(days=1)


def owe(subject: str, host: str = "good.example", owner: str = "a", give_up: timedelta = DAY) -> Owed:
    return Owed(make_id(), Lane("tests", owner, host), subject, subject.encode(), START, START + give_up)


class World:
    """Receivers: those in ``down`` take nothing, calls to those in ``hanging`` don't end."""

    def __init__(self) -> None:
        self.down: set[str] = set()
        self.hanging: set[str] = set()
        self.taken: list[Owed] = []
        self.tried: Counter[str] = Counter()
        self.under_way = 0

    async def make(self, together: Sequence[Owed]) -> Taken | Missed:
        host = together[0].lane.host
        self.tried[host] += 1
        self.under_way += 1
        try:
            while host in self.hanging:  # noqa: ASYNC110 - the test lets go
                await asyncio.sleep(0.005)
            await asyncio.sleep(0)
        finally:
            self.under_way -= 1
        if host in self.down:
            return Missed("no answer in time")
        self.taken += together
        return Taken()

    def subjects(self, host: str) -> list[str]:
        return [owed.subject for owed in self.taken if owed.lane.host == host]


@asynccontextmanager
async def delivering(
    store: OpenStore, world: World, clock: ManualClock | None = None, patience: Patience | None = None
) -> AsyncIterator[Deliverer]:
    deliverer = Deliverer(
        store, clock or ManualClock(), "tests", world.make, patience=patience, rng=random.Random(1)
    )
    task = asyncio.create_task(deliverer.run())
    try:
        yield deliverer
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def save(store: OpenStore, *owed: Owed) -> None:
    await store.write(lambda tx: save_owed(tx, owed))


async def debts(store: OpenStore) -> Debts:
    return (await store.read(count_owed)).get("tests", NO_DEBTS)


def comes_to(store: OpenStore, **wanted: int) -> Callable[[], Awaitable[bool]]:
    async def is_so() -> bool:
        found = (await debts(store))._asdict()
        return all(found[name] == n for name, n in wanted.items())

    return is_so


async def test_each_subject_is_told_in_order_also_over_failures(store: OpenStore):
    world, clock = World(), ManualClock()
    world.down.add("good.example")
    rows = [owe(f"s{n % 3}") for n in range(12)]
    await save(store, *rows[:7])
    async with delivering(store, world, clock) as deliverer:
        await eventually(lambda: world.tried["good.example"] >= 3)
        await save(store, *rows[7:])
        await eventually(lambda: world.under_way == 0)
        world.down.clear()

        async def all_told() -> bool:
            clock.advance(10.0)
            deliverer.wake()
            return (await debts(store)).pending == 0

        await eventually(all_told)
    for subject in ("s0", "s1", "s2"):
        mine = [owed.id for owed in world.taken if owed.subject == subject]
        assert mine == [owed.id for owed in rows if owed.subject == subject]


async def test_who_is_owed_much_and_answers_slowly_leaves_room_for_others(store: OpenStore):
    world = World()
    hosts = [f"h{n}.example" for n in range(100)]
    world.hanging.update(hosts)
    await save(store, *(owe(f"s{n}", host, "greedy") for n, host in enumerate(hosts)))
    async with delivering(store, world) as deliverer:
        await eventually(lambda: world.under_way == AtOnce().of_owner)
        await save(store, owe("other", owner="modest"))
        deliverer.wake()
        await eventually(lambda: world.subjects("good.example") == ["other"])
        assert world.under_way == AtOnce().of_owner
        world.hanging.clear()
        await eventually(comes_to(store, pending=0))


async def test_all_owners_have_their_turn(store: OpenStore):
    world = World()
    owners = [f"owner{n:02}" for n in range(20)]
    await save(
        store, *(owe(f"{owner} {n}", f"{owner}.example", owner) for owner in owners for n in range(30))
    )
    async with delivering(store, world):
        await eventually(comes_to(store, pending=0))
    firsts = [[o.lane.owner for o in world.taken].index(owner) for owner in owners]
    assert max(firsts) < 300, "the last one is not told when all others are done"


async def test_a_dead_receiver_rests_and_delays_nobody(store: OpenStore):
    """Also nobody who is called for the same owner."""
    world, clock = World(), ManualClock()
    world.down.add("dead.example")
    rows = [owe(f"d{n}", "dead.example") for n in range(1_000)]
    await save(store, *rows)
    async with delivering(store, world, clock, Patience(rest_after=10)) as deliverer:
        await eventually(comes_to(store, resting=1))
        assert world.tried["dead.example"] <= 10 + 4
        for n in range(20):
            await save(store, owe(f"g{n}"))
            deliverer.wake()
            await eventually(lambda n=n: len(world.subjects("good.example")) == n + 1)  # type: ignore[misc]
        tried = world.tried["dead.example"]
        clock.advance(16.0)  # one trial, which fails
        deliverer.wake()
        await eventually(lambda: world.tried["dead.example"] == tried + 1 and world.under_way == 0)
        await eventually(comes_to(store, resting=1))
        world.down.clear()
        clock.advance(31.0)
        deliverer.wake()
        await eventually(comes_to(store, resting=0))
        clock.advance(3_600.0)
        deliverer.wake()
        await eventually(comes_to(store, pending=0))
    assert sorted(world.subjects("dead.example")) == sorted(owed.subject for owed in rows)


async def test_receivers_whose_rest_is_over_and_of_whom_nothing_is_due_delay_nobody(store: OpenStore):
    """Also not where there are more of them than an owner may have under way."""
    world, clock = World(), ManualClock()
    dead = [f"h{n}.example" for n in range(2 * AtOnce().of_owner)]
    world.down.update(dead)
    await save(store, *(owe(host, host) for host in dead))
    patience = Patience(first_s=1_800.0, rest_after=1, rest_first_s=15.0)
    async with delivering(store, world, clock, patience) as deliverer:
        await eventually(comes_to(store, resting=len(dead)))
        clock.advance(20.0)
        await save(store, owe("g")._replace(created_at=clock.now()))
        deliverer.wake()
        await eventually(lambda: world.subjects("good.example") == ["g"], deadline_s=10.0)


async def test_what_was_under_way_when_we_died_is_made_again_under_the_same_id(store: OpenStore):
    world = World()
    world.hanging.add("good.example")
    owed = owe("s")
    await save(store, owed)
    async with delivering(store, world):
        await eventually(lambda: world.under_way == 1)
    world.hanging.clear()
    async with delivering(store, world):
        await eventually(comes_to(store, pending=0))
    assert world.tried["good.example"] == 2
    assert [one.id for one in world.taken] == [owed.id]


async def test_what_is_given_up_is_kept_with_its_fault_and_may_be_owed_again(store: OpenStore):
    world, clock = World(), ManualClock()
    world.down.add("good.example")
    first, second = owe("s", give_up=timedelta(seconds=1)), owe("s")
    await save(store, first, second)
    async with delivering(store, world, clock) as deliverer:
        await eventually(comes_to(store, dead=1))
        world.down.clear()
        clock.advance(10.0)
        deliverer.wake()
        await eventually(comes_to(store, pending=0))
        assert world.subjects("good.example") == ["s"], "what is dead stands in nobody's way"
        (dead,) = await store.read(lambda tx: list_dead(tx, "tests", limit=10))
        assert (dead.id, dead.fault, dead.attempts) == (first.id, "no answer in time", 1)
        assert await store.write(lambda tx: replay(tx, dead.id, clock.now() + DAY))
        assert not await store.write(lambda tx: replay(tx, dead.id, clock.now() + DAY))
        deliverer.wake()
        await eventually(comes_to(store, pending=0, dead=0))
    assert [owed.id for owed in world.taken] == [second.id, first.id]


async def test_what_is_too_old_behind_a_dead_receiver_is_given_up_without_being_tried(store: OpenStore):
    world, clock = World(), ManualClock()
    world.down.add("good.example")
    await save(store, *(owe(f"s{n}", give_up=timedelta(hours=1)) for n in range(40)))
    async with delivering(store, world, clock, Patience(rest_after=10)) as deliverer:
        await eventually(comes_to(store, resting=1))
        clock.advance(3_601.0)
        deliverer.wake()
        await eventually(comes_to(store, pending=0, dead=40))
    assert world.tried["good.example"] < 40
    assert await store.write(lambda tx: forget_dead(tx, clock.now() + DAY, 30)) == 30
    assert (await debts(store)).dead == 10


async def test_what_arrives_though_it_was_given_up_meanwhile_is_not_dead(store: OpenStore):
    owed, other = owe("s"), owe("other")
    await save(store, owed, other)
    await store.write(lambda tx: bury(tx, owed, "too old", START))
    await store.write(lambda tx: take_off(tx, [owed]))
    assert await debts(store) == Debts(pending=1, resting=0, dead=0)


async def test_waiting_rows_are_not_read_to_find_that_nothing_is_due(store: OpenStore):
    """What is not due costs nothing: all that is looked at are lanes."""
    await save(store, *(owe(f"s{n}") for n in range(500)))

    async def op(tx: Tx) -> None:
        later = (START + DAY).timestamp() * 1_000
        await tx.execute("UPDATE outbox SET due_at = ?", (int(later),))
        await tx.execute("UPDATE outbox_lanes SET next_at = ?", (int(later),))

    await store.write(op)
    due = await store.read(lambda tx: find_due(tx, "tests", START, Busy({}), limit=64, of_owner=8, of_host=4))
    assert due.rows == []
    assert due.next_at == START + DAY
    await store.write(lambda tx: tx.execute("DELETE FROM outbox"))
    again = await store.read(
        lambda tx: find_due(tx, "tests", START, Busy({}), limit=64, of_owner=8, of_host=4)
    )
    assert again.next_at == START + DAY, "from the lane, not from its rows"
