"""The event stream over a real socket: live, resumed, filtered, and ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import msgspec
import pytest
from aiohttp import ClientResponse

from gateway.api.auth import REMEMBERED_S
from gateway.api.calls.events import STREAMS
from gateway.model.message import Scope
from gateway.store.keys import revoke_key
from tests.support.api import ApiRig, open_api

pytestmark = pytest.mark.integration
DEADLINE_S = 60.0


class Frame(NamedTuple):
    """One event as a browser would see it."""

    id: int
    type: str
    data: dict[str, Any]


class Stream:
    """Reads frames; comments are counted."""

    def __init__(self, response: ClientResponse) -> None:
        self.response = response
        self.n_comments = 0

    async def block(self) -> list[str] | None:
        """The lines up to the next empty one; None at the end of the stream."""
        lines: list[str] = []
        async with asyncio.timeout(DEADLINE_S):
            while line := (await self.response.content.readline()).decode():
                if line == "\n":
                    return lines
                lines.append(line.rstrip("\n"))
        return None

    async def frame(self) -> Frame:
        """The next event."""
        while (lines := await self.block()) is not None:
            fields = dict(line.split(": ", 1) for line in lines if not line.startswith(":"))
            if "data" in fields:
                return Frame(int(fields["id"]), fields["event"], msgspec.json.decode(fields["data"]))
            self.n_comments += 1
        raise AssertionError("the stream ended")

    async def ended(self) -> bool:
        """Reads to the end."""
        while await self.block() is not None:
            pass
        return True


@asynccontextmanager
async def listen(rig: ApiRig, query: str = "", *, secret: str = "", **headers: str) -> AsyncIterator[Stream]:
    """An open stream that has begun."""
    headers = {"Authorization": f"Bearer {secret or rig.secret}"} | headers
    async with rig.client.get(f"/v1/events{query}", headers=headers) as response:
        assert response.status == 200, await response.text()
        assert response.content_type == "text/event-stream"
        stream = Stream(response)
        assert await stream.block()
        yield stream


async def test_events_come_as_they_are_committed(rig):
    await rig.send(text="before")
    async with listen(rig) as stream:
        message = await rig.send(text="after", reference="r-1")
        frame = await stream.frame()
        await rig.call("POST", f"/v1/messages/{message['id']}/cancel")
        following = await stream.frame()
    assert frame.type == frame.data["type"] == "message.queued"
    assert frame.data["data"]["id"] == message["id"]
    assert frame.data["data"]["reference"] == "r-1"
    assert frame.data["timestamp"] == message["created_at"]
    assert following.type == "message.canceled"
    assert following.id > frame.id


async def test_reader_that_comes_back_misses_nothing(rig):
    async with listen(rig) as stream:
        await rig.send()
        seen = await stream.frame()
    missed = [(await rig.send())["id"] for _ in range(3)]
    for resumed in (
        listen(rig, **{"Last-Event-ID": str(seen.id)}),
        listen(rig, f"?last_event_id={seen.id}"),
    ):
        async with resumed as stream:
            assert [(await stream.frame()).data["data"]["id"] for _ in missed] == missed


async def test_whole_timeline_is_there_from_zero(rig):
    ids = [(await rig.send())["id"] for _ in range(3)]
    async with listen(rig, "?last_event_id=0") as stream:
        assert [(await stream.frame()).data["data"]["id"] for _ in ids] == ids


async def test_long_backlog_comes_in_order(rig, monkeypatch):
    monkeypatch.setattr("gateway.api.calls.events._PAGE", 7)
    numbers = [f"+86138001{n:05d}" for n in range(100)]
    _, batch = await rig.call("POST", "/v1/messages/batch", json={"to": numbers, "text": "x"})
    assert batch["accepted"] == 100
    async with listen(rig, "?last_event_id=0") as stream:
        assert [(await stream.frame()).data["data"]["to"] for _ in numbers] == numbers


async def test_reader_ahead_of_a_store_that_was_put_back_hears_what_is_new(rig):
    async with listen(rig, **{"Last-Event-ID": "999999"}) as stream:
        message = await rig.send()
        assert (await stream.frame()).data["data"]["id"] == message["id"]


async def test_filters(rig):
    async with listen(rig, "?tag=wanted&type=message.queued,message.canceled") as stream:
        await rig.send(tags=["other"])
        wanted = await rig.send(tags=["wanted", "other"])
        assert (await stream.frame()).data["data"]["id"] == wanted["id"]


@pytest.mark.parametrize("query", ["?tpye=x", "?status=lost", "?last_event_id=abc", "?to=nobody", "?to="])
async def test_wrong_filter_is_refused_before_the_stream(rig, query):
    status, problem = await rig.call("GET", f"/v1/events{query}")
    assert (status, problem["code"]) == (422, "invalid_request")


async def test_wrong_last_event_id_is_refused(rig):
    status, problem = await rig.call("GET", "/v1/events", headers={"Last-Event-ID": "x"})
    assert (status, problem["errors"][0]["pointer"]) == (422, "Last-Event-ID")


async def test_idle_stream_shows_that_it_lives(tmp_path):
    async with open_api(tmp_path, heartbeat_s=0.01) as rig, listen(rig) as stream:
        for _ in range(3):
            assert await stream.block() == [": still here"]
        message = await rig.send()
        assert (await stream.frame()).data["data"]["id"] == message["id"]


async def test_revoked_key_ends_its_streams(tmp_path):
    async with open_api(tmp_path, heartbeat_s=0.01) as rig:
        secret = await rig.make_key(Scope.READ, name="doomed")
        async with listen(rig, secret=secret) as stream:
            await rig.store.write(lambda tx: revoke_key(tx, "doomed", rig.clock.now()))
            rig.clock.pushed_s += REMEMBERED_S
            assert await stream.ended()


async def test_stream_ends_when_the_daemon_stops(rig):
    async with listen(rig) as stream, asyncio.timeout(DEADLINE_S / 2):  # aiohttp would wait for handlers 10 s
        await rig.client.server.runner.cleanup()
        assert await stream.ended()


async def test_stream_ends_when_the_store_closes(rig):
    async with listen(rig) as stream:
        await rig.store.close()
        assert await stream.ended()


async def test_too_many_streams_are_refused(rig, monkeypatch):
    monkeypatch.setattr("gateway.api.calls.events.MAX_STREAMS", 1)
    async with listen(rig):
        status, problem = await rig.call("GET", "/v1/events")
        assert (status, problem["code"]) == (503, "too_many_streams")


async def test_readers_that_left_are_forgotten(tmp_path):
    async with open_api(tmp_path, heartbeat_s=0.01) as rig:
        streams = rig.client.app[STREAMS]
        async with listen(rig), listen(rig):
            assert streams.n_open == 2
        async with asyncio.timeout(DEADLINE_S):
            while streams.n_open:  # noqa: ASYNC110 - the server has no reason to tell tests
                await asyncio.sleep(0)


@pytest.mark.parametrize("left", [False, True])
async def test_who_wants_nothing_of_what_happens_is_kept_and_forgotten_alike(tmp_path, left):
    async with open_api(tmp_path, heartbeat_s=0.2) as rig:
        streams = rig.client.app[STREAMS]

        async def traffic() -> None:
            while True:  # never as long as a heartbeat without an event
                await rig.send()

        async with listen(rig, "?to=%2B8613900139000") as stream:
            busy = asyncio.create_task(traffic())
            try:
                if left:
                    stream.response.close()
                    async with asyncio.timeout(DEADLINE_S):
                        while streams.n_open:  # noqa: ASYNC110 - the server has no reason to tell tests
                            await asyncio.sleep(0.01)
                else:
                    assert await stream.block() == [": still here"]
            finally:
                busy.cancel()
                await asyncio.gather(busy, return_exceptions=True)
