"""The API as a whole: who may do what, hostile bodies, channels, the opt-out list, probes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from gateway.api.auth import REMEMBERED_S
from gateway.api.body import SINGLE_MAX_OCTETS
from gateway.api.routes import ROUTES
from gateway.ids import make_id
from gateway.model.message import Scope
from gateway.store.esme_outbox import NewDelivery, save_deliveries
from gateway.store.kannel import StoredCall, save_calls
from gateway.store.keys import make_secret, revoke_key
from gateway.store.ports import Tx
from gateway.store.receipts import EarlyReceipt, save_early
from tests.support.api import ApiRig, open_api

pytestmark = pytest.mark.integration


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[ApiRig]:
    async with open_api(tmp_path) as rig:
        yield rig


# --- keys ---


def path_of(path: str) -> str:
    return path.replace("{id}", make_id()).replace("{name}", "sim-1").replace("{number}", "+8613800138000")


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
    (b'{"to":"1","text":' + b"[" * 100_000, 422, "invalid_request"),
]
BATCH = [
    (b"{}}", 400, "malformed_json"),
    (b'{"to":["1"],"text":"\xff"}', 400, "invalid_utf8"),
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


async def test_octets_that_are_no_utf8_in_one_item_reject_that_item(rig):
    body = b'{"messages":[{"to":"+8613800138000","text":"ok"},{"to":"+8613800138000","text":"\xff"}]}'
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
        async with asyncio.timeout(10):
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


@pytest.mark.parametrize("code", ["", '1"\r', "*100#\x1a", "\x1b", "1" * 183])
async def test_a_ussd_code_can_hold_nothing_that_ends_a_command(rig, code):
    status, problem = await rig.call("POST", "/v1/channels/sim-1/ussd", json={"code": code})
    assert (status, problem["errors"][0]["pointer"]) == (422, "/code")


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
        await save_calls(tx, [StoredCall(make_id(), "s", "example.net", b"{}", None, 0, rig.clock.now())])
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
