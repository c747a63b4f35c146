"""The real daemon on a PostgreSQL server: messages and receipts, a restart, and both of them killed under load."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from simulators.network import Network
from simulators.smsc.server import SimulatedSmsc
from tests.support.daemon import Daemon, smpp_toml
from tests.support.eventually import eventually
from tests.support.postgres import PASSWORD, Cluster, running_cluster

pytestmark = pytest.mark.e2e

ENDED = {"delivered", "sent", "uncertain"}


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    """One that is stopped and killed."""
    with running_cluster(durable=True) as cluster:
        yield cluster


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    network = Network(latency_s=0.01, receipt_delay_s=0.02)
    yield network
    await network.close()


@pytest.fixture
async def daemon(tmp_path: Path, network: Network, server: Cluster) -> AsyncIterator[Daemon]:
    async with AsyncExitStack() as stack:
        smscs = [
            await stack.enter_async_context(SimulatedSmsc(network, number=f"1069{i}", latency_s=0.01))
            for i in (1, 2)
        ]
        channels = "\n".join(smpp_toml(f"smsc-{i}", smsc.port) for i, smsc in enumerate(smscs, 1))
        daemon = Daemon(tmp_path, channels, store_url=server.url(server.make_database()))
        stack.push_async_callback(daemon.close)
        yield daemon


class Posting:
    """Posts that go on until they are told to stop.

    Attributes:
        accepted: recipients by message id.
    """

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._stopping = False
        self.accepted: dict[str, str] = {}

    async def post(self, lane: int) -> None:
        n = 0
        while not self._stopping:
            n += 1
            to = f"+86137{lane:02d}{n:06d}"
            try:
                status, message = await self._daemon.post("/v1/messages", {"to": to, "text": f"{lane} {n}"})
            except (aiohttp.ClientError, OSError):
                await asyncio.sleep(0.05)  # the daemon is away
                continue
            assert status in {202, 503}, message
            if status == 202:
                self.accepted[message["id"]] = to

    async def goes_on(self) -> None:
        """Wait until more was accepted."""
        n = len(self.accepted) + 40
        await eventually(lambda: len(self.accepted) >= n)

    async def stop(self, tasks: list[asyncio.Task[None]]) -> None:
        self._stopping = True
        await asyncio.gather(*tasks)


def served(network: Network) -> Counter[str]:
    """How often the network served each recipient; each message here has its own."""
    return Counter(m.recipient for m in network.accepted if m.via != "handset")


async def assert_balance(daemon: Daemon, network: Network, accepted: dict[str, str]) -> None:
    """Nothing lost, nothing doubled; what the network never saw is called uncertain."""
    await daemon.wait_status(accepted, ENDED, 90.0)
    told = {message["id"]: message["status"] for message in await daemon.messages()}
    seen = served(network)
    assert [to for to, n in seen.items() if n > 1] == [], "twice"
    unseen = {i for i, to in accepted.items() if not seen[to]}
    assert {told.get(i) for i in unseen} <= {"uncertain"}, "lost"


async def test_messages_receipts_and_a_restart(
    daemon: Daemon, network: Network, server: Cluster, tmp_path: Path
):
    (tmp_path / "password").write_text(PASSWORD)
    database = daemon.store_url.rpartition("@/")[2].partition("?")[0]
    config = daemon.config.read_text().replace(daemon.store_url, server.tcp_url(database))
    daemon.config.write_text(config.replace("[store]\n", f'[store]\npassword_file = "{tmp_path}/password"\n'))
    await daemon.start()
    status, batch = await daemon.post(
        "/v1/messages/batch",
        {"messages": [{"to": f"+861370000{n:04}", "text": "雁" * 150} for n in range(60)]},
    )
    assert (status, batch["accepted"]) == (202, 60)
    ids = [item["id"] for item in batch["messages"]]
    await daemon.wait_status(ids, {"delivered"})
    assert await daemon.stop() == 0
    await daemon.start()
    assert {message["status"] for message in await daemon.messages()} == {"delivered"}
    _, metrics = await daemon.get("/metrics")
    assert "hongyan_commit_seconds" in str(metrics)
    assert PASSWORD not in daemon.log()
    assert await daemon.stop() == 0


@pytest.mark.timeout(300)
async def test_a_daemon_that_is_killed_under_load_loses_and_doubles_nothing(daemon: Daemon, network: Network):
    await daemon.start()
    posting = Posting(daemon)
    tasks = [asyncio.create_task(posting.post(lane)) for lane in range(6)]
    for _ in range(4):
        await posting.goes_on()
        await daemon.kill()
        await daemon.start(n_up=1)
    await posting.goes_on()
    await posting.stop(tasks)
    await assert_balance(daemon, network, posting.accepted)
    assert await daemon.stop() == 0


@pytest.mark.timeout(300)
@pytest.mark.parametrize("how", ["immediate", "kill"])
async def test_a_server_that_ends_under_load_loses_and_doubles_nothing(
    daemon: Daemon, network: Network, server: Cluster, how: str
):
    """The daemon stays up, and all goes on by itself when the server is back."""
    await daemon.start()
    posting = Posting(daemon)
    tasks = [asyncio.create_task(posting.post(lane)) for lane in range(6)]
    for _ in range(3):
        await posting.goes_on()
        await asyncio.to_thread(server.kill if how == "kill" else server.end_at_once)
        await asyncio.to_thread(server.start)
    await posting.goes_on()
    await posting.stop(tasks)
    await assert_balance(daemon, network, posting.accepted)
    assert daemon.process is not None
    assert daemon.process.returncode is None
    assert await daemon.stop() == 0
