"""The HTTP door under attack: an honest client is served beside it, and the daemon's memory stays bounded."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.bench.http_attacks import ATTACKS, attacking
from tests.bench.processes import memory_mib
from tests.support.daemon import Daemon, free_port, smpp_toml

pytestmark = pytest.mark.e2e

DEADLINE_S = 55.0
N_POSTS = 30
AT_LEAST_S = 3.0
"""Of the attack: it may need a while to fill something."""
MOST_MIB = 350.0


@pytest.mark.parametrize("name", ATTACKS)
async def test_who_is_honest_is_served_beside_it(name: str, tmp_path: Path):
    daemon = Daemon(tmp_path, smpp_toml("nowhere", free_port()))
    try:
        async with asyncio.timeout(DEADLINE_S):
            await daemon.start(n_up=0)
            async with attacking(name, daemon) as attacker:
                now, n = asyncio.get_running_loop().time, 0
                until = now() + AT_LEAST_S
                while n < N_POSTS or now() < until:
                    body = {"to": "+8613900139000", "text": f"hello {n}"}
                    status, answer = await daemon.post("/v1/messages", body)
                    assert status == 202, answer
                    n += 1
                assert attacker.returncode is None  # it was going on all the time
            assert daemon.process is not None
            assert memory_mib(daemon.process.pid, "VmHWM") < MOST_MIB
    finally:
        await daemon.close()
