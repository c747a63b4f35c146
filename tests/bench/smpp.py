"""From HTTP through SQLite to one SMPP bind and back to the receipt; and the memory of a queue that only grows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.daemons import running, wait_logged
from tests.bench.figures import Figure, percentiles
from tests.bench.load import make_message, make_post, send_all
from tests.bench.processes import Meter, memory_mib, operator
from tests.support.daemon import Daemon, free_port, smpp_toml

N_CONNECTIONS = 16
WINDOW = 100
BATCH = 1_000
N_LISTS = 200


def single_posts(secret: str, n: int) -> Iterator[bytes]:
    """One message a request."""
    return (make_post("/v1/messages", secret, make_message(i)) for i in range(n))


def batch_posts(secret: str, n: int) -> Iterator[bytes]:
    """`BATCH` messages a request."""
    for start in range(0, n, BATCH):
        messages = [make_message(i) for i in range(start, min(start + BATCH, n))]
        yield make_post("/v1/messages/batch", secret, {"messages": messages})


async def smpp_single(folder: Path, n: int) -> list[Figure]:
    """Single messages over kept-alive connections."""
    return await _measure("smpp-single", folder, n, batches=False)


async def smpp_batch(folder: Path, n: int) -> list[Figure]:
    """The same in batches."""
    return await _measure("smpp-batch", folder, n, batches=True)


async def _measure(name: str, folder: Path, n: int, *, batches: bool) -> list[Figure]:
    async with operator("smsc", folder) as (smsc_pid, smsc_port):
        channel = smpp_toml("smsc", smsc_port, window=str(WINDOW))
        async with running(folder, channel) as (daemon, pid):
            posts = list((batch_posts if batches else single_posts)(daemon.secret, n))
            meter, smsc = Meter(pid), Meter(smsc_pid)
            started = time.perf_counter()
            accept_s, ended = await asyncio.gather(
                send_all(daemon.port, posts, N_CONNECTIONS),
                wait_logged(daemon.delivery, "message.delivered", n),
            )
            cpu_ms = meter.used_s * 1e3 / n
            return [
                Figure(name, f"{n:,} messages, until the last is delivered", n / (ended - started), "msg/s"),
                Figure(name, "until the last is accepted", n / accept_s, "msg/s"),
                Figure(name, "CPU of the daemon", cpu_ms, "ms/msg"),
                Figure(name, "CPU of the simulated SMSC", smsc.used_s * 1e3 / n, "ms/msg"),
                Figure(name, "memory of the daemon, highest", memory_mib(pid, "VmHWM"), "MiB"),
            ]


async def memory(folder: Path, n: int) -> list[Figure]:
    """Messages pile up for an SMSC that is down."""
    async with running(folder, smpp_toml("smsc", free_port()), n_up=0) as (daemon, pid):
        await _list(daemon, 1)
        before = memory_mib(pid)
        meter = Meter(pid)
        accept_s = await send_all(daemon.port, batch_posts(daemon.secret, n), 1)
        cpu_ms = meter.used_s * 1e3 / n
        after, peak = memory_mib(pid), memory_mib(pid, "VmHWM")
        median_s, slow_s = percentiles(await _list(daemon, N_LISTS))
        return [
            Figure("memory", "resident before", before, "MiB"),
            Figure("memory", f"resident with {n:,} messages queued", after, "MiB"),
            Figure("memory", "resident at its highest", peak, "MiB"),
            Figure("memory", f"accepted in batches of {BATCH:,}", n / accept_s, "msg/s"),
            Figure("memory", "CPU of the daemon to accept", cpu_ms, "ms/msg"),
            Figure("memory", "GET /v1/messages?limit=50, median", median_s * 1e3, "ms"),
            Figure("memory", "GET /v1/messages?limit=50, p99", slow_s * 1e3, "ms"),
        ]


async def _list(daemon: Daemon, n: int) -> list[float]:
    taken = []
    for _ in range(n):
        started = time.perf_counter()
        status, _ = await daemon.get("/v1/messages?limit=50")
        taken.append(time.perf_counter() - started)
        assert status == 200
    return taken
