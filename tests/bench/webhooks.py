"""Webhooks: events a second from the timeline to receivers on this machine, with one and with a hundred receivers.

The messages are in the store before: what is measured is reading the timeline, making bodies, keeping what is owed,
signing, calling over HTTP, and writing down what was heard. The receivers are one process of their own.
"""

from __future__ import annotations

import asyncio
import sys
import time
from ipaddress import IPv4Network
from pathlib import Path

from gateway.clock import SystemClock
from gateway.ids import WebhookId, make_id
from gateway.model.request import MessageRequest
from gateway.model.webhook import Webhook
from gateway.pipeline.intake.accept import Intake
from gateway.pipeline.intake.drafting import IntakeSettings
from gateway.pipeline.intake.drafts import save_drafts
from gateway.runtime.webhooks import WebhookSide
from gateway.settings.webhooks import WebhookSettings
from gateway.store.ports import Store, Tx
from gateway.store.webhooks import save_webhook
from gateway.telemetry.metrics import make_metrics
from gateway.webhooks.signing import sign
from tests.bench.figures import Figure
from tests.support.daemon import free_port
from tests.support.stores import open_at

N_EVENTS = 4_000
"""Of each row."""
ROWS = ((1, 1), (1, 100), (100, 1))
"""Receivers, and events of a call."""
_RECEIVER = """
import sys
from aiohttp import web

async def take(request):
    await request.read()
    return web.Response(status=204)

app = web.Application()
app.router.add_post("/{tail:.*}", take)
web.run_app(app, host="0.0.0.0", port=int(sys.argv[1]), access_log=None, print=None)
"""


async def webhooks(folder: Path) -> list[Figure]:
    """All rows."""
    port = free_port()
    receiver = await asyncio.create_subprocess_exec(sys.executable, "-c", _RECEIVER, str(port))
    try:
        await _wait_for(port)
        figures = [_signing()]
        for n_receivers, batch in ROWS:
            figures += await _row(folder / f"{n_receivers}-{batch}.db", port, n_receivers, batch)
        return figures
    finally:
        receiver.kill()
        await receiver.wait()


async def _wait_for(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return


def _signing() -> Figure:
    n, body, secrets = 20_000, b"x" * 1_500, [bytes(32)]
    began = time.perf_counter()
    for _ in range(n):
        sign(secrets, "00000000000w3hq2m7k4c9t0ab", 1_796_030_512, body)
    return Figure("webhooks", "signing a body of 1,500 octets", (time.perf_counter() - began) * 1e6 / n, "us")


async def _row(path: Path, port: int, n_receivers: int, batch: int) -> list[Figure]:
    clock, store = SystemClock(), await open_at(path)
    metrics = make_metrics()
    try:
        await store.write(lambda tx: _make_webhooks(tx, port, n_receivers, batch))
        await _accept(store, clock, N_EVENTS // n_receivers)
        settings = WebhookSettings(allow_targets=(IPv4Network("127.0.0.0/8"),))
        side = WebhookSide(settings, store, clock, metrics)
        jobs = [asyncio.create_task(job) for job in (await side.open()).values()]
        began, used = time.perf_counter(), time.process_time()
        while metrics.webhook_events._value.get() < N_EVENTS:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.05)
        took_s, used_s = time.perf_counter() - began, time.process_time() - used
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
        await side.close()
    finally:
        await store.close()
    what = f"{n_receivers} receiver{'s' if n_receivers > 1 else ''}, {batch} event{'s' if batch > 1 else ''} a call"
    return [
        Figure("webhooks", what, N_EVENTS / took_s, "events/s"),
        Figure("webhooks", f"{what}: our CPU", used_s * 1e3 / N_EVENTS, "ms/event"),
    ]


async def _make_webhooks(tx: Tx, port: int, n: int, batch: int) -> None:
    now = SystemClock().now()
    for number in range(n):
        # A host of its own for each: that is how receivers are told apart.
        url = f"http://127.0.0.1:{port}/{number}" if n == 1 else f"http://127.0.0.{number + 1}:{port}/"
        webhook = Webhook(
            id=WebhookId(make_id()),
            name=f"w{number}",
            url=url,
            types=("message.queued",),
            batch=batch,
            created_at=now,
            updated_at=now,
        )
        await save_webhook(tx, webhook)


async def _accept(store: Store, clock: SystemClock, n: int) -> None:
    intake = Intake(store, clock, IntakeSettings("CN", {"smsc": ("default",)}, 3_600.0))
    for start in range(0, n, 200):
        requests = [
            MessageRequest(to=f"+86138{number:08}", text="hello")
            for number in range(start, min(n, start + 200))
        ]
        drafts = [intake.draft(request, key=None) for request in requests]
        await store.write(lambda tx, drafts=drafts: save_drafts(tx, drafts))  # type: ignore[misc]
