"""What a key may do to messages that another key sent; and fields of any length."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.ids import make_id
from gateway.model.message import Scope
from tests.support.api import ApiRig

pytestmark = pytest.mark.integration

LONG = "x" * 60_000


@pytest.mark.parametrize("verb", ["cancel", "resend"])
async def test_a_key_acts_on_what_it_sent_and_sees_nothing_of_others(rig: ApiRig, verb: str):
    mine, other = await rig.make_key(Scope.SEND), await rig.make_key(Scope.SEND)
    reader = await rig.make_key(Scope.SEND, Scope.READ)
    operator = await rig.make_key(Scope.SEND, Scope.MANAGE)
    body = {"to": "+8613800138000", "text": "secret"}
    _, message = await rig.call("POST", "/v1/messages", secret=mine, json=body)
    path = f"/v1/messages/{message['id']}/{verb}"
    absent = await rig.call("POST", f"/v1/messages/{make_id()}/{verb}", secret=other)
    assert absent[0] == 404
    assert await rig.call("POST", path, secret=other) == absent, "as if there were none"
    status, problem = await rig.call("POST", path, secret=reader)
    assert (status, "`manage`" in problem["detail"]) == (403, True)
    assert (await rig.call("GET", f"/v1/messages/{message['id']}"))[1]["status"] == "queued"
    done = 200 if verb == "cancel" else 409
    assert (await rig.call("POST", path, secret=mine))[0] == done
    _, message = await rig.call("POST", "/v1/messages", secret=mine, json=body)
    path = f"/v1/messages/{message['id']}/{verb}"
    assert (await rig.call("POST", path, secret=operator))[0] == done


async def test_an_idempotency_key_opens_nothing_of_others(rig: ApiRig):
    mine, other = await rig.make_key(Scope.SEND), await rig.make_key(Scope.SEND)
    body = {"to": "+8613800138000", "text": "secret"}
    headers = {"Idempotency-Key": "k"}
    _, message = await rig.call("POST", "/v1/messages", secret=mine, json=body)
    path = f"/v1/messages/{message['id']}/cancel"
    assert (await rig.call("POST", path, secret=mine, headers=headers))[0] == 200
    assert (await rig.call("POST", path, secret=other, headers=headers))[0] == 404


@pytest.mark.parametrize(
    ("path", "names"),
    [
        (
            "/v1/messages",
            ("status", "to", "tag", "channel", "reference", "batch", "since", "until", "limit", "cursor"),
        ),
        ("/v1/inbound", ("from", "to", "since", "limit", "cursor")),
        ("/v1/receipts", ("unmatched", "channel", "limit", "cursor")),
        ("/v1/suppressions", ("limit", "cursor")),
        ("/v1/events", ("status", "to", "tag", "channel", "reference", "batch", "type", "last_event_id")),
    ],
)
@pytest.mark.parametrize(
    "value", [LONG, "%00", "%ED%A0%80", "%FF", "0001-01-01T00:00:00%2B14:00", "9" * 400, "%25_!"]
)
async def test_a_parameter_of_any_kind_is_answered(
    rig: ApiRig, path: str, names: tuple[str, ...], value: str
):
    for name in names:
        headers = {"Authorization": f"Bearer {rig.secret}"}
        async with rig.client.get(f"{path}?{name}={value}", headers=headers) as answer:
            assert answer.status in {200, 422}, (name, answer.status)
            if value == LONG:
                problem = await answer.json(content_type=None)
                assert (answer.status, problem["errors"][0]["pointer"]) == (422, name)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("to", LONG), ("sender", LONG), ("channel", LONG), ("encoding", LONG), ("category", LONG), ("reference", LONG),
        ("callback_url", "http://" + LONG), ("tags", [LONG]), ("tags", ["x"] * 1_000), ("data", "00" * 60_000),
        ("udh", "00" * 60_000), ("smpp_tlvs", {"0x1400": "00" * 60_000}), ("smpp_tlvs", {LONG: "00"}),
        ("smpp_tlvs", {f"0x{n:04x}": "00" for n in range(0x1400, 0x1500)}), ("schedule_at", LONG),
        ("valid_for", 10**30), ("priority", 10**30), (LONG, "x"), ("text", LONG),
        ("schedule_at", "9999-12-31T23:59:59-23:59"),
        ("schedule_at", "0001-01-01T00:00:00+23:59"),
    ],
    ids=str,
)  # fmt: skip
async def test_a_field_of_any_length_is_answered_with_where_it_is_wrong(rig: ApiRig, field: str, value: Any):
    body = {"to": "+8613800138000", "text": "hello"} | {field: value}
    for path in ("/v1/messages", "/v1/messages/preview"):
        status, problem = await rig.call("POST", path, json=body)
        if field == "schedule_at" and len(value) < 100:
            assert status in {200, 202, 422}
            continue
        assert status == 422, problem
        assert problem["errors"][0]["pointer"].startswith("/")
        assert len(str(problem)) < 2_000, "what is wrong is not sent back whole"


@pytest.mark.parametrize("name", ["Idempotency-Key", "Last-Event-ID"])
async def test_a_header_of_any_length_is_answered(rig: ApiRig, name: str):
    body = {"to": "+8613800138000", "text": "hello"}
    headers = {name: "x" * 8_000}
    status, problem = await rig.call("POST", "/v1/messages", json=body, headers=headers)
    assert status == (422 if name == "Idempotency-Key" else 202), problem
    status, _ = await rig.call("GET", "/v1/messages", headers=headers)
    assert status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/messages/{}"), ("POST", "/v1/messages/{}/cancel"), ("GET", "/v1/inbound/{}"),
        ("GET", "/v1/channels/{}"), ("POST", "/v1/channels/{}/pause"), ("GET", "/v1/suppressions/{}"),
        ("PUT", "/v1/suppressions/{}"), ("DELETE", "/v1/suppressions/{}"), ("POST", "/v1/receipts/{}/match"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["x" * 60_000, "%00", "%FF", "%ED%A0%80"])
async def test_a_path_of_any_kind_is_answered(rig: ApiRig, method: str, path: str, name: str):
    status, _ = await rig.call(method, path.format(name), json={} if method == "PUT" else None)
    assert status in {404, 422, 400}
