"""Bad requests to the real daemon: each is answered for what it is, and a good message after it goes out as ever."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway.clock import SystemClock
from gateway.ids import KeyId, make_id
from gateway.model.message import ApiKey, Scope
from gateway.runtime.stores import opened_store
from gateway.store.keys import hash_secret, make_secret, revoke_key, save_key
from simulators.network import Network
from simulators.smsc.server import SimulatedSmsc
from tests.support.daemon import Daemon, smpp_toml

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

TO = "+8613900139000"
MIB = 1 << 20
DEADLINE_S = 60.0
_numbers = count(8613700000000)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def daemon(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Daemon]:
    """One daemon for all: what a bad request did to it, the good message after it would show."""
    async with AsyncExitStack() as stack:
        network = Network()
        stack.push_async_callback(network.close)
        smsc = await stack.enter_async_context(SimulatedSmsc(network))
        daemon = Daemon(tmp_path_factory.mktemp("bad"), smpp_toml("smsc", smsc.port))
        stack.push_async_callback(daemon.close)
        await daemon.start()
        yield daemon
        assert await daemon.stop() == 0
        assert "Traceback" not in daemon.log()


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def good_message_afterwards(daemon: Daemon) -> AsyncIterator[None]:
    yield
    assert daemon.process is not None
    assert daemon.process.returncode is None, daemon.log()
    status, message = await daemon.post("/v1/messages", {"to": f"+{next(_numbers)}", "text": "still here"})
    assert status == 202, message
    await daemon.wait_status([message["id"]], {"delivered"}, DEADLINE_S)


async def _post(daemon: Daemon, body: object, path: str = "/v1/messages") -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await daemon.request("POST", path, data=data, headers={"Content-Type": "application/json"})


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"to": "none"}, "/to", "invalid_number"),
        ({"to": "+999999999999"}, "/to", "invalid_number"),
        ({"to": ""}, "/to", "invalid_number"),
        ({"to": "1" * 65}, "/to", "too_long"),
        ({"to": "+86139\x0000139000"}, "/to", "invalid_number"),
        ({"to": 13900139000}, "/to", "wrong_type"),
        ({"to": None}, "/to", "wrong_type"),
        ({"text": ""}, "/text", "empty_text"),
        ({"text": "x" * 100_000}, "/text", "text_too_long"),
        ({"text": ["hi"]}, "/text", "wrong_type"),
        ({"priority": "high"}, "/priority", "wrong_type"),
        ({"priority": 10}, "/priority", "out_of_range"),
        ({"flash": 1}, "/flash", "wrong_type"),
        ({"category": "spam"}, "/category", "unknown_value"),
        ({"schedule_at": "tomorrow"}, "/schedule_at", "wrong_time"),
        ({"schedule_at": "2026-01-01T00:00:00"}, "/schedule_at", "wrong_time"),
        ({"valid_for": -1}, "/valid_for", "out_of_range"),
        ({"channel": "nowhere"}, "/channel", "unknown_channel"),
        ({"sender": "nobody"}, "/sender", "unknown_sender"),
        ({"tags": [{}]}, "/tags/0", "wrong_type"),
        ({"udh": "zz"}, "/udh", "wrong_format"),
    ],
    ids=lambda value: str(value)[:30] if isinstance(value, dict) else "",
)
async def test_a_wrong_field_is_named(
    daemon: Daemon, fields: dict[str, object], pointer: str, code: str
) -> None:
    status, problem = await _post(daemon, {"to": TO, "text": "hello", **fields})
    assert (status, problem["code"]) == (422, "invalid_request")
    assert [(e["pointer"], e["code"]) for e in problem["errors"]] == [(pointer, code)]
    assert problem["errors"][0]["detail"]


async def test_an_unknown_field_is_named_with_the_nearest(daemon: Daemon) -> None:
    status, problem = await _post(daemon, {"to": TO, "text": "hello", "prioritty": 3})
    assert status == 422
    (error,) = problem["errors"]
    assert (error["pointer"], error["code"]) == ("/prioritty", "unknown_field")
    assert "did you mean `priority`?" in error["detail"]


async def test_a_message_without_recipient_is_refused(daemon: Daemon) -> None:
    status, problem = await _post(daemon, {"text": "hello"})
    assert (status, problem["errors"][0]["pointer"]) == (422, "/to")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "malformed_json"),
        (b"{", "malformed_json"),
        (b"to=1&text=hello", "malformed_json"),
        (b'{"to": "+8613900139000", "text": "\\ud800"}', "malformed_json"),
        (b'{"to": "+8613900139000", "text": "a\x00b"}', "malformed_json"),
        (b'{"to": "+8613900139000", "text": "\xff\xfe"}', "invalid_utf8"),
        ('{"to": "+8613900139000", "text": "你好"}'.encode("gbk"), "invalid_utf8"),
    ],
    ids=["empty", "cut off", "form", "lone surrogate", "raw NUL", "bad UTF-8", "GBK"],
)
async def test_what_is_no_json_in_utf8_is_400(daemon: Daemon, body: bytes, code: str) -> None:
    status, problem = await _post(daemon, body)
    assert (status, problem["code"]) == (400, code)


async def test_texts_that_are_no_unicode_do_not_spoil_a_batch(daemon: Daemon) -> None:
    """What programs make of a text that they cut within an emoji: half of a surrogate pair, or half a character."""
    good = rb'{"to": "+8613900139000", "text": "\\ud83d stays \ud83d\ude00"}'
    bad = [
        rb'{"to": "+8613900139000", "text": "cut \ud83d"}',
        b'{"to": "+8613900139000", "text": "cut \xf0\x9f"}',
    ]
    body = b'{"messages": [%b]}' % b", ".join([good, bad[0], good, bad[1], good])
    status, batch = await _post(daemon, body, "/v1/messages/batch")
    assert (status, batch.get("accepted")) == (202, 3), batch
    assert [(r["index"], r["code"]) for r in batch["rejected"]] == [(1, "invalid_utf8"), (3, "invalid_utf8")]
    assert (await daemon.message(batch["messages"][0]["id"]))["text"] == "\\ud83d stays 😀"


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/batch"])
@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000 + b"]" * 100_000,
        b'{"tags":' * 50_000 + b"1" + b"}" * 50_000,
        b'{"messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"text": "x", "to":' + b'[{"to":' * 50_000 + b"1" + b"}]" * 50_000 + b"}",
        b'{"no such field":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
    ids=["list", "object", "items", "recipients", "unknown"],
)
async def test_json_nested_without_end_is_refused(daemon: Daemon, body: bytes, path: str) -> None:
    status, problem = await _post(daemon, body, path)
    assert (status, problem["code"]) in {(400, "malformed_json"), (422, "invalid_request")}


@pytest.mark.parametrize("body", [b"[]", b"null", b'"hello"', b"17", b"{}"])
async def test_json_of_another_shape_is_422(daemon: Daemon, body: bytes) -> None:
    for path in ("/v1/messages", "/v1/messages/batch"):
        status, problem = await _post(daemon, body, path)
        assert (status, problem["code"]) == (422, "invalid_request"), (path, problem)


async def test_control_characters_reach_the_handset_as_they_are(daemon: Daemon) -> None:
    text = "a\x00b\x1b\x7f\u202e"
    status, message = await _post(daemon, {"to": TO, "text": text})
    assert status == 202, message
    await daemon.wait_status([message["id"]], {"delivered"}, DEADLINE_S)
    assert (await daemon.message(message["id"]))["text"] == text


async def test_bad_items_do_not_spoil_a_batch(daemon: Daemon) -> None:
    good = {"to": TO, "text": "one of the good"}
    bad = [
        {"to": "x", "text": "t"},
        {"text": "t"},
        17,
        None,
        {**good, "txt": 1},
        {"to": TO, "text": ""},
        {"to": []},
    ]
    items: list[object] = [good]
    for item in bad:
        items += [item, good]
    status, batch = await _post(daemon, {"messages": items}, "/v1/messages/batch")
    assert (status, batch["accepted"]) == (202, len(bad) + 1)
    assert [r["index"] for r in batch["rejected"]] == list(range(1, 2 * len(bad), 2))
    assert all(r["code"] and r["detail"] for r in batch["rejected"])
    assert [m["index"] for m in batch["messages"]] == list(range(0, 2 * len(bad) + 1, 2))
    await daemon.wait_status([m["id"] for m in batch["messages"]], {"delivered"}, DEADLINE_S)


@pytest.mark.parametrize("n", [0, 10_001])
async def test_a_batch_has_one_to_ten_thousand_items(daemon: Daemon, n: int) -> None:
    before = len(await daemon.messages())
    for body in ({"messages": [{"to": TO, "text": "x"}] * n}, {"to": [TO] * n, "text": "x"}):
        status, problem = await _post(daemon, body, "/v1/messages/batch")
        assert (status, problem["errors"][0]["code"]) == (422, "wrong_count"), problem
    assert len(await daemon.messages()) == before


async def test_a_key_must_be_known_good_and_allowed(daemon: Daemon) -> None:
    now = SystemClock().now()
    secrets = {"reader": make_secret(), "revoked": make_secret()}
    async with opened_store(f"sqlite:///{daemon.database}") as store:
        for name, secret in secrets.items():
            key = ApiKey(id=KeyId(make_id()), name=name, scopes=frozenset({Scope.READ}), created_at=now)
            await store.write(lambda tx, key=key, secret=secret: save_key(tx, key, hash_secret(secret)))  # type: ignore[misc]

    async def answer(authorization: str) -> tuple[int, str | None]:
        status, body = await daemon.request(
            "POST", "/v1/messages", json={"to": TO, "text": "x"}, headers={"Authorization": authorization}
        )
        return status, body.get("code")

    for nonsense in ("", "Bearer", "Bearer hy_nonesuch", f"Basic {daemon.secret}", "Bearer " + "x" * 5_000):
        assert await answer(nonsense) == (401, "unauthorized"), nonsense
    assert await answer(f"Bearer {secrets['reader']}") == (403, "forbidden")
    async with opened_store(
        f"sqlite:///{daemon.database}"
    ) as store:  # as `hongyan keys revoke` beside the daemon
        assert await store.write(lambda tx: revoke_key(tx, "revoked", now))
    assert await answer(f"Bearer {secrets['revoked']}") == (401, "unauthorized")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("DELETE", "/v1/messages", 405, "method_not_allowed"),
        ("PATCH", "/v1/channels", 405, "method_not_allowed"),
        ("GET", "/v2/messages", 404, "not_found"),
        ("GET", "/v1/messages/none", 404, "not_found"),
        ("GET", "/v1/messages/%00", 404, "not_found"),
        ("GET", "/v1/messages?limit=0", 422, "invalid_request"),
        ("GET", "/v1/messages?statos=sent", 422, "invalid_request"),
        ("GET", "/v1/messages?cursor=%ff", 422, "invalid_request"),
        ("POST", "/v1/channels/none/pause", 404, "not_found"),
    ],
)
async def test_a_wrong_call_is_a_problem_too(
    daemon: Daemon, method: str, path: str, status: int, code: str
) -> None:
    answered, problem = await daemon.request(method, path)
    assert (answered, problem["code"]) == (status, code)
    assert problem["status"] == status


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/batch"])
@pytest.mark.parametrize("announced", [True, False], ids=["Content-Length", "chunked"])
async def test_fifty_megabytes_are_refused_and_not_kept(daemon: Daemon, path: str, announced: bool) -> None:
    before = _peak_octets(daemon)
    size = 50 * MIB
    length = f"Content-Length: {size}" if announced else "Transfer-Encoding: chunked"
    reader, writer = await asyncio.open_connection("127.0.0.1", daemon.port)
    writer.write(
        f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {daemon.secret}\r\n{length}\r\n\r\n".encode()
    )
    piece = b"x" * 65_536
    frame = piece if announced else b"10000\r\n" + piece + b"\r\n"

    async def upload() -> None:
        try:
            for _ in range(size // len(piece)):
                writer.write(frame)
                await writer.drain()
        except ConnectionError:
            return  # refused before the end: all the better

    uploading = asyncio.create_task(upload())
    async with asyncio.timeout(DEADLINE_S):
        assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
    uploading.cancel()
    await asyncio.gather(uploading, return_exceptions=True)
    writer.close()
    kept = 33 * MIB if "batch" in path and not announced else 2 * MIB  # a batch may have 32 MiB
    assert _peak_octets(daemon) - before < kept + 8 * MIB


def _peak_octets(daemon: Daemon) -> int:
    assert daemon.process is not None
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))


@pytest.mark.parametrize(
    "octets",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
        b"\x00" * 1_000 + b"\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"BREW /v1/messages HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\n" + b"X-Y: z\r\n" * 20_000 + b"\r\n",
        b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nnothex\r\n",
        b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 50\r\n\r\n{}",
    ],
    ids=["TLS", "zeros", "version", "no method", "long line", "many headers", "negative", "bad chunk", "two lengths"],
)  # fmt: skip
async def test_what_is_no_http_ends_its_own_connection_only(daemon: Daemon, octets: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", daemon.port)
    writer.write(octets)
    async with asyncio.timeout(DEADLINE_S):
        try:
            answer = await reader.read()  # to its end: the daemon closes it
        except ConnectionError:
            answer = b""
    writer.close()
    assert not answer or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")), answer[:100]


async def test_slow_clients_hold_up_nobody(daemon: Daemon) -> None:
    head = (
        f"POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {daemon.secret}\r\n"
        "Content-Type: application/json\r\nContent-Length: "
    )
    body = json.dumps({"to": TO, "text": "slowly"}).encode()
    slow = [await asyncio.open_connection("127.0.0.1", daemon.port) for _ in range(50)]
    for i, (_, writer) in enumerate(slow):  # each stops at another place
        writer.write((f"{head}{len(body)}\r\n\r\n".encode() + body)[: 10 + 5 * i])
    status, message = await _post(daemon, {"to": TO, "text": "fast"})
    assert status == 202
    await daemon.wait_status([message["id"]], {"delivered"}, DEADLINE_S)
    reader, writer = slow[-1]
    whole = f"{head}{len(body)}\r\n\r\n".encode() + body
    writer.write(whole[10 + 5 * 49 :])
    async with asyncio.timeout(DEADLINE_S):
        assert (await reader.readline()).startswith(b"HTTP/1.1 202 ")
    for _, writer in slow:
        writer.close()
