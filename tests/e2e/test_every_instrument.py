"""One life of the real daemon, and every instrument that `/metrics` declares moves in it.

The instruments are read from the running daemon. A new one makes this test fail until the life below makes it move,
by what a user or the network does and never by the test itself.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.access.passwords import hash_password
from simulators.faults import Fault
from tests.e2e.conftest import World
from tests.support.application import application
from tests.support.daemon import Daemon, free_port, modem_toml, smpp_toml, until
from tests.support.esme import connected_esme
from tests.support.smpp_application import submit

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

PHONE = "+8613900139000"
ABSENT = "+8613900139001"
NOT_OURS = "hongyan_process_"
"""Read from the kernel by the client library."""
MUST_NOT_MOVE = {"hongyan_channel_standstills"}
"""Counts what no life may bring about; the test of the watchdog that counts it makes one."""

TAKE_LONG = {
    "hongyan_outbox_dead", "hongyan_retention_deleted_rows", "hongyan_retention_backlog_seconds",
    "hongyan_probes", "hongyan_probe_delivery_seconds",
}  # fmt: skip
"""What is too old for something, and what comes once a minute; tests with a clock of their own move them."""


class Instruments:
    """What `/metrics` has shown over a life: for each family and each of its samples the values that were seen."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._seen: dict[str, dict[tuple[str, str], set[float]]] = {}

    async def look(self) -> str:
        """Once; what was shown."""
        status, text = await self._daemon.get("/metrics")
        assert status == 200
        for family in text_string_to_metric_families(text):
            if family.name.startswith(NOT_OURS) or family.name.endswith("_created"):
                continue
            samples = self._seen.setdefault(family.name, {})
            for sample in family.samples:
                # A child that comes to be begins at nothing.
                values = samples.setdefault((sample.name, str(sorted(sample.labels.items()))), {0.0})
                values.add(sample.value)
        return str(text)

    async def show(self, name: str, rest: str) -> bool:
        """Whether a line that begins so and holds that is there now."""
        return any(line.startswith(name) and rest in line for line in (await self.look()).splitlines())

    def still(self) -> set[str]:
        """Families that never moved."""
        return self._seen.keys() - self.moved() - MUST_NOT_MOVE - TAKE_LONG

    def moved(self) -> set[str]:
        """Families that did."""
        return {name for name, samples in self._seen.items() if any(len(v) > 1 for v in samples.values())}

    def total(self, sample: str, **labels: str) -> float:
        """The greatest value of one sample."""
        family = next(name for name in self._seen if sample.startswith(name))
        return max(self._seen[family][sample, str(sorted(labels.items()))])


@asynccontextmanager
async def watched(daemon: Daemon) -> AsyncIterator[Instruments]:
    """Look again and again while the life goes on: a gauge may rise and fall within moments."""
    instruments = Instruments(daemon)

    async def look_on() -> None:
        while True:
            await instruments.look()
            await asyncio.sleep(0.02)

    looking = asyncio.create_task(look_on())
    try:
        yield instruments
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


def _config(world: World, server_port: int) -> tuple[str, str]:
    """A channel of each kind that can do all it can, and a door of each kind."""
    modem = world.modems[0]
    channels = modem_toml(
        "sim", modem.port, number=f'"{modem.number}"', quota='"500/day"', groups='["sim"]',
        balance_code='"*100#"', balance_pattern="'Balance ([0-9.]+)'",
    ) + smpp_toml("smsc", world.smscs[0].port, query_after='"1s"')  # fmt: skip
    doors = (
        f'[[smpp_server]]\nlisten = "127.0.0.1:{server_port}"\n'
        f'[[smpp_accounts]]\nsystem_id = "app"\npassword_hash = "{hash_password("secret")}"\n'
        '[[kannel_accounts]]\nusername = "old"\npassword = "pw"\n'
        '[[kannel_accounts]]\nusername = "slow"\npassword = "pw"\n'
        '[webhooks]\nallow_targets = ["127.0.0.1"]\n'
    )
    policies = (
        '[[prices]]\nprice = "0.045"\ncurrency = "CNY"\n'
        '[[limits]]\nkey = "*"\nmax_messages = 1000\n'
        '[[limits]]\nkey = "kannel:slow"\nrate = "1/h"\n'
        '[[routes]]\nname = "all"\nto = ["default"]\n[routing]\nfailover_after = "1s"\n'
        f'[[alerts]]\nname = "on-call"\nto = ["{PHONE}"]\n'
    )
    return channels, doors + policies


async def _send(daemon: Daemon, to: str = PHONE, **fields: object) -> str:
    status, message = await daemon.post("/v1/messages", {"to": to, "text": "hello", **fields})
    assert status == 202, message
    return str(message["id"])


async def _live(world: World, daemon: Daemon, server_port: int, instruments: Instruments) -> None:
    """What a gateway meets, one thing after the other."""
    now = asyncio.get_running_loop().time
    smsc, modem = world.smscs[0], world.modems[0]
    phone = world.network.add_handset(PHONE)

    # Both channels deliver, in one segment and in several; someone follows.
    async with daemon.stream("/v1/events"):
        both = [await _send(daemon), await _send(daemon, sender="sim", text="你好" * 80, category="otp")]
        await daemon.wait_status(both, {"delivered"})

    # A receipt comes before the answer to its submit, and one never: that one is asked for.
    smsc.plan.inject(Fault(kind="response_late", delay_s=1.0), now())
    early = await _send(daemon)
    await daemon.wait_status([early], {"delivered"})
    smsc.plan.inject(Fault(kind="receipt_lost"), now())
    lost = await _send(daemon)
    await daemon.wait_status([lost], {"delivered"}, 60.0)

    # A receipt whose word for the state nobody knows ends nothing: that one is asked for, too.
    smsc.plan.inject(Fault(kind="receipt_dialect", text="odd_words+no_tlv"), now())
    await daemon.wait_status([await _send(daemon)], {"delivered"}, 60.0)

    # A phone that can't be reached; a text that the network refuses for good; one that is called back.
    world.network.set_unreachable(ABSENT)
    await daemon.wait_status([await _send(daemon, to=ABSENT)], {"undelivered"})
    smsc.plan.inject(Fault(kind="submit_error", code=0x0B), now())
    await daemon.wait_status([await _send(daemon)], {"failed"})
    later = await _send(daemon, schedule_at=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    status, _ = await daemon.post(f"/v1/messages/{later}/cancel")
    assert status == 200

    # An answer that never comes, and failures in series.
    smsc.plan.inject(Fault(kind="submit_error", code=0x08, every=1, times=4), now())
    troubled = [await _send(daemon, to=f"+861390013910{n}") for n in range(4)]
    await daemon.wait_status(troubled, {"delivered"}, 60.0)

    # People write: one wants no more, and gets no more.
    await phone.send(modem.number, "TD")
    await until(lambda: _refuses(daemon))
    assert await _send(daemon, category="marketing")

    # A stick comes back with a storage full of old messages.
    modem.plan.inject(Fault(kind="storage_filled"), now())
    modem.plan.inject(Fault(kind="disappear", lasts_s=0.2), now())
    await until(lambda: instruments.show("hongyan_channel_notices_total", 'channel="sim"'))

    # Applications by the other doors: one binds and takes its receipts late, one's address takes no call.
    async with connected_esme(server_port) as app:
        await app.bind(system_id="app")
        await app.ask(submit())
        await until(lambda: instruments.show("hongyan_smpp_server_deliveries_pending", '{account="app"} 1.0'))
        await app.take_delivery()
    url = quote(f"http://127.0.0.1:{free_port()}/", safe="")
    query = f"username=old&password=pw&to={quote(PHONE)}&text=hi&dlr-mask=31&dlr-url={url}"
    for _ in range(12):
        assert (await daemon.get(f"/cgi-bin/sendsms?{query}"))[0] == 202
    await until(lambda: "hongyan_outbox_resting" in instruments.moved())

    # One comes faster than he may; a monitoring tool reports an alarm.
    query = f"username=slow&password=pw&to={quote(PHONE)}&text=hi"
    assert [(await daemon.get(f"/cgi-bin/sendsms?{query}"))[0] for _ in range(2)] == [202, 503]
    report = {"alerts": [{"status": "firing", "labels": {"alertname": "disk full"}}]}
    assert (await daemon.post("/v1/alerts/alertmanager", report))[0] == 202

    # One hears of events, until its address is gone for good.
    async with application() as receiver:
        hook = {"name": "shop", "url": receiver.url, "types": ["message.*"]}
        assert (await daemon.post("/v1/webhooks", hook))[0] == 201
        await _send(daemon)
        await until(lambda: "hongyan_webhook_events" in instruments.moved())
        receiver.default_status = 410
        await _send(daemon)
        await until(lambda: "hongyan_webhooks_disabled" in instruments.moved())


async def _refuses(daemon: Daemon) -> bool:
    _, listed = await daemon.get("/v1/suppressions")
    return [entry["number"] for entry in listed["items"]] == [PHONE]


async def test_every_declared_instrument_moves_in_one_life(world: World, tmp_path: Path) -> None:
    server_port = free_port()
    daemon = world.make_daemon(*_config(world, server_port))
    await daemon.start()
    async with watched(daemon) as instruments:
        await _live(world, daemon, server_port, instruments)
        with contextlib.suppress(TimeoutError):
            await until(lambda: not instruments.still(), 10.0)
    assert sorted(instruments.still()) == [], "declared, and nothing that happened moved them"
    assert instruments.moved() & MUST_NOT_MOVE == set()
    total = instruments.total
    assert total("hongyan_messages_total", status="delivered", category="otp") == 1
    assert total("hongyan_messages_total", status="blocked", category="marketing") == 1
    assert total("hongyan_messages_total", status="undelivered", category="transactional") == 1
    assert total("hongyan_messages_total", status="canceled", category="transactional") == 1
    assert total("hongyan_messages_total", status="sending", category="otp") == 1, "once, not once a segment"
    assert total("hongyan_segments_total", channel="sim", outcome="accepted") > 1
    assert await daemon.stop() == 0
