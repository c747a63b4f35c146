"""Peers that talk too slowly, too much or without end, on either side; it costs them their link, and us little."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from drivers.base import ChannelUp
from drivers.smpp.client.config import SmppConfig
from drivers.smpp.client.driver import SmppDriver
from drivers.smpp.server.listener import BindRequest, ServerBind, SmppServer, SmppServerConfig
from drivers.smpp.session.machine import RequestReceived, SessionTimers
from drivers.smpp.wire.codec import encode_pdu
from drivers.smpp.wire.constants import CommandStatus
from drivers.smpp.wire.pdus import (
    BindTransceiver,
    BindTransceiverResp,
    EnquireLink,
    EnquireLinkResp,
    SubmitSm,
)
from tests.support.esme import connected_esme
from tests.support.eventually import eventually
from tests.support.recording_sink import RecordingSink
from tests.support.running import running_driver

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

pytestmark = pytest.mark.integration

DEADLINE_S = 60.0
MIB = 1 << 20
MOST_TAKEN = 64 * MIB
"""Far beyond what the sockets of a loopback connection hold."""
QUESTIONS = b"".join(encode_pdu(EnquireLink(), number) for number in range(1, 4_000))


async def push_until_it_stands_still(writer: asyncio.StreamWriter) -> int:
    """Ask and ask and read no answer, until what we write stays here; how much went before that."""
    pushed = 0
    async with asyncio.timeout(DEADLINE_S):
        while writer.transport.get_write_buffer_size() < MIB:
            assert pushed < MOST_TAKEN, "all is taken in, and its answers pile up"
            writer.write(QUESTIONS)
            pushed += len(QUESTIONS)
            await asyncio.sleep(0.001)
    return pushed


# ---- applications


class Host:
    """Lets everybody in and takes everything."""

    def __init__(self) -> None:
        self.binds: list[ServerBind] = []

    async def admit(self, request: BindRequest) -> CommandStatus:
        return CommandStatus.ROK

    def bound(self, bind: ServerBind) -> None:
        self.binds.append(bind)

    def take(self, bind: ServerBind, request: RequestReceived) -> None:
        raise AssertionError(request)

    async def finish(self, bind: ServerBind) -> None:
        """Nothing is owed."""

    def unbound(self, bind: ServerBind) -> None:
        self.binds.remove(bind)


@asynccontextmanager
async def serving(**timers: float) -> AsyncIterator[tuple[SmppServer, Host]]:
    host = Host()
    config = SmppServerConfig(host="127.0.0.1", port=0, timers=SessionTimers(**timers))
    server = SmppServer(config, host)
    await server.start()
    try:
        yield server, host
    finally:
        await server.stop()


async def dribble(writer: asyncio.StreamWriter) -> None:
    """A bind, one octet at a time and never whole."""
    for octet in encode_pdu(BindTransceiver(system_id="slow"), 1)[:-1]:
        writer.write(bytes([octet]))
        await asyncio.sleep(0.02)


async def keep_asking(writer: asyncio.StreamWriter) -> None:
    """Signs of life, and no bind."""
    for number in range(1, 1_000):
        writer.write(encode_pdu(EnquireLink(), number))
        await asyncio.sleep(0.02)


async def test_who_connects_and_does_not_bind_is_shown_out_however_busy_it_looks():
    async with serving(session_init_s=1.0) as (server, host), connected_esme(server.port) as good:
        await good.bind()
        links = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(30)]
        talk = [dribble, keep_asking]
        slow = [asyncio.create_task(talk[i % 2](writer)) for i, (_, writer) in enumerate(links[:20])]
        async with asyncio.timeout(DEADLINE_S):
            for reader, _ in links:
                while await _still_open(reader):
                    pass
        await eventually(lambda: server.n_connections == 1)
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        for _, writer in links:
            writer.close()
        assert len(host.binds) == 1
        assert isinstance((await good.ask(EnquireLink())).body, EnquireLinkResp)


async def _still_open(reader: asyncio.StreamReader) -> bool:
    try:
        return bool(await reader.read(65_536))
    except ConnectionError:
        return False


async def test_an_application_that_asks_and_never_reads_is_not_read_either():
    async with serving() as (server, _), connected_esme(server.port) as good:
        await good.bind()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(encode_pdu(BindTransceiver(system_id="deaf"), 1))
        await reader.readexactly(16)
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        await push_until_it_stands_still(writer)
        assert isinstance((await good.ask(EnquireLink())).body, EnquireLinkResp)
        writer.transport.abort()
        await eventually(lambda: server.n_connections == 1)


# ---- carriers


@asynccontextmanager
async def carrier(
    speak: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], **settings: Any
) -> AsyncIterator[RecordingSink]:
    """Our driver at an SMSC that grants the bind and then speaks so."""
    sink = RecordingSink()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            bind = await reader.readexactly(4)
            await reader.readexactly(int.from_bytes(bind, "big") - 4)
            writer.write(encode_pdu(BindTransceiverResp(system_id="x"), 1))
            await speak(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the driver left
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    config = SmppConfig(
        name="c", host="127.0.0.1", port=server.sockets[0].getsockname()[1], system_id="hongyan",
        password="secret", stop_grace_s=0.1, backoff_s=(0.01, 0.05), **settings,
    )  # fmt: skip
    try:
        async with running_driver(SmppDriver(config), sink):
            yield sink
    finally:
        server.close()


async def test_a_carrier_that_asks_and_never_reads_is_not_read_either():
    stands = asyncio.Event()

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        await push_until_it_stands_still(writer)
        stands.set()
        writer.transport.abort()

    async with carrier(flood) as sink:
        await asyncio.wait_for(stands.wait(), DEADLINE_S)
        # The link was cut; the driver binds again.
        await sink.wait_for(lambda: len(sink.of(ChannelUp)) > 1)


async def test_a_carrier_whose_pdu_never_ends_is_left_and_bound_again():
    whole = encode_pdu(SubmitSm(short_message=bytes(200)), 1)

    async def dribble_without_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((65_000).to_bytes(4, "big") + whole[4:])
        while not reader.at_eof():
            writer.write(b"\0")
            await reader.read(1)  # our questions, to which it says no more than that

    async with carrier(dribble_without_end, enquire_link_s=0.05, response_timeout_s=0.2) as sink:
        await sink.wait_for(lambda: len(sink.of(ChannelUp)) > 1)
