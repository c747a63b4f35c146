"""Standing webhooks: who is told of what, in which form, and what becomes of those that nobody hears."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from aiohttp import web
from standardwebhooks import WebhookVerificationError

from drivers.base import Encoding, InboundPart
from gateway.model.events import make_event
from gateway.store.alarms import list_alarms
from gateway.store.ports import Tx
from gateway.webhooks.caller import AT_ONCE
from tests.support.application import Application, application
from tests.support.fake_driver import accepted
from tests.support.gateway import PHONE, receipt
from tests.support.webhooks import WebhookRig, call_id, open_webhook_rig, read, types, verified

pytestmark = pytest.mark.integration

DAY_S = 86_400.0


@pytest.fixture
async def hooks(tmp_path: Path) -> AsyncIterator[WebhookRig]:
    async with open_webhook_rig(tmp_path) as hooks:
        yield hooks


async def n_calls(app: Application, n: int) -> bool:
    return len(app.calls) == n


async def test_each_is_told_of_what_it_asked_for(hooks: WebhookRig, app: Application):
    async with application() as other:
        first = await hooks.subscribe(app.url, "message.*", tags=["vip"])
        await hooks.subscribe(other.url, "message.delivered", "inbound.received", "channel.down")
        hooks.driver.script.extend([accepted("r1"), accepted("r2")])
        plain = await hooks.send()
        await hooks.rig.until_status(plain, "sent")
        vip = await hooks.send(tags=["vip", "b"])
        await hooks.rig.until_status(vip, "sent")
        await hooks.driver.report(receipt("r1"))
        await hooks.rig.until_status(plain, "delivered")
        await hooks.driver.go_down()
        await hooks.rig.until(partial(n_calls, other, 2))
        await hooks.rig.until(partial(n_calls, app, 2))
        assert {read(call)["data"]["id"] for call in app.calls} == {vip.id}
        assert types(app.calls) == ["message.queued", "message.sent"]
        assert sorted(types(other.calls)) == ["channel.down", "message.delivered"]
        down = next(call for call in other.calls if read(call)["type"] == "channel.down")
        assert read(down)["data"]["name"] == "smsc-1"
        assert verified(app.calls[0], hooks.secrets[first])["data"]["tags"] == ["vip", "b"]


async def test_what_came_in_is_told_as_the_api_shows_it(hooks: WebhookRig, app: Application):
    await hooks.subscribe(app.url, "inbound.received", "subscription.*")
    await hooks.driver.report(
        InboundPart(sender=PHONE, encoding=Encoding.UCS2, payload="STOP".encode("utf-16-be"))
    )
    await hooks.rig.until(partial(n_calls, app, 2))
    inbound = next(read(call) for call in app.calls if read(call)["type"] == "inbound.received")
    _, shown = await hooks.call("GET", f"/inbound/{inbound['data']['id']}")
    assert inbound["data"] == shown
    assert "subscription.opted_out" in types(app.calls)


async def test_an_event_that_others_add_to_the_timeline_is_told_as_it_stands_there(
    hooks: WebhookRig, app: Application
):
    await hooks.subscribe(app.url, "alarm.*")

    async def op(tx: Tx) -> None:
        tx.record(make_event("alarm.raised", hooks.clock.now(), "queue", {"what": "queue", "why": "full"}))

    await hooks.rig.store.write(op)
    await hooks.rig.until(partial(n_calls, app, 1))
    assert read(app.calls[0])["data"] == {"what": "queue", "why": "full"}


async def test_it_is_told_of_nothing_that_happened_before_it_was_made_or_enabled(
    hooks: WebhookRig, app: Application
):
    await hooks.subscribe(app.url, "message.queued", name="first")
    before = await hooks.send()
    await hooks.rig.until(partial(n_calls, app, 1))
    webhook_id = await hooks.subscribe(f"{app.url}/second", "message.queued", enabled=False)
    hidden = await hooks.send()
    await hooks.rig.until(partial(n_calls, app, 2))
    status, changed = await hooks.call("PATCH", f"/webhooks/{webhook_id}", json={"enabled": True})
    assert (status, changed["enabled"], changed["reason"]) == (200, True, None)
    after = await hooks.send()
    await hooks.rig.until(partial(n_calls, app, 4))
    told = defaultdict(list)
    for call in app.calls:
        told[call.path].append(read(call)["data"]["id"])
    assert told == {"/": [before.id, hidden.id, after.id], "/second": [after.id]}


async def test_several_events_in_one_call(hooks: WebhookRig, app: Application):
    """Each has an id of its own, by which a receiver knows it again."""
    app.open.clear()
    webhook_id = await hooks.subscribe(app.url, "message.queued", batch=100)
    messages = []
    for n in range(
        AT_ONCE.of_owner
    ):  # no more calls than these at once: what comes behind them waits together
        messages.append(await hooks.send())
        await hooks.rig.until(partial(n_calls, app, n + 1))
    messages += [await hooks.send() for _ in range(250 - AT_ONCE.of_owner)]
    await hooks.rig.until(partial(hooks.owes, pending=250))
    app.open.set()
    await hooks.rig.until(partial(hooks.owes, pending=0))
    bodies = [verified(call, hooks.secrets[webhook_id]) for call in app.calls]
    items = [item for body in bodies for item in body["data"]]
    assert {body["type"] for body in bodies} == {"batch"}
    assert max(len(body["data"]) for body in bodies) == 100
    assert len(bodies) < 25
    assert {item["data"]["id"] for item in items} == {message.id for message in messages}
    assert len({item["id"] for item in items}) == len(items) == 250
    assert all(item["type"] == "message.queued" and item["timestamp"] for item in items)


async def test_a_batch_that_was_not_heard_comes_again_as_it_was(hooks: WebhookRig, app: Application):
    app.answers.append(web.Response(status=500))
    await hooks.subscribe(app.url, "message.*", batch=10)
    app.open.clear()
    first = await hooks.send()
    await hooks.rig.until(partial(n_calls, app, 1))
    app.open.set()
    await hooks.rig.until(partial(hooks.tried, 1))
    await hooks.passes(6)
    await hooks.rig.until(partial(hooks.owes, pending=0))
    assert call_id(app.calls[0]) == call_id(app.calls[1])
    assert app.calls[0].body == app.calls[1].body
    ids = [item["id"] for call in app.calls[1:] for item in read(call)["data"]]
    assert ids == sorted(ids), "in order"
    assert read(app.calls[0])["data"][0]["data"]["id"] == first.id


async def test_a_secret_is_replaced_while_both_sign(hooks: WebhookRig, app: Application):
    webhook_id = await hooks.subscribe(app.url, "message.queued")
    old = hooks.secrets[webhook_id]
    status, rotated = await hooks.call("POST", f"/webhooks/{webhook_id}/secret")
    new = rotated["secret"]
    assert (status, new != old) == (200, True)
    await hooks.send()
    await hooks.rig.until(partial(n_calls, app, 1))
    assert verified(app.calls[0], old) == verified(app.calls[0], new)
    await hooks.passes(DAY_S + 1)
    await hooks.send()
    await hooks.rig.until(partial(n_calls, app, 2))
    assert len(app.calls[1].headers["Webhook-Signature"].split()) == 1
    with pytest.raises(WebhookVerificationError):
        verified(app.calls[0], "whsec_" + "A" * 32)


async def test_one_that_fails_for_days_is_disabled_and_its_dead_letters_can_be_repeated(
    hooks: WebhookRig, app: Application, caplog: pytest.LogCaptureFixture
):
    async with application() as watcher:
        webhook_id = await hooks.subscribe(app.url, "message.queued")
        await hooks.subscribe(watcher.url, "webhook.disabled")
        app.default_status = 500
        message = await hooks.send()
        await hooks.rig.until(partial(hooks.tried, 1))
        _, shown = await hooks.call("GET", f"/webhooks/{webhook_id}")
        assert shown["failing_since"]
        assert shown["pending"] == 1
        for n in range(2, 8):  # nobody hears for five days; each event is given up after three
            await hooks.passes(DAY_S)
            await hooks.send()
            await hooks.rig.until(lambda n=n: len(app.calls) >= n)  # type: ignore[misc]
            await hooks.rig.settled()
            if watcher.calls:
                break
        await hooks.rig.until(partial(n_calls, watcher, 1))
        _, shown = await hooks.call("GET", f"/webhooks/{webhook_id}")
        assert not shown["enabled"]
        assert "no call was heard for 5" in shown["reason"]
        assert read(watcher.calls[0])["data"]["reason"] == shown["reason"]
        assert "is disabled and not called any more" in caplog.text
        assert hooks.rig.metrics.webhooks_disabled._value.get() == 1
        await hooks.rig.until(partial(hooks.owes, pending=0))
        _, dead = await hooks.call("GET", f"/webhooks/{webhook_id}/deliveries?status=dead")
        assert dead["items"][-1]["about"] == message.id
        assert dead["items"][-1]["fault"]
        app.default_status = 200
        n_before = len(app.calls)
        await hooks.call("PATCH", f"/webhooks/{webhook_id}", json={"enabled": True})
        oldest = dead["items"][-1]["id"]
        retry = f"/webhooks/{webhook_id}/deliveries/{oldest}/retry"
        status, again = await hooks.call("POST", retry)
        assert (status, again["status"]) == (200, "pending")
        await hooks.rig.until(partial(n_calls, app, n_before + 1))
        assert call_id(app.calls[-1]) == oldest == call_id(app.calls[0]), "under the same id"
        await hooks.rig.until(partial(hooks.owes, pending=0))
        assert (await hooks.call("POST", retry))[0] == 409
        _, heard = await hooks.call("GET", f"/webhooks/{webhook_id}/deliveries?status=delivered")
        assert [one["id"] for one in heard["items"]] == [oldest]


async def test_gone_disables_at_once(hooks: WebhookRig, app: Application):
    app.default_status = 410
    webhook_id = await hooks.subscribe(app.url, "message.queued")
    await hooks.send()
    await hooks.rig.until(partial(hooks.owes, pending=0, dead=1))
    _, shown = await hooks.call("GET", f"/webhooks/{webhook_id}")
    assert (shown["enabled"], "410 Gone" in shown["reason"]) == (False, True)
    assert len(app.calls) == 1
    _, page = await hooks.call("GET", "/alarms")
    (alarm,) = page["items"]
    assert (alarm["kind"], alarm["subject"]) == ("webhook", webhook_id)
    assert shown["name"] in alarm["detail"]
    assert "410 Gone" in alarm["detail"]
    await hooks.call("PATCH", f"/webhooks/{webhook_id}", json={"tags": ["a"]})
    assert (await hooks.call("GET", "/alarms"))[1]["items"], "it is still not called"
    await hooks.call("PATCH", f"/webhooks/{webhook_id}", json={"enabled": True})
    assert (await hooks.call("GET", "/alarms"))[1]["items"] == []


async def test_calls_that_are_refused_together_disable_once(
    hooks: WebhookRig, app: Application, caplog: pytest.LogCaptureFixture
):
    app.default_status = 410
    app.open.clear()
    await hooks.subscribe(app.url, "message.queued")
    for _ in range(3):
        await hooks.send()
    await hooks.rig.until(partial(n_calls, app, 3))
    app.open.set()
    await hooks.rig.until(partial(hooks.owes, pending=0, dead=3))
    await hooks.rig.settled()
    assert hooks.rig.metrics.webhooks_disabled._value.get() == 1
    assert caplog.text.count("is disabled and not called any more") == 1


async def test_it_moves_and_what_it_is_owed_goes_along_at_once_in_order(hooks: WebhookRig, app: Application):
    async with application() as other:
        app.default_status = 503
        webhook_id = await hooks.subscribe(app.url, "message.*")
        message = await hooks.send()
        await hooks.rig.until_status(message, "sent")
        await hooks.rig.until(partial(hooks.owes, pending=2))
        await hooks.rig.until(partial(hooks.tried, 1))
        status, _ = await hooks.call("PATCH", f"/webhooks/{webhook_id}", json={"url": f"{other.url}/new"})
        assert status == 200
        await hooks.rig.until(partial(hooks.owes, pending=0))
        assert types(other.calls) == ["message.queued", "message.sent"]
        assert call_id(other.calls[0]) == call_id(app.calls[0])


async def test_one_that_is_deleted_is_called_no_more_and_leaves_nothing(hooks: WebhookRig, app: Application):
    app.default_status = 500
    webhook_id = await hooks.subscribe(app.url, "message.*")
    await hooks.send()
    await hooks.rig.until(partial(hooks.tried, 1))
    assert (await hooks.call("DELETE", f"/webhooks/{webhook_id}"))[0] == 204
    await hooks.rig.until(partial(hooks.owes, pending=0, dead=0))
    assert len(app.calls) == 1
    assert (await hooks.call("GET", f"/webhooks/{webhook_id}"))[0] == 404
    assert (await hooks.call("GET", "/webhooks"))[1]["items"] == []


async def test_a_trial_says_what_came_of_it(hooks: WebhookRig, app: Application):
    webhook_id = await hooks.subscribe(app.url, "message.*")
    app.answers.append(web.Response(status=401))
    _, refused = await hooks.call("POST", f"/webhooks/{webhook_id}/test")
    assert (refused["heard"], refused["status"], refused["fault"]) == (False, 401, "status 401")
    _, heard = await hooks.call("POST", f"/webhooks/{webhook_id}/test")
    assert (heard["heard"], heard["status"], heard["fault"]) == (True, 200, None)
    assert verified(app.calls[1], hooks.secrets[webhook_id])["type"] == "webhook.test"


async def test_deliveries_of_callback_urls_are_their_keys(hooks: WebhookRig, app: Application):
    app.answers.append(web.Response(status=410))
    message = await hooks.send(app.url)
    await hooks.rig.until(partial(n_calls, app, 2))
    await hooks.rig.until(partial(hooks.owes, pending=0, dead=1))
    path = "/webhooks/callbacks/deliveries"
    _, mine = await hooks.call("GET", path, key="hy_shop")
    assert [(one["type"], one["status"]) for one in mine["items"]] == [
        ("message.sent", "delivered"),
        ("message.queued", "dead"),
    ]
    assert {one["about"] for one in mine["items"]} == {message.id}
    _, others = await hooks.call("GET", path)
    assert others["items"] == []
    _, named = await hooks.call("GET", f"{path}?key={message.key_id}")
    assert named == mine
    status, _ = await hooks.call("GET", f"{path}?key=01k00000000000000000000000", key="hy_shop")
    assert status == 403
    dead = mine["items"][1]["id"]
    status, _ = await hooks.call("POST", f"{path}/{dead}/retry?key={message.key_id}")
    assert status == 200
    await hooks.rig.until(partial(n_calls, app, 3))


@pytest.mark.parametrize(
    ("wanted", "pointer"),
    [
        ({"name": "x"}, "/url"),
        ({"name": "x", "url": "ftp://example.com/"}, "/url"),
        ({"name": "x", "url": "http://10.0.0.1/"}, "/url"),
        ({"name": "x", "url": "http://u:p@example.com/"}, "/url"),
        ({"name": "x", "url": "http://example.com/", "types": ["message.delivred"]}, "/types/0"),
        ({"name": "x", "url": "http://example.com/", "types": []}, "/types"),
        ({"name": "x", "url": "http://example.com/", "batch": 101}, "/batch"),
        ({"name": "x", "url": "http://example.com/", "secret": "whsec_short"}, "/secret"),
    ],
)
async def test_a_bad_one_is_refused(hooks: WebhookRig, wanted: dict[str, object], pointer: str):
    status, problem = await hooks.call("POST", "/webhooks", json=wanted)
    assert status == 422
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    if pointer == "/types/0":
        assert "did you mean message.delivered?" in problem["errors"][0]["detail"]


async def test_names_are_unique_and_who_did_what_is_on_record(hooks: WebhookRig, app: Application):
    webhook_id = await hooks.subscribe(app.url, name="shop")
    status, _ = await hooks.call("POST", "/webhooks", json={"name": "shop", "url": app.url})
    assert status == 409
    assert (await hooks.call("POST", "/webhooks", key="hy_shop", json={"name": "y", "url": app.url}))[
        0
    ] == 403
    _, shown = await hooks.call("GET", f"/webhooks/{webhook_id}")
    assert "secret" not in shown
    again = {"Idempotency-Key": "one"}
    wanted = {"name": "z", "url": app.url}
    _, made = await hooks.call("POST", "/webhooks", json=wanted, headers=again)
    assert await hooks.call("POST", "/webhooks", json=wanted, headers=again) == (201, made)
    events = await hooks.rig.events(webhook_id)
    assert [(event.type, b'"by":"key:op"' in event.data) for event in events] == [("webhook.made", True)]


async def test_a_restart_forgets_nothing(tmp_path: Path, app: Application):
    app.default_status = 500
    async with open_webhook_rig(tmp_path) as hooks:
        await hooks.subscribe(app.url, "message.*")
        await hooks.send(to=PHONE)
        await hooks.rig.until(partial(hooks.tried, 1))
        at = hooks.clock
    app.default_status = 200
    at.advance(10)
    async with open_webhook_rig(tmp_path, clock=at) as hooks:
        await hooks.rig.until(partial(hooks.owes, pending=0))
        later = await hooks.send()
        await hooks.rig.until(lambda: any(read(call)["data"]["id"] == later.id for call in app.calls))
    assert types(app.calls)[:3] == ["message.queued", "message.queued", "message.sent"]


async def test_an_event_that_can_not_be_told_does_not_hold_up_those_behind_it(
    hooks: WebhookRig, app: Application
):
    await hooks.subscribe(app.url, "message.sent", "message.undelivered")
    hooks.driver.script.extend([accepted("r1"), accepted("r2")])
    damaged = await hooks.send()
    await hooks.rig.until(partial(n_calls, app, 1))

    async def op(tx: Tx) -> None:
        await tx.execute("UPDATE messages SET body = ? WHERE id = ?", (b"\xff\x00", damaged.id))
        tx.record(make_event("message.undelivered", hooks.clock.now(), damaged.id, {"id": damaged.id}))

    await hooks.rig.store.write(op)
    good = await hooks.send()
    await hooks.rig.until(partial(n_calls, app, 2))
    assert read(app.calls[1])["data"]["id"] == good.id
    [alarm] = await hooks.rig.store.read(lambda tx: list_alarms(tx, limit=10))
    assert (alarm.kind, alarm.subject) == ("internal_error", "webhooks")
    assert damaged.id in alarm.detail
