"""The pipeline's rig with Kannel's two calls in front of it, served over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

import msgspec
from aiohttp import web

from gateway.alerts.door import AlertDoor
from gateway.api.server import build_app, make_runner
from gateway.http.product import Product
from gateway.model.message import Message
from gateway.pipeline.intake.batches import Batches
from gateway.policy.text import DEFAULT_RULES, TextRules
from gateway.runtime.kannel import KannelSide
from gateway.runtime.webhooks import WebhookSide
from gateway.settings.config import Settings
from gateway.settings.kannel import KannelAccountSettings, MoRouteSettings
from gateway.settings.secrets import Secret
from gateway.settings.webhooks import WebhookSettings
from gateway.store.messages import MessageFilter
from tests.support.consents import make_desk
from tests.support.fake_driver import ScriptedDriver
from tests.support.gateway import ManualClock, Rig, running
from tests.support.product import list_messages

LOOPBACK = IPv4Network("127.0.0.1")
APP = KannelAccountSettings(username="app", password=Secret("pw"), default_sender="10690000")


@dataclass
class KannelRig:
    """What clients and applications see.

    Args:
        url: of `sendsms`.
    """

    rig: Rig
    driver: ScriptedDriver
    url: str = ""

    async def messages(self, limit: int = 100) -> list[Message]:
        """The messages, oldest first."""
        found = await self.rig.store.read(
            lambda tx: list_messages(tx, MessageFilter(), limit=limit, before=None)
        )
        return list(reversed(found))

    async def last_text(self) -> str | None:
        """The text of the newest message."""
        return (await self.messages())[-1].text


@asynccontextmanager
async def open_kannel_rig(
    folder: Path,
    driver: ScriptedDriver,
    *,
    accounts: tuple[KannelAccountSettings, ...] = (APP,),
    routes: tuple[MoRouteSettings, ...] = (),
    get_url: str | None = None,
    clock: ManualClock | None = None,
    text: TextRules = DEFAULT_RULES,
    allowed: tuple[IPv4Network, ...] = (LOOPBACK,),
) -> AsyncIterator[KannelRig]:
    """One channel, by default one account ``app`` / ``pw``, and one route where a URL is given."""
    if get_url is not None:
        routes = (MoRouteSettings(name="votes", get_url=get_url),)
    webhooks = WebhookSettings(allow_targets=allowed)
    settings = msgspec.structs.replace(
        Settings(), kannel_accounts=accounts, mo_routes=routes, webhooks=webhooks
    )
    async with running(folder / "ours.db", driver, clock=clock, text=text) as rig:
        names = {driver.channel_id: ("default",)}
        side = KannelSide(settings, rig.store, rig.clock, rig.intake, rig.channels, names, lambda _: None)
        context = Product(
            store=rig.store,
            intake=rig.intake,
            batches=Batches(rig.store, rig.clock, rig.intake),
            alerts=AlertDoor(rig.store, rig.clock, rig.intake, rig.metrics, ()),
            webhooks=WebhookSide(webhooks, rig.store, rig.clock, rig.metrics).desk,
            consents=make_desk(rig.store, rig.clock, rig.intake),
            channels=rig.channels,
            clock=rig.clock,
            region="CN",
            ready=lambda: None,
            kannel=side.door,
        )
        runner = make_runner(build_app(context), shutdown_timeout_s=1.0)
        jobs = [asyncio.create_task(job, name=name) for name, job in (await side.open()).items()]
        try:
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield KannelRig(rig, driver, f"http://127.0.0.1:{runner.addresses[0][1]}/cgi-bin/sendsms")
        finally:
            await runner.cleanup()
            for job in jobs:
                job.cancel()
            ended = await asyncio.gather(*jobs, return_exceptions=True)
            await side.close()
        assert all(isinstance(end, asyncio.CancelledError) for end in ended), ended
