"""Kannel's calls go where they may: not to what is near us, not after a redirect; and nobody takes all of them."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import web

from gateway.outbox.call import _read_bounded
from gateway.outbox.deliver import AtOnce
from gateway.settings.kannel import KannelAccountSettings
from gateway.settings.secrets import Secret
from tests.support.application import Application, application
from tests.support.fake_driver import ScriptedDriver
from tests.support.kannel_calls import TO, attempts, call, no_calls, nudge
from tests.support.kannel_rig import APP, KannelRig, open_kannel_rig

pytestmark = pytest.mark.integration


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[KannelRig]:
    async with open_kannel_rig(tmp_path, ScriptedDriver("smsc-1"), allowed=()) as kannel:
        yield kannel


async def ask(kannel: KannelRig, url: str, user: str = "app") -> None:
    query = f"username={user}&password=pw&to={TO}&text=hi&dlr-mask=8&dlr-url={quote(url, safe='')}"
    assert (await call(kannel, query))[0] == 202


def send_names_here(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Whoever looks these names up is told that they are this machine."""
    loop = asyncio.get_running_loop()
    real = loop.getaddrinfo

    async def getaddrinfo(host: Any, *args: Any, **options: Any) -> Any:
        return await real("127.0.0.1" if host in names else host, *args, **options)

    monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "0.0.0.0", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]", "user:pass@127.0.0.1", "example.com@127.0.0.1", "127.0.0.1.",
    ],
)  # fmt: skip
async def test_what_is_near_us_is_never_called(guarded: KannelRig, app: Application, host: str):
    port = app.url.rpartition(":")[2]
    await ask(guarded, f"http://{host}:{port}/?%d")
    await guarded.rig.until(partial(attempts, guarded, 1))
    assert app.calls == []


async def test_a_name_that_comes_to_mean_an_address_near_us(
    guarded: KannelRig, app: Application, monkeypatch: pytest.MonkeyPatch
):
    """It was public when it was looked at first: what counts is what is connected to."""
    port = app.url.rpartition(":")[2]
    send_names_here(monkeypatch, "rebound.example")
    await ask(guarded, f"http://rebound.example:{port}/?%d")
    await guarded.rig.until(partial(attempts, guarded, 1))
    assert app.calls == []


async def test_a_redirect_is_not_followed_and_not_heard(kannel: KannelRig, app: Application):
    async with application() as other:
        app.answers.extend(
            web.Response(status=status, headers={"Location": f"{other.url}/stolen"})
            for status in (301, 302, 307)
        )
        await ask(kannel, f"{app.url}/?%d")
        for n in (1, 2, 3):
            await kannel.rig.until(partial(attempts, kannel, n))
            kannel.rig.clock.advance(3_600)
            await nudge(kannel)
        await kannel.rig.until(lambda: no_calls(kannel))
        assert app.paths == ["/?8"] * 4
        assert other.calls == []


async def test_what_the_config_says_may_lead_anywhere(tmp_path: Path, app: Application):
    account = KannelAccountSettings(username="app", password=Secret("pw"), dlr_url=f"{app.url}/ours?%d")
    async with open_kannel_rig(tmp_path, ScriptedDriver("smsc-1"), accounts=(account,), allowed=()) as kannel:
        assert (await call(kannel, f"username=app&password=pw&to={TO}&text=hi&dlr-mask=8"))[0] == 202
        await kannel.rig.until(lambda: app.paths == ["/ours?8"])


async def test_an_escape_code_in_the_host_of_the_config_makes_it_everybodys(tmp_path: Path, app: Application):
    url = app.url.replace("127.0.0.1", "127.0.0.%d") + "/"
    account = KannelAccountSettings(username="app", password=Secret("pw"), dlr_url=url)
    async with open_kannel_rig(tmp_path, ScriptedDriver("smsc-1"), accounts=(account,), allowed=()) as kannel:
        query = f"username=app&password=pw&to={TO}&text=hi&dlr-mask=8"
        assert (await call(kannel, query))[0] == 202
        await kannel.rig.until(partial(attempts, kannel, 1))
        assert app.calls == []


async def test_one_account_does_not_take_all_calls(
    tmp_path: Path, app: Application, monkeypatch: pytest.MonkeyPatch
):
    other = KannelAccountSettings(username="other", password=Secret("pw"))
    async with open_kannel_rig(tmp_path, ScriptedDriver("smsc-1"), accounts=(APP, other)) as kannel:
        app.open.clear()
        port = app.url.rpartition(":")[2]
        hosts = [f"h{n}.example" for n in range(AtOnce().all)]
        send_names_here(monkeypatch, *hosts)
        for host in hosts:
            await ask(kannel, f"http://{host}:{port}/?%d")
        await kannel.rig.until(lambda: len(app.calls) == AtOnce().of_owner)
        async with application() as innocent:
            await ask(kannel, f"{innocent.url}/?%d", "other")
            await kannel.rig.until(lambda: innocent.calls)
        assert len(app.calls) == AtOnce().of_owner
        app.open.set()


async def test_a_report_whose_url_grows_beyond_measure_is_not_made(kannel: KannelRig, app: Application):
    await ask(kannel, f"{app.url}/?{'%A' * 900}")
    await ask(kannel, f"{app.url}/?{'%R' * 900}")
    await ask(kannel, f"{app.url}/?last")
    await kannel.rig.until(lambda: "/?last" in app.paths)
    await kannel.rig.until(lambda: no_calls(kannel))
    assert all(len(path) < 17_000 for path in app.paths)


async def test_a_sender_of_any_length_is_refused(kannel: KannelRig):
    query = f"username=app&password=pw&to={TO}&text=hi&from={'x' * 1_000}"
    assert await call(kannel, query) == (400, "Sender field too long, rejected")


async def test_an_answer_is_not_inflated(
    kannel: KannelRig, app: Application, monkeypatch: pytest.MonkeyPatch
):
    """A few octets of it could be a hundred megabytes."""
    bomb = gzip.compress(bytes(8 << 20))
    app.answers.append(web.Response(body=bomb, headers={"Content-Encoding": "gzip"}))
    read: list[bytes] = []

    async def note(response: Any) -> bytes:
        read.append(await _read_bounded(response))
        return read[-1]

    monkeypatch.setattr("gateway.outbox.call._read_bounded", note)
    await ask(kannel, f"{app.url}/?%d")
    await kannel.rig.until(lambda: read)
    await kannel.rig.until(lambda: no_calls(kannel))
    assert read == [bomb]
    assert app.calls[0].headers["Accept-Encoding"] == "identity"
