"""What an Idempotency-Key stands for is done once, on both engines and with two stores on one database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway.clock import SystemClock
from gateway.errors import AlreadyBegun, Conflict, IdempotencyMismatch, NetworkSilent
from gateway.pipeline import once as module
from gateway.pipeline.once import Done, Once, act_once, do_once
from gateway.store.ports import Tx
from tests.contract.test_store_contract import database
from tests.support.eventually import eventually
from tests.support.stores import OpenStore

__all__ = ["database"]

pytestmark = pytest.mark.contract

CLOCK = SystemClock()
KEY = Once("key", "k-1", b"this")


def count(name: str) -> Callable[[Tx], Awaitable[bytes]]:
    """A deed: how often it was done is what it answers."""

    async def deed(tx: Tx) -> bytes:
        rows = await tx.fetch(
            "INSERT INTO notes (name, n) VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET n = notes.n + 1 RETURNING n",
            (name,),
        )
        return b"%d" % rows[0][0]

    return deed


async def n_done(store: OpenStore, name: str) -> int:
    rows = await store.read(lambda tx: tx.fetch("SELECT n FROM notes WHERE name = ?", (name,)))
    return int(rows[0][0]) if rows else 0


async def test_of_two_at_once_one_does_it_and_the_other_gets_its_answer(store: OpenStore, other: OpenStore):
    done = await asyncio.gather(*(do_once(s, CLOCK, KEY, count("a")) for s in (store, other) * 10))
    assert {one.body for one in done} == {b"1"}
    assert sorted(one.replayed for one in done) == [False] + [True] * 19
    assert await n_done(store, "a") == 1
    with pytest.raises(IdempotencyMismatch):
        await do_once(other, CLOCK, KEY._replace(body_hash=b"that"), count("a"))
    assert await do_once(other, CLOCK, KEY._replace(owner="another"), count("a")) == Done(b"2")


async def test_a_deed_that_fails_leaves_its_key_as_new(store: OpenStore):
    async def fails(tx: Tx) -> bytes:
        await count("a")(tx)
        raise Conflict("no")

    with pytest.raises(Conflict):
        await do_once(store, CLOCK, KEY, fails)
    assert await do_once(store, CLOCK, KEY, count("a")) == Done(b"1")


class Network:
    """What is outside the store."""

    def __init__(self) -> None:
        self.n_asked = 0
        self.may_answer = asyncio.Event()
        self.fault: Exception | None = None

    async def ask(self) -> int:
        self.n_asked += 1
        await self.may_answer.wait()
        if self.fault is not None:
            raise self.fault
        return self.n_asked


async def say(tx: Tx, n: int) -> bytes:
    await count("said")(tx)
    return b"asked %d" % n


async def test_what_is_under_way_is_waited_for_here(store: OpenStore, other: OpenStore):
    network = Network()
    asking = [asyncio.create_task(act_once(s, CLOCK, KEY, network.ask, say)) for s in (store, other)]
    await eventually(lambda: network.n_asked > 0)
    network.may_answer.set()
    done = await asyncio.gather(*asking)
    assert sorted(done) == [Done(b"asked 1"), Done(b"asked 1", replayed=True)]
    assert network.n_asked == 1
    assert await n_done(store, "said") == 1


async def test_what_another_process_began_is_done_by_nobody_else(
    store: OpenStore, other: OpenStore, monkeypatch: pytest.MonkeyPatch
):
    """It may have been killed when the code was out and the answer was not."""
    network = Network()
    with monkeypatch.context() as there:
        there.setattr(module, "_BEGUN_HERE", b"\1another process")
        asking = asyncio.create_task(act_once(other, CLOCK, KEY, network.ask, say))
        await eventually(lambda: network.n_asked > 0)
        asking.cancel()
        await asyncio.wait([asking])
    for _ in range(2):
        with pytest.raises(AlreadyBegun):
            await act_once(store, CLOCK, KEY, network.ask, say)
    with pytest.raises(AlreadyBegun):
        await do_once(store, CLOCK, KEY, count("a"))
    with pytest.raises(IdempotencyMismatch):
        await act_once(store, CLOCK, KEY._replace(body_hash=b"that"), network.ask, say)
    assert (network.n_asked, await n_done(store, "said")) == (1, 0)


async def test_an_act_that_ended_without_an_answer_leaves_its_key_as_new(store: OpenStore):
    network = Network()
    network.may_answer.set()
    network.fault = NetworkSilent("no answer")
    with pytest.raises(NetworkSilent):
        await act_once(store, CLOCK, KEY, network.ask, say)
    network.fault = None

    async def has_ended(tx: Tx, n: int) -> Conflict:
        await say(tx, n)
        return Conflict("half of it")

    with pytest.raises(Conflict):
        await act_once(store, CLOCK, KEY, network.ask, has_ended)
    assert await n_done(store, "said") == 1, "what came of it is written all the same"
    assert await act_once(store, CLOCK, KEY, network.ask, say) == Done(b"asked 3")
    assert await act_once(store, CLOCK, KEY, network.ask, say) == Done(b"asked 3", replayed=True)
