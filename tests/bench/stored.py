"""What a full store costs: accepting, claiming and looking up beside millions, memory, room on disk, lists."""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path
from typing import Final, NamedTuple

from tests.bench.daemons import wait_logged
from tests.bench.filling import Original, fill
from tests.bench.load import make_message
from tests.bench.options import Options
from tests.bench.poster import poster
from tests.bench.processes import Meter, family, memory_mib
from tests.bench.rig import batch_posts, gateway, lean_smsc, settle, single_posts
from tests.bench.rows import Row
from tests.support.daemon import Daemon, until

N_ACCEPTED: Final = 2_000
N_CLAIMED: Final = 5_000
N_LOOKED_UP: Final = 300
N_LISTED: Final = 500_000
N_QUEUED: Final = 1_000_000
N_SENT: Final = 30_000
N_LOOKS: Final = 30
FAR: Final = 6_000_000


class _Costs(NamedTuple):
    """In one store.

    Args:
        accept_ms, claim_ms: CPU a message.
        look_up_ms: a request.
    """

    accept_ms: float
    claim_ms: float
    look_up_ms: float


async def stored(options: Options) -> list[Row]:
    """The same work in a store that is full, and in an empty one."""
    async with options.place() as (folder, url):
        empty = await _costs(options, folder, url, first=FAR, queued=options.n_rounds * N_CLAIMED)
    async with options.place() as (folder, url):
        queued = max(options.queued, options.n_rounds * N_CLAIMED)
        await fill_store(folder, url, finished=options.finished, queued=queued)
        full = await _costs(options, folder, url, first=FAR, queued=0)
    size = f"{options.finished / 1e6:g} M finished, {queued / 1e6:g} M queued"
    return [
        Row(
            f"{name} / empty store ({size})",
            "-",
            1.2,
            [getattr(one, field) / getattr(other, field) for one, other in zip(full, empty, strict=True)],
        )
        for name, field in (
            ("accept", "accept_ms"),
            ("claim to receipt", "claim_ms"),
            ("look-up by id", "look_up_ms"),
        )
    ]


async def _costs(options: Options, folder: Path, url: str | None, *, first: int, queued: int) -> list[_Costs]:
    accepted, looked_up = [], []
    async with gateway(folder, url, None) as (daemon, pid):
        await settle()
        for number in options.rounds:
            posts = list(single_posts(daemon.secret, N_ACCEPTED, first=first + number * N_ACCEPTED))
            async with poster(folder, daemon.port, posts, 16) as load:
                meter = Meter(pid)
                await load.post()
                accepted.append(meter.used_s * 1e3 / N_ACCEPTED)
            looked_up.append(await _look_up(daemon))
        first += options.n_rounds * N_ACCEPTED
        if queued:
            posts = list(batch_posts(daemon.secret, queued, 1_000, first=first))
            async with poster(folder, daemon.port, posts, 1) as load:
                await load.post()
    claimed = []
    async with lean_smsc(folder) as smsc, gateway(folder, url, smsc.port) as (daemon, pid):
        for number in options.rounds:
            meter = Meter(pid)
            await wait_logged(daemon.delivery, "message.delivered", N_CLAIMED, skip=number * N_CLAIMED)
            claimed.append(meter.used_s * 1e3 / N_CLAIMED)
    return [_Costs(*each) for each in zip(accepted, claimed, looked_up, strict=True)]


async def _look_up(daemon: Daemon) -> float:
    """Milliseconds, median."""
    _, page = await daemon.get(f"/v1/messages?limit={N_LOOKED_UP}")
    return await _time(daemon, [f"/v1/messages/{message['id']}" for message in page["items"]])


async def _time(daemon: Daemon, paths: list[str]) -> float:
    """Median time of a request, in milliseconds."""
    taken = []
    for path in paths:
        began = time.perf_counter()
        status, _ = await daemon.get(path)
        taken.append(time.perf_counter() - began)
        assert status == 200, (path, status)
    return statistics.median(taken) * 1e3


async def fill_store(folder: Path, url: str | None, *, finished: int, queued: int) -> None:
    """So many of each, copies of one that the daemon has sent and one that it has only taken."""
    async with lean_smsc(folder) as smsc, gateway(folder, url, smsc.port) as (daemon, _):
        sent = await _post(daemon, FAR - 2)
        await daemon.wait_status([sent], {"delivered"})
        await settle()
        finished_one = await _original(daemon, sent)
        where = daemon.store_url
    if finished:
        took = await fill(where, finished_one, finished)
        print(f"filled with {finished:,} finished in {took:.0f} s", flush=True)
        _forget_log(folder)
    if queued:
        async with gateway(folder, where, None) as (daemon, _):
            waiting = await _original(daemon, await _post(daemon, FAR - 1))
        took = await fill(where, waiting, queued, first=finished)
        print(f"filled with {queued:,} queued in {took:.0f} s", flush=True)
        _forget_log(folder)


def _forget_log(folder: Path) -> None:
    """The delivery log begins at the present, and does not tell of the copies."""
    for path in folder.glob("delivery.jsonl*"):
        path.unlink()


async def _post(daemon: Daemon, n: int) -> str:
    status, message = await daemon.post("/v1/messages", make_message(n))
    assert status == 202, message
    return str(message["id"])


async def _original(daemon: Daemon, message_id: str) -> Original:
    message = await daemon.message(message_id)
    return Original(message["id"], message["to"], message["segments"][0]["ref"] or "")


async def memory(options: Options) -> list[Row]:
    """Of the daemon with a million queued, at rest and while it sends."""
    rested, sending = [], []
    async with options.place() as (folder, url):
        await fill_store(folder, url, finished=0, queued=N_QUEUED)
        for number in options.rounds:
            async with gateway(folder, url, None) as (daemon, pid):
                await daemon.get("/v1/messages?limit=50")
                await settle()
                rested.append(_memory(pid))
            async with lean_smsc(folder) as smsc, gateway(folder, url, smsc.port) as (daemon, pid):
                n = N_SENT // options.n_rounds
                await wait_logged(daemon.delivery, "message.delivered", n, skip=number * n)
                sending.append(_memory(pid, "VmHWM"))
    return [
        Row("memory with 1 million queued, at rest", "184 at 500,000", 250, rested, "MiB"),
        Row("memory with 1 million queued, highest while it sends", "-", 250, sending, "MiB"),
    ]


def _memory(pid: int, field: str = "VmRSS") -> float:
    return sum(memory_mib(one, field) for one in family(pid))


async def room(options: Options) -> list[Row]:
    """On disk for each delivered message, the log of the store included; the delivery log is not."""
    n = 2 * options.messages
    taken = []
    for _ in options.rounds:
        async with options.place() as (folder, url):
            async with (
                lean_smsc(folder) as smsc,
                gateway(folder, url, smsc.port) as (daemon, _),
                poster(folder, daemon.port, batch_posts(daemon.secret, n, 1_000), 1) as load,
            ):
                before = await _octets(daemon)
                await asyncio.gather(load.post(), wait_logged(daemon.delivery, "message.delivered", n))
            taken.append((await _octets(daemon) - before) / n / 1e3)
    return [Row("room on disk of a delivered message", "1.7", 0.8, taken, "kB")]


async def _octets(daemon: Daemon) -> int:
    if daemon.store_url.startswith("sqlite"):
        return sum(path.stat().st_size for path in daemon.folder.glob("hongyan.db*"))
    import asyncpg  # type: ignore[import-untyped, unused-ignore]

    connection = await asyncpg.connect(daemon.store_url)
    try:
        return int(await connection.fetchval("SELECT pg_database_size(current_database())"))
    finally:
        await connection.close()


async def lists(options: Options) -> list[Row]:
    """A list by a status that few messages have, and a scrape, beside half a million."""
    listed, scraped = [], []
    async with options.place() as (folder, url):
        await fill_store(folder, url, finished=N_LISTED, queued=0)
        async with gateway(folder, url, None) as (daemon, _):
            await until(lambda: _answers(daemon))
            for _ in options.rounds:
                listed.append(await _time(daemon, ["/v1/messages?status=failed&limit=50"] * N_LOOKS))
                scraped.append(await _time(daemon, ["/metrics"] * N_LOOKS))
    return [
        Row(f"list by a rare status, {N_LISTED:,} messages", "195-445", 20, listed, "ms"),
        Row(f"/metrics, {N_LISTED:,} messages", "105-210", 20, scraped, "ms"),
    ]


async def _answers(daemon: Daemon) -> bool:
    return (await daemon.get("/metrics"))[0] == 200
