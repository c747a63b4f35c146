"""A load generator that costs next to nothing: ready-made HTTP/1.1 requests over kept-alive connections.

Each connection sends its next request as soon as the last one is answered.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from typing import cast

import msgspec

TEXT = "Your code is {n}. It is valid for 5 minutes. Do not give it to anybody."
FIRST_NUMBER = 13_700_000_000

_LENGTH = b"content-length:"


def make_message(n: int) -> dict[str, str]:
    """The n-th message: a recipient and a text of its own."""
    return {"to": f"+86{FIRST_NUMBER + n}", "text": TEXT.format(n=100_000 + n)}


def make_post(path: str, secret: str, value: object) -> bytes:
    """One POST of JSON with a key."""
    body = msgspec.json.encode(value)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {secret}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class LoadFailed(Exception):
    """The server did not answer 202; the text is the beginning of what it said."""


class _Connection(asyncio.Protocol):
    def __init__(self, requests: Iterator[bytes]) -> None:
        self._requests = requests
        self._received = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, blank, body = self._received.partition(b"\r\n\r\n")
        if not blank:
            return
        lowered = head.lower()
        place = lowered.index(_LENGTH) + len(_LENGTH)
        if len(body) < int(lowered[place:].partition(b"\r\n")[0]):
            return
        if not head.startswith(b"HTTP/1.1 202"):
            self._finish(LoadFailed(self._received[:500].decode("utf-8", "replace")))
            return
        self._received = b""
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish(LoadFailed("the server closed the connection"))

    def _send(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._finish(None)
        else:
            self._transport.write(request)

    def _finish(self, error: Exception | None) -> None:
        if self.done.done():
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)
        self._transport.close()


async def send_all(port: int, requests: Iterable[bytes], n_connections: int) -> float:
    """Send them all; the seconds until the last one was answered.

    Raises:
        LoadFailed: one was not accepted.
    """
    loop = asyncio.get_running_loop()
    waiting = iter(requests)
    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(n_connections):
            _, connection = await loop.create_connection(lambda: _Connection(waiting), "127.0.0.1", port)
            group.create_task(_wait(connection.done))
    return time.perf_counter() - started


async def _wait(done: asyncio.Future[None]) -> None:
    await done
