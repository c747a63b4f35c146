"""The API as a whole: who may do what, and hostile bodies."""

from __future__ import annotations

import asyncio
import re
from io import BytesIO

import pytest
from structlog.testing import capture_logs

from gateway.api.auth import REMEMBERED_S
from gateway.api.routes import ROUTES
from gateway.http.body import SINGLE_MAX_OCTETS
from gateway.ids import make_id
from gateway.model.message import Scope
from gateway.store.keys import make_secret, revoke_key
from tests.support.api import ApiRig

pytestmark = pytest.mark.integration

# --- keys ---


def path_of(path: str) -> str:
    names = {"{name}": "sim-1", "{number}": "+8613800138000"}
    return re.sub(r"\{\w+\}", lambda found: names.get(found[0]) or make_id(), path)


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic eDp5", "Bearer hy_unknown", "Bearer ключ"]
)
async def test_every_call_but_the_open_ones_needs_a_key(rig, header):
    for route in ROUTES:
        async with rig.client.request(
            route.method, path_of(route.path), headers={"Authorization": header}
        ) as response:
            if route.group == "kannel":  # has names and passwords of its own, in the query
                assert response.status == 403
            elif route.scope is None:
                assert response.status == 200, route.path
            else:
                assert response.status == 401, route.path
                assert response.headers["WWW-Authenticate"].startswith("Bearer")
                assert (await response.json(content_type=None))["code"] == "unauthorized"


async def test_every_call_needs_its_scope(rig):
    for scope in (Scope.SEND, Scope.READ, Scope.MANAGE):
        others = {Scope.SEND, Scope.READ, Scope.MANAGE} - {scope}
        secret = await rig.make_key(*others)
        for route in ROUTES:
            if route.scope is scope:
                status, problem = await rig.call(route.method, path_of(route.path), secret=secret)
                assert (status, problem["code"]) == (403, "forbidden"), route.path
                assert f"`{scope}`" in problem["detail"]


async def test_word_bearer_in_any_case(rig):
    for scheme in ("bearer", "BEARER"):
        async with rig.client.get(
            "/v1/channels", headers={"Authorization": f"{scheme} {rig.secret}"}
        ) as response:
            assert response.status == 200


async def test_key_revoked_elsewhere_is_refused_soon(rig):
    secret = await rig.make_key(Scope.READ, name="doomed")
    assert (await rig.call("GET", "/v1/channels", secret=secret))[0] == 200
    await rig.store.write(lambda tx: revoke_key(tx, "doomed", rig.clock.now()))
    rig.clock.pushed_s += REMEMBERED_S
    assert (await rig.call("GET", "/v1/channels", secret=secret))[0] == 401


async def test_key_made_elsewhere_is_taken_soon_although_it_was_refused(rig, monkeypatch):
    secret = make_secret()
    assert (await rig.call("GET", "/v1/channels", secret=secret))[0] == 401
    monkeypatch.setattr("tests.support.api.make_secret", lambda: secret)
    await rig.make_key(Scope.READ)
    rig.clock.pushed_s += REMEMBERED_S
    assert (await rig.call("GET", "/v1/channels", secret=secret))[0] == 200


async def test_guessing_does_not_push_out_keys_in_use(rig, monkeypatch):
    monkeypatch.setattr("gateway.api.auth._MAX_REMEMBERED", 3)
    for n in range(10):
        assert (await rig.call("GET", "/v1/channels", secret=f"hy_guess{n}"))[0] == 401
    assert (await rig.call("GET", "/v1/channels"))[0] == 200


# --- hostile bodies ---


BODIES = [
    (b"", 400, "malformed_json"),
    (b"{", 400, "malformed_json"),
    (b"\xef\xbb\xbf{}", 400, "malformed_json"),
    (b"[]", 422, "invalid_request"),
    (b"null", 422, "invalid_request"),
]
SINGLE = [
    (b'{"to":"1"}}', 400, "malformed_json"),
    (b'{"to":"1","text":"\xff"}', 400, "invalid_utf8"),
    ('{"to":"1","text":"你好"}'.encode("gbk"), 400, "invalid_utf8"),
    (rb'{"to":"1","text":"\ud83d"}', 400, "malformed_json"),
    (b'{"to":"1","text":' + b"[" * 100_000, 422, "invalid_request"),
]
BATCH = [
    (b"{}}", 400, "malformed_json"),
    (b'{"to":["1"],"text":"\xff"}', 400, "invalid_utf8"),
    (rb'{"to":["1"],"text":"\ud83d"}', 400, "invalid_utf8"),
    (b'{"messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "malformed_json"),
    (b'{"messages":[{"to":"1"}', 400, "malformed_json"),
]


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        *[("/v1/messages", *row) for row in BODIES + SINGLE],
        *[("/v1/messages/batch", *row) for row in BODIES + BATCH],
    ],
)
async def test_unreadable_bodies(rig, path, body, status, code):
    with capture_logs() as logs:
        answered, problem = await rig.call("POST", path, data=body)
    assert (answered, problem["code"]) == (status, code)
    assert logs == []


async def test_half_a_character_is_told(rig):
    status, problem = await rig.call("POST", "/v1/messages", data=rb'{"to":"1","text":"cut off \ud83d"}')
    assert (status, "half of a character" in problem["detail"]) == (400, True)
    message = rb'{"to":"+8613800138000","text":"cut off \ud83d"}'
    _, batch = await rig.call("POST", "/v1/messages/batch", data=b'{"messages":[%b]}' % message)
    assert "half of a character" in batch["rejected"][0]["detail"]


@pytest.mark.parametrize("text", [b"\xff", rb"\ud83d", rb"\ude00\ud83d"])
async def test_octets_that_are_no_utf8_in_one_item_reject_that_item(rig, text):
    body = b'{"messages":[{"to":"+8613800138000","text":"ok"},{"to":"+8613800138000","text":"%b"}]}' % text
    status, batch = await rig.call("POST", "/v1/messages/batch", data=body)
    assert status == 202
    assert [(item["index"], item["code"]) for item in batch["rejected"]] == [(1, "invalid_utf8")]


async def test_body_of_50_megabytes_is_refused_and_the_daemon_lives(rig):
    for path in ("/v1/messages", "/v1/messages/batch"):
        status, problem = await rig.call("POST", path, data=BytesIO(b" " * (50 << 20)))
        assert (status, problem["code"]) == (413, "payload_too_large")
    await rig.send()


async def test_body_of_unknown_length_is_cut_off(rig):
    n_sent = 0

    async def pour():
        nonlocal n_sent
        for _ in range(SINGLE_MAX_OCTETS // (1 << 16) + 1):
            n_sent += 1 << 16
            yield b" " * (1 << 16)

    status, problem = await rig.call("POST", "/v1/messages", data=pour())
    assert (status, problem["code"]) == (413, "payload_too_large")
    assert n_sent > SINGLE_MAX_OCTETS
    await rig.send()


async def test_longest_body_is_read(rig):
    body = b'{"to":"+8613800138000","text":"x"}'
    status, _ = await rig.call("POST", "/v1/messages", data=body.ljust(SINGLE_MAX_OCTETS))
    assert status == 202


async def test_address_that_nobody_serves(rig):
    assert (await rig.call("GET", "/v2/messages"))[1]["code"] == "not_found"
    assert (await rig.call("PATCH", "/v1/messages"))[1]["code"] == "method_not_allowed"


async def test_calls_without_a_body_refuse_one(rig):
    message = await rig.send()
    status, problem = await rig.call("POST", f"/v1/messages/{message['id']}/cancel", json={"why": "because"})
    assert (status, problem["errors"][0]["code"]) == (422, "unexpected_body")


async def test_calls_without_parameters_refuse_them(rig):
    assert (await rig.call("GET", "/v1/channels?state=up"))[0] == 422


async def exchange(rig: ApiRig, octets: bytes) -> bytes:
    """The first line that comes back for some octets."""
    reader, writer = await asyncio.open_connection(rig.client.host, rig.client.port)
    try:
        writer.write(octets)
        async with asyncio.timeout(60):
            return await reader.readline()
    finally:
        writer.close()
        await writer.wait_closed()


async def test_octets_that_are_no_http_leave_no_trace_in_the_log(rig, caplog):
    line = await exchange(rig, b"GET /livez HTTP/1.1\r\nmy number: 13800138000\r\n\r\n")
    assert b" 400 " in line
    assert "13800138000" not in caplog.text


async def test_client_that_leaves_in_the_middle_of_its_body_is_no_error(rig, caplog):
    _, writer = await asyncio.open_connection(rig.client.host, rig.client.port)
    writer.write(
        b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\nContent-Length: 99\r\n\r\n{"
        % rig.secret.encode()
    )
    await writer.drain()
    await rig.send()
    writer.transport.abort()
    await rig.send()
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_body_in_a_broken_coding_is_refused(rig, caplog):
    line = await exchange(
        rig,
        b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\n"
        b"Authorization: Bearer %b\r\nContent-Length: 2\r\n\r\n{}" % rig.secret.encode(),
    )
    assert b" 400 " in line
    await rig.send()
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.mark.parametrize(
    ("secret", "n_octets", "answer"),
    [("", 52_428_800, b" 413 "), ("hy_no", 10, b" 401 "), ("", 10, b" 100 ")],
)
async def test_client_that_asks_first_need_not_send_in_vain(rig, secret, n_octets, answer):
    line = await exchange(
        rig,
        b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
        b"Authorization: Bearer %b\r\nContent-Length: %d\r\n\r\n"
        % ((secret or rig.secret).encode(), n_octets),
    )
    assert answer in line


async def test_client_that_asks_first_is_served(rig):
    status, message = await rig.call(
        "POST", "/v1/messages", json={"to": "+8613800138000", "text": "x"}, expect100=True
    )
    assert (status, message["status"]) == (202, "queued")
