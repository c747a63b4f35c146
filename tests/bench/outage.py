"""The outage drill: an SMSC that is down for long under load, and what goes out each second once it is back."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Final

from drivers.ramp import Ramp
from tests.bench.daemons import running
from tests.bench.figures import Figure
from tests.bench.load import make_message, make_post, send_all
from tests.bench.processes import memory_mib, started
from tests.support.daemon import Daemon, free_port, smpp_toml

EACH_S: Final = 0.1
"""A batch is posted so often."""
BEFORE_S: Final = 5.0
N_SHOWN: Final = 20


class _Load:
    """Posts so many messages a second until it is stopped; those that came late are made up for."""

    def __init__(self, daemon: Daemon, per_s: int) -> None:
        self._daemon = daemon
        self.per_s = per_s
        self.n_accepted = 0

    async def run(self) -> None:
        """Cancel: the request at hand may have been accepted."""
        began, each = time.monotonic(), max(1, round(self.per_s * EACH_S))
        while True:
            await asyncio.sleep(max(0.0, began + self.n_accepted / self.per_s - time.monotonic()))
            messages = [make_message(self.n_accepted + i) for i in range(each)]
            post = make_post("/v1/messages/batch", self._daemon.secret, {"messages": messages})
            await send_all(self._daemon.port, iter([post]), 1)
            self.n_accepted += each


def _smsc(port: int, times: Path) -> list[object]:
    command = [sys.executable, "-m", "tests.bench.echo_smsc", "--port", port, "--latency-s", 0.005]
    return [*command, "--receipt-s", 0.2, "--times", times]


def _read(times: Path) -> list[float]:
    return [float(line) for line in times.read_text().split("\n")[:-1]]


async def outage(folder: Path, per_s: int, down_s: float, ramp_s: float) -> list[Figure]:
    """Run it.

    Args:
        per_s: messages that come each second; the channel's rate is twice as much.
        down_s: how long the SMSC is down.
        ramp_s: `[queue] ramp`.
    """
    port, log = free_port(), folder / "smsc.log"
    before, after = folder / "before", folder / "after"
    channel = smpp_toml("smsc", port, window="100", rate=f'"{2 * per_s}/s"')
    settings = f'[queue]\nramp = "{ramp_s:g}s"\nramp_after = "10s"\n'
    async with AsyncExitStack() as first:
        await first.enter_async_context(started(_smsc(port, before), log))
        async with running(folder, settings + channel) as (daemon, pid):
            load = _Load(daemon, per_s)
            posting = asyncio.create_task(load.run())
            await asyncio.sleep(BEFORE_S)
            await first.aclose()
            await asyncio.sleep(down_s)
            async with started(_smsc(port, after), log):
                n_sent = await _drain(load, len(_read(before)), after, ramp_s)
                posting.cancel()
                with suppress(asyncio.CancelledError):
                    await posting
                ramp = Ramp(2.0 * per_s, ramp_s, 0.0)
                return _report(_read(after), n_sent, ramp, down_s, ramp_s, memory_mib(pid, "VmHWM"))


async def _drain(load: _Load, n_before: int, after: Path, ramp_s: float) -> int:
    """Wait until the ramp is over and the backlog gone, or for long enough; how many were sent since it is back."""
    until = time.monotonic() + 5 * ramp_s + 120.0
    came_back: float | None = None
    while time.monotonic() < until:
        await asyncio.sleep(1.0)
        sent = _read(after)
        if sent and came_back is None:
            came_back = sent[0]
        is_ramped = came_back is not None and time.monotonic() > came_back + ramp_s + 3.0
        if is_ramped and load.n_accepted - n_before - len(sent) < load.per_s:
            break
    return len(_read(after))


def _report(
    sent: list[float], n_sent: int, ramp: Ramp, down_s: float, ramp_s: float, memory: float
) -> list[Figure]:
    """What went out each second, beside what the ramp asked for."""
    began = sent[0]
    counts = Counter(int(at - began) for at in sent)
    seconds = range(int(sent[-1] - began))
    asked = [(ramp.per_s(s) + ramp.per_s(s + 1)) / 2 for s in seconds]
    name = f"outage, {down_s:g} s"
    step = max(1, round(ramp_s * 1.2) // N_SHOWN)
    figures = [
        Figure(name, f"second {s}: sent; the ramp asked for {asked[s]:.0f}", counts[s], "msg/s")
        for s in seconds
        if s % step == 0 and s <= ramp_s * 1.2
    ]
    ramped = [s for s in seconds if s < int(ramp_s)]
    most = max((counts[s] - asked[s] for s in ramped), default=0.0)
    later = max((counts[s] for s in seconds if s >= ramp_s), default=0)
    share = sum(counts[s] for s in ramped) / max(1.0, sum(asked[s] for s in ramped))
    return [
        *figures,
        Figure(name, "most above the ramp in one second of it", most, "msg/s"),
        Figure(name, "sent during the ramp, of what it asked for", share * 100, "%"),
        Figure(name, "most in one second afterwards", later, "msg/s"),
        Figure(name, f"{n_sent:,} sent, until the backlog was gone", sent[-1] - began, "s"),
        Figure(name, "memory of the daemon, highest", memory, "MiB"),
    ]
