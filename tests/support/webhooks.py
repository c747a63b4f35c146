"""Receivers of events over HTTP, and the pipeline's rig with webhooks behind it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from standardwebhooks import Webhook as Verifier

from gateway.alerts.door import AlertDoor
from gateway.api.server import build_app, make_runner
from gateway.http.product import Product
from gateway.ids import KeyId, make_id
from gateway.model.message import ApiKey, Message, Scope
from gateway.model.request import MessageRequest
from gateway.pipeline.intake.drafts import AcceptedMessage
from gateway.runtime.webhooks import WebhookSide
from gateway.settings.webhooks import WebhookSettings
from gateway.store.keys import hash_secret, save_key
from gateway.store.outbox_gone import NO_DEBTS, Debts, count_owed
from gateway.store.ports import Tx
from gateway.store.webhook_secrets import need_secrets
from gateway.webhooks.signing import show_secret
from tests.support.application import Seen
from tests.support.consents import make_desk
from tests.support.fake_driver import ScriptedDriver
from tests.support.gateway import PHONE, START, ManualClock, Rig, running

LOOPBACK = IPv4Network("127.0.0.1")
SHOP = ApiKey(
    id=KeyId("01kshop0000000000000000000"),
    name="shop",
    scopes=frozenset({Scope.SEND, Scope.READ}),
    created_at=START,
)

SHOPS, OPERATOR = "hy_shop", "hy_operator"
"""Secrets of the shop's key, and of one that may do all."""


@dataclass
class WebhookRig:
    """What clients and receivers see."""

    rig: Rig
    driver: ScriptedDriver
    side: WebhookSide
    client: TestClient[Any, Any]
    secrets: dict[str, str] = field(default_factory=dict)

    @property
    def clock(self) -> ManualClock:
        return self.rig.clock

    async def send(self, url: str | None = None, to: str = PHONE, **fields: object) -> Message:
        """A message of the shop's, with a callback URL where one is given."""
        wanted = {"to": to, "text": "hello", "callback_url": url, **fields}
        accepted = await self.rig.intake.accept(msgspec.convert(wanted, MessageRequest), key=SHOP)
        assert isinstance(accepted, AcceptedMessage)
        return accepted.message

    async def call(self, method: str, path: str, *, key: str = OPERATOR, **options: Any) -> tuple[int, Any]:
        """Status and decoded JSON of one call of the API, by default the operator's."""
        headers = {"Authorization": f"Bearer {key}"} | options.pop("headers", {})
        async with self.client.request(method, f"/v1{path}", headers=headers, **options) as response:
            body = await response.read()
            return response.status, json.loads(body) if body else None

    async def subscribe(self, url: str, *types: str, **fields: Any) -> str:
        """A webhook; its id. What it is signed with stands in `secrets`."""
        wanted = {"name": f"w{len(self.secrets)}", "url": url, "types": types or ("*",), **fields}
        status, made = await self.call("POST", "/webhooks", json=wanted)
        assert status == 201, made
        self.secrets[made["id"]] = made["secret"]
        return str(made["id"])

    async def debts(self) -> Debts:
        """How much is owed."""
        return (await self.rig.store.read(count_owed)).get("webhooks", NO_DEBTS)

    async def owes(self, **wanted: int) -> bool:
        """Whether so much is owed, by the fields of `Debts`."""
        found = (await self.debts())._asdict()
        return all(found[name] == n for name, n in wanted.items())

    async def tried(self, n: int) -> bool:
        """Whether what is owed was tried so often, and that is written down."""
        rows = await self.rig.store.read(lambda tx: tx.fetch("SELECT max(attempts) FROM outbox"))
        return bool(rows[0][0] == n)

    async def tried_in_all(self, n: int) -> bool:
        """Whether so many attempts were made in all for what is owed."""
        rows = await self.rig.store.read(lambda tx: tx.fetch("SELECT sum(attempts) FROM outbox"))
        return bool(rows[0][0] == n)

    async def passes(self, seconds: float) -> None:
        """Let time pass, and the callers look at the clock."""
        self.clock.advance(seconds)
        self.side.wake()

    async def secret(self, owner: str = f"key {SHOP.id}") -> str:
        """What the calls of an owner are signed with."""
        at = self.clock.now()
        return show_secret((await self.rig.store.write(lambda tx: need_secrets(tx, owner, at)))[0])


@asynccontextmanager
async def open_webhook_rig(
    folder: Path,
    *,
    allowed: tuple[IPv4Network, ...] = (LOOPBACK,),
    clock: ManualClock | None = None,
    settings: Callable[[WebhookSettings], WebhookSettings] = lambda settings: settings,
) -> AsyncIterator[WebhookRig]:
    """One channel, one API key ``shop``, and webhooks that may call this machine."""
    driver = ScriptedDriver("smsc-1")
    async with running(folder / "ours.db", driver, clock=clock or ManualClock(datetime.now(UTC))) as rig:
        await rig.store.write(_keep_keys)
        side = WebhookSide(
            settings(WebhookSettings(allow_targets=allowed)), rig.store, rig.clock, rig.metrics
        )
        rig.check_callback = side.check_callback
        jobs = [asyncio.create_task(job, name=name) for name, job in (await side.open()).items()]
        try:
            async with TestClient(_Server(build_app(_context(rig, side)))) as client:
                yield WebhookRig(rig, driver, side, client)
        finally:
            for job in jobs:
                job.cancel()
            ended = await asyncio.gather(*jobs, return_exceptions=True)
            await side.close()
        assert all(isinstance(end, asyncio.CancelledError) for end in ended), ended


class _Server(TestServer):
    async def _make_runner(self, **_options: Any) -> web.AppRunner:
        return make_runner(self.app)


def _context(rig: Rig, side: WebhookSide) -> Product:
    return Product(
        store=rig.store,
        intake=rig.intake,
        batches=rig.batches,
        channels=rig.channels,
        clock=rig.clock,
        region="CN",
        ready=lambda: None,
        metrics=rig.metrics,
        alerts=AlertDoor(rig.store, rig.clock, rig.intake, rig.metrics, ()),
        webhooks=side.desk,
        consents=make_desk(rig.store, rig.clock, rig.intake),
    )


async def _keep_keys(tx: Tx) -> None:
    operator = ApiKey(id=KeyId(make_id()), name="op", scopes=frozenset({Scope.ADMIN}), created_at=START)
    if not await tx.fetch("SELECT 1 FROM api_keys"):
        await save_key(tx, SHOP, hash_secret(SHOPS))
        await save_key(tx, operator, hash_secret(OPERATOR))


def read(call: Seen) -> dict[str, Any]:
    """The body of a call."""
    found = json.loads(call.body)
    assert isinstance(found, dict)
    return found


def types(calls: list[Seen]) -> list[str]:
    """What they told, in order."""
    return [read(call)["type"] for call in calls]


def call_id(call: Seen) -> str:
    """Under which id it came."""
    return call.headers["Webhook-Id"]


def verified(call: Seen, secret: str) -> Any:
    """The body, as the verifying library lets it pass; the clock must stand at the present."""
    return Verifier(secret).verify(call.body, {name.lower(): value for name, value in call.headers.items()})


def same(value: Any) -> Any:
    """A value of ours as JSON has it."""
    return msgspec.json.decode(msgspec.json.encode(value))
