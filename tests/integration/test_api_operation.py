"""What operators ask of the API: channels, the opt-out list, probes, figures, and its own description."""

from __future__ import annotations

import asyncio
import sqlite3
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest

from gateway.api.routes import ROUTES
from gateway.ids import make_id
from gateway.routing.channel import UssdReply
from gateway.store.esme_outbox import NewDelivery, save_deliveries
from gateway.store.outbox import Lane, Owed, save_owed
from gateway.store.ports import Tx
from gateway.store.receipts import EarlyReceipt, save_early
from tests.support.api import FakeChannels

pytestmark = pytest.mark.integration

# --- channels ---


async def test_channels_are_shown_and_told_what_to_do(rig):
    _, page = await rig.call("GET", "/v1/channels")
    assert [(item["name"], item["state"]) for item in page["items"]] == [("sim-1", "up")]
    for verb, state in (("pause", "paused"), ("resume", "up"), ("drain", "draining"), ("reset", "starting")):
        status, channel = await rig.call("POST", f"/v1/channels/sim-1/{verb}")
        assert (status, channel["state"]) == (200, state)
    assert (await rig.call("GET", "/v1/channels/sim-1"))[1]["state"] == "starting"


async def test_unknown_channel(rig):
    assert (await rig.call("GET", "/v1/channels/sim-2"))[0] == 404
    assert (await rig.call("POST", "/v1/channels/sim-2/pause"))[0] == 404
    assert (await rig.call("POST", "/v1/channels/sim-2/ussd", json={"code": "*100#"}))[0] == 404


async def test_ussd_answers_with_what_the_network_said(rig):
    status, answer = await rig.call("POST", "/v1/channels/sim-1/ussd", json={"code": "*100#"})
    assert (status, answer) == (200, {"text": "you asked *100#", "expects_reply": False})


@pytest.mark.parametrize("code", ["", '1"\r', "*100#\n", "*100#\x1a", "\x1b", "1" * 183])
async def test_a_ussd_code_can_hold_nothing_that_ends_a_command(rig, code):
    status, problem = await rig.call("POST", "/v1/channels/sim-1/ussd", json={"code": code})
    assert (status, problem["errors"][0]["pointer"]) == (422, "/code")


async def test_a_repeated_ussd_code_is_asked_once(rig, monkeypatch):
    asked, may_answer = [], asyncio.Event()

    async def ussd(_channels, _name, code, *, by):
        assert str(by) == "key:admin"
        asked.append(code)
        await may_answer.wait()
        return UssdReply(text=f"bought {len(asked)}", expects_reply=False)

    monkeypatch.setattr(FakeChannels, "ussd", ussd)
    options = {"json": {"code": "*111*1#"}, "headers": {"Idempotency-Key": "u-1"}}
    calls = [asyncio.create_task(rig.call("POST", "/v1/channels/sim-1/ussd", **options)) for _ in range(2)]
    await rig.call("GET", "/v1/channels")
    may_answer.set()
    answers = await asyncio.gather(*calls, rig.call("POST", "/v1/channels/sim-1/ussd", **options))
    assert answers == [(200, {"text": "bought 1", "expects_reply": False})] * 3
    assert asked == ["*111*1#"]


async def test_a_trace_is_switched_on_and_off(rig):
    path = "/v1/channels/sim-1/trace"
    status, answer = await rig.call("POST", path, json={"on": True})
    assert (status, answer["on"], Path(answer["file"]).name) == (200, True, "sim-1.trace")
    assert await rig.call("POST", path, json={"on": False}) == (200, {"on": False, "file": None})
    assert (await rig.call("POST", path, json={"on": "yes"}))[0] == 422
    assert (await rig.call("POST", "/v1/channels/sim-2/trace", json={"on": True}))[0] == 404


# --- opt-out list ---


async def test_number_is_put_on_the_list_once_and_taken_off_once(rig):
    path = "/v1/suppressions/13800138000"
    status, entry = await rig.call("PUT", path, json={"reason": "asked by telephone"})
    assert status == 201
    assert (entry["number"], entry["source"], entry["reason"]) == (
        "+8613800138000",
        "api",
        "asked by telephone",
    )
    assert (await rig.call("PUT", path)) == (200, entry)
    assert (await rig.call("GET", path)) == (200, entry)
    assert (await rig.call("DELETE", path)) == (204, None)
    assert (await rig.call("DELETE", path))[0] == 404
    assert (await rig.call("GET", path))[0] == 404


async def test_a_doubtful_number_is_listed_for_everybody_whose_it_may_be(rig):
    path = "/v1/suppressions/37121234567"
    status, entry = await rig.call("PUT", path)
    assert (status, entry["number"]) == (201, "37121234567")
    assert entry["readings"] == ["+37121234567", "+8637121234567"]
    assert (await rig.call("GET", path)) == (200, entry)
    assert (await rig.call("GET", "/v1/suppressions/+37121234567")) == (200, entry)
    assert (await rig.call("PUT", path)) == (200, entry)
    assert [item["number"] for item in (await rig.call("GET", "/v1/suppressions"))[1]["items"]] == [
        "37121234567"
    ]
    for number in entry["readings"]:
        assert (await rig.send(number, category="marketing"))["status"] == "blocked"
    assert (await rig.call("DELETE", path)) == (204, None)
    for number in entry["readings"]:
        assert (await rig.send(number, category="marketing"))["status"] == "queued"


async def test_an_opt_out_from_a_brand_that_is_misspelled_is_not_taken_for_one(rig):
    path = "/v1/suppressions/13800138000"
    rig.consents.adopt(rig.consents.terms._replace(brands=frozenset({"default", "shop"})))
    status, answer = await rig.call("PUT", path, json={"brand": "shpo"})
    assert (status, answer["errors"][0]["code"]) == (422, "unknown_brand")
    assert (await rig.call("GET", path))[0] == 404
    assert (await rig.call("PUT", path, json={"brand": "shop"}))[0] == 201


async def test_a_number_may_have_an_entry_for_each_scope(rig):
    path = "/v1/suppressions/13800138000"
    for body, scope in (
        ({"brand": "shop"}, "brand:shop"),
        ({"sender": "106900001"}, "sender:106900001"),
        ({}, "everything"),
    ):
        status, entry = await rig.call("PUT", path, json=body)
        assert (status, entry["scope"]) == (201, scope)
    status, problem = await rig.call("PUT", path, json={"brand": "shop", "sender": "106900001"})
    assert (status, problem["errors"][0]["code"]) == (422, "two_scopes")
    found, cursor = [], ""
    while cursor is not None:
        _, page = await rig.call("GET", f"/v1/suppressions?limit=1{cursor and '&cursor=' + cursor}")
        found += [one["scope"] for one in page["items"]]
        cursor = page["next"]
    assert found == ["brand:shop", "everything", "sender:106900001"]
    assert (await rig.call("DELETE", f"{path}?brand=shop")) == (204, None)
    assert (await rig.call("GET", f"{path}?brand=shop"))[0] == 404
    assert (await rig.call("DELETE", path)) == (204, None)
    assert (await rig.call("GET", path))[0] == 404


async def test_what_wrote_to_us_by_name_can_be_looked_for_and_taken_off(rig):
    assert (await rig.call("GET", "/v1/suppressions/HONGYAN"))[0] == 404
    assert (await rig.call("DELETE", "/v1/suppressions/HONGYAN"))[0] == 404
    assert (await rig.call("PUT", "/v1/suppressions/HONGYAN"))[0] == 422
    assert (await rig.call("GET", "/v1/suppressions/12"))[0] == 422


async def test_a_doubtful_recipient_is_refused_and_told_how_to_be_written(rig):
    status, problem = await rig.call("POST", "/v1/messages", json={"to": "37121234567", "text": "hi"})
    assert (status, problem["errors"][0]["code"]) == (422, "invalid_number")
    assert "+371 or +86" in problem["errors"][0]["detail"]
    status, batch = await rig.call(
        "POST", "/v1/messages/batch", json={"to": ["37121234567", "447911123456"], "text": "hi"}
    )
    assert [one["index"] for one in batch["rejected"]] == [0]
    assert [one["to"] for one in batch["messages"]] == ["+447911123456"]


@pytest.mark.parametrize("asked", ["+447911123456", "447911123456", "00447911123456"])
async def test_a_look_up_finds_a_number_however_it_is_written(rig, asked):
    message = await rig.send("+447911123456")
    await rig.send("+8613800138000")
    status, found = await rig.call("GET", f"/v1/messages?to={quote(asked)}")
    assert (status, [item["id"] for item in found["items"]]) == (200, [message["id"]])


async def test_a_look_up_of_a_doubtful_number_looks_for_all_that_it_may_be(rig):
    sent = [await rig.send(number) for number in ("+37121234567", "+8637121234567", "+8613800138000")]
    _, found = await rig.call("GET", "/v1/messages?to=37121234567")
    assert {item["id"] for item in found["items"]} == {message["id"] for message in sent[:2]}
    assert (await rig.call("GET", "/v1/messages?to=12"))[0] == 422


async def test_list_of_numbers_is_paged_in_order(rig):
    numbers = [f"+861380013800{n}" for n in range(5)]
    for number in numbers:
        await rig.call("PUT", f"/v1/suppressions/{number}")
    _, first = await rig.call("GET", "/v1/suppressions?limit=3")
    _, rest = await rig.call("GET", f"/v1/suppressions?limit=3&cursor={first['next']}")
    assert [item["number"] for item in (*first["items"], *rest["items"])] == numbers
    assert rest["next"] is None


async def test_marketing_to_a_number_on_the_list_is_blocked(rig):
    await rig.call("PUT", "/v1/suppressions/+8613800138000")
    assert (await rig.send(category="marketing"))["status"] == "blocked"
    assert (await rig.send(category="otp"))["status"] == "queued"


async def test_what_is_no_number_is_refused(rig):
    status, problem = await rig.call("PUT", "/v1/suppressions/nobody")
    assert (status, problem["errors"][0]["pointer"]) == (422, "number")


# --- probes, figures, description ---


async def test_readiness_gives_its_reason(rig):
    async with rig.client.get("/readyz") as response:
        assert response.status == 200
    rig.reason.append("the store is being migrated")
    async with rig.client.get("/readyz") as response:
        assert response.status == 503
        assert (await response.json(content_type=None))["detail"] == "the store is being migrated"
    async with rig.client.get("/livez") as response:
        assert response.status == 200


async def test_figures_name_routes_and_never_numbers(rig):
    message = await rig.send("+8613800138000")
    await rig.call("GET", f"/v1/messages/{message['id']}")
    await rig.call("GET", "/v1/messages?to=13800138000")
    await rig.call("GET", "/nowhere/13800138000")
    async with rig.client.get("/metrics") as response:
        assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        figures = await response.text()
    assert 'hongyan_http_requests_total{method="GET",route="/v1/messages/{id}",status="200"} 1.0' in figures
    assert 'hongyan_http_requests_total{method="GET",route="unmatched",status="404"} 1.0' in figures
    assert 'hongyan_queue_messages{status="queued"} 1.0' in figures
    assert 'hongyan_channel_up{channel="sim-1"} 1.0' in figures
    assert "13800138000" not in figures


async def test_figures_count_what_has_found_nobody_yet(rig):
    async def figures() -> str:
        async with rig.client.get("/metrics") as response:
            return await response.text()

    assert "hongyan_receipts_unmatched 0.0" in await figures()
    assert "hongyan_kannel_calls_pending 0.0" in await figures()

    async def owe(tx: Tx) -> None:
        early = EarlyReceipt(make_id(), "+8613800138000", "delivered", "", None)
        await save_early(tx, early, channel="a", references=("7", "07"), received_at=rig.clock.now())
        owed = Owed(
            id=make_id(),
            lane=Lane("kannel", "account app", "example.net"),
            subject="s",
            payload=b"{}",
            created_at=rig.clock.now(),
            give_up_at=rig.clock.now(),
        )
        await save_owed(tx, [owed])
        await save_deliveries(tx, [NewDelivery("shop", b"pdu", rig.clock.now())] * 2)

    await rig.store.write(owe)
    now = await figures()
    assert "hongyan_receipts_unmatched 1.0" in now, "one receipt in two spellings"
    assert "hongyan_kannel_calls_pending 1.0" in now
    assert 'hongyan_smpp_server_deliveries_pending{account="shop"} 2.0' in now


class _Assets(HTMLParser):
    """Collects whatever a page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.ids: set[str] = set()
        self.links: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids.add(given.get("id") or "")
        if tag == "a":
            self.links.add(given.get("href") or "")
        elif tag in {"script", "link", "img", "iframe"} or "src" in given:
            self.found.append(tag)


async def test_page_shows_every_call_and_loads_nothing(rig):
    async with rig.client.get("/docs") as response:
        assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
        page = await response.text()
    for route in ROUTES:
        assert f"<code>{route.path}</code>" in page
    assets = _Assets()
    assets.feed(page)
    assert assets.found == []
    assert {link.removeprefix("#") for link in assets.links if link.startswith("#")} <= assets.ids


async def test_document_describes_every_call(rig):
    async with rig.client.get("/openapi.json") as response:
        document = msgspec.json.decode(await response.read())
    assert document["openapi"].startswith("3.1")
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described == {(route.method, route.path) for route in ROUTES}


@pytest.mark.parametrize("fault", ["read-only", "locked"])
async def test_a_store_that_takes_nothing_is_not_ready(rig, fault):
    async def readyz():
        rig.clock.pushed_s += 60
        async with rig.client.get("/readyz") as response:
            return response.status, await response.json()

    assert (await readyz())[0] == 200
    other = sqlite3.connect(rig.store._path, isolation_level=None)
    if fault == "locked":
        rig.store._db.execute("PRAGMA busy_timeout = 1")
        other.execute("BEGIN IMMEDIATE")
    else:
        rig.store._db.execute("PRAGMA query_only = 1")
    status, problem = await readyz()
    assert (status, problem["code"]) == (503, "not_ready")
    assert (await rig.call("POST", "/v1/messages", json={"to": "10086", "text": "x"}))[0] == 503
    rig.store._db.execute("PRAGMA query_only = 0")
    if fault == "locked":
        other.execute("ROLLBACK")
    other.close()
    assert (await readyz())[0] == 200


async def test_whether_it_is_ready_is_not_tried_more_often_than_it_can_change(rig, monkeypatch):
    tried = []

    async def prove():
        tried.append(1)

    monkeypatch.setattr(rig.store, "prove", prove)
    for _ in range(20):
        async with rig.client.get("/readyz") as response:
            assert response.status == 200
    assert len(tried) <= 2
