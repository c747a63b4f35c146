"""Receivers that are slow, lie, never end, redirect or have wrong certificates: bounded, told, repeated."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import msgspec
import pytest
from aiohttp import web

from tests.support.application import Application, application
from tests.support.certificates import make_certificates
from tests.support.hostile_receivers import Answer, hangs, never_ends, receiver, says
from tests.support.webhooks import WebhookRig, open_webhook_rig, read, types

pytestmark = pytest.mark.integration

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n"
ERROR = b"HTTP/1.1 500 Oh\r\n"


@pytest.fixture
async def hooks(tmp_path: Path) -> AsyncIterator[WebhookRig]:
    async with open_webhook_rig(
        tmp_path, settings=lambda given: msgspec.structs.replace(given, timeout_s=1.0)
    ) as hooks:
        yield hooks


async def fault_of(hooks: WebhookRig, webhook_id: str) -> str:
    _, found = await hooks.call("GET", f"/webhooks/{webhook_id}/deliveries?status=pending")
    return str(found["items"][0]["fault"])


@pytest.mark.parametrize(
    "answer",
    [
        says(OK + b"Content-Length: 1000\r\n\r\nshort"),
        says(OK + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"),
        never_ends(OK + b"Content-Length: 99999999999\r\n\r\n"),
        never_ends(CHUNKED, b"4\r\nxxxx\r\n", pause_s=0.1),
    ],
    ids=["too short", "no gzip", "endless", "slow and endless"],
)
async def test_a_status_of_2xx_is_heard_whatever_follows(hooks: WebhookRig, answer: Answer):
    async with receiver(answer) as it:
        await hooks.subscribe(it.url, "message.queued")
        await hooks.send()
        await hooks.rig.until(lambda: it.bodies)
        await hooks.rig.until(partial(hooks.owes, pending=0, dead=0))
        assert len(it.bodies) == 1


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (hangs, "no answer in time"),
        (says(b""), "it closed the connection without an answer"),
        (says(b"SSH-2.0-OpenSSH\r\n\r\n"), ""),
        (never_ends(b"HTTP/1.1 200 ", b"O" * 65_536), ""),
        (never_ends(OK, b"X-More: " + b"x" * 4_000 + b"\r\n"), ""),
        (never_ends(ERROR + b"\r\n"), "status 500"),
        (says(CHUNKED + b"zz\r\n"), ""),
        (says(OK + b"Content-Length: 2\r\n\r\nmuch longer than it says"), ""),
        (says(b"HTTP/1.1 307 Away\r\nLocation: http://127.0.0.1:1/\r\n\r\n"), "points elsewhere"),
        (says(b"HTTP/1.1 301 Away\r\n\r\n"), "points elsewhere"),
    ],
    ids=[
        "hangs",
        "closes",
        "no HTTP",
        "endless status",
        "endless head",
        "endless error",
        "no chunk",
        "too long",
        "redirect",
        "nowhere",
    ],
)
async def test_anything_else_is_told_and_tried_again(hooks: WebhookRig, answer: Answer, fault: str):
    async with receiver(answer) as it:
        webhook_id = await hooks.subscribe(it.url, "message.queued")
        await hooks.send()
        await hooks.rig.until(partial(hooks.tried, 1))
        said = await fault_of(hooks, webhook_id)
        assert said
        assert fault in said
        await hooks.passes(6)
        await hooks.rig.until(partial(hooks.tried, 2))
        assert len(it.bodies) == 2
        assert it.bodies[0] == it.bodies[1]


async def test_wrong_tls_is_told_and_tried_again(hooks: WebhookRig, tmp_path: Path, app: Application):
    context = make_certificates(tmp_path).server_context()
    async with receiver(says(OK + b"\r\n"), context) as it:
        unknown = await hooks.subscribe(it.url, "message.queued")
        plain = await hooks.subscribe(app.url.replace("http:", "https:"), "message.queued")
        await hooks.send()
        await hooks.rig.until(partial(hooks.owes, pending=2))

        async def both() -> bool:
            _, found = await hooks.call("GET", "/webhooks")
            return all(one["failing_since"] for one in found["items"])

        await hooks.rig.until(both)
        assert await fault_of(hooks, unknown) == "its certificate can't be trusted"
        assert await fault_of(hooks, plain) == "it does not speak TLS as we do"
        assert it.bodies == []


async def test_it_is_left_alone_for_as_long_as_it_asks(hooks: WebhookRig, app: Application):
    app.answers.append(web.Response(status=503, headers={"Retry-After": "120"}))
    app.answers.append(web.Response(status=429, headers={"Retry-After": "999999"}))
    await hooks.subscribe(app.url, "message.queued")
    await hooks.send()
    await hooks.rig.until(partial(hooks.tried, 1))
    await hooks.passes(100)
    await hooks.send()
    await hooks.rig.settled()
    assert len(app.calls) == 1, "nothing else goes there meanwhile"
    await hooks.passes(21)
    await hooks.rig.until(lambda: len(app.calls) == 2)
    await hooks.rig.until(partial(hooks.tried_in_all, 2))
    await hooks.passes(3_601)  # at most an hour
    await hooks.rig.until(partial(hooks.owes, pending=0))


async def test_one_that_hangs_slows_down_only_itself(hooks: WebhookRig, app: Application):
    async with receiver(hangs) as dead:
        await hooks.subscribe(dead.url, "message.*")
        await hooks.subscribe(app.url, "message.*")
        for _ in range(40):
            await hooks.send()
        await hooks.rig.until(lambda: len(app.calls) == 80)
        assert dead.n_connections <= 30, "16 at once, until ten have failed"
        await hooks.rig.until(partial(hooks.owes, resting=1))


async def test_one_that_is_down_for_hours_hears_of_all_in_order(hooks: WebhookRig, app: Application):
    """Calls grow rarer, nothing is lost, and the receiver is not flooded with repeats while it is down."""
    app.default_status = 503
    await hooks.subscribe(app.url, "message.*")
    messages = [await hooks.send() for _ in range(20)]
    await hooks.rig.until(partial(hooks.owes, pending=40, resting=1))

    async def all_noted() -> bool:
        return await hooks.tried_in_all(len(app.calls))

    await hooks.rig.until(all_noted)
    for _ in range(24):  # four hours
        n_before = len(app.calls)
        await hooks.passes(600)
        await hooks.rig.until(lambda n=n_before: len(app.calls) > n)  # type: ignore[misc]
        await hooks.rig.until(all_noted)
        assert len(app.calls) == n_before + 1, "one trial at a time"
    n_down = len(app.calls)
    app.default_status = 200

    async def all_heard() -> bool:
        await hooks.passes(3_600)
        return await hooks.owes(pending=0, dead=0, resting=0)

    await hooks.rig.until(all_heard)
    heard = app.calls[n_down:]
    assert len(heard) == 40
    for message in messages:
        mine = [call for call in heard if read(call)["data"]["id"] == message.id]
        assert types(mine) == ["message.queued", "message.sent"]


async def test_one_that_flaps_hears_each_event_once_it_says_so(hooks: WebhookRig, app: Application):
    async with application() as steady:
        await hooks.subscribe(app.url, "message.*")
        await hooks.subscribe(steady.url, "message.*")
        app.answers.extend(web.Response(status=500 if n % 3 else 200) for n in range(60))
        messages = [await hooks.send() for _ in range(30)]

        async def all_heard() -> bool:
            await hooks.passes(60)
            return await hooks.owes(pending=0, dead=0)

        await hooks.rig.until(lambda: len(steady.calls) == 60)
        await hooks.rig.until(all_heard)
        for message in messages:
            mine = [call for call in app.calls if read(call)["data"]["id"] == message.id]
            told = [kind for n, kind in enumerate(types(mine)) if n == 0 or types(mine)[n - 1] != kind]
            assert told == ["message.queued", "message.sent"]
