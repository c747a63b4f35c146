"""A client of Kannel's, unchanged but for the host in its URL, before a real daemon that is killed in between."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from aiohttp import web

from simulators.smsc.server import SimulatedSmsc
from tests.e2e.conftest import World
from tests.support.application import Application, application
from tests.support.daemon import Daemon, smpp_toml, until
from tests.support.peers import need_peer

pytestmark = pytest.mark.e2e

DEADLINE_S = 60.0
PHONE = "+8613900139000"
CLIENT = """#!/bin/sh
# What the web is full of: text and numbers in a URL, one line of answer.
curl -s -G "http://$KANNEL/cgi-bin/sendsms" \\
  -d username=tester -d password=foobar --data-urlencode "to=$1" --data-urlencode "text=$2" \\
  -d dlr-mask=31 --data-urlencode "dlr-url=$APP/dlr?id=$3&status=%d&phone=%p&smsc=%i&answer=%A&foreign=%F&at=%T"
"""


@pytest.fixture
async def app() -> AsyncIterator[Application]:
    async with application() as app:
        yield app


@pytest.fixture
def client(tmp_path: Path) -> Path:
    need_peer("curl")
    script = tmp_path / "sendsms.sh"
    script.write_text(CLIENT)
    script.chmod(0o755)
    return script


async def run(client: Path, daemon: Daemon, app: Application, text: str, mark: int, to: str = PHONE) -> str:
    process = await asyncio.create_subprocess_exec(
        "/bin/sh", str(client), to, text, str(mark),
        env={"PATH": "/usr/bin:/bin", "KANNEL": f"127.0.0.1:{daemon.port}", "APP": app.url},
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await process.communicate()
    return out.decode()


def config(app: Application) -> str:
    return (
        '[[kannel_accounts]]\nusername = "tester"\npassword = "foobar"\n'
        f'[[mo_routes]]\nname = "echo"\nget_url = "{app.url}/mo?phone=%p&text=%a"\ncharset = "UTF-8"\n'
        '[webhooks]\nallow_targets = ["127.0.0.1"]\n'
    )


def reports(app: Application) -> list[dict[str, str]]:
    return [dict(parse_qsl(urlsplit(path).query)) for path in app.paths if path.startswith("/dlr")]


def statuses(app: Application) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for report in reports(app):
        found.setdefault(report["id"], []).append(report["status"])
    return found


async def test_a_kannel_client_sends_and_hears_of_it(world: World, app: Application, client: Path) -> None:
    daemon = world.make_daemon(smpp_toml("smsc", world.smscs[0].port), config(app))
    await daemon.start()
    assert await run(client, daemon, app, "Grüße & 你好 + 100%", 1) == "0: Accepted for delivery"
    await until(lambda: statuses(app) == {"1": ["8", "1"]}, DEADLINE_S)
    accepted, delivered = reports(app)
    assert accepted["answer"] == "ACK/"
    assert (delivered["phone"], delivered["smsc"]) == (PHONE, "smsc")
    assert "stat:DELIVRD" in delivered["answer"]
    assert delivered["foreign"]
    (sent,) = await daemon.messages()
    assert (sent["text"], sent["status"]) == ("Grüße & 你好 + 100%", "delivered")
    await daemon.kill()
    assert await daemon_says_no(client, daemon, app)


async def daemon_says_no(client: Path, daemon: Daemon, app: Application) -> bool:
    """A daemon that is gone gives no answer, so the client knows that nothing was taken."""
    return await run(client, daemon, app, "lost?", 99) == ""


async def test_reports_survive_kill_9_and_an_application_that_is_away(
    world: World, app: Application, client: Path
) -> None:
    daemon = world.make_daemon(smpp_toml("smsc", world.smscs[0].port), config(app))
    await daemon.start()
    app.open.clear()  # the application hangs: no call of before the crash is ever heard
    n = 8
    answers = await asyncio.gather(*(run(client, daemon, app, f"hi {i}", i) for i in range(n)))
    assert set(answers) == {"0: Accepted for delivery"}
    ids = [message["id"] for message in await daemon.messages()]
    await daemon.wait_status(ids, {"delivered"}, DEADLINE_S)
    await until(lambda: app.calls, DEADLINE_S)
    await daemon.kill()
    app.calls.clear()
    app.open.set()
    await daemon.start()
    await until(lambda: len(statuses(app)) == n, DEADLINE_S)
    await until(lambda: all(len(seen) == 2 for seen in statuses(app).values()), DEADLINE_S)
    assert Counter(map(tuple, statuses(app).values())) == {("8", "1"): n}


async def test_an_application_that_fails_is_called_again_and_in_order(
    world: World, app: Application, client: Path
) -> None:
    daemon = world.make_daemon(smpp_toml("smsc", world.smscs[0].port), config(app))
    await daemon.start()
    app.answers.append(web.Response(status=503))
    assert await run(client, daemon, app, "hi", 1) == "0: Accepted for delivery"
    await until(lambda: statuses(app) == {"1": ["8", "8", "1"]}, DEADLINE_S)


async def test_a_message_that_waited_over_a_restart_is_reported_to_its_client(
    world: World, app: Application, client: Path
) -> None:
    smsc: SimulatedSmsc = world.smscs[0]
    daemon = world.make_daemon(smpp_toml("smsc", smsc.port), config(app))
    await daemon.start()
    await daemon.post("/v1/channels/smsc/pause")
    assert await run(client, daemon, app, "hi", 1) == "3: Queued for later delivery"
    await daemon.kill()
    await daemon.start(n_up=0)
    assert app.calls == []
    await daemon.post("/v1/channels/smsc/resume")
    await until(lambda: statuses(app) == {"1": ["8", "1"]}, DEADLINE_S)


async def test_an_inbound_message_is_answered_by_the_application(world: World, app: Application) -> None:

    daemon = world.make_daemon(smpp_toml("smsc", world.smscs[0].port), config(app))
    await daemon.start()
    handset = world.network.add_handset(PHONE)
    app.answers.append(web.Response(text="you said: 你好"))
    await handset.send(world.smscs[0].number_of("hongyan"), "hello 你好")
    await until(lambda: "you said: 你好" in handset.inbox, DEADLINE_S)
    assert [dict(parse_qsl(urlsplit(path).query)) for path in app.paths] == [
        {"phone": PHONE, "text": "hello 你好"}
    ]
