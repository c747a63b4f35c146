"""Over long random lives each submit is charged once, and the sums are those of the messages to the millionth."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from drivers.base import Accepted, Uncertain
from gateway.routing.prices import Price, PriceRule, Prices
from gateway.routing.retry import RetryPolicy
from gateway.store.costs import load_costs
from tests.property.test_lifecycle_pipeline import N_STEPS, World, everything, step
from tests.support.costs import check_books
from tests.support.gateway import Rig, ScriptedChannel, running

pytestmark = pytest.mark.property

GROUPS = {"sim": ("default",), "bind": ("default",)}


@pytest.mark.parametrize("seed", range(6))
async def test_each_submit_is_charged_once(tmp_path: Path, seed: int):
    world = World(seed)
    world.kind = False
    for life in range(3):
        # The channels' currencies tell them apart; amounts that no binary fraction can hold.
        prices = Prices(
            [
                PriceRule(Price(33_333 + life, "CNY"), channel="sim"),
                PriceRule(Price(1 + life, "EUR"), channel="bind"),
            ],
            GROUPS,
        )
        sim = ScriptedChannel(driver=world.driver("sim"), kind="modem")
        bind = ScriptedChannel(driver=world.driver("bind"))
        drivers = {"sim": sim.driver, "bind": bind.driver}
        policy = RetryPolicy(max_attempts=3)
        async with running(
            tmp_path / "s.db", sim, bind, policy=policy, clock=world.clock, prices=prices
        ) as rig:
            for _ in range(N_STEPS // 3):
                await step(world, rig, drivers)
            await rig.settled()
            await check_books(rig.store)
            await check_submits(world, rig)


async def check_submits(world: World, rig: Rig) -> None:
    for message in await everything(rig):
        submits: Counter[str] = Counter()
        certain: Counter[str] = Counter()
        for entry in world.history.get(message.id, []):
            if not isinstance(entry, str) and isinstance(entry[2], Accepted | Uncertain):
                currency = {"sim": "CNY", "bind": "EUR"}[entry[1]]
                submits[currency] += 1
                certain[currency] += isinstance(entry[2], Accepted)
        spent = (await rig.store.read(lambda tx, m=message.id: load_costs(tx, [m]))).get(message.id, {})  # type: ignore[misc]
        assert {c: s.segments + s.uncertain_segments for c, s in spent.items()} == dict(submits)
        assert all(s.segments >= certain[c] for c, s in spent.items())
