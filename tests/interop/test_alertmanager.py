"""Debian's Alertmanager, configured as the manual says, fires a real alarm through the daemon to a handset."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from simulators.network import Network
from simulators.smsc.server import SimulatedSmsc
from tests.support.daemon import Daemon, free_port, smpp_toml, until
from tests.support.manual import find_block
from tests.support.peers import need_peer
from tests.support.programs import has_program, started_program

pytestmark = pytest.mark.interop

PHONE, OTHER = "+8613800138000", "+8613900139000"
TABLES = f"""
[[alerts]]
name = "on-call"
match = ['severity="critical"']
to = ["{PHONE}"]
category = "emergency"

[[alerts]]
name = "office"
to = ["{OTHER}"]
"""
HASTE = {"group_wait: 10s": "group_wait: 100ms", "group_interval: 1m": "group_interval: 1s", "4h": "1s"}
BEARER = "authorization:\n            credentials_file: /etc/prometheus/hongyan.key"


@asynccontextmanager
async def alertmanager(folder: Path, daemon: Daemon, *, basic: bool) -> AsyncIterator[str]:
    """Alertmanager with the manual's config in a hurry, on ports of its own; where it is."""
    config = find_block("alerts.md", "yaml", "webhook_configs")
    for slow, quick in HASTE.items():
        assert slow in config
        config = config.replace(slow, quick)
    assert BEARER in config
    (folder / "key").write_text(daemon.secret)
    authorization = BEARER.replace("/etc/prometheus/hongyan.key", str(folder / "key"))
    if basic:
        authorization = f"basic_auth:\n            username: any\n            password_file: {folder / 'key'}"
    config = config.replace(BEARER, authorization).replace("http://127.0.0.1:8080", daemon.base)
    (folder / "alertmanager.yml").write_text(config)
    port = free_port()
    async with started_program(
        "prometheus-alertmanager",
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
        "--log.level=warn",
    ):
        yield f"http://127.0.0.1:{port}"


async def fire(url: str, *, ends_in_s: float, **labels: str) -> None:
    """An alarm, as Prometheus posts it."""
    alarm = {"labels": labels, "annotations": {"summary": "it does not answer"}} | _life(ends_in_s)

    async def taken() -> bool:
        try:
            async with http.post(f"{url}/api/v2/alerts", json=[alarm]) as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async with aiohttp.ClientSession() as http:
        await until(taken)


def _life(ends_in_s: float) -> dict[str, str]:
    now = datetime.now(UTC)
    starts_at = now - timedelta(seconds=60)
    return {"startsAt": starts_at.isoformat(), "endsAt": (now + timedelta(seconds=ends_in_s)).isoformat()}


@pytest.mark.parametrize("basic", [False, True], ids=["bearer", "basic"])
async def test_an_alarm_reaches_a_handset_once_and_so_does_its_end(tmp_path, basic):
    need_peer("prometheus-alertmanager", present=has_program("prometheus-alertmanager"))
    network = Network()
    on_call, office = network.add_handset(PHONE), network.add_handset(OTHER)
    async with SimulatedSmsc(network) as smsc:
        daemon = Daemon(tmp_path, smpp_toml("carrier", smsc.port), TABLES)
        await daemon.make_key()
        try:
            async with alertmanager(tmp_path, daemon, basic=basic) as url:
                # The daemon is down: Alertmanager tries until it is there.
                await fire(url, ends_in_s=600, alertname="Down", instance="web-1", severity="critical")
                await asyncio.sleep(0.5)
                await daemon.start()
                await until(lambda: on_call.inbox == ["[FIRING] Down web-1: it does not answer"])
                await fire(url, ends_in_s=600, alertname="Full", instance="db-1", severity="warning")
                await until(lambda: office.inbox == ["[FIRING] Full db-1: it does not answer"])

                async def was_repeated() -> bool:
                    _, page = await daemon.get("/v1/alerts?receiver=on-call")
                    return bool(page["items"][0]["times"] >= 3)

                await until(was_repeated)
                assert len(on_call.inbox) == 1
                await fire(url, ends_in_s=0, alertname="Down", instance="web-1", severity="critical")
                await until(lambda: len(on_call.inbox) == 2)
                assert on_call.inbox[1] == "[RESOLVED] Down web-1: it does not answer"
            _, shown = await daemon.get("/v1/alerts?status=resolved")
            assert [item["name"] for item in shown["items"]] == ["Down"]
            assert len(office.inbox) == 1
            assert await daemon.stop() == 0, daemon.log()
        finally:
            await daemon.close()
