"""`hongyan webhooks` and the webhook secret of a key, as their users run them."""

from __future__ import annotations

import asyncio
import io
import json
import os
from collections.abc import AsyncIterator
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import pytest
from aiohttp import web

from gateway.cli.main import main
from tests.support.application import Application
from tests.support.webhooks import OPERATOR, WebhookRig, call_id, open_webhook_rig, verified

pytestmark = pytest.mark.integration


class Done(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
async def hooks(tmp_path: Path) -> AsyncIterator[WebhookRig]:
    async with open_webhook_rig(tmp_path) as hooks:
        yield hooks


async def cli(hooks: WebhookRig, *words: str) -> Done:
    out, err = io.StringIO(), io.StringIO()
    env = {"HONGYAN_URL": str(hooks.client.make_url("/")), "HONGYAN_KEY": OPERATOR}
    with mock.patch.dict(os.environ, env), redirect_stdout(out), redirect_stderr(err):
        code = await asyncio.to_thread(main, ["webhooks", *words])
    return Done(code, out.getvalue(), err.getvalue())


async def test_one_is_made_tried_changed_and_deleted(hooks: WebhookRig, app: Application):
    made = await cli(hooks, "add", "--name", "shop", "--to", app.url, "--types", "message.queued")
    secret = made.out.strip()
    assert (made.code, secret.startswith("whsec_"), "\n" in secret) == (0, True, False)
    tried = await cli(hooks, "test", "shop")
    assert (tried.code, tried.out.startswith("heard: status 200")) == (0, True)
    assert verified(app.calls[0], secret)["type"] == "webhook.test"
    app.answers.append(web.Response(status=500))
    tried = await cli(hooks, "test", "shop")
    assert (tried.code, "was not heard: status 500" in tried.err) == (1, True)
    changed = await cli(hooks, "update", "shop", "--types", "message.*,inbound.received", "--batch", "5")
    assert (changed.code, "message.*, inbound.received" in changed.out) == (0, True)
    rotated = await cli(hooks, "rotate", "shop", "--overlap", "2h")
    assert rotated.out.startswith("whsec_")
    assert rotated.out.strip() != secret
    listed = await cli(hooks, "list")
    assert "enabled" in listed.out
    disabled = await cli(hooks, "update", "shop", "--disable")
    assert "disabled by key:op" in disabled.out
    assert json.loads((await cli(hooks, "show", "shop", "--json")).out)["enabled"] is False
    assert (await cli(hooks, "remove", "shop")).code == 0
    gone = await cli(hooks, "show", "shop")
    assert (gone.code, "there is no webhook shop" in gone.err) == (1, True)
    assert (await cli(hooks, "update", "shop")).code == 2


async def test_dead_letters_are_listed_and_repeated(hooks: WebhookRig, app: Application):
    app.default_status = 410
    await cli(hooks, "add", "--name", "shop", "--to", app.url, "--types", "message.queued")
    await hooks.send()
    await hooks.rig.until(partial(hooks.owes, pending=0, dead=1))
    dead = await cli(hooks, "deliveries", "shop", "--status", "dead")
    assert call_id(app.calls[0]) in dead.out
    app.default_status = 200
    await cli(hooks, "update", "shop", "--enable")
    again = await cli(hooks, "retry", "shop")
    assert (again.code, again.out) == (0, "1 will be told again\n")
    await hooks.rig.until(partial(hooks.owes, pending=0, dead=0))
    assert call_id(app.calls[-1]) == call_id(app.calls[0])
    heard = json.loads((await cli(hooks, "deliveries", "shop", "--json")).out)
    assert (heard["status"], heard["type"]) == ("delivered", "message.queued")
