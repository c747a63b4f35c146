"""What every handler gets, at whichever door of HTTP: the parts of the product, and the call at hand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

from gateway.alerts.door import AlertDoor
from gateway.clock import Clock
from gateway.consents.desk import ConsentDesk
from gateway.errors import Conflict
from gateway.http.masking import Masking
from gateway.kannel.door import SendDoor
from gateway.model.actor import Actor, actor_of
from gateway.model.audit import NO_DETAILS, Details
from gateway.model.message import ApiKey
from gateway.pipeline.intake.accept import Intake
from gateway.pipeline.intake.batches import Batches
from gateway.routing.channel import ChannelDirectory
from gateway.store.audit import record_audit
from gateway.store.ports import Store
from gateway.telemetry.metrics import Metrics, make_metrics
from gateway.views.reloaded import Reloaded
from gateway.webhooks.desk import WebhookDesk

_MOST_SAID_CHARS = 200


async def _nothing_to_reload(_by: Actor) -> Reloaded:
    raise Conflict("the gateway runs without a config file; start it with --config FILE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """The product as the API and the console see it.

    Args:
        batches: takes many messages in one call.
        region: how national numbers in requests are read.
        ready: None when the daemon can serve, else the reason why not.
        metrics: where requests are counted and what ``/metrics`` shows.
        reload: reads the config anew; see `gateway.runtime.reload.Reload.reload` for what it raises.
        alerts: takes alarms of monitoring tools.
        webhooks: where webhooks are made and changed.
        consents: where consents are brought, and proved.
        masking: from whom numbers are hidden.
        kannel: for clients that speak Kannel's `sendsms`; None admits nobody.
    """

    store: Store
    intake: Intake
    batches: Batches
    alerts: AlertDoor
    webhooks: WebhookDesk
    consents: ConsentDesk
    channels: ChannelDirectory
    clock: Clock
    region: str
    ready: Callable[[], str | None]
    metrics: Metrics = field(default_factory=make_metrics)
    kannel: SendDoor | None = None
    reload: Callable[[Actor], Awaitable[Reloaded]] = _nothing_to_reload
    masking: Masking = field(default_factory=Masking)


@dataclass(frozen=True, slots=True)
class Call:
    """One request that may be served.

    Args:
        key: who calls; None on the calls that need no key.
    """

    request: web.Request
    context: Product
    key: ApiKey | None = None

    @property
    def actor(self) -> Actor:
        """Who calls, as the timeline names them, and from where."""
        return actor_of(self.key, f"api {name_origin(self.request)}")

    async def audit(self, action: str, subject: str, details: Details = NO_DETAILS) -> None:
        """Put on record what has its effect outside the store; before it is done."""
        by, now = self.actor, self.context.clock.now()
        await self.context.store.write(lambda tx: record_audit(tx, by, action, subject, details, at=now))


def name_origin(request: web.Request) -> str:
    """The address that a request came from; behind a proxy also the one that the proxy names.

    What a proxy names is what a client may have written itself: so both are there.
    """
    address, said = request.remote or "unknown", request.headers.get("X-Forwarded-For", "")
    said = "".join(char for char in said[-_MOST_SAID_CHARS:] if char.isprintable())
    return f"{address}, forwarded for {said}" if said else address


CallHandler = Callable[[Call], Awaitable[web.StreamResponse]]
