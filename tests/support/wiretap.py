"""A TCP proxy that records what passes, octet for octet, for tests that judge the wire itself."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tests.support.pcap import Chunk, Side

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


class Wiretap:
    """What a running proxy has seen.

    Attributes:
        port: where clients connect instead of the server's port.
        conversations: the chunks of each connection, in order of time.
        on_chunk: called with each chunk after it was passed on.
    """

    def __init__(self, target_port: int) -> None:
        self.port = 0
        self.conversations: list[list[Chunk]] = []
        self.on_chunk: Callable[[Chunk], object] = lambda _chunk: None
        self._target_port = target_port

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until both directions are at their end."""
        chunks: list[Chunk] = []
        self.conversations.append(chunks)
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._copy(reader, far_writer, Side.CLIENT, chunks))
            group.create_task(self._copy(far_reader, writer, Side.SERVER, chunks))

    async def _copy(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, side: Side, chunks: list[Chunk]
    ) -> None:
        try:
            while octets := await reader.read(65_536):
                chunk = Chunk(side, octets)
                chunks.append(chunk)
                writer.write(octets)
                self.on_chunk(chunk)
                await writer.drain()
        except ConnectionError:
            pass  # one side went away; closing the other tells it
        finally:
            writer.close()


@asynccontextmanager
async def tapped(target_port: int) -> AsyncIterator[Wiretap]:
    """A proxy in front of ``127.0.0.1:target_port`` that records until the block ends."""
    tap = Wiretap(target_port)
    server = await asyncio.start_server(tap.carry, "127.0.0.1", 0)
    tap.port = server.sockets[0].getsockname()[1]
    try:
        yield tap
    finally:
        server.close()
