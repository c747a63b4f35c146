"""``POST /v1/routes/explain`` and ``/v1/carriers``: what callers are told, and what is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.routing.routes.conditions import Conditions
from gateway.routing.routes.table import Rule, Share
from tests.support.api import ApiRig, open_api

pytestmark = pytest.mark.integration

PHONE = "+8613800138000"


@pytest.fixture
async def routed(tmp_path: Path) -> AsyncIterator[ApiRig]:
    rules = [
        Rule(name="shop", conditions=Conditions(key=frozenset({"shop"})), steps=((Share("otp"),),)),
        Rule(name="union", conditions=Conditions(carrier=frozenset({"unicom"})), steps=((Share("otp"),),)),
    ]
    async with open_api(tmp_path, rules=rules) as rig:
        yield rig


async def explain(rig: ApiRig, **body: object) -> dict[str, object]:
    status, answer = await rig.call("POST", "/v1/routes/explain", json={"to": PHONE, **body})
    assert status == 200, answer
    return dict(answer)


async def test_a_route_is_explained_for_the_caller_and_for_others(routed: ApiRig):
    mine = await explain(routed, text="你好" * 50)
    assert (mine["rule"], mine["way"], mine["encoding"], mine["segments"]) == (
        None,
        ["group default"],
        "ucs2",
        2,
    )
    others = await explain(routed, key="shop")
    assert (others["rule"], others["rules_left"], others["segments"]) == ("shop", 1, 1)
    assert [rule["matched"] for rule in others["rules"]] == [True]  # type: ignore[attr-defined]
    status, messages = await routed.call("GET", "/v1/messages")
    assert (status, messages["items"]) == (200, []), "nothing was sent"


async def test_a_carrier_is_set_looked_up_and_forgotten(routed: ApiRig):
    assert (await explain(routed))["rule"] is None
    assert (await routed.call("GET", f"/v1/carriers/{PHONE}"))[1]["source"] == "range"
    status, _ = await routed.call("PUT", "/v1/carriers/13800138000", json={"carrier": "unicom"})
    assert status == 200
    fact = (await routed.call("GET", f"/v1/carriers/{PHONE}"))[1]
    assert (fact["carrier"], fact["source"]) == ("unicom", "api")
    assert (await explain(routed))["rule"] == "union"
    sent = await routed.send(PHONE)
    _, shown = await routed.call("GET", f"/v1/messages/{sent['id']}")
    assert [event["data"].get("rule") for event in shown["events"]] == ["union"]
    listed = (await routed.call("GET", "/v1/carriers"))[1]["items"]
    assert [(one["number"], one["carrier"]) for one in listed] == [(PHONE, "unicom")]
    assert (await routed.call("DELETE", f"/v1/carriers/{PHONE}"))[0] == 204
    assert (await routed.call("DELETE", f"/v1/carriers/{PHONE}"))[0] == 404
    assert (await explain(routed))["rule"] is None


@pytest.mark.parametrize(
    ("method", "path", "body", "pointer", "code"),
    [
        ("PUT", f"/v1/carriers/{PHONE}", {"carrier": "nobody"}, "/carrier", "unknown_carrier"),
        ("PUT", "/v1/carriers/hello", {"carrier": "cmcc"}, "number", "invalid_number"),
        ("POST", "/v1/routes/explain", {"to": "12"}, "/to", "invalid_number"),
        ("POST", "/v1/routes/explain", {"to": PHONE, "sender": "nobody"}, "/sender", "unknown_sender"),
        ("POST", "/v1/routes/explain", {"to": PHONE, "channel": "nobody"}, "/channel", "unknown_channel"),
    ],
)
async def test_what_would_be_refused_is_refused(
    routed: ApiRig, method: str, path: str, body: dict[str, str], pointer: str, code: str
):
    status, answer = await routed.call(method, path, json=body)
    assert status == 422
    assert [(error["pointer"], error["code"]) for error in answer["errors"]] == [(pointer, code)]
