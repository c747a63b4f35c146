"""The API over a real store, with channels that are only values: what tests of the API stand on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from gateway.alerts.door import AlertDoor
from gateway.api.server import build_app, make_runner
from gateway.clock import SystemClock
from gateway.consents.desk import ConsentDesk
from gateway.errors import NotFound
from gateway.http.connections import Limits
from gateway.http.masking import Masking
from gateway.http.product import Product
from gateway.ids import KeyId, make_id
from gateway.model.actor import Actor
from gateway.model.message import ApiKey, Scope
from gateway.pipeline.intake.accept import Intake
from gateway.pipeline.intake.batches import Batches
from gateway.pipeline.intake.drafting import IntakeSettings
from gateway.pipeline.intake.route import Router
from gateway.policy.text import DEFAULT_RULES, TextRules
from gateway.routing.channel import ChannelSnapshot, ChannelState, Pause, Standing, TraceReply, UssdReply
from gateway.routing.routes.table import Routes, Rule
from gateway.routing.rules import queues_of
from gateway.runtime.console import add_console
from gateway.runtime.stores import OpenStore
from gateway.runtime.webhooks import WebhookSide
from gateway.settings.alerts import AlertSettings
from gateway.settings.carriers import CarrierSettings
from gateway.settings.console import ConsoleSettings
from gateway.settings.webhooks import WebhookSettings
from gateway.store.keys import hash_secret, make_secret, save_key
from gateway.telemetry.metrics import make_metrics
from tests.support.consents import make_desk
from tests.support.stores import open_at

VALID_FOR_S = 48 * 3_600.0
"""How long a message may wait that does not say itself."""
ALERTS = (AlertSettings(name="on-call", to=("+8613800138000", "+8613900139000")),)
"""Who gets alarms, until a test's ``rig.alerts`` adopts others."""
STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class FakeChannels:
    """A directory of one channel, ``sim-1``, which believes what it is told."""

    def change(self, name: str, **changes: Any) -> None:
        """Let a channel be otherwise."""
        self._channels[name] = msgspec.structs.replace(self._channels[name], **changes)

    def __init__(self) -> None:
        self._channels = {
            "sim-1": ChannelSnapshot(
                name="sim-1", kind="modem", state=ChannelState.UP, groups=("default",), since=STARTED
            )
        }

    def snapshots(self) -> list[ChannelSnapshot]:
        return list(self._channels.values())

    def snapshot(self, name: str) -> ChannelSnapshot | None:
        return self._channels.get(name)

    def standings(self) -> list[Standing]:
        return [Standing(snapshot=s, queues=queues_of(s.name, s.groups)) for s in self._channels.values()]

    async def ussd(self, name: str, code: str, *, by: Actor) -> UssdReply:
        return UssdReply(text=f"you asked {code}", expects_reply=False)

    def switch_trace(self, name: str, *, on: bool) -> TraceReply:
        return TraceReply(on=on, file=f"/tmp/{name}.trace" if on else None)

    async def take_back(self, name: str, reference: str, recipient: str, sender: str | None) -> bool:
        return False

    def looks(self, name: str, pause: Pause) -> ChannelSnapshot:
        before = self._channels[name]
        state = (
            ChannelState.DRAINING
            if pause.draining
            else ChannelState.PAUSED
            if pause.paused
            else ChannelState.UP
        )
        return msgspec.structs.replace(before, state=state)

    def obey(self, name: str, pause: Pause) -> None:
        self._channels[name] = self.looks(name, pause)

    async def reset(self, name: str, *, by: Actor) -> ChannelSnapshot:
        return self._set(name, ChannelState.STARTING)

    def _set(self, name: str, state: ChannelState) -> ChannelSnapshot:
        if name not in self._channels:
            raise NotFound("there is no channel of this name")
        self._channels[name] = msgspec.structs.replace(self._channels[name], state=state)
        return self._channels[name]


@dataclass
class SettableClock(SystemClock):
    """The machine's clocks, which tests may push forward."""

    pushed_s: float = 0.0
    jumped_s: float = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.pushed_s

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.jumped_s)

    def jump(self, seconds: float) -> None:
        """Let both clocks be so much later."""
        self.pushed_s += seconds
        self.jumped_s += seconds


@dataclass
class ApiRig:
    """A served API.

    Args:
        client: speaks to it over a socket; sends no key by itself.
        secret: of a key with all scopes.
        reason: why the gateway is not ready; None when it is.
    """

    client: TestClient[Any, Any]
    store: OpenStore
    clock: SettableClock
    intake: Intake
    alerts: AlertDoor
    consents: ConsentDesk
    channels: FakeChannels
    secret: str = ""
    reason: list[str] = field(default_factory=list)

    async def make_key(self, *scopes: Scope, name: str = "") -> str:
        """A new key's secret."""
        secret = make_secret()
        key = ApiKey(
            id=KeyId(make_id()),
            name=name or secret[:9],
            scopes=frozenset(scopes),
            created_at=self.clock.now(),
        )
        await self.store.write(lambda tx: save_key(tx, key, hash_secret(secret)))
        return secret

    async def call(
        self, method: str, path: str, *, secret: str | None = None, **options: Any
    ) -> tuple[int, Any]:
        """Status and decoded JSON of one call, made with the rig's own key unless ``secret`` is given."""
        headers = {"Authorization": f"Bearer {secret or self.secret}"} | options.pop("headers", {})
        async with self.client.request(method, path, headers=headers, **options) as response:
            body = await response.read()
            return response.status, msgspec.json.decode(body) if body else None

    async def send(self, to: str = "+8613800138000", text: str = "hello", **fields: Any) -> dict[str, Any]:
        """One accepted message."""
        status, message = await self.call("POST", "/v1/messages", json={"to": to, "text": text, **fields})
        assert status == 202, message
        return dict(message)


class _Server(TestServer):
    """Serves as the daemon does."""

    async def _make_runner(self, **_options: Any) -> web.AppRunner:
        return make_runner(self.app)


@asynccontextmanager
async def open_api(
    folder: Path,
    *,
    heartbeat_s: float = 15.0,
    limits: Limits | None = None,
    text: TextRules = DEFAULT_RULES,
    rules: Sequence[Rule] = (),
    masks: bool = False,
    console: ConsoleSettings | None = None,
) -> AsyncIterator[ApiRig]:
    """The API on a fresh store in ``folder``; with ``console`` its pages, too."""
    store = await open_at(folder / "hongyan.db")
    clock = SettableClock()
    reason: list[str] = []
    groups = {"sim-1": ("default", "otp")}
    router = Router(Routes(rules, groups, CarrierSettings().load()))
    intake = Intake(store, clock, IntakeSettings("CN", groups, VALID_FOR_S, text), router=router)
    side = WebhookSide(WebhookSettings(), store, clock, make_metrics())
    alerts = AlertDoor(store, clock, intake, make_metrics(), [table.receiver() for table in ALERTS])
    channels = FakeChannels()
    context = Product(
        store=store,
        intake=intake,
        batches=Batches(store, clock, intake),
        alerts=alerts,
        webhooks=side.desk,
        consents=make_desk(store, clock, intake),
        channels=channels,
        clock=clock,
        region="CN",
        ready=lambda: reason[0] if reason else None,
        masking=Masking(on=masks),
    )
    app = build_app(context, heartbeat_s=heartbeat_s, limits=limits)
    if console is not None:
        add_console(app, context, console)
    server = _Server(app)
    try:
        async with TestClient(server) as client:
            rig = ApiRig(client, store, clock, intake, alerts, context.consents, channels, reason=reason)
            rig.secret = await rig.make_key(Scope.ADMIN, name="admin")
            yield rig
    finally:
        await side.close()
        await store.close()
