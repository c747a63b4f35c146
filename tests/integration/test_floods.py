"""Peers that send as fast as they can, on the daemon's own kind of loop: what its turns are spent on, and the log."""

from __future__ import annotations

import asyncio
import os
import ssl
import tty
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import uvloop

from drivers import inflow
from drivers.at.port import AtPort
from drivers.inflow import BITE, BITES_A_TURN
from drivers.smpp.client.config import SmppConfig
from drivers.smpp.client.driver import SmppDriver
from drivers.smpp.incidents import Incidents
from drivers.smpp.server.guests import MOST_UNBOUND_FROM_ONE
from drivers.smpp.server.listener import SmppServer, SmppServerConfig
from drivers.smpp.session.machine import MOST_BEFORE_BIND
from drivers.smpp.wire.codec import encode_pdu
from drivers.smpp.wire.pdus import (
    BindTransceiver,
    BindTransceiverResp,
    DeliverSm,
    EnquireLink,
    EnquireLinkResp,
    SubmitSm,
    SubmitSmResp,
)
from tests.integration.test_smpp_hostile_peers import Host
from tests.support.certificates import make_certificates
from tests.support.esme import connected_esme
from tests.support.recording_sink import RecordingSink
from tests.support.running import running_driver

pytestmark = pytest.mark.integration

DEADLINE_S = 30.0
HEADER = 16
MOST_A_TURN = int(BITE * (BITES_A_TURN + 1)) // HEADER
"""PDUs; the last bite of a turn may begin when hardly any of it is left."""
MOST_LINES = 60
UNKNOWN = bytes.fromhex("00000010 00000999 00000000 00000007")
N_UNKNOWN = 40_000


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is refused again and again is read on all the same: the turns alone bound it."""
    monkeypatch.setattr(inflow, "NUISANCES", 10**9)


def on_uvloop(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run on the daemon's loop: it hands over far more at once than asyncio's own."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(test(), DEADLINE_S))


class Turns:
    """Watches how far a counter goes between two turns of the loop."""

    def __init__(self, counter: Callable[[], int]) -> None:
        self._counter = counter
        self.longest = 0

    async def watch_until(self, n: int) -> None:
        while (before := self._counter()) < n:
            await asyncio.sleep(0)
            self.longest = max(self.longest, self._counter() - before)


@asynccontextmanager
async def serving(tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[SmppServer, Incidents]]:
    server = SmppServer(SmppServerConfig(host="127.0.0.1", port=0, tls=tls), Host())
    await server.start()
    try:
        yield server, server._incidents
    finally:
        await server.stop()


@asynccontextmanager
async def bound_peer(
    port: int, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    writer.write(encode_pdu(BindTransceiver(system_id="flood"), 1))
    await reader.readuntil(b"hongyan\0\x02\x10\0\x01\x34")
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def drain(reader: asyncio.StreamReader) -> None:
    while await reader.read(1 << 20):
        pass


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize("secure", [False, True])
def test_a_bound_flood_gets_a_bounded_share_of_each_turn_and_of_the_log(secure, tmp_path, caplog):
    async def flood() -> None:
        theirs, ours = _tls(tmp_path) if secure else (None, None)
        async with serving(theirs) as (server, incidents), bound_peer(server.port, ours) as (reader, writer):
            draining = asyncio.create_task(drain(reader))
            writer.write(UNKNOWN * N_UNKNOWN)
            turns = Turns(lambda: incidents.rejected_pdus)
            await turns.watch_until(N_UNKNOWN)
            assert turns.longest <= MOST_A_TURN
            draining.cancel()

    on_uvloop(flood)
    assert len(caplog.records) < MOST_LINES


def _tls(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    made = make_certificates(folder)
    ours = ssl.create_default_context(cafile=made.ca)
    ours.check_hostname = False
    return made.server_context(), ours


@pytest.mark.usefixtures("no_pauses")
def test_an_application_is_answered_beside_a_flood():
    async def flood() -> None:
        async with serving() as (server, incidents), bound_peer(server.port) as (reader, writer):
            draining = asyncio.create_task(drain(reader))
            writer.write(UNKNOWN * N_UNKNOWN)
            async with connected_esme(server.port) as honest:
                await honest.bind()
                assert isinstance((await honest.ask(EnquireLink())).body, EnquireLinkResp)
                assert incidents.rejected_pdus < N_UNKNOWN  # it did not have to wait for the flood's end
            draining.cancel()

    on_uvloop(flood)


@pytest.mark.parametrize("octets", [UNKNOWN, encode_pdu(EnquireLink(), 3), encode_pdu(SubmitSmResp(), 5)])
def test_who_is_not_bound_may_say_little(octets, caplog):
    async def flood() -> None:
        async with serving() as (server, incidents):
            for _ in range(50):
                reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.write(octets * 1_000)
                with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                    await reader.readexactly(1 << 20)
                writer.close()
            assert incidents.rejected_pdus + incidents.unknown_responses <= 50 * MOST_BEFORE_BIND
            assert server.n_connections == 0

    on_uvloop(flood)
    assert len(caplog.records) < MOST_LINES


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize(
    "octets", [UNKNOWN, encode_pdu(SubmitSmResp(), 77), encode_pdu(DeliverSm(esm_class=4), 7)]
)
def test_an_smsc_that_floods_gets_a_bounded_share_of_each_turn_and_of_the_log(octets, caplog):
    n = 20_000

    async def flood() -> None:
        ended = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1_000)
            # In one piece with the answer to the bind: it is not lost, and does not come before it.
            writer.write(encode_pdu(BindTransceiverResp(system_id="flood"), 1) + octets * n)
            await drain(reader)
            writer.transport.abort()
            ended.set()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as smsc:
            port = smsc.sockets[0].getsockname()[1]
            config = SmppConfig(
                name="evil", host="127.0.0.1", port=port, system_id="a", password="b", stop_grace_s=0.1
            )
            driver = SmppDriver(config)
            async with running_driver(driver, RecordingSink()):
                counted = driver.incidents
                turns = Turns(
                    lambda: counted.rejected_pdus + counted.unknown_responses + counted.nameless_receipts
                )
                await turns.watch_until(n)
                assert turns.longest <= 3 * BITE // len(octets)
            await ended.wait()

    on_uvloop(flood)
    assert len(caplog.records) < MOST_LINES


def test_a_stick_that_talks_without_end_gets_a_bounded_share_of_each_turn_and_of_the_log(caplog):
    async def flood() -> None:
        ours, theirs = os.openpty()
        tty.setraw(theirs)
        os.set_blocking(ours, False)
        heard = 0

        def on_stray(_: str) -> None:
            nonlocal heard
            heard += 1

        port = AtPort("evil", lambda _: None, on_stray=on_stray)
        await port.open(os.ttyname(theirs), 115_200)
        running = asyncio.create_task(port.run())
        turns = Turns(lambda: heard)
        watching = asyncio.create_task(turns.watch_until(20_000))
        while not watching.done():
            with suppress(BlockingIOError):
                os.write(ours, b"x\r\n" * 300)
            await asyncio.sleep(0)
        assert turns.longest <= 3 * 512 // 3
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        os.close(ours)
        os.close(theirs)

    on_uvloop(flood)
    assert len(caplog.records) < MOST_LINES


def test_who_sends_what_can_only_be_refused_is_heard_less_and_less_to_the_harm_of_nobody(monkeypatch):
    monkeypatch.setattr(inflow, "NUISANCE_PAUSE_S", 3_600.0)

    async def flood() -> None:
        async with serving() as (server, incidents), bound_peer(server.port) as (_, writer):
            writer.write(UNKNOWN * N_UNKNOWN)
            async with connected_esme(server.port) as honest:
                await honest.bind()
                for _ in range(50):
                    await honest.ask(EnquireLink())
            assert incidents.rejected_pdus == inflow.NUISANCES

    on_uvloop(flood)


# ---- one segment of TCP


def test_what_an_application_sends_in_one_piece_with_its_bind_is_taken_behind_it():
    async def hasty() -> None:
        taken: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        host = Host()
        host.take = lambda bind, request: taken.set_result((bind.system_id, request.body))  # type: ignore[method-assign]
        server = SmppServer(SmppServerConfig(host="127.0.0.1", port=0), host)
        await server.start()
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        bind = encode_pdu(BindTransceiver(system_id="hasty"), 1)
        writer.write(bind + encode_pdu(SubmitSm(service_type="A"), 2))
        assert await taken == ("hasty", SubmitSm(service_type="A"))
        writer.close()
        await server.stop()

    on_uvloop(hasty)


# ---- connections


def test_connections_that_say_nothing_keep_nobody_out(caplog):
    async def sit() -> None:
        async with serving() as (server, _), connected_esme(server.port) as before:
            await before.bind()
            idle = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(300)]
            async with connected_esme(server.port) as honest:
                assert (await honest.bind()).command_status == 0
                assert server.n_connections <= 2 + MOST_UNBOUND_FROM_ONE
            assert isinstance((await before.ask(EnquireLink())).body, EnquireLinkResp)
            for _, writer in idle:
                writer.close()

    on_uvloop(sit)
    assert len(caplog.records) < MOST_LINES
