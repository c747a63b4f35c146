"""GET /v1/costs, `cost` of messages and `hongyan costs`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.model.message import Scope
from gateway.routing.costs import Charge
from gateway.routing.prices import Price
from gateway.store.ports import Tx
from tests.support.api import ApiRig, open_api

pytestmark = pytest.mark.integration

PRICE = Price(33_333, "CNY")


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[ApiRig]:
    async with open_api(tmp_path) as opened:
        yield opened


async def charge(rig: ApiRig, message_id: str, at: datetime, price: Price = PRICE, **more: Any) -> None:
    values = {"key_id": "", "tags": (), "channel": "sim-1", "n_taken": 1, "n_uncertain": 0, **more}

    async def op(tx: Tx) -> None:
        tx.charge(Charge(message_id=message_id, at=at, price=price, **values))

    await rig.store.write(op)


async def test_a_message_shows_what_it_has_cost_alone_and_in_lists(rig: ApiRig):
    sent, free = await rig.send(), await rig.send()
    now = rig.clock.now()
    for _ in range(3):
        await charge(rig, sent["id"], now)
    await charge(rig, sent["id"], now, n_taken=0, n_uncertain=1)
    await charge(rig, sent["id"], now, Price(2_000_000, "EUR"))
    _, shown = await rig.call("GET", f"/v1/messages/{sent['id']}")
    assert shown["cost"] == {
        "currency": "CNY",
        "segments": 3,
        "amount": "0.099999",
        "uncertain_segments": 1,
        "uncertain_amount": "0.033333",
        "further": [
            {
                "currency": "EUR",
                "segments": 1,
                "amount": "2",
                "uncertain_segments": 0,
                "uncertain_amount": "0",
            }
        ],
    }
    _, page = await rig.call("GET", "/v1/messages")
    costs = {item["id"]: item.get("cost") for item in page["items"]}
    assert costs == {sent["id"]: shown["cost"], free["id"]: None}
    assert "cost" not in (await rig.call("GET", f"/v1/messages/{free['id']}"))[1]


async def test_sums(rig: ApiRig):
    await rig.make_key(Scope.SEND, name="billing")
    now = rig.clock.now()
    key_id = (await rig.store.read(lambda tx: tx.fetch("SELECT id FROM api_keys WHERE name = 'billing'")))[0][
        0
    ]
    await charge(rig, "m1", now, key_id=key_id, tags=("a", "b"))
    await charge(rig, "m2", now)
    await charge(rig, "m3", now, key_id="smpp:shop", n_taken=0, n_uncertain=1)
    _, page = await rig.call("GET", "/v1/costs?by=key,tag")
    figures = [(one["key"], one["tag"], one["segments"], one["amount"]) for one in page["items"]]
    assert sorted(figures, key=str) == [
        ("key:billing", "a", 1, "0.033333"),
        ("key:billing", "b", 1, "0.033333"),
        ("smpp:shop", None, 0, "0"),
        ("system", None, 1, "0.033333"),
    ]
    _, page = await rig.call("GET", "/v1/costs")
    assert page == {
        "items": [
            {
                "currency": "CNY",
                "segments": 2,
                "amount": "0.066666",
                "uncertain_segments": 1,
                "uncertain_amount": "0.033333",
            }
        ],
        "next": None,
    }
    today = str(now.astimezone().date())
    _, page = await rig.call("GET", f"/v1/costs?by=day,channel&since={today}&until={today}")
    assert [(one["day"], one["channel"]) for one in page["items"]] == [(today, "sim-1")]
    assert (await rig.call("GET", "/v1/costs?until=2020-01-01"))[1]["items"] == []


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("by=week", "`week` is not known; write some of day, key, tag, channel, joined by commas"),
        ("since=yesterday", "write a day, such as 2026-12-24"),
    ],
)
async def test_what_is_asked_wrongly_is_said(rig: ApiRig, query: str, detail: str):
    status, problem = await rig.call("GET", f"/v1/costs?{query}")
    assert (status, problem["errors"][0]["detail"]) == (422, detail)


async def test_the_command_shows_them(rig: ApiRig, capsys: pytest.CaptureFixture[str]):
    import asyncio

    from gateway.cli.main import main

    await charge(rig, "m1", rig.clock.now(), tags=("a",))
    at = [f"--url={rig.client.make_url('/')}", f"--key={rig.secret}"]
    assert await asyncio.to_thread(main, ["costs", "--by", "tag,channel", *at]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "TAG  CHANNEL  SEGMENTS  AMOUNT    CURRENCY  UNCERTAIN",
        "a    sim-1    1         0.033333  CNY",
    ]
    assert await asyncio.to_thread(main, ["costs", "--json", *at]) == 0
    assert json.loads(capsys.readouterr().out)["amount"] == "0.033333"
    assert await asyncio.to_thread(main, ["costs", "--by", "week", *at]) == 1
