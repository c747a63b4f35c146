"""Attacks on a running daemon, and what an honest client notices of them: `tests.bench.attackers` says which there are.

Beside each attack one client POSTs a message every few milliseconds, and one application binds over SMPP about twice a
second, both from the attacker's own address. The daemon's memory and log are measured too.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import struct
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import aiohttp

from gateway.access.passwords import hash_password
from tests.bench.attackers import ATTACKERS, RIGHT, bind
from tests.bench.figures import Figure, percentiles
from tests.bench.processes import end, memory_mib
from tests.support.daemon import Daemon, free_port, smpp_toml

GOAL_S: Final = 0.5
_BEFORE_S: Final = 1.0
_PAUSE_S: Final = 0.02
_BIND_PAUSE_S: Final = 0.5
_PATIENCE_S: Final = 30.0


async def attacks(folder: Path, seconds: float, names: Sequence[str] = ()) -> list[Figure]:
    """Each attack on a daemon of its own."""
    figures: list[Figure] = []
    for name in names or ATTACKERS:
        place = folder / name
        place.mkdir()
        figures += await _attack(place, name, seconds)
        shutil.rmtree(place)
    return figures


async def _attack(folder: Path, name: str, seconds: float) -> list[Figure]:
    smpp_port = free_port()
    async with attacker(name) as (process, toml):
        daemon = Daemon(folder, config_for(smpp_port) + toml)
        try:
            await daemon.start(n_up=0)
            await bind_rightly(smpp_port)  # a customer who was here before
            await asyncio.sleep(_BEFORE_S)
            assert daemon.process is not None
            before = log_octets(folder)
            begin(process, daemon, smpp_port)
            await asyncio.sleep(_BEFORE_S)
            until = time.perf_counter() + seconds
            (posts, failed), (binds, refused) = await asyncio.gather(
                _post_until(daemon, until), _bind_until(smpp_port, until)
            )
            pid = daemon.process.pid
            middle, worst = percentiles(posts) if len(posts) > 1 else (_PATIENCE_S, _PATIENCE_S)
            figures = [
                Figure(name, f"POST, {len(posts)} answered, median", middle * 1e3, "ms"),
                Figure(name, f"POST, p99{'' if worst < GOAL_S else '  ABOVE THE GOAL'}", worst * 1e3, "ms"),
                Figure(name, "POSTs that failed", failed),
                Figure(name, "memory at its highest", memory_mib(pid, "VmHWM"), "MiB"),
                Figure(name, "log", (log_octets(folder) - before) / 1024 / seconds, "KiB/s"),
            ]
            if binds:
                middle, worst = percentiles([*binds, *binds])
                figures.append(Figure(name, f"right bind, {len(binds)} granted, median", middle * 1e3, "ms"))
                figures.append(Figure(name, "right bind, p99", worst * 1e3, "ms"))
            return [*figures, Figure(name, "right binds that were refused", refused)]
        finally:
            await daemon.close()


@asynccontextmanager
async def attacker(name: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """The attacker's process, ready, and its TOML."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.attackers", name,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        yield process, json.loads(await process.stdout.readline())
    finally:
        await end(process)


def begin(process: asyncio.subprocess.Process, daemon: Daemon, smpp_port: int) -> None:
    """Let the attacker loose."""
    assert process.stdin is not None
    process.stdin.write(json.dumps({"http": daemon.port, "smpp": smpp_port}).encode() + b"\n")


def config_for(smpp_port: int) -> str:
    """A daemon with an account on every door, and no channel that is up."""
    name, password = RIGHT
    return (
        smpp_toml("nowhere", free_port())
        + f'[[smpp_server]]\nlisten = "127.0.0.1:{smpp_port}"\n'
        + f'[[smpp_accounts]]\nsystem_id = "{name}"\npassword_hash = "{hash_password(password)}"\nmax_binds = 50\n'
        + f'[[kannel_accounts]]\nusername = "{name}"\npassword = "{password}"\n'
    )


async def _post_until(daemon: Daemon, until: float) -> tuple[list[float], int]:
    """Seconds that each POST took, and how many failed."""
    taken: list[float] = []
    failed = 0
    headers = {"Authorization": f"Bearer {daemon.secret}"}
    timeout = aiohttp.ClientTimeout(total=_PATIENCE_S)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
        while (started := time.perf_counter()) < until:
            try:
                message = {"to": "+8613900139000", "text": "hello"}
                async with session.post(f"{daemon.base}/v1/messages", json=message) as answer:
                    failed += answer.status != 202
                    await answer.read()
            except (aiohttp.ClientError, TimeoutError):
                failed += 1
            taken.append(time.perf_counter() - started)
            await asyncio.sleep(_PAUSE_S)
    return taken, failed


async def _bind_until(port: int, until: float) -> tuple[list[float], int]:
    """Seconds that each right bind took, and how many were refused, cut or not answered."""
    taken: list[float] = []
    refused = 0
    while (started := time.perf_counter()) < until:
        if await bind_rightly(port):
            taken.append(time.perf_counter() - started)
        else:
            refused += 1
        await asyncio.sleep(_BIND_PAUSE_S)
    return taken, refused


async def bind_rightly(port: int) -> bool:
    """Bind with the right password, and leave."""
    writer = None
    try:
        async with asyncio.timeout(_PATIENCE_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(bind(*RIGHT))
            _, _, status, _ = struct.unpack(">IIII", await reader.readexactly(16))
            return bool(status == 0)
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False
    finally:
        if writer is not None:
            writer.close()


def log_octets(folder: Path) -> int:
    """How much the daemon has logged."""
    return (folder / "daemon.log").stat().st_size
