"""Receivers of calls that do what they should not, over raw sockets: wrong octets, endless ones, none at all."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Receiver:
    """A receiver.

    Attributes:
        bodies: what it was told, in order.
        n_connections: how often somebody came.
    """

    url: str = ""
    bodies: list[bytes] = field(default_factory=list)
    n_connections: int = 0


@asynccontextmanager
async def receiver(answer: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """One that answers each request by ``answer``, and then closes."""
    it = Receiver()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        it.n_connections += 1
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError), closing(writer):
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length")
            )
            it.bodies.append(await reader.readexactly(length))
            await answer(writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    scheme = "https" if tls else "http"
    it.url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    try:
        yield it
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def says(octets: bytes) -> Answer:
    """Answers with these octets, and closes."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(octets)
        await writer.drain()

    return answer


def never_ends(head: bytes, chunk: bytes = b"x" * 65_536, pause_s: float = 0.0) -> Answer:
    """Answers with a head, and then with the same again and again."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(chunk)
            await writer.drain()
            await asyncio.sleep(pause_s)

    return answer


async def hangs(_writer: asyncio.StreamWriter) -> None:
    """Says nothing."""
    await asyncio.sleep(3_600)
