"""Callback URLs of messages: called for each change, signed with the key's secret, in order, until somebody hears."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from aiohttp import web

from drivers.base import FaultKind, ReceiptState
from gateway.errors import InvalidRequest
from gateway.store.readers import load_readers
from gateway.views.messages import load_message_view
from tests.support.application import Application
from tests.support.fake_driver import accepted, refused
from tests.support.gateway import PHONE, receipt
from tests.support.webhooks import WebhookRig, call_id, open_webhook_rig, read, same, types, verified

pytestmark = pytest.mark.integration


@pytest.fixture
async def hooks(tmp_path: Path) -> AsyncIterator[WebhookRig]:
    async with open_webhook_rig(tmp_path) as hooks:
        yield hooks


async def n_calls(app: Application, n: int) -> bool:
    return len(app.calls) == n


async def test_a_message_is_told_of_from_queue_to_handset(hooks: WebhookRig, app: Application):
    hooks.driver.script.append(accepted("r1"))
    message = await hooks.send(f"{app.url}/hook?x=1", tags=["a"], reference="order 7")
    await hooks.rig.until(partial(n_calls, app, 2))
    await hooks.driver.report(receipt("r1"))
    await hooks.rig.until(partial(n_calls, app, 3))
    assert [(call.method, call.path) for call in app.calls] == [("POST", "/hook?x=1")] * 3
    secret = await hooks.secret()
    bodies = [verified(call, secret) for call in app.calls]
    assert [body["type"] for body in bodies] == ["message.queued", "message.sent", "message.delivered"]
    assert [body["data"]["status"] for body in bodies] == ["queued", "sent", "delivered"]
    assert all(body["data"]["id"] == message.id for body in bodies)
    shown = await hooks.rig.store.read(
        lambda tx: load_message_view(tx, message.id, hooks.rig.channels.standings(), hooks.clock.now())
    )
    wanted = same(shown)
    del wanted["waiting_for"]
    assert bodies[-1]["data"] == wanted, "as GET shows it"
    assert bodies[0]["data"]["sent_at"] is None
    assert bodies[0]["data"]["segments"][0]["status"] == "queued"
    assert [event["type"] for event in bodies[0]["data"]["events"]] == ["message.queued"]
    await hooks.rig.until(partial(hooks.owes, pending=0))


async def test_what_was_not_heard_is_told_again_under_the_same_id_and_the_rest_waits(
    hooks: WebhookRig, app: Application
):
    app.answers.extend(web.Response(status=status) for status in (500, 503))
    hooks.driver.script.append(accepted("r1"))
    await hooks.send(app.url)
    await hooks.rig.until(partial(n_calls, app, 1))
    await hooks.rig.until(partial(hooks.owes, pending=2))
    await hooks.rig.until(partial(hooks.tried, 1))
    await hooks.passes(4.9)
    assert len(app.calls) == 1
    await hooks.passes(0.7)  # the first repetition comes after 5 s
    await hooks.rig.until(partial(hooks.tried, 2))
    await hooks.passes(11.1)
    await hooks.rig.until(partial(n_calls, app, 4))
    assert types(app.calls) == ["message.queued"] * 3 + ["message.sent"]
    assert len({call_id(call) for call in app.calls[:3]}) == 1
    assert call_id(app.calls[3]) > call_id(app.calls[2])
    secret = await hooks.secret()
    assert verified(app.calls[2], secret)["type"] == "message.queued", (
        "signed anew, with the time of the attempt"
    )
    assert len({call.headers["Webhook-Timestamp"] for call in app.calls[:3]}) == 3
    assert app.calls[0].body == app.calls[2].body


@pytest.mark.parametrize("ending", ["failed", "undelivered"])
async def test_bad_ends_are_told_with_the_reason(hooks: WebhookRig, app: Application, ending: str):
    hooks.driver.script.append(refused(FaultKind.PERMANENT) if ending == "failed" else accepted("r1"))
    message = await hooks.send(app.url)
    if ending == "undelivered":
        await hooks.rig.until_status(message, "sent")
        await hooks.driver.report(receipt("r1", state=ReceiptState.UNDELIVERABLE))
    await hooks.rig.until(lambda: bool(app.calls) and types(app.calls)[-1] == f"message.{ending}")
    data = read(app.calls[-1])["data"]
    assert data["status"] == ending
    assert data["error"]["code"]


async def test_messages_without_one_cost_nothing_and_those_of_others_are_not_told(
    hooks: WebhookRig, app: Application
):
    quiet = await hooks.send()
    await hooks.rig.until_status(quiet, "sent")
    assert [place.name for place in await hooks.rig.store.read(load_readers)] == []
    told = await hooks.send(app.url)
    await hooks.rig.until(partial(n_calls, app, 2))
    assert {read(call)["data"]["id"] for call in app.calls} == {told.id}


async def test_what_nobody_could_tell_before_a_crash_is_told_after_it(tmp_path: Path, app: Application):
    app.open.clear()
    async with open_webhook_rig(tmp_path) as hooks:
        message = await hooks.send(app.url)
        await hooks.rig.until_status(message, "sent")
        await hooks.rig.until(lambda: app.calls)
    app.open.set()
    n_before = len(app.calls)
    async with open_webhook_rig(tmp_path) as hooks:
        await hooks.rig.until(partial(n_calls, app, n_before + 2))
        assert types(app.calls[n_before:]) == ["message.queued", "message.sent"]
        assert call_id(app.calls[0]) == call_id(app.calls[n_before])


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://user:pw@example.com/x", "leave them out"),
        ("http://example.com/a b", "without spaces"),
        ("http://\u24600.0.0.1/", "in ASCII"),
        ("http://\x01/", "without spaces"),
        ("http://:80/", "no host"),
        ("http://example.com:99999/", "a port that is none"),
        ("https://example.com/x#part", "never sent"),
        ("http://10.1.2.3/", "allow_targets"),
        ("http://[::1]:8080/", "allow_targets"),
        ("http://[::ffff:10.0.0.1]/", "allow_targets"),
        ("http://169.254.169.254/latest", "allow_targets"),
        ("http://2130706433/", "allow_targets"),
        ("http://localhost:9/", "allow_targets"),
    ],
)
async def test_a_bad_address_is_refused_at_once(tmp_path: Path, url: str, says: str):
    async with open_webhook_rig(tmp_path, allowed=()) as hooks:
        with pytest.raises(InvalidRequest) as refusal:
            await hooks.send(url)
    (fault,) = refusal.value.errors
    assert (fault.pointer, fault.code) == ("/callback_url", "bad_url")
    assert says in fault.detail
    assert "pw" not in fault.detail


async def test_a_name_of_something_near_us_is_not_called(tmp_path: Path, app: Application):
    port = app.url.rpartition(":")[2]
    async with open_webhook_rig(tmp_path, allowed=()) as hooks:
        hooks.rig.check_callback = lambda url: hooks.side.check_callback(url) and ""
        hooks.side.check_callback("http://example.com/")
        await hooks.send(f"http://127.0.0.1:{port}/", to=PHONE)

        await hooks.rig.until(partial(hooks.tried, 1))
        ((fault,),) = await hooks.rig.store.read(
            lambda tx: tx.fetch("SELECT fault FROM outbox WHERE attempts > 0")
        )
        assert "127.0.0.1 is not public" in fault
    assert app.calls == []
