"""Many simulated modems: is every one of them busy all the time, and what does that cost?

All times are taken from what the modems saw (`tests.bench.wire`), in their own process.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from tests.bench.daemons import running, wait_logged
from tests.bench.figures import Figure, percentiles
from tests.bench.load import make_message, make_post, send_all
from tests.bench.processes import Meter, memory_mib, operator
from tests.bench.wire import Wire
from tests.support.daemon import Daemon, modem_toml

NETWORK_TIME_S = 1.0
SHORT_NETWORK_TIME_S = 0.2
"""For what does not depend on it."""
QUIET_S = 0.5
FEW, MANY = 8, 64
"""Modems whose memory is compared."""


class Rig(NamedTuple):
    """A daemon, ready, on simulated modems."""

    daemon: Daemon
    pid: int
    wire_path: Path


@asynccontextmanager
async def modem_rig(
    folder: Path,
    n_modems: int,
    network_time_s: float,
    *,
    hang_at: int | None = None,
    spread_s: float = 0.0,
    **more: str,
) -> AsyncIterator[Rig]:
    """Modems in a process of their own and the daemon on them.

    Args:
        spread_s: network times differ by up to so much.
        hang_at: the segment with which the first modem hangs for good.
        more: goes to each modem's config.
    """
    options = {"modems": n_modems, "network_time_s": network_time_s, "spread_s": spread_s}
    if hang_at is not None:
        options["hang_at"] = hang_at
    async with operator("modems", folder, **options) as (_, ports):
        channels = "\n".join(modem_toml(f"sim-{i}", port, **more) for i, port in enumerate(ports, 1))
        async with running(folder, channels) as (daemon, pid):
            rig = Rig(daemon, pid, folder / "wire.log")
            await until_quiet(rig)
            yield rig


async def until_quiet(rig: Rig) -> None:
    """Wait until the daemon has said nothing to any modem for a while: bring-up and first looks are over."""
    n_before = -1
    while (n := len(Wire(rig.wire_path).said)) != n_before:
        n_before = n
        await asyncio.sleep(QUIET_S)


async def send_batch(rig: Rig, n: int) -> None:
    """One batch for all modems, none of them named in it, until the last message is delivered."""
    messages = [make_message(i) for i in range(n)]
    post = make_post("/v1/messages/batch", rig.daemon.secret, {"messages": messages})
    await send_all(rig.daemon.port, [post], 1)
    await wait_logged(rig.daemon.delivery, "message.delivered", n)


async def modems(folder: Path, n_modems: int, n_each: int, spread_s: float = 0.0) -> list[Figure]:
    """Utilisation, the pauses between and within segments, commands and CPU a segment."""
    n = n_modems * n_each
    async with modem_rig(folder, n_modems, NETWORK_TIME_S, spread_s=spread_s) as rig:
        n_before = len(Wire(rig.wire_path).commands)
        meter = Meter(rig.pid)
        await send_batch(rig, n)
        cpu_s = meter.used_s
        peak = memory_mib(rig.pid, "VmHWM")
        wire = Wire(rig.wire_path)
    commands = Counter(said.line.partition("=")[0] for said in wire.commands[n_before:])
    others = ", ".join(
        f"{name[2:]} {count / n:.2f}" for name, count in commands.most_common() if name != "AT+CMGS"
    )
    next_ms, next_slow_ms = (s * 1e3 for s in percentiles(wire.gaps_to_next()))
    prompt_ms, prompt_slow_ms = (s * 1e3 for s in percentiles(wire.gaps_to_payload()))
    times = (
        f"{NETWORK_TIME_S - spread_s:g}-{NETWORK_TIME_S + spread_s:g}" if spread_s else f"{NETWORK_TIME_S:g}"
    )
    bench = "modems-uneven" if spread_s else f"modems-{n_modems}"
    return [
        Figure(bench, f"{n:,} segments of {times} s network time", n / wire.whole_s, "msg/s"),
        Figure(bench, "utilisation, first AT+CMGS to last answer", wire.utilisation(NETWORK_TIME_S) * 100, "%"),
        Figure(bench, "utilisation between each modem's first and last",
               wire.steady_utilisation(NETWORK_TIME_S) * 100, "%"),
        Figure(bench, "the same, Ctrl-Z to answer as the modems had it", wire.busy * 100, "%"),
        Figure(bench, "+CMGS ... OK to next AT+CMGS, median", next_ms, "ms"),
        Figure(bench, "+CMGS ... OK to next AT+CMGS, p99", next_slow_ms, "ms"),
        Figure(bench, "prompt to Ctrl-Z, median", prompt_ms, "ms"),
        Figure(bench, "prompt to Ctrl-Z, p99", prompt_slow_ms, "ms"),
        Figure(bench, f"AT commands ({others})", commands.total() / n, "/segment"),
        Figure(bench, "CPU of the daemon", cpu_s * 1e3 / n, "ms/msg"),
        Figure(bench, "memory of the daemon, highest", peak, "MiB"),
    ]  # fmt: skip


async def modem_memory(folder: Path) -> list[Figure]:
    """What a modem more costs: after each has sent a little."""
    used = {}
    for n_modems in (FEW, MANY):
        place = folder / str(n_modems)
        await asyncio.to_thread(place.mkdir)
        async with modem_rig(place, n_modems, SHORT_NETWORK_TIME_S) as rig:
            await send_batch(rig, 5 * n_modems)
            used[n_modems] = memory_mib(rig.pid)
    return [
        *(Figure("modem-memory", f"resident with {n} modems", mib, "MiB") for n, mib in used.items()),
        Figure("modem-memory", "a modem more", (used[MANY] - used[FEW]) / (MANY - FEW), "MiB"),
    ]
