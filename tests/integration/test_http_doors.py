"""Hostile clients of the HTTP door: what they hold is bounded, and an honest client beside them is served."""

from __future__ import annotations

import asyncio
import gc
import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from io import BytesIO
from os import urandom
from pathlib import Path

import msgspec
import pytest
from aiohttp import web

from gateway.api.calls.system import PAGE
from gateway.http.bodies import BODIES, FREE_OCTETS, Bodies
from gateway.http.body import check_size, spoil_halves
from gateway.http.connections import GUARD, Guard, Limits
from gateway.http.inflate import MOST_RATIO
from gateway.model.message import Scope
from gateway.store.keys import make_secret
from tests.support.api import ApiRig, open_api
from tests.support.daemon import until

pytestmark = pytest.mark.integration

MESSAGE = b'{"to":"+8613800138000","text":"hello"}'
FEW = Limits(most=30, most_of_address=20, head_s=1.0, body_s=1.0)


@asynccontextmanager
async def wire(rig: ApiRig) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(rig.client.host, rig.client.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


def head(secret: str, length: int, extra: str = "", path: str = "/v1/messages") -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {secret}\r\n{extra}Content-Length: {length}\r\n\r\n"
    ).encode()


def guard_of(rig: ApiRig) -> Guard:
    assert rig.client.app is not None
    return rig.client.app[GUARD]


def bodies_of(rig: ApiRig) -> Bodies:
    assert rig.client.app is not None
    return rig.client.app[BODIES]


async def answer_to(rig: ApiRig, octets: bytes) -> tuple[int, dict[str, str]]:
    """Status and headers of what is said to a request, all of which is sent at once."""
    async with wire(rig) as (reader, writer), asyncio.timeout(60):
        writer.write(octets)
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:] if line)
    return int(lines[0].split()[1]), headers


# --- connections


@pytest.mark.parametrize("beginning", [b"", b"POST /v1/mess", b"GET /livez HTTP/1.1\r\nHost: x\r\nX-A: "])
async def test_connections_that_only_wait_give_way_to_who_comes(tmp_path: Path, beginning: bytes):
    patient = FEW._replace(head_s=600.0)
    async with open_api(tmp_path, limits=patient) as rig, AsyncExitStack() as stack:
        for _ in range(60):
            _, writer = await stack.enter_async_context(wire(rig))
            writer.write(beginning)
        for _ in range(3):
            assert (await answer_to(rig, head(rig.secret, len(MESSAGE)) + MESSAGE))[0] == 202
        assert guard_of(rig).n_open <= patient.most_of_address


async def test_who_brought_a_good_key_goes_last(tmp_path: Path):
    async with open_api(tmp_path, limits=FEW._replace(head_s=600.0)) as rig, AsyncExitStack() as stack:
        reader, writer = await stack.enter_async_context(wire(rig))
        for _ in range(2):
            writer.write(head(rig.secret, len(MESSAGE)) + MESSAGE)
            assert b" 202 " in await reader.readline()
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            await reader.readexactly(
                int(dict(line.split(": ", 1) for line in lines if line)["Content-Length"])
            )
            for _ in range(40):
                await stack.enter_async_context(wire(rig))
            await until(lambda: guard_of(rig).n_open == FEW.most_of_address)


async def test_a_head_that_does_not_end_is_given_up(tmp_path: Path):
    async with open_api(tmp_path, limits=FEW) as rig:
        async with wire(rig) as (reader, writer), asyncio.timeout(60):
            writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\nX-A: ")
            assert await reader.read() == b""
        async with wire(rig) as (reader, _), asyncio.timeout(60):
            assert await reader.read() == b""
        await until(lambda: guard_of(rig).n_open == 0)


async def test_an_idle_connection_is_kept_and_a_half_head_on_it_is_not(tmp_path: Path):
    async with open_api(tmp_path, limits=FEW) as rig, wire(rig) as (reader, writer), asyncio.timeout(60):
        writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 200 " in await reader.readline()
        async with wire(rig) as (other, _):
            assert await other.read() == b"", "by now a head has had its time"
        writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b'{"status":"ok"}')
        assert b" 200 " in await reader.readline()
        await reader.readuntil(b'{"status":"ok"}')
        writer.write(b"GET /li")
        assert await reader.read() == b""


async def test_what_is_being_answered_is_never_closed_for_others(tmp_path: Path):
    limits = FEW._replace(most_of_address=3, head_s=600.0)
    async with open_api(tmp_path, limits=limits) as rig, AsyncExitStack() as stack:
        streams = []
        for _ in range(3):
            reader, writer = await stack.enter_async_context(wire(rig))
            request = f"GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {rig.secret}\r\n\r\n"
            writer.write(request.encode())
            assert b" 200 " in await reader.readline()
            streams.append(reader)
        assert (await answer_to(rig, b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"))[0] == 503
        assert not any(reader.at_eof() for reader in streams)


async def test_one_key_does_not_take_all_event_streams(tmp_path: Path):
    async with open_api(tmp_path, limits=Limits(streams_of_key=2)) as rig, AsyncExitStack() as stack:
        other = await rig.make_key(Scope.READ)
        path = "/v1/events"
        for _ in range(2):
            request = rig.client.get(path, headers={"Authorization": f"Bearer {rig.secret}"})
            assert (await stack.enter_async_context(request)).status == 200
        status, problem = await rig.call("GET", path)
        assert (status, problem["code"]) == (503, "too_many_streams")
        async with rig.client.get(path, headers={"Authorization": f"Bearer {other}"}) as stream:
            assert stream.status == 200


# --- bodies


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/batch", "/cgi-bin/sendsms"])
async def test_a_body_that_does_not_come_is_given_up(tmp_path: Path, path: str):
    async with open_api(tmp_path, limits=FEW) as rig:
        status, headers = await answer_to(rig, head(rig.secret, 1_000, path=path) + b"{")
        assert (status, headers["Connection"]) == (408, "close")


async def test_a_body_that_comes_slowly_but_comes_is_taken(tmp_path: Path):
    octets = MESSAGE.ljust(200_000)
    async with open_api(tmp_path, limits=FEW._replace(body_s=20.0)) as rig, wire(rig) as (reader, writer):
        writer.write(head(rig.secret, len(octets)))
        for at in range(0, len(octets), 20_000):
            writer.write(octets[at : at + 20_000])
            await writer.drain()
            await rig.send()
        assert b" 202 " in await reader.readline()


async def test_half_sent_bodies_have_a_bounded_memory_and_others_find_room(tmp_path: Path):
    async with open_api(tmp_path) as rig, AsyncExitStack() as stack:
        bodies = bodies_of(rig)
        bodies._most_octets = 1 << 20
        greedy, modest = await rig.make_key(Scope.SEND), await rig.make_key(Scope.SEND)
        path = "/v1/messages/batch"
        for _ in range(8):
            _, writer = await stack.enter_async_context(wire(rig))
            writer.write(head(greedy, 1 << 20, path=path) + b" " * 500_000)
        await until(lambda: bodies.n_octets > 500_000)
        batch = msgspec.json.encode({"to": ["10086"], "text": "x"}).ljust(2 * FREE_OCTETS)
        assert (await answer_to(rig, head(modest, len(batch), path=path) + batch))[0] == 202
        assert bodies.n_octets <= bodies._most_octets
        status, headers = await answer_to(rig, head(greedy, 32 << 20, path=path) + b" " * (2 << 20))
        assert (status, headers["Retry-After"]) == (503, "1")
        assert (await answer_to(rig, head(greedy, len(MESSAGE)) + MESSAGE))[0] == 202


async def test_the_memory_of_a_body_is_free_when_it_was_answered(tmp_path: Path):
    async with open_api(tmp_path) as rig:
        for _ in range(3):
            body = MESSAGE.ljust(1 << 20)
            assert (await answer_to(rig, head(rig.secret, len(body)) + body))[0] == 202
        await until(lambda: bodies_of(rig).n_octets == 0)


# --- answers


LONG = 4 << 20
"""More than the system keeps for a connection, so that the rest of an answer stays with us."""


@asynccontextmanager
async def long_answers(rig: ApiRig) -> AsyncIterator[None]:
    """``GET /docs`` is long."""
    assert rig.client.app is not None
    page, rig.client.app._frozen = rig.client.app[PAGE], False
    rig.client.app[PAGE] = page.ljust(3 * LONG)
    yield


async def test_answers_that_nobody_reads_have_a_bounded_memory(tmp_path: Path):
    async with open_api(tmp_path) as rig, long_answers(rig), AsyncExitStack() as stack:
        bodies = bodies_of(rig)
        bodies._most_octets = 8 * LONG
        for _ in range(6):
            reader, writer = await stack.enter_async_context(wire(rig))
            writer.write(b"GET /docs HTTP/1.1\r\nHost: x\r\n\r\n")
            reader._transport.pause_reading()  # type: ignore[attr-defined]
            await until(lambda: bodies.n_octets > 0)
        await until(lambda: guard_of(rig).n_open < 6)  # whoever came before gave way
        assert bodies.n_octets <= bodies._most_octets
        batch = msgspec.json.encode({"to": ["10086"], "text": "x"}).ljust(2 * FREE_OCTETS)
        assert (await answer_to(rig, head(rig.secret, len(batch), path="/v1/messages/batch") + batch))[
            0
        ] == 202


async def test_a_long_answer_is_read_whole_and_not_kept(tmp_path: Path):
    """A client keeps its connection; until its next request the answer was kept with it."""
    async with open_api(tmp_path) as rig, long_answers(rig), wire(rig) as (reader, writer):
        for _ in range(2):
            writer.write(b"GET /docs HTTP/1.1\r\nHost: x\r\n\r\n")
            lines = await reader.readuntil(b"\r\n\r\n")
            assert lines.startswith(b"HTTP/1.1 200 ")
            assert f"Content-Length: {3 * LONG}".encode() in lines
            await reader.readexactly(3 * LONG)
        await until(lambda: bodies_of(rig).n_octets == 0)
        assert rig.client.app is not None
        rig.client.app[PAGE] = b""
        assert not [one for one in gc.get_objects() if isinstance(one, web.Response) and long(one)]


def long(response: web.Response) -> bool:
    return isinstance(response.body, bytes) and len(response.body) > LONG


# --- bodies of very many values


@pytest.mark.parametrize(
    "body",
    [
        b'{"messages":[' + b"0," * 700_000 + b"0]}",
        b'{"text":"x","to":[' + b'"",' * 700_000 + b'""]}',
        b"{" + b",".join(b'"%x":0' % n for n in range(700_000)) + b',"to":[]}',
    ],
    ids=["items", "recipients", "fields"],
)
async def test_values_without_end_take_no_memory(rig: ApiRig, body: bytes):
    """The decoder makes all values of a list before it counts them: two octets come to more than sixty."""
    octets = head(rig.secret, len(body), path="/v1/messages/batch") + body
    tracemalloc.start()
    try:
        assert (await answer_to(rig, octets))[0] == 422
        assert tracemalloc.get_traced_memory()[1] < 25 << 20
    finally:
        tracemalloc.stop()


async def test_commas_in_texts_are_no_values():
    text = rb'{"text":"a,,, \",\" or \\","to":"+8613900139000"}'
    await check_size(b"[" + b",".join([text] * 1_000) + b"]", 2_000)
    await check_size(b'["' + b"," * 900_000 + b'"]', 2_000)


# --- content codings


def deflate_raw(octets: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(octets) + packer.flush()


@pytest.mark.parametrize(
    ("coding", "pack"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("GZIP", lambda octets: gzip.compress(octets[:9]) + gzip.compress(octets[9:])),
        ("deflate", zlib.compress),
        ("deflate", deflate_raw),
        ("identity", bytes),
    ],
)
async def test_packed_bodies_are_taken(rig: ApiRig, coding: str, pack: object):
    assert callable(pack)
    for body in (MESSAGE, MESSAGE.ljust(300_000, b" ")[:-1] + b"\n"):
        packed = pack(body)
        octets = head(rig.secret, len(packed), f"Content-Encoding: {coding}\r\n") + packed
        assert (await answer_to(rig, octets))[0] == 202


@pytest.mark.parametrize(
    ("coding", "body", "status"),
    [
        pytest.param("br", b"x", 415, id="another coding"),
        pytest.param("gzip, gzip", gzip.compress(gzip.compress(MESSAGE)), 415, id="two codings"),
        pytest.param("gzip", b"no gzip", 400, id="not packed"),
        pytest.param("gzip", gzip.compress(MESSAGE)[:-9], 400, id="cut short"),
        pytest.param("gzip", gzip.compress(b"") * 40, 400, id="many members"),
        pytest.param("deflate", zlib.compress(MESSAGE) + b"more", 400, id="more behind it"),
        pytest.param("gzip", gzip.compress(bytes(2 << 20)), 400, id="a bomb"),
        pytest.param("gzip", gzip.compress(urandom(1 << 20).hex().encode()), 413, id="too large"),
        pytest.param("gzip", gzip.compress(gzip.compress(bytes(40 << 20))), 400, id="a bomb in a bomb"),
    ],
)
async def test_packed_bodies_that_are_wrong(rig: ApiRig, coding: str, body: bytes, status: int):
    octets = head(rig.secret, len(body), f"Content-Encoding: {coding}\r\n") + body
    answered, headers = await answer_to(rig, octets)
    assert answered == status
    assert ("Accept-Encoding" in headers) == (status == 415)


async def test_a_bomb_is_not_unpacked_beyond_what_a_body_may_have(
    rig: ApiRig, monkeypatch: pytest.MonkeyPatch
):
    n_kept = 0
    grow = "gateway.http.bodies.Held.grow"

    def note(held: object, n_octets: int) -> None:
        nonlocal n_kept
        n_kept += n_octets

    monkeypatch.setattr(grow, note)
    bomb = gzip.compress(bytes(300 << 20))
    octets = head(rig.secret, len(bomb), "Content-Encoding: gzip\r\n", "/v1/messages/batch") + bomb
    assert (await answer_to(rig, octets))[0] in {400, 413}
    assert n_kept <= (32 << 20) + (1 << 20)
    assert n_kept <= MOST_RATIO * len(bomb) + (1 << 20)


async def test_nothing_is_unpacked_for_a_stranger(rig: ApiRig, monkeypatch: pytest.MonkeyPatch):
    def never(*_: object) -> object:
        raise AssertionError("unpacked for a stranger")

    monkeypatch.setattr("zlib.decompressobj", never)
    bomb = gzip.compress(bytes(1 << 20))
    for path in ("/v1/messages", "/v1/messages/batch", "/livez"):
        octets = head(make_secret(), len(bomb), "Content-Encoding: gzip\r\n", path) + bomb
        assert (await answer_to(rig, octets))[0] in {401, 405}
    octets = head(rig.secret, len(bomb), "Content-Encoding: gzip\r\n", "/cgi-bin/sendsms") + bomb
    assert (await answer_to(rig, octets))[0] == 415


async def test_a_body_of_escapes_that_is_cut_off_is_not_searched_one_by_one(
    rig: ApiRig, monkeypatch: pytest.MonkeyPatch
):
    class Never:
        def finditer(self, octets: bytes) -> list[object]:
            raise AssertionError("each of ten million was looked at, and everybody waits")

    monkeypatch.setattr("gateway.http.body._ESCAPE", Never())
    for path, n in (("/v1/messages", 400_000), ("/v1/messages/batch", 10_000_000)):
        status, problem = await rig.call("POST", path, data=BytesIO(b'{"text":"' + rb"\n" * n))
        assert (status, problem["code"]) == (400, "malformed_json")


async def test_others_have_their_turn_while_halves_of_characters_are_looked_for():
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    octets = rb"\n" * 400_000 + rb"\ud83d"
    spoilt = await spoil_halves(octets)
    counting.cancel()
    assert len(spoilt) == len(octets)
    assert spoilt.endswith(b"\xed\xa0\x80")
    assert turns > 3


async def test_answers_name_no_versions_and_stay_out_of_frames(rig: ApiRig):
    paths = ("/livez", "/docs", "/openapi.json", "/v1/channels", "/nothing", "/metrics", "/cgi-bin/sendsms")
    for octets in (
        *(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for path in paths),
        b"no http\r\n\r\n",
    ):
        _, headers = await answer_to(rig, octets)
        assert headers["Server"] == "hongyan", octets
        assert headers["X-Content-Type-Options"] == "nosniff", octets
        if octets != b"no http\r\n\r\n":
            assert "frame-ancestors 'none'" in headers["Content-Security-Policy"], octets
