"""The whole gateway over HTTP, in front of the simulated SMSC."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from gateway.runtime.app import Gateway
from gateway.runtime.first_start import make_first_key
from gateway.settings.config import load_settings
from simulators.handset import Handset
from simulators.network import Network
from simulators.smsc.server import SimulatedSmsc
from tests.support.daemon import smpp_toml, until
from tests.support.gateway import PHONE, ManualClock


@dataclass
class Side:
    """The gateway over HTTP, and the network behind its one bind."""

    http: aiohttp.ClientSession
    clock: ManualClock
    network: Network
    smsc: SimulatedSmsc
    handset: Handset

    async def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        async with self.http.request(method, path, json=body) as answer:
            return answer.status, await answer.json(content_type=None)

    async def send(self, text: str) -> str:
        status, message = await self.call("POST", "/v1/messages", {"to": PHONE, "text": text})
        assert status == 202, message
        return str(message["id"])

    async def show(self, message_id: str) -> dict[str, Any]:
        _, message = await self.call("GET", f"/v1/messages/{message_id}")
        return dict(message)

    async def until_status(self, message_id: str, status: str) -> dict[str, Any]:
        async def is_there() -> bool:
            return bool((await self.show(message_id))["status"] == status)

        await until(is_there)
        return await self.show(message_id)


@asynccontextmanager
async def open_side(tmp_path: Path, **settings: str) -> AsyncIterator[Side]:
    """A running one; ``settings`` of its bind, as TOML."""
    network = Network()
    handset = network.add_handset(PHONE)
    async with SimulatedSmsc(network) as smsc:
        config = tmp_path / "hongyan.toml"
        config.write_text(
            f'[http]\nlisten = "127.0.0.1:0"\n[store]\nurl = "sqlite:///{tmp_path}/s.db"\n'
            f'[log]\ndelivery = "{tmp_path}/d.jsonl"\n' + smpp_toml("a", smsc.port, **settings)
        )
        clock = ManualClock()
        gateway = await Gateway.open(load_settings(config), clock=clock)
        secret = await make_first_key(gateway.store, clock)
        await gateway.start()
        base = f"http://127.0.0.1:{gateway.http_port}"
        try:
            async with aiohttp.ClientSession(base, headers={"Authorization": f"Bearer {secret}"}) as http:
                yield Side(http, clock, network, smsc, handset)
        finally:
            await gateway.stop(1.0)
    await network.close()
