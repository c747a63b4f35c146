"""The review queue over HTTP: listed, shown, decided once, by those who may."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.model.message import Scope
from gateway.policy.chain import Chain
from gateway.policy.lexicon import Lexicon
from gateway.policy.rules.words import WordList, Words
from tests.support.api import ApiRig

pytestmark = pytest.mark.integration

WORDS = Words.of([WordList(lexicon=Lexicon("ads", (("最佳", "review"), ("特供", "refuse"))))])


@pytest.fixture
async def shop(rig: ApiRig) -> str:
    rig.intake.adopt(rig.intake.settings._replace(chain=Chain(texts=[WORDS])))
    return await rig.make_key(Scope.SEND, Scope.READ, name="shop")


async def send(rig: ApiRig, shop: str, text: str, n: int = 1) -> dict[str, Any]:
    to = [f"+86138001380{i:02}" for i in range(n)]
    status, batch = await rig.call("POST", "/v1/messages/batch", secret=shop, json={"to": to, "text": text})
    assert status == 202
    return batch


async def test_a_held_message_is_listed_shown_and_let_go(rig: ApiRig, shop: str):
    batch = await send(rig, shop, "全国最佳", 3)
    await send(rig, shop, "您好")
    first = batch["messages"][0]["id"]
    status, page = await rig.call("GET", "/v1/reviews?by=text", secret=shop)
    assert status == 200
    (review,) = page["items"]
    assert (review["id"], review["messages"], review["text"]) == (first, 3, "全国最佳")
    assert (review["state"], review["rule"], review["code"]) == ("open", "words", "listed_word")
    assert "最佳" not in review["detail"]
    _, held = await rig.call("GET", f"/v1/messages/{first}", secret=shop)
    assert [reason["code"] for reason in held["waiting_for"]] == ["review"]

    body = {"all_of": "batch", "reason": "checked with legal"}
    status, done = await rig.call("POST", f"/v1/reviews/{first}/approve", json=body)
    assert (status, done["decided"]) == (200, 3)
    assert done["review"]["decided_by"] == "key:admin"
    _, shown = await rig.call("GET", f"/v1/reviews/{first}")
    assert (shown["state"], shown["reason"]) == ("approved", "checked with legal")
    assert (await rig.call("GET", "/v1/reviews"))[1]["items"] == []
    _, decided = await rig.call("GET", "/v1/reviews?state=approved&limit=2")
    assert len(decided["items"]) == 2
    _, rest = await rig.call("GET", f"/v1/reviews?state=approved&limit=2&cursor={decided['next']}")
    assert len(rest["items"]) == 1
    _, message = await rig.call("GET", f"/v1/messages/{first}", secret=shop)
    kinds = [event["type"] for event in message["events"]]
    assert kinds == ["message.queued", "review.requested", "review.decided"]
    assert [reason["code"] for reason in message["waiting_for"]] != ["review"]


async def test_a_rejected_message_tells_its_sender_why(rig: ApiRig, shop: str):
    one = (await send(rig, shop, "最佳"))["messages"][0]["id"]
    assert (await rig.call("POST", f"/v1/reviews/{one}/reject", json={"reason": ""}))[0] == 422
    status, done = await rig.call("POST", f"/v1/reviews/{one}/reject", json={"reason": "no such words"})
    assert (status, done["decided"], done["review"]["status"]) == (200, 1, "blocked")
    _, message = await rig.call("GET", f"/v1/messages/{one}", secret=shop)
    assert message["error"] == {
        "code": "rejected",
        "detail": "A person looked at it and rejected it: no such words",
    }
    status, problem = await rig.call("POST", f"/v1/reviews/{one}/approve")
    assert (status, problem["detail"]) == (409, "key:admin rejected it already")


async def test_a_decision_is_made_once_however_often_it_is_sent(rig: ApiRig, shop: str):
    one = (await send(rig, shop, "最佳"))["messages"][0]["id"]
    headers = {"Idempotency-Key": "d1"}
    first = await rig.call("POST", f"/v1/reviews/{one}/approve", headers=headers)
    assert first[0] == 200
    assert await rig.call("POST", f"/v1/reviews/{one}/approve", headers=headers) == first
    assert (await rig.call("POST", f"/v1/reviews/{one}/approve"))[0] == 409


async def test_only_who_manages_decides(rig: ApiRig, shop: str):
    one = (await send(rig, shop, "最佳"))["messages"][0]["id"]
    assert (await rig.call("POST", f"/v1/reviews/{one}/approve", secret=shop))[0] == 403
    assert (await rig.call("GET", f"/v1/reviews/{one}", secret=shop))[0] == 200
    for path in ("/v1/reviews/nothing", "/v1/reviews/00000000000w3hq2m7k4c9t0ab"):
        assert (await rig.call("GET", path))[0] == 404
        assert (await rig.call("POST", f"{path}/approve"))[0] == 404
    assert (await rig.call("GET", "/v1/reviews?by=mood"))[0] == 422
