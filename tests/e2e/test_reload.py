"""Channels that come, change and go while messages flow: nothing is lost or doubled, nobody else is disturbed."""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from simulators.network import Network
from simulators.smsc.server import SimulatedSmsc
from tests.e2e.conftest import World
from tests.support.daemon import Daemon, modem_toml, smpp_toml, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

ROUNDS = 20


class Flow:
    """Messages without end, each to a number of its own."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._numbers = itertools.count()
        self.accepted: dict[str, str] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Post until the end of the block, as fast as they are taken."""
        ended = asyncio.Event()
        posts = [asyncio.create_task(self._post(ended)) for _ in range(3)]
        try:
            yield
        finally:
            ended.set()
            await asyncio.gather(*posts)

    async def _post(self, ended: asyncio.Event) -> None:
        while not ended.is_set():
            to = [f"+86137{next(self._numbers):08d}" for _ in range(20)]
            text = "two segments " * 15 if len(self.accepted) % 3 else "one"
            status, batch = await self._daemon.post("/v1/messages/batch", {"to": to, "text": text})
            assert (status, batch["accepted"]) == (202, 20), batch
            self.accepted |= {item["id"]: item["to"] for item in batch["messages"]}
            # Some hundred wait at any time: enough for every channel to be at work when it is changed.
            await until(self._is_room, 60)

    async def _is_room(self) -> bool:
        _, waiting = await self._daemon.get("/v1/messages?status=queued&limit=400")
        return len(waiting["items"]) < 400


def bind_toml(name: str, smsc: SimulatedSmsc, window: int = 10) -> str:
    return smpp_toml(name, smsc.port, window=str(window))


async def reload(daemon: Daemon, channels: str) -> dict[str, str]:
    """Put these channels into the file and have it read; what became of each."""
    head, mark, _ = daemon.config.read_text("utf-8").partition("# channels\n")
    daemon.config.write_text(f"{head}{mark}{channels}", "utf-8")
    status, done = await daemon.post("/v1/reload")
    assert status == 200, done
    assert done["needs_restart"] == []
    return {one["name"]: one["change"] for one in done["channels"]}


async def states(daemon: Daemon) -> dict[str, str]:
    _, page = await daemon.get("/v1/channels")
    return {channel["name"]: channel["state"] for channel in page["items"]}


async def settled(daemon: Daemon, names: set[str]) -> None:
    """Wait until these channels are there, and up, and no other."""

    async def are_there() -> bool:
        return await states(daemon) == dict.fromkeys(names, "up")

    await until(are_there, 60)


def served(network: Network) -> Counter[tuple[str, bytes]]:
    """How often each segment came to the network."""
    return Counter((m.recipient, m.udh + m.payload) for m in network.accepted if m.via != "handset")


async def test_twenty_reloads_in_full_flow_lose_and_double_nothing(world: World) -> None:
    steady, moving = world.smscs
    modem = world.modems[0]
    names = ("a", "b", "c")
    steady_toml = bind_toml("steady", steady)
    daemon = world.make_daemon(f"# channels\n{steady_toml}{bind_toml('a', moving)}")
    await daemon.start()
    sessions = list(steady._sessions)
    _, before = await daemon.get("/v1/channels/steady")
    flow = Flow(daemon)
    seen: Counter[str] = Counter()

    async with flow.running():
        for round_ in range(ROUNDS):
            # In turn: some come, one changes its window, one is gone; the modem changes each time it is there.
            here = [name for i, name in enumerate(names) if (round_ + i) % 3]
            toml = steady_toml + "".join(bind_toml(name, moving, 10 + round_ % 4) for name in here)
            if round_ % 2:
                toml += modem_toml("sim", modem.port, number=f'"{modem.number}"', rate=f'"{100 + round_}/s"')
            changes = await reload(daemon, toml)
            assert "steady" not in changes
            seen.update(changes.values())
            n_before = world.network.accepted_total
            if round_ % 3:  # else the next one comes while this one is at work still
                await settled(daemon, {"steady", *here, *(["sim"] if round_ % 2 else [])})
            await until(lambda n=n_before: world.network.accepted_total > n + 20, 60)  # type: ignore[misc]
    # The carrier keeps receipts for binds that are gone, and a stick may have a part of a message: all come back.
    toml = steady_toml + "".join(bind_toml(name, moving) for name in names)
    await reload(daemon, toml + modem_toml("sim", modem.port, number=f'"{modem.number}"'))
    await settled(daemon, {"steady", *names, "sim"})

    assert min(seen[change] for change in ("added", "changed", "removed")) >= 5, seen
    # A status report that a stick handed to nobody is gone: those messages stay sent.
    await daemon.wait_status(flow.accepted, {"delivered", "sent"}, 120.0)
    await until(lambda: _all_delivered(daemon, but="sim"), 120)
    twice = [segment for segment, n in served(world.network).items() if n > 1]
    assert not twice
    assert {m.recipient for m in world.network.accepted} >= set(flow.accepted.values())
    assert list(steady._sessions) == sessions, "the same TCP connection, the same bind"
    _, after = await daemon.get("/v1/channels/steady")
    assert (after["state"], after["since"]) == ("up", before["since"])
    assert await daemon.stop() == 0


async def _all_delivered(daemon: Daemon, but: str) -> bool:
    found = await daemon.messages()
    return {m["channel"] for m in found if m["status"] != "delivered"} <= {but}


async def test_what_waits_for_a_removed_channel_says_so_and_goes_when_it_is_back(world: World) -> None:
    steady, other = world.smscs
    steady_toml, other_toml = bind_toml("steady", steady), bind_toml("other", other)
    daemon = world.make_daemon(f"# channels\n{steady_toml}{other_toml}")
    await daemon.start()
    await daemon.post("/v1/channels/other/pause")
    _, message = await daemon.post("/v1/messages", {"to": "13800138000", "text": "x", "channel": "other"})

    assert await reload(daemon, steady_toml) == {"other": "removed"}
    await settled(daemon, {"steady"})
    shown = await daemon.message(message["id"])
    assert shown["status"] == "queued"
    assert [(r["code"], r["detail"]) for r in shown["waiting_for"]] == [
        ("no_channel", "No channel of the config serves the channel other.")
    ]
    status, problem = await daemon.post(
        "/v1/messages", {"to": "13800138000", "text": "x", "channel": "other"}
    )
    assert (status, problem["errors"][0]["code"]) == (422, "unknown_channel")

    assert await reload(daemon, steady_toml + other_toml) == {"other": "added"}
    await until(lambda: _is(daemon, "other", "paused"))  # a pause is kept
    await daemon.post("/v1/channels/other/resume")
    await daemon.wait_status([message["id"]], {"delivered"})


async def _is(daemon: Daemon, name: str, state: str) -> bool:
    return (await states(daemon)).get(name) == state


async def test_segment_on_the_wire_is_settled_before_its_channel_is_changed(tmp_path: Path) -> None:
    network = Network()
    async with SimulatedSmsc(network, latency_s=1.5) as smsc:
        daemon = Daemon(tmp_path, f"# channels\n{bind_toml('only', smsc)}")
        try:
            await daemon.start()
            to = [f"+86137{i:08d}" for i in range(10)]
            _, batch = await daemon.post("/v1/messages/batch", {"to": to, "text": "x"})
            await until(lambda: smsc.n_unanswered == 10)

            assert await reload(daemon, bind_toml("only", smsc, 11)) == {"only": "changed"}
            _, only = await daemon.get("/v1/channels/only")
            assert (only["state"], only["in_flight"]) == ("draining", 10)
            assert "starts anew" in only["error"]
            status, problem = await daemon.post("/v1/channels/only/reset")
            assert (status, problem["code"]) == (409, "conflict")

            await daemon.wait_status([item["id"] for item in batch["messages"]], {"delivered"})
            await settled(daemon, {"only"})
            assert len(network.accepted) == 10
            _, only = await daemon.get("/v1/channels/only")
            assert (only["capacity"], only["sent"]) == (11, 10), "it counts on"
        finally:
            await daemon.close()
            await network.close()


async def test_password_in_a_file_is_read_anew_by_hang_up(tmp_path: Path) -> None:
    network = Network()
    secret = tmp_path / "password"
    secret.write_text("secret")
    async with SimulatedSmsc(network, accounts={"hongyan": "newer"}) as smsc:
        toml = bind_toml("only", smsc).replace('password = "secret"', f'password_file = "{secret}"')
        daemon = Daemon(tmp_path, toml)
        try:
            await daemon.start(n_up=0)
            await until(lambda: _is(daemon, "only", "stopped"))
            secret.write_text("newer")
            assert daemon.process is not None
            daemon.process.send_signal(signal.SIGHUP)
            await settled(daemon, {"only"})
        finally:
            await daemon.close()
            await network.close()


async def test_faulty_file_leaves_all_channels_as_they_are(world: World) -> None:
    steady, other = world.smscs
    daemon = world.make_daemon(f"# channels\n{bind_toml('steady', steady)}")
    await daemon.start()
    sessions = list(steady._sessions)
    text = daemon.config.read_text("utf-8").replace("window", "windou").replace("10690000", "1069")
    daemon.config.write_text(text + bind_toml("more", other), "utf-8")
    status, problem = await daemon.post("/v1/reload")
    assert (status, problem["code"]) == (422, "faulty_config")
    assert await states(daemon) == {"steady": "up"}
    assert list(steady._sessions) == sessions
