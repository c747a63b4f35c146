"""The daemon, an SMSC and a receiver of events, each a process that may be killed; and what the receiver has heard.

The receiver writes down each event before it answers, one line each: which receiver, id, message, status. It is started
again on the same port, and forgets nothing.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gateway.model.webhook import EVENT_TYPES
from simulators.network import Network
from simulators.smsc.server import SimulatedSmsc
from tests.support.daemon import Daemon, free_port, smpp_toml

_RECEIVER = """
import json, os, sys
from aiohttp import web

log = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

async def take(request):
    body = await request.json()
    items = body["data"] if body["type"] == "batch" else [{"id": request.headers["webhook-id"], **body}]
    lines = [f'{request.path} {item["id"]} {item["data"]["id"]} {item["data"]["status"]}\\n' for item in items]
    os.write(log, "".join(lines).encode())
    return web.Response(status=204)

app = web.Application()
app.router.add_post("/{tail:.*}", take)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[2]), access_log=None, print=None)
"""
START_S = 120.0
"""Also on a machine that has much else to do."""
TOLD = frozenset(name for name in EVENT_TYPES if name.startswith("message."))
ENDS = frozenset({"delivered", "uncertain", "undelivered", "failed"})
"""With a kill in between a message may be uncertain; a receipt may settle that."""


class WebhookWorld:
    """All of it."""

    def __init__(self, folder: Path, daemon: Daemon, port: int) -> None:
        self.daemon = daemon
        self.log = folder / "heard.txt"
        self.port = port
        self.accepted: set[str] = set()
        self._receiver: asyncio.subprocess.Process | None = None

    def url(self, name: str) -> str:
        """Of one of the receiver's addresses."""
        return f"http://127.0.0.1:{self.port}/{name}"

    async def start_receiver(self) -> None:
        """Start it; calls may be refused until it is there."""
        self._receiver = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _RECEIVER, str(self.log), str(self.port)
        )

    async def restart_daemon(self) -> None:
        """SIGKILL, and a new one on the same store."""
        await self.daemon.kill()
        await self.daemon.start(within_s=START_S)

    async def kill_receiver(self) -> None:
        """SIGKILL."""
        assert self._receiver is not None
        self._receiver.kill()
        await self._receiver.wait()

    async def send(self, n: int) -> None:
        """Have ``n`` messages accepted, each with a callback URL."""
        wanted = {"to": "+8613900139000", "text": "hello", "callback_url": self.url("callback")}
        status, batch = await self.daemon.post("/v1/messages/batch", {"messages": [wanted] * n})
        assert status == 202, batch
        self.accepted |= {item["id"] for item in batch["messages"]}

    def heard(self) -> dict[str, list[tuple[str, str, str]]]:
        """Receiver -> id, message and status of each event that it heard, in order."""
        found = defaultdict(list)
        if self.log.exists():
            for line in self.log.read_text().splitlines():
                name, event_id, message_id, status = line.split()
                found[name.strip("/")].append((event_id, message_id, status))
        return found

    def happened(self) -> dict[str, list[str]]:
        """Message -> what happened to it that is told, in order, by the delivery log."""
        found = defaultdict(list)
        for line in self.daemon.delivery.read_text().splitlines():
            event = json.loads(line)
            if event["type"] in TOLD and event["id"] in self.accepted:
                found[event["id"]].append(event["status"])
        return found

    def n_missing(self, *names: str) -> int:
        """How many events the receivers have still to hear of, of those that have happened or will."""
        happened, heard = self.happened(), self.heard()
        n_open = sum(not happened[m] or happened[m][-1] not in ENDS for m in self.accepted)
        n_wanted = sum(len(steps) for steps in happened.values())
        return n_open + sum(n_wanted - len({one[0] for one in heard[name]}) for name in names)

    def wrongs(self, *names: str) -> list[str]:
        """What is wrong with what was heard: gaps, another id for the same, disorder."""
        wrong, happened = [], self.happened()
        for name in names:
            told: dict[str, dict[str, str]] = defaultdict(dict)
            for event_id, message_id, status in self.heard()[name]:
                told[message_id].setdefault(event_id, status)
            for message_id in self.accepted:
                ids = list(told[message_id])
                if list(told[message_id].values()) != happened[message_id] or ids != sorted(ids):
                    heard = list(told[message_id].values())
                    wrong.append(f"{name}: of {message_id} {happened[message_id]} was heard as {heard}")
        return wrong

    def repeats(self) -> int:
        """How many events came more than once."""
        counts = Counter((name, one[0]) for name, heard in self.heard().items() for one in heard)
        return sum(n - 1 for n in counts.values())

    async def subscribe(self, name: str, **fields: Any) -> None:
        """Have an address called for what happens to messages."""
        wanted = {"name": name, "url": self.url(name), "types": ["message.*"], **fields}
        status, made = await self.daemon.post("/v1/webhooks", wanted)
        assert status == 201, json.dumps(made)


@asynccontextmanager
async def webhook_world(folder: Path) -> AsyncIterator[WebhookWorld]:
    """The daemon with one bind, and a receiver of its own; all run."""
    network = Network()
    async with SimulatedSmsc(network) as smsc:
        channel = smpp_toml("smsc", smsc.port)
        daemon = Daemon(folder, channel, '[webhooks]\nallow_targets = ["127.0.0.1"]\n')
        world = WebhookWorld(folder, daemon, free_port())
        try:
            await daemon.start(within_s=START_S)
            await world.start_receiver()
            yield world
        finally:
            await daemon.close()
            if world._receiver is not None and world._receiver.returncode is None:
                await world.kill_receiver()
