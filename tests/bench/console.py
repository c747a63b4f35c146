"""The console beside a full store: how long pages take, how large a first visit is, and what open pages cost."""

from __future__ import annotations

import asyncio
import re
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from aiohttp import ClientSession, ClientTimeout

from gateway.access.sessions import Sessions
from gateway.clock import SystemClock
from gateway.console.table import PAGES
from gateway.model.user import Role
from tests.bench.figures import Figure
from tests.bench.load import make_message
from tests.bench.processes import Meter
from tests.bench.rig import gateway, settle
from tests.bench.stored import fill_store
from tests.support.console import add_user
from tests.support.daemon import Daemon
from tests.support.stores import open_at

N_LOOKS: Final = 60
N_OPEN: Final = 50
EACH: Final = 10
WATCHED_S: Final = 60.0
PER_S: Final = 5
_ASSET: Final = re.compile(r'(?:src|href)="(/console/static/[^"]+)"')


async def console(folder: Path, finished: int) -> list[Figure]:
    """Pages one after the other, then as many as are open, beside some traffic."""
    await fill_store(folder, None, finished=finished, queued=1_000)
    tokens = await _open_sessions(folder)
    figures = []
    async with gateway(folder, None, None) as (daemon, pid):
        await settle()
        async with _visitor(daemon, tokens[0]) as visitor:
            for page in PAGES:
                if (
                    page.method == "GET"
                    and "{" not in page.path
                    and page.path not in {"/live", "/_components"}
                ):
                    taken = await _look(visitor, f"/console{page.path}")
                    figures.append(Figure("console", f"{page.path}, p95", taken, "ms"))
            figures.append(Figure("console", "first visit", await _weigh(visitor) / 1e3, "kB"))
        alone = await _watch(daemon, pid, [])
        watched = await _watch(daemon, pid, tokens)
    share = 100 * (watched - alone) / WATCHED_S
    return [*figures, Figure("console", f"{N_OPEN} open overviews, {PER_S} messages/s", share, "% of a core")]


async def _open_sessions(folder: Path) -> list[str]:
    """Tokens: a session may have twelve pages open."""
    store = await open_at(folder / "hongyan.db")
    try:
        user = await add_user(store, "bench", Role.ADMIN)
        sessions = Sessions(store, SystemClock())
        return [(await sessions.open(user, "bench", ""))[0] for _ in range(N_OPEN // EACH)]
    finally:
        await store.close()


@asynccontextmanager
async def _visitor(daemon: Daemon, token: str) -> AsyncIterator[ClientSession]:
    async with ClientSession(
        f"http://127.0.0.1:{daemon.port}",
        headers={"Cookie": f"hongyan_session={token}"},
        timeout=ClientTimeout(),
    ) as session:
        yield session


async def _look(visitor: ClientSession, path: str) -> float:
    """The 95th percentile of some looks, in milliseconds."""
    taken = []
    for _ in range(N_LOOKS):
        began = time.perf_counter()
        async with visitor.get(path) as answer:
            await answer.read()
            assert answer.status == 200, (path, answer.status)
        taken.append((time.perf_counter() - began) * 1e3)
    return statistics.quantiles(taken, n=20)[18]


async def _weigh(visitor: ClientSession) -> int:
    async with visitor.get("/console/") as answer:
        page = await answer.text()
    n_octets = len(page.encode())
    for path in set(_ASSET.findall(page)):
        async with visitor.get(path) as answer:
            n_octets += len(await answer.read())
    return n_octets


async def _watch(daemon: Daemon, pid: int, tokens: Sequence[str]) -> float:
    """CPU seconds of the daemon while so many sessions have pages open and a little traffic comes."""
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        visitors = [await stack.enter_async_context(_visitor(daemon, token)) for token in tokens]
        pages = [group.create_task(_stay(visitor)) for visitor in visitors for _ in range(EACH)]
        await settle()
        meter, until = Meter(pid), time.monotonic() + WATCHED_S
        n = 0
        while time.monotonic() < until:
            await daemon.post("/v1/messages", make_message(7_000_000 + n))
            n += 1
            await asyncio.sleep(1 / PER_S)
        used = meter.used_s
        for page in pages:
            page.cancel()
    return used


async def _stay(visitor: ClientSession) -> None:
    """What an open page does: it listens, and fetches itself when something has changed."""
    async with visitor.get("/console/live?topics=message") as stream:
        assert stream.status == 200, stream.status
        async for line in stream.content:
            if line.startswith(b"event: changed"):
                async with visitor.get("/console/", headers={"X-Hongyan-Live": "1"}) as answer:
                    await answer.read()
