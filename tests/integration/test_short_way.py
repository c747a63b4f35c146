"""The short way of a plain POST of a message: it answers as the long way does, and takes nothing that is not plain."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from gateway.api import server
from gateway.api.calls.short_way import MessageDoor
from gateway.api.http.short_way import ShortWay, is_whole, read_head
from gateway.errors import StoreFull
from gateway.model.message import Scope
from gateway.pipeline.intake.accept import Intake
from gateway.store.messages import MessageFilter, list_messages
from tests.support.api import ApiRig, open_api
from tests.support.daemon import until

pytestmark = pytest.mark.integration

GOOD = b'{"to":"+8613800138000","text":"hello"}'
LONG_WAY = "X-Odd_Name: 1\r\n"
"""What sends a request the long way and means nothing."""
DEADLINE_S = 60.0


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many requests went which way."""
    seen: Counter[str] = Counter()
    take, long_way = MessageDoor.take, ShortWay._go_long_way

    def counted(
        self: MessageDoor, connection: ShortWay, authorization: str, body: bytes
    ) -> Awaitable[bytes] | None:
        answer = take(self, connection, authorization, body)
        seen["short"] += answer is not None
        return answer

    def counted_long(self: ShortWay, octets: bytes) -> None:
        seen["long"] += 1
        long_way(self, octets)

    monkeypatch.setattr(MessageDoor, "take", counted)
    monkeypatch.setattr(ShortWay, "_go_long_way", counted_long)
    return seen


class Wire:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def answer(self) -> tuple[str, dict[str, str], Any]:
        """Status line, headers and JSON of the next answer."""
        async with asyncio.timeout(DEADLINE_S):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
            line, *fields = head.rstrip("\r\n").split("\r\n")
            headers = dict(field.split(": ", 1) for field in fields)
            body = await self.reader.readexactly(int(headers.pop("Content-Length")))
        assert headers.pop("Date").endswith(" GMT")
        return line, headers, msgspec.json.decode(body) if body else None

    async def ask(self, octets: bytes) -> tuple[str, dict[str, str], Any]:
        self.writer.write(octets)
        return await self.answer()


@asynccontextmanager
async def wire(rig: ApiRig) -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_connection(rig.client.host, rig.client.port)
    try:
        yield Wire(reader, writer)
    finally:
        writer.transport.abort()


def post(rig: ApiRig, body: bytes = GOOD, extra: str = "", *, secret: str | None = None) -> bytes:
    head = (
        f"POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {secret or rig.secret}\r\n"
        f"Content-Type: application/json\r\n{extra}Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def count_messages(rig: ApiRig) -> int:
    found = await rig.store.read(lambda tx: list_messages(tx, MessageFilter(), limit=1_000, before=None))
    return len(found)


async def warm_up(rig: ApiRig, secret: str | None = None) -> None:
    """The key is remembered from now on."""
    await rig.call("GET", "/v1/channels", secret=secret)


BODIES = {
    "plain": GOOD,
    "with all fields": (
        b'{"to":"13800138000","text":"\xe4\xbd\xa0\xe5\xa5\xbd","category":"otp","sender":"otp","priority":9,'
        b'"valid_for":60,"report":false,"reference":"r","tags":["a"],"schedule_at":"2027-01-01T00:00:00Z"}'
    ),
    "long": b'{"to":"+8613800138000","text":"%b"}' % (b"x" * 500),
    "wrong number": b'{"to":"+86","text":"hello"}',
    "unknown field": b'{"to":"+8613800138000","text":"hello","txt":1}',
    "no JSON": b'{"to":',
    "nothing": b"",
    "half a character": b'{"to":"+8613800138000","text":"\\ud800"}',
    "no UTF-8": b'{"to":"+8613800138000","text":"\xff"}',
}
OWN = {"id", "created_at", "updated_at", "expires_at", "events"}


@pytest.mark.parametrize("name", BODIES)
async def test_both_ways_answer_alike(rig: ApiRig, name: str, taken: Counter[str]):
    await warm_up(rig)
    async with wire(rig) as one, wire(rig) as other:
        short = await one.ask(post(rig, BODIES[name]))
        n_short = taken["short"]
        long = await other.ask(post(rig, BODIES[name], LONG_WAY))
    assert n_short == taken["short"] == (short[0] == "HTTP/1.1 202 Accepted")
    assert short[:2] == long[:2]
    for of_its_own in OWN:
        short[2].pop(of_its_own, None)
        long[2].pop(of_its_own, None)
    assert short[2] == long[2]
    assert await count_messages(rig) == 2 * (short[0] == "HTTP/1.1 202 Accepted")


async def test_a_store_that_is_full_is_told_alike(
    rig: ApiRig, taken: Counter[str], monkeypatch: pytest.MonkeyPatch
):
    async def full(*_: object) -> None:
        raise StoreFull("full")

    monkeypatch.setattr(Intake, "store", full)
    await warm_up(rig)
    async with wire(rig) as one, wire(rig) as other:
        short = await one.ask(post(rig))
        assert taken["short"] == 1
        assert short == await other.ask(post(rig, extra=LONG_WAY))
    assert short[0] == "HTTP/1.1 507 Insufficient Storage"


async def test_a_bug_is_told_alike(rig: ApiRig, taken: Counter[str], monkeypatch: pytest.MonkeyPatch):
    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Intake, "store", broken)
    await warm_up(rig)
    async with wire(rig) as one, wire(rig) as other:
        short = await one.ask(post(rig))
        assert taken["short"] == 1
        long = await other.ask(post(rig, extra=LONG_WAY))
    assert short[2].pop("instance") != long[2].pop("instance")
    assert short == long
    assert short[0] == "HTTP/1.1 500 Internal Server Error"


async def test_only_keys_that_are_remembered_and_may_send_go_the_short_way(rig: ApiRig, taken: Counter[str]):
    reader = await rig.make_key(Scope.READ)
    await warm_up(rig, reader)
    async with wire(rig) as one:
        assert (await one.ask(post(rig, secret=reader)))[0] == "HTTP/1.1 403 Forbidden"
        assert (await one.ask(post(rig, secret="hy_nobody")))[0] == "HTTP/1.1 401 Unauthorized"
        assert (await one.ask(post(rig)))[0] == "HTTP/1.1 202 Accepted"  # not known yet
        assert taken["short"] == 0
        assert (await one.ask(post(rig)))[0] == "HTTP/1.1 202 Accepted"
        assert taken["short"] == 1


@pytest.mark.parametrize("n_octets", [1, 7, 60, 200])
async def test_a_request_may_come_in_pieces(rig: ApiRig, n_octets: int, taken: Counter[str]):
    await warm_up(rig)
    octets = post(rig)
    async with wire(rig) as one:
        for start in range(0, len(octets), n_octets):
            one.writer.write(octets[start : start + n_octets])
            await one.writer.drain()
            await asyncio.sleep(0)
        line, _, message = await one.answer()
    assert line == "HTTP/1.1 202 Accepted"
    assert message["text"] == "hello"
    assert taken["short"] <= 1  # the machine may have been slow between two pieces
    assert await count_messages(rig) == 1


async def test_what_does_not_come_at_once_is_waited_for_the_long_way(rig: ApiRig, taken: Counter[str]):
    await warm_up(rig)
    octets = post(rig)
    async with wire(rig) as one:
        n_long = taken["long"]
        one.writer.write(octets[:-5])
        await until(lambda: taken["long"] > n_long, DEADLINE_S)
        one.writer.write(octets[-5:])
        assert (await one.answer())[0] == "HTTP/1.1 202 Accepted"
    assert taken["short"] == 0
    assert await count_messages(rig) == 1


async def test_requests_sent_ahead_are_answered_in_order(rig: ApiRig, taken: Counter[str]):
    await warm_up(rig)
    async with wire(rig) as one:
        for n in range(20):
            one.writer.write(post(rig, b'{"to":"+8613800138000","text":"%d"}' % n))
            await asyncio.sleep(0)
        texts = [(await one.answer())[2]["text"] for _ in range(20)]
    assert texts == [str(n) for n in range(20)]


async def test_other_calls_on_the_same_connection(rig: ApiRig, taken: Counter[str]):
    await warm_up(rig)
    get = f"GET /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {rig.secret}\r\n\r\n".encode()
    async with wire(rig) as one:
        for n in range(1, 4):
            assert (await one.ask(post(rig)))[0] == "HTTP/1.1 202 Accepted"
            assert taken["short"] == n
            assert len((await one.ask(get))[2]["items"]) == n


async def test_a_body_that_looks_like_a_request_is_none(rig: ApiRig, taken: Counter[str]):
    await warm_up(rig)
    inner = post(rig)
    head = f"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: {len(inner)}\r\n\r\n".encode()
    chunked = (
        f"POST /v1/messages/preview HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {rig.secret}\r\n"
        f"Transfer-Encoding: chunked\r\n\r\n{len(inner):x}\r\n"
    ).encode()
    async with wire(rig) as one, wire(rig) as other:
        one.writer.write(head)
        await one.answer()
        one.writer.write(inner)
        assert (await one.ask(post(rig)))[0] == "HTTP/1.1 202 Accepted"
        other.writer.write(chunked)
        await asyncio.sleep(0.05)
        other.writer.write(inner)
        await asyncio.sleep(0.05)
        assert (await other.ask(b"\r\n0\r\n\r\n"))[0] == "HTTP/1.1 400 Bad Request"
    assert await count_messages(rig) == 1


async def test_who_is_being_answered_is_answered_at_the_stop(
    rig: ApiRig, taken: Counter[str], monkeypatch: pytest.MonkeyPatch
):
    await warm_up(rig)
    gate, store = asyncio.Event(), Intake.store

    async def slow(self: Intake, draft: Any) -> Any:
        await gate.wait()
        return await store(self, draft)

    monkeypatch.setattr(Intake, "store", slow)
    async with wire(rig) as one:
        one.writer.write(post(rig))
        await until(lambda: taken["short"], DEADLINE_S)
        stopping = asyncio.create_task(rig.client.server.close())
        await asyncio.sleep(0.05)
        gate.set()
        assert (await one.answer())[0] == "HTTP/1.1 202 Accepted"
        await asyncio.wait_for(stopping, DEADLINE_S)
    assert await count_messages(rig) == 1


async def test_an_idle_connection_ends_and_one_that_is_being_answered_does_not(
    tmp_path: Any, taken: Counter[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(server, "KEEPALIVE_S", 0.3)
    store, waits_s = Intake.store, [1.0]

    async def slow(self: Intake, draft: Any) -> Any:
        await asyncio.sleep(waits_s[0])  # longer than an idle connection lives
        return await store(self, draft)

    monkeypatch.setattr(Intake, "store", slow)
    async with open_api(tmp_path) as rig:
        await warm_up(rig)
        async with wire(rig) as one:
            assert (await one.ask(post(rig)))[0] == "HTTP/1.1 202 Accepted"
            assert taken["short"] == 1
            assert await asyncio.wait_for(one.reader.read(), DEADLINE_S) == b""


async def test_a_client_that_left_gets_no_answer_and_its_message_is_sent(rig: ApiRig, taken: Counter[str]):
    await warm_up(rig)
    async with wire(rig) as one:
        one.writer.write(post(rig))
        await until(lambda: taken["short"], DEADLINE_S)

    async def is_stored() -> bool:
        return await count_messages(rig) == 1

    await until(is_stored, DEADLINE_S)
    assert (await rig.call("GET", "/v1/messages"))[0] == 200


HEAD = b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\nContent-Length: 5"


def test_plain_heads():
    assert read_head(HEAD) == ("Bearer k", 5)
    assert (
        read_head(HEAD + b"\r\nconnection: Keep-Alive\r\naccept: */*\r\nX-Request-Id: 1\r\nEmpty:")
        is not None
    )


@pytest.mark.parametrize(
    "odd",
    [
        b"Connection: close",
        b"Expect: 100-continue",
        b"Transfer-Encoding: chunked",
        b"transfer-encoding: chunked",
        b"Content-Encoding: gzip",
        b"Idempotency-Key: 1",
        b"Upgrade: h2c",
        b"Content-Length: 5",
        b"Authorization: Bearer other",
        b"Content-Length : 5",
        b" folded",
        b"Bad\0Name: 1",
        b"X: \0",
        b"X: a\nTransfer-Encoding: chunked",
        b"X: a\rY: b",
        b"X: \xff",
        b"no colon",
        b": nameless",
    ],
)
def test_odd_heads(odd: bytes):
    assert read_head(HEAD + b"\r\n" + odd) is None


@pytest.mark.parametrize("length", [b"", b"+5", b"-5", b"5,5", b"0x5", b"5 5", b"\xc2\xb2", b"100000"])
def test_odd_lengths(length: bytes):
    assert read_head(HEAD[:-1] + length) is None


def test_a_head_without_host_or_key():
    assert read_head(HEAD.replace(b"Host: x\r\n", b"")) is None
    assert read_head(HEAD.replace(b"Authorization: Bearer k\r\n", b"")) is None


@pytest.mark.parametrize(
    ("octets", "whole"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nHost: x\r\n", False),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET", False),
        (b"POST / HTTP/1.1\r\ncontent-length:  2 \r\nHost: x\r\n\r\nab", True),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab", True),
        (b"POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab", False),
        (b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\na", False),
        (b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nabc", False),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", False),
    ],
)
def test_whole_requests(octets: bytes, whole: bool):
    assert is_whole(octets) is whole
