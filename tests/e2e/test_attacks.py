"""The daemon under attack: who is honest is served all the same, and neither log nor memory grows with the attack."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.bench.attacks import attacker, begin, bind_rightly, config_for, log_octets
from tests.bench.processes import memory_mib
from tests.support.daemon import Daemon, free_port

pytestmark = pytest.mark.e2e

DEADLINE_S = 60.0
N_POSTS = 30
MOST_LOGGED = 200_000
MOST_MIB = 300.0


@pytest.mark.parametrize(
    "name",
    [
        "smpp-unknown",
        "smpp-bound-unknown",
        "smpp-window",
        "smpp-multi",
        "smpp-idle",
        "smpp-guess",
        "smpp-guess-64",
        "kannel-guess",
        "smsc-deliver",
        "smsc-unknown",
        "modem-noise",
    ],
)
async def test_who_is_honest_is_served_beside_it(name: str, tmp_path: Path):
    smpp_port = free_port()
    async with attacker(name) as (process, toml), asyncio.timeout(DEADLINE_S):
        daemon = Daemon(tmp_path, config_for(smpp_port) + toml)
        try:
            await daemon.start(n_up=0)
            assert await bind_rightly(smpp_port)  # from then on it is known
            before = log_octets(tmp_path)
            begin(process, daemon, smpp_port)
            for n in range(N_POSTS):
                status, _ = await daemon.post("/v1/messages", {"to": "+8613900139000", "text": f"hello {n}"})
                assert status == 202
                assert n % 5 or await bind_rightly(smpp_port)
            assert process.returncode is None  # it was going on all the time
            assert log_octets(tmp_path) - before < MOST_LOGGED
            assert daemon.process is not None
            assert memory_mib(daemon.process.pid, "VmHWM") < MOST_MIB
        finally:
            await daemon.close()
