"""The shipped scenarios on the real daemon, both at once, and the programs that run them."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from simulators.scenario import arm, load_scenario
from tests.support.daemon import COMMAND
from tests.support.rainy_world import RainyWorld

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

RAIN_S = 10.0
SETTLE_S = 240.0
"""Above the time between two sweeps of a storage and above a quarantine; it hardly ever takes so long."""


async def test_the_books_balance_after_a_rainy_day_with_a_moody_carrier(tmp_path: Path) -> None:
    async with RainyWorld(tmp_path, seed=7) as world:
        for name in ("rainy-day.toml", "moody-carrier.toml"):
            scenario = load_scenario(name)
            assert arm(scenario, world.desk) == len(scenario.faults)
        await world.traffic(RAIN_S, out_per_s=15.0, in_per_s=5.0)
        await world.settle(SETTLE_S)
        books = world.ledger
        assert books.discrepancies() == []
        assert len(books.accepted) > 60
        assert books.statuses()["delivered"] > 0.75 * len(books.accepted)
        assert len(world.desk.struck()) > 5
        assert await world.daemon.stop() == 0


async def _read_until(process: asyncio.subprocess.Process, word: str) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(60):
        while word not in (line := (await process.stdout.readline()).decode()):
            assert line, f"ended without {word!r}"
    return line.rstrip()


@pytest.mark.parametrize(
    ("arguments", "kind", "target"),
    [
        (["modems", "--count", "8", "--scenario", "rainy-day.toml"], "hang", "sim-8"),
        (["smsc", "--port", "0", "--scenario", "moody-carrier.toml"], "throttle", "smsc"),
    ],
)
async def test_simulators_as_programs_take_scenarios_and_faults(
    tmp_path: Path, arguments: list[str], kind: str, target: str
) -> None:
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "simulate", *arguments, "--control", "0", cwd=tmp_path, stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    try:
        assert "faults armed" in await _read_until(process, "faults armed")
        port = (await _read_until(process, "control on")).rpartition(":")[2]
        reader, writer = await asyncio.open_connection("127.0.0.1", int(port))

        async def ask(**request: object) -> dict[str, Any]:
            writer.write(json.dumps(request).encode() + b"\n")
            return dict(json.loads(await reader.readline()))

        assert await ask(do="clear") == {"ok": True}
        assert (await ask(do="inject", fault={"kind": kind, "target": target, "nth": 5}))["ok"] is True
        assert [fault["target"] for fault in (await ask(do="list"))["faults"]] == [target]
        writer.close()
        await writer.wait_closed()
    finally:
        process.terminate()
        await process.wait()
