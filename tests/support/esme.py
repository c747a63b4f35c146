"""An ESME that does exactly what a test says, PDU by PDU; no session, no timers, no politeness."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from msgspec.structs import astuple

from drivers.smpp.wire.codec import decode_pdu, encode_pdu
from drivers.smpp.wire.pdus import BindTransceiver, Body, DeliverSm, DeliverSmResp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DEADLINE_S = 60.0

B = TypeVar("B", bound=Body)


class Seen(NamedTuple):
    """A PDU from the SMSC; a test knows which body it expects."""

    body: Any
    sequence_number: int
    command_status: int


class RawEsme:
    """One connection to an SMSC."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._sequence_numbers = itertools.count(1)

    def send(self, body: Body, *, sequence_number: int | None = None, command_status: int = 0) -> int:
        """Write one PDU; its sequence number."""
        if sequence_number is None:
            sequence_number = next(self._sequence_numbers)
        self._writer.write(encode_pdu(body, sequence_number, command_status))
        return sequence_number

    def send_octets(self, octets: bytes) -> None:
        """Write anything."""
        self._writer.write(octets)

    async def receive(self) -> Seen:
        """The next PDU; IncompleteReadError when the SMSC has closed."""
        async with asyncio.timeout(DEADLINE_S):
            length = await self._reader.readexactly(4)
            octets = length + await self._reader.readexactly(int.from_bytes(length, "big") - 4)
        return Seen(*astuple(decode_pdu(octets)))

    async def receive_body(self, kind: type[B]) -> B:
        """The body of the next PDU, which must be of this kind and without error."""
        pdu = await self.receive()
        assert isinstance(pdu.body, kind)
        assert pdu.command_status == 0
        return pdu.body

    async def ask(self, body: Body) -> Seen:
        """Send a request and take the next PDU, which must answer it."""
        sequence_number = self.send(body)
        answer = await self.receive()
        assert answer.sequence_number == sequence_number
        return answer

    async def bind(
        self, kind: type[Body] = BindTransceiver, system_id: str = "hongyan", password: str = "secret"
    ) -> Seen:
        """Log in with any of the three bind requests."""
        request = kind(system_id=system_id, password=password)
        return await self.ask(request)

    async def take_delivery(self, command_status: int = 0) -> DeliverSm:
        """Take one deliver_sm and answer it."""
        pdu = await self.receive()
        assert isinstance(pdu.body, DeliverSm)
        self.send(DeliverSmResp(), sequence_number=pdu.sequence_number, command_status=command_status)
        return pdu.body

    async def closed_by_peer(self) -> bool:
        """Whether the SMSC closes now, without another PDU."""
        async with asyncio.timeout(DEADLINE_S):
            try:
                return await self._reader.read(1) == b""
            except ConnectionResetError:
                return True

    def close(self) -> None:
        """Close without unbind."""
        self._writer.close()


@asynccontextmanager
async def connected_esme(port: int) -> AsyncIterator[RawEsme]:
    """A connection to the SMSC on this machine; not bound yet."""
    esme = RawEsme(*await asyncio.open_connection("127.0.0.1", port))
    try:
        yield esme
    finally:
        esme.close()
