"""Thousands of events through `kill -9` of the daemon and of the receiver: each is heard, under one id, in order."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from tests.support.webhook_world import webhook_world

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

N_ROUNDS = 4
PER_ROUND = 100
DEADLINE_S = 300.0


async def test_each_event_is_heard_under_one_id_and_in_order(tmp_path: Path):
    async with webhook_world(tmp_path) as world:
        await world.subscribe("single")
        await world.subscribe("batch", batch=100)
        for n in range(N_ROUNDS):
            await world.send(PER_ROUND)
            await asyncio.sleep(0.3)  # somewhere in the midst of it
            if n % 2:
                await world.kill_receiver()
                await world.start_receiver()
            else:
                await world.restart_daemon()
        names = ("single", "batch", "callback")
        deadline = time.monotonic() + DEADLINE_S
        while world.n_missing(*names):
            assert time.monotonic() < deadline, f"{world.n_missing(*names)} events were not heard of"
            await asyncio.sleep(0.5)
        assert world.wrongs(*names) == []
        assert len(world.accepted) == N_ROUNDS * PER_ROUND
