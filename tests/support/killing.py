"""A daemon under load that is killed again and again, and the books afterwards: nothing lost, nothing doubled.

What is true is the journal of the simulated network: what it has accepted, whatever the gateway's store says.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from simulators.network import Network
from simulators.smsc.server import SimulatedSmsc
from tests.support.daemon import Daemon, smpp_toml
from tests.support.postgres import Cluster

WINDOW = 16
"""Segments that may be on the wire at once: so many may be uncertain by one kill."""
LANES = 6
TWO_PARTS = "雁" * 100
SETTLE_S = 120.0
_AT_END = {"delivered", "uncertain"}
_UNAVAILABLE = {500, 503, 507}


@dataclass
class Books:
    """What was promised, and to whom.

    Attributes:
        accepted: recipient by id: answered with 202.
        refused: recipients whose request was answered with an error: they must not get anything.
        unanswered: recipients whose request got no answer: they may get something, once.
        kills: so far.
        on_wire: segments that were taken by the network and not answered to the daemon, at all kills together.
    """

    accepted: dict[str, str] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    unanswered: set[str] = field(default_factory=set)
    kills: Counter[str] = field(default_factory=Counter)


class KillRun:
    """One daemon, one SMSC, and perhaps a PostgreSQL server of its own; made by `killing`.

    Args:
        seed: of the moments.
        cluster: the server to be killed, too.
    """

    def __init__(self, daemon: Daemon, network: Network, seed: int, cluster: Cluster | None = None) -> None:
        self.daemon = daemon
        self.network = network
        self.cluster = cluster
        self.books = Books()
        self._rng = random.Random(seed)
        self._n = 0

    def _number(self) -> str:
        self._n += 1
        return f"+861{37_000_000_00 + self._n:010d}"

    async def _begin(self) -> None:
        """Have the daemon running."""
        if self.daemon.process is None or self.daemon.process.returncode is not None:
            await self.daemon.start(n_up=1)

    async def kill_daemon(self) -> None:
        """One round: start, load, and SIGKILL at some moment."""
        await self._begin()
        load = asyncio.create_task(self._load())
        await asyncio.sleep(self._rng.uniform(0.0, 0.4))  # the moment itself is what is random here
        await self.daemon.kill()
        self.books.kills["daemon"] += 1
        await load

    async def kill_database(self) -> None:
        """One round: the server ends without a word under load, and comes back; the daemon goes on."""
        assert self.cluster is not None
        await self._begin()
        stop = asyncio.Event()
        load = asyncio.create_task(self._load(stop))
        await asyncio.sleep(self._rng.uniform(0.0, 0.4))
        kill = self.cluster.kill if self._rng.random() < 0.5 else lambda: self.cluster.stop(immediate=True)  # type: ignore[union-attr]
        await asyncio.to_thread(kill)
        self.books.kills["database"] += 1
        await asyncio.sleep(self._rng.uniform(0.0, 0.2))
        await asyncio.to_thread(self.cluster.start)
        stop.set()
        await load
        assert self.daemon.process is not None
        assert self.daemon.process.returncode is None, self.daemon.log()

    async def _load(self, stop: asyncio.Event | None = None) -> None:
        """Single posts and batches until the daemon is gone, or until it is enough."""
        await asyncio.gather(*(self._lane(lane, stop) for lane in range(LANES)))

    async def _lane(self, lane: int, stop: asyncio.Event | None) -> None:
        while stop is None or not stop.is_set():
            numbers = [self._number() for _ in range(20 if lane == 0 else 1)]
            try:
                await self._post(numbers)
            except (aiohttp.ClientError, OSError, TimeoutError):  # the connection died with the daemon
                self.books.unanswered.update(numbers)
                if stop is None:
                    return

    async def _post(self, numbers: list[str]) -> None:
        if len(numbers) == 1:
            body: dict[str, object] = {"to": numbers[0], "text": "one part"}
            status, answer = await self.daemon.post("/v1/messages", body)
            told = [(answer["id"], numbers[0])] if status == 202 else []
        else:
            status, answer = await self.daemon.post("/v1/messages/batch", {"to": numbers, "text": TWO_PARTS})
            told = [(m["id"], numbers[m["index"]]) for m in answer["messages"]] if status == 202 else []
        if status == 202:
            self.books.accepted.update(told)
            return
        assert status in _UNAVAILABLE, answer
        self.books.refused.update(numbers)
        await asyncio.sleep(0.02)

    async def settle(self) -> list[str]:
        """Let it come to rest; what is wrong then."""
        await self._begin()
        await self.daemon.wait_status(self.books.accepted, _AT_END, SETTLE_S)
        return await self._audit()

    async def _audit(self) -> list[str]:
        books = self.books
        messages = {m["id"]: m for m in await self.daemon.messages()}
        segments = Counter((m.recipient.removeprefix("+"), m.payload) for m in self.network.accepted)
        taken = Counter(recipient for recipient, _ in segments.elements())
        wrong = [f"doubled: {to} got {payload!r} {n} times" for (to, payload), n in segments.items() if n > 1]
        for message_id, to in books.accepted.items():
            message = messages.get(message_id)
            if message is None:
                wrong.append(f"lost: {message_id} was answered with 202 and is not there")
            elif message["status"] == "delivered" and taken[to.removeprefix("+")] != len(message["segments"]):
                wrong.append(f"lost: {message_id} is delivered, and the network has not got it")
        kept = {m["to"] for m in messages.values()}
        wrong += [f"refused, and kept all the same: {to}" for to in books.refused & kept]
        known = {to.removeprefix("+") for to in kept}
        strangers = {m.recipient.removeprefix("+") for m in self.network.accepted} - known
        wrong += [f"sent, and not kept: {to}" for to in strangers]
        n = self.n_uncertain = sum(m["status"] == "uncertain" for m in messages.values())
        if n > WINDOW * books.kills.total():
            wrong.append(f"{n} uncertain, more than were on the wire")
        return wrong

    def describe(self) -> str:
        """One line about it."""
        kills = ", ".join(f"{n} of the {what}" for what, n in self.books.kills.items())
        return (
            f"kills: {kills}; accepted {len(self.books.accepted)}, refused {len(self.books.refused)},"
            f" not answered {len(self.books.unanswered)}, uncertain {self.n_uncertain}"
        )


@asynccontextmanager
async def killing(folder: Path, seed: int, cluster: Cluster | None = None) -> AsyncIterator[KillRun]:
    """A daemon and its SMSC, not started yet."""
    network = Network(receipt_delay_s=0.01)
    url = cluster.url(cluster.make_database()) if cluster is not None else None
    async with SimulatedSmsc(network, latency_s=0.005) as smsc:
        channels = smpp_toml("carrier", smsc.port, window=str(WINDOW))
        daemon = Daemon(folder, channels, store_url=url)
        try:
            yield KillRun(daemon, network, seed, cluster)
        finally:
            await daemon.close()
            await network.close()
