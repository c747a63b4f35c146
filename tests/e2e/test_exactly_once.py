"""The promises of INTERFACE section 5, on the real daemon process over real ptys and sockets."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import aiohttp
import pytest

from tests.e2e.conftest import World
from tests.support.daemon import Daemon, until

pytestmark = pytest.mark.e2e

_FINAL = {"delivered", "undelivered", "failed", "expired", "blocked", "canceled", "uncertain"}


def _at_network(world: World) -> Counter[str]:
    """How often each text's recipient was served; every message of these tests has its own recipient."""
    return Counter(m.recipient for m in world.network.accepted if m.via != "handset")


async def test_five_hundred_messages_each_exactly_once_and_all_receipts_matched(world: World) -> None:
    daemon = world.make_daemon(world.channels)
    await daemon.start()
    numbers = [f"+86137{i:08d}" for i in range(500)]
    messages = [
        {"to": n, "text": f"您的验证码 {i}" if i % 2 else f"Your code is {i}"} for i, n in enumerate(numbers)
    ]
    status, batch = await daemon.post("/v1/messages/batch", {"messages": messages})
    assert (status, batch["accepted"]) == (202, 500)
    ids = [item["id"] for item in batch["messages"]]

    await daemon.wait_status(ids, {"delivered"}, 40.0)

    assert _at_network(world) == Counter(numbers)
    by_channel = Counter(m["channel"] for m in await daemon.messages())
    assert set(by_channel) == {"sim-1", "sim-2", "sim-3", "sim-4", "smsc-1", "smsc-2"}, by_channel
    assert await daemon.stop() == 0
    for message_id in (ids[0], ids[499]):
        lines = [line["status"] for line in daemon.delivery_lines() if line.get("id") == message_id]
        assert lines == ["queued", "sending", "sent", "delivered"]


@pytest.mark.timeout(300)
async def test_kill_9_at_twenty_random_moments_loses_nothing_and_sends_nothing_twice(world: World) -> None:
    seed = random.randrange(10**6)
    rng = random.Random(seed)
    daemon = world.make_daemon(world.channels)
    accepted: dict[str, str] = {}
    for round_ in range(20):
        await daemon.start(n_up=1)
        sending = asyncio.create_task(_post_until_dead(daemon, round_, accepted))
        await asyncio.sleep(rng.uniform(0.0, 0.35))  # the moment itself is what is random here
        await daemon.kill()
        await sending
    await daemon.start()
    # A status report that a stick handed to nobody is gone: those messages stay sent.
    await daemon.wait_status(accepted, _FINAL | {"sent"}, 60.0)

    told = {m["id"]: m["status"] for m in await daemon.messages()}
    seen = _at_network(world)
    lost = [
        i for i, to in accepted.items() if told.get(i) is None or (told[i] != "uncertain" and seen[to] == 0)
    ]
    assert not lost, (seed, lost)
    twice = [to for to, n in seen.items() if n > 1]
    assert not twice, (seed, twice)
    assert Counter(told[i] for i in accepted).keys() <= {"delivered", "sent", "uncertain"}, seed
    # A message that the network never saw may only be one whose fate we call unknown.
    unseen = {i for i, to in accepted.items() if seen[to] == 0}
    assert all(told[i] == "uncertain" for i in unseen), seed
    assert len(accepted) > 100, seed
    assert await daemon.stop() == 0


async def _post_until_dead(daemon: Daemon, round_: int, accepted: dict[str, str]) -> None:
    """Post from eight connections until the daemon dies; remember what was answered with 202."""

    async def post(lane: int) -> None:
        for i in range(1_000):
            to = f"+861{37 + lane // 4}{lane % 4}{round_:03d}{i:04d}"
            try:
                status, message = await daemon.post("/v1/messages", {"to": to, "text": f"kill {round_} {i}"})
            except (aiohttp.ClientError, OSError):  # the connection died with the daemon
                return
            assert status == 202, message
            accepted[message["id"]] = to

    await asyncio.gather(*(post(lane) for lane in range(8)))


async def test_a_channel_that_dies_loses_nothing_and_the_others_go_on(world: World) -> None:
    daemon = world.make_daemon(world.channels)
    await daemon.start()
    numbers = [f"+86138{i:08d}" for i in range(200)]
    _, batch = await daemon.post("/v1/messages/batch", {"to": numbers, "text": "the show goes on"})
    ids = [item["id"] for item in batch["messages"]]
    await until(lambda: len(world.network.accepted) > 20)

    await world.smscs[0].stop()
    await world.modems[0].stop()
    await daemon.wait_status(ids, {"delivered", "uncertain", "sent"}, 40.0)

    seen = _at_network(world)
    assert max(seen.values()) == 1
    told = {m["to"]: m["status"] for m in await daemon.messages()}
    assert all(told[n] in {"uncertain", "sent"} or seen[n] == 1 for n in numbers)
    assert sum(status == "delivered" for status in told.values()) > 150
    _, channels = await daemon.get("/v1/channels")
    states = {c["name"]: c["state"] for c in channels["items"]}
    assert (states["smsc-1"], states["sim-1"]) == ("down", "down")

    await world.smscs[0].start()  # what was on its wire is settled by the receipts that come now
    await until(lambda: _is_up(daemon, "smsc-1"))


async def _is_up(daemon: Daemon, name: str) -> bool:
    _, channel = await daemon.get(f"/v1/channels/{name}")
    return bool(channel["state"] == "up")
