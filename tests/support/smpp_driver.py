"""The SMPP driver on an SMSC that the test drives by hand: its config, its segments, its run."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from drivers.base import Encoding, OutboundSegment, SegmentId
from drivers.smpp.client.config import SmppConfig
from drivers.smpp.client.driver import SmppDriver
from tests.support.recording_sink import RecordingSink
from tests.support.smsc_peer import SmscPeer

R = TypeVar("R")

RECEIPT = b"id:m2 sub:001 dlvrd:001 submit date:2401011200 done date:2401011201 stat:DELIVRD err:000 text:"


def segment(number: int = 0, **changes) -> OutboundSegment:
    """A plain segment to a handset of that number."""
    values: dict[str, Any] = {
        "segment_id": SegmentId(f"s{number}"),
        "recipient": f"+86138{number:08}",
        "encoding": Encoding.GSM7,
        "payload": b"hello",
    }
    return OutboundSegment(**(values | changes))


def config(peer: SmscPeer, **changes) -> SmppConfig:
    """A config that binds to the peer, with short pauses."""
    values: dict[str, Any] = {
        "name": "carrier-a",
        "host": "127.0.0.1",
        "port": peer.port,
        "system_id": "hongyan",
        "password": "secret",
        "source_address": "10690000",
        "backoff_s": (0.01, 0.05),
        "stop_grace_s": 0.5,
    }
    return SmppConfig(**(values | changes))


class Running:
    """A driver at work, what it told, and whom it talks to."""

    def __init__(
        self, driver: SmppDriver, sink: RecordingSink, peer: SmscPeer, task: asyncio.Task[None]
    ) -> None:
        self.driver, self.sink, self.peer, self.task = driver, sink, peer, task

    def submit(self, *args, **kwargs):
        return asyncio.ensure_future(self.driver.submit(segment(*args, **kwargs)))

    def pass_time(self, seconds: float) -> None:
        """As if whoever waits for an answer had waited so much longer."""
        connection = self.driver._connection
        assert connection is not None
        assert connection._ticker is not None
        connection._window.postpone(-seconds)
        if connection._deaf_since is not None:
            connection._deaf_since -= seconds
        connection._ticker.cancel()
        connection._tick()

    async def time_out(self, answered: asyncio.Future[R]) -> R:
        """What becomes of a submit that the peer has, and does not answer in time."""
        await self.peer.wait_for(lambda: self.peer.link.submits)
        self.pass_time(self.driver._config.response_timeout_s)
        return await answered

    async def stop(self) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task


@asynccontextmanager
async def running(peer: SmscPeer, **changes):
    """A driver that binds to the peer, as long as the block runs."""
    driver, sink = SmppDriver(config(peer, **changes)), RecordingSink()
    run = Running(driver, sink, peer, asyncio.ensure_future(driver.run(sink)))
    try:
        yield run
    finally:
        await run.stop()


@asynccontextmanager
async def bound(**changes):
    """A driver that is bound to a peer of its own."""
    async with SmscPeer() as peer, running(peer, **changes) as run:
        await run.sink.wait_until_up()
        yield run
