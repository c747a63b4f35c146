"""A channel is run by one instance at a time: two gateways on one store, neither of them its only one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gateway.channels import leases, supervise
from gateway.errors import StoreUnavailable
from gateway.routing.channel import ChannelState
from gateway.store.leases import find_lease, take_lease
from tests.support.fake_driver import ScriptedDriver, accepted
from tests.support.gateway import Rig, running
from tests.support.people import OPERATOR

pytestmark = pytest.mark.integration


class Watched(ScriptedDriver):
    """Counts how often its wire is open."""

    n_open = 0

    async def run(self, sink):
        """As ever."""
        self.n_open += 1
        try:
            await super().run(sink)
        finally:
            self.n_open -= 1
            self.is_up = False


class Pair(AsyncExitStack):
    """Two rigs on one store, each with the channel ``a``."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.drivers = Watched("a"), Watched("a", first_reference=1_000)
        self.rigs: list[Rig] = []

    async def join(self) -> Rig:
        """Start one more."""
        driver = self.drivers[len(self.rigs)]
        rig = await self.enter_async_context(running(self.path, driver, started=False, exclusive=False))
        self.rigs.append(rig)
        await rig.begin()
        return rig


@pytest.fixture
async def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pair]:
    monkeypatch.setattr(supervise, "ASK_S", 0.01)
    async with Pair(tmp_path / "s.db") as opened:
        yield opened


async def test_the_second_waits_says_so_and_takes_over_when_the_first_has_ended(pair: Pair):
    first = await pair.join()
    await first.until(lambda: pair.drivers[0].is_up)
    second = await pair.join()
    lane = second.lanes["a"]
    await second.until(lambda: lane.snapshot().error)
    assert lane.snapshot().state is ChannelState.STARTING
    assert "leased" in (lane.snapshot().error or "")
    message = await second.send()  # the one that has the channel sends it
    await pair.drivers[0].until_submitted(1)
    await first.until_status(message, "sent")
    assert pair.drivers[1].n_open == 0
    await first.stop()
    await second.until(lambda: pair.drivers[1].is_up)
    assert lane.snapshot().error is None
    await second.send()
    await pair.drivers[1].until_submitted(1)
    assert len(pair.drivers[0].submitted) == 1


async def test_who_cannot_renew_stops_before_another_begins(pair: Pair, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(leases, "LEASE_S", 1.0)
    monkeypatch.setattr(leases, "MARGIN_S", 0.5)
    first = await pair.join()
    await first.until(lambda: pair.drivers[0].is_up)
    monkeypatch.setattr(leases, "LEASE_S", 30.0)

    async def is_away(_lane) -> None:
        raise StoreUnavailable("no way to the store")

    monkeypatch.setattr(first.leases, "take", is_away)
    second = await pair.join()
    both = 0

    async def watch() -> None:
        nonlocal both
        while True:
            both += pair.drivers[0].n_open and pair.drivers[1].n_open
            await asyncio.sleep(0)

    watching = asyncio.create_task(watch())
    await second.until(lambda: pair.drivers[1].is_up)
    watching.cancel()
    assert both == 0, "the wire was never open twice"
    assert first.lanes["a"].lease is None
    assert first.lanes["a"].snapshot().state is not ChannelState.UP
    message = await first.send()
    await pair.drivers[1].until_submitted(1)
    assert pair.drivers[0].submitted == []
    assert (await second.until_status(message, "sent")).channel == "a"


async def test_a_renewed_lease_stays(pair: Pair, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(leases, "LEASE_S", 5.0)
    monkeypatch.setattr(leases, "MARGIN_S", 1.0)
    first = await pair.join()
    await first.until(lambda: pair.drivers[0].is_up)
    before = await first.store.read(lambda tx: find_lease(tx, "a"))
    await first.until(lambda: _has_less(first, 4.5))
    await first.leases.renew()
    after = await first.store.read(lambda tx: find_lease(tx, "a"))
    assert before is not None
    assert after is not None
    assert after.left_s > 4.5
    assert (after.owner, after.epoch) == (before.owner, before.epoch)
    assert pair.drivers[0].n_open == 1


async def _has_less(rig: Rig, seconds: float) -> bool:
    lease = await rig.store.read(lambda tx: find_lease(tx, "a"))
    return lease is not None and lease.left_s < seconds


async def test_who_finds_another_in_its_place_stops_at_once_and_claims_nothing(pair: Pair):
    first = await pair.join()
    await first.until(lambda: pair.drivers[0].is_up)

    async def steal(tx) -> None:
        await tx.execute("UPDATE channel_leases SET until = 0")
        await take_lease(tx, "a", "a thief", 3_600.0)

    await first.store.write(steal)
    await first.send()
    await first.settled()
    assert pair.drivers[0].submitted == [], "though its lane still believes in the lease"
    assert first.lanes["a"].lease is not None
    await first.leases.renew()
    await first.until(lambda: pair.drivers[0].n_open == 0)
    assert first.lanes["a"].snapshot().state is not ChannelState.UP


async def test_a_killed_daemon_is_not_waited_for_on_a_store_of_ones_own(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver, started=False) as rig:
        await rig.store.write(lambda tx: take_lease(tx, "a", "one that was killed", 3_600.0))
        await rig.start()
        assert driver.is_up


async def test_a_pause_by_another_holds_where_the_lease_is_taken_over(pair: Pair):
    first = await pair.join()
    await first.until(lambda: pair.drivers[0].is_up)
    second = await pair.join()
    await first.channels.pause("a", by=OPERATOR)
    await first.stop()
    await second.until(lambda: pair.drivers[1].is_up)
    assert second.lanes["a"].snapshot().state is ChannelState.PAUSED
    pair.drivers[1].script.append(accepted("x"))
    await second.send()
    await second.settled()
    assert pair.drivers[1].submitted == []


async def test_a_fault_while_a_lease_is_taken_is_told_and_tried_again(tmp_path: Path):
    driver = Watched("a")
    async with running(tmp_path / "s.db", driver, started=False) as rig:
        load, n_loads = rig.channels._load, 0

        async def faulty(lane) -> None:
            nonlocal n_loads
            n_loads += 1
            if n_loads == 1:
                raise ValueError("a row that nobody foresaw")
            await load(lane)

        rig.channels._load = faulty
        await rig.begin()
        await rig.until(lambda: driver.is_up)
        assert n_loads == 2
