"""The connection over a transport that only remembers: what happens between two turns of the event loop."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from drivers.base import InboundPart
from drivers.smpp.client.deliveries import Deliveries
from drivers.smpp.connection import SmppConnection, Unanswered
from drivers.smpp.incidents import Incidents
from drivers.smpp.session.machine import RequestReceived, SessionTimers
from drivers.smpp.wire.codec import encode_pdu
from drivers.smpp.wire.pdus import BindTransceiver, BindTransceiverResp, DeliverSm, EnquireLink, SubmitSm
from tests.support.recording_sink import RecordingSink

pytestmark = pytest.mark.unit


class MemoryTransport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.reading = True
        self.closing = False

    def write(self, data: Any) -> None:
        self.writes.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


def hear(connection: SmppConnection, octets: bytes) -> None:
    """As the event loop does: no more at once than there is room for, while it is read."""
    while octets:
        room = memoryview(connection.get_buffer(65_536))
        n = min(len(room), len(octets))
        room[:n] = octets[:n]
        connection.buffer_updated(n)
        octets = octets[n:]


async def bound_connection(sink: RecordingSink) -> tuple[SmppConnection, MemoryTransport]:
    incidents, transport = Incidents("a"), MemoryTransport()
    deliveries = Deliveries(sink, incidents)

    def on_request(connection: SmppConnection, request: RequestReceived) -> None:
        assert isinstance(request.body, DeliverSm)
        deliveries.start(connection, request, request.body)

    connection = SmppConnection(
        capacity=100,
        response_timeout_s=60,
        timers=SessionTimers(),
        on_request=on_request,
        incidents=incidents,
    )
    connection.connection_made(transport)
    bind = asyncio.ensure_future(connection.ask(BindTransceiver(), 60))
    await asyncio.sleep(0)
    hear(connection, encode_pdu(BindTransceiverResp(), 1))
    await bind
    transport.writes.clear()
    return connection, transport


async def test_requests_of_one_turn_go_out_in_few_writes():
    connection, transport = await bound_connection(RecordingSink())
    tasks = []
    for _ in range(2):
        tasks += [asyncio.ensure_future(connection.exchange(SubmitSm())) for _ in range(50)]
        for _ in range(3):
            await asyncio.sleep(0)
    one = len(encode_pdu(SubmitSm(), 1))
    assert [len(octets) // one for octets in transport.writes] == 2 * [2, 4, 8, 16, 16, 4]
    connection.connection_lost(None)
    assert {type(answer) for answer in await asyncio.gather(*tasks)} == {Unanswered}


async def test_only_what_was_handed_to_the_socket_counts_as_written():
    connection, _ = await bound_connection(RecordingSink())
    written = asyncio.ensure_future(connection.exchange(SubmitSm()))
    for _ in range(3):
        await asyncio.sleep(0)
    queued = asyncio.ensure_future(connection.exchange(SubmitSm()))
    # In one turn of the loop: the request is queued, the link is lost, the write would have come after that.
    asyncio.get_running_loop().call_soon(connection.connection_lost, None)
    answers = await asyncio.gather(written, queued)
    assert [answer.written for answer in answers if isinstance(answer, Unanswered)] == [True, False]


async def test_what_can_no_longer_be_acknowledged_is_not_stored():
    sink = RecordingSink()
    connection, _ = await bound_connection(sink)
    hear(connection, encode_pdu(DeliverSm(source_addr="10086"), 1))
    connection.connection_lost(None)
    for _ in range(5):
        await asyncio.sleep(0)
    assert not sink.of(InboundPart)


async def test_a_peer_that_does_not_read_is_not_read_either():
    connection, transport = await bound_connection(RecordingSink())
    connection.pause_writing()
    assert not transport.reading
    connection.hold_reading()
    connection.resume_writing()
    assert not transport.reading
    connection.resume_reading()
    await asyncio.sleep(0)
    assert transport.reading
    hear(connection, encode_pdu(EnquireLink(), 5))
    assert len(transport.writes) == 1
    connection.connection_lost(None)
