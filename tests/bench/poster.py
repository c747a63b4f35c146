"""A load generator in a process of its own: ``python -m tests.bench.poster PORT FILE``.

It sends ready-made HTTP/1.1 requests over kept-alive connections, each with its next request as soon as the last one
was answered, with plain sockets and one `select.epoll`, which costs a few microseconds a request. ``FILE`` holds the
requests, each behind its length in four octets. It says ``ready`` on stdout when all connections stand, begins with
the first line on its stdin, and then says what came of it as one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import select
import socket
import struct
import sys
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

from tests.bench.load import LoadFailed
from tests.bench.processes import started

_LENGTH: Final = struct.Struct(">I")
_CONTENT: Final = b"content-length:"
_CHUNK: Final = 1 << 20
_PATIENCE_S: Final = 60.0


class Posted(NamedTuple):
    """What came of it.

    Args:
        seconds: from the first request to the last answer.
        latencies_s: of each request, in the order of the answers.
        began: when each of those was sent, by the machine's monotonic clock.
    """

    seconds: float
    latencies_s: list[float]
    began: list[float]


class Poster:
    """One that is ready."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def post(self) -> Posted:
        """Send all; raises `LoadFailed` when one was not accepted."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"\n")
        line = await process.stdout.readline()
        if not line.startswith(b"{"):
            raise LoadFailed(line.decode("utf-8", "replace"))
        return Posted(**json.loads(line))


@asynccontextmanager
async def poster(
    folder: Path, port: int, requests: Iterable[bytes], n_connections: int, *, every_s: float = 0.0
) -> AsyncIterator[Poster]:
    """A process that is ready to send these.

    Args:
        every_s: pause between the beginnings of two requests of a connection.
    """
    path = folder / "requests"
    with path.open("wb") as file:
        for request in requests:
            file.write(_LENGTH.pack(len(request)) + request)
    command = (
        sys.executable,
        "-m",
        "tests.bench.poster",
        port,
        path,
        "-n",
        n_connections,
        "--every-s",
        every_s,
    )
    async with started(command, folder / "poster.log", stdin=True, most_octets=1 << 28) as process:
        assert process.stdout is not None
        line = await process.stdout.readline()
        if line.strip() != b"ready":
            raise LoadFailed((folder / "poster.log").read_text())
        yield Poster(process)


class _Connection:
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.began = 0.0

    def send(self, request: bytes) -> None:
        self.began = time.monotonic()
        self.socket.sendall(request)

    def has_answer(self) -> bool:
        """Whether with what there is to read the answer is whole; 202 it must be."""
        fresh = self.socket.recv(_CHUNK)
        if not fresh:
            raise LoadFailed("the server closed the connection")
        received = self.received = self.received + fresh
        head, blank, body = received.partition(b"\r\n\r\n")
        if not blank:
            return False
        lowered = head.lower()
        length = int(lowered[lowered.index(_CONTENT) + len(_CONTENT) :].partition(b"\r\n")[0])
        if len(body) < length:
            return False
        if not head.startswith(b"HTTP/1.1 202"):
            raise LoadFailed(received[:500].decode("utf-8", "replace"))
        self.received = b""
        return True


def _read_requests(path: Path) -> Iterator[bytes]:
    octets = path.read_bytes()
    at = 0
    while at < len(octets):
        (length,) = _LENGTH.unpack_from(octets, at)
        at += _LENGTH.size
        yield octets[at : at + length]
        at += length


def _post_all(connections: list[_Connection], requests: list[bytes], every_s: float) -> Posted:
    waiting = iter(requests)
    poll = select.epoll()
    by_number = {connection.socket.fileno(): connection for connection in connections}
    latencies_s: list[float] = []
    began: list[float] = []
    n_busy = 0
    started_at = time.monotonic()
    for connection, request in zip(connections, waiting, strict=False):
        poll.register(connection.socket, select.EPOLLIN)
        connection.send(request)
        n_busy += 1
    while n_busy:
        events = poll.poll(_PATIENCE_S)
        if not events:
            raise LoadFailed("no answer for a minute")
        for number, _ in events:
            connection = by_number[number]
            if not connection.has_answer():
                continue
            now = time.monotonic()
            latencies_s.append(now - connection.began)
            began.append(connection.began)
            if every_s:  # for one connection, or few
                time.sleep(max(0.0, connection.began + every_s - now))
            request = next(waiting, b"")
            if request:
                connection.send(request)
            else:
                n_busy -= 1
    return Posted(time.monotonic() - started_at, latencies_s, began)


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("file", type=Path)
    parser.add_argument("-n", type=int, default=1, help="connections")
    parser.add_argument("--every-s", type=float, default=0.0)
    options = parser.parse_args()
    requests = list(_read_requests(options.file))
    connections = [_Connection(options.port) for _ in range(options.n)]
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        posted = _post_all(connections, requests, options.every_s)
    except (LoadFailed, OSError) as error:
        print(repr(error)[:2_000], flush=True)
    else:
        print(json.dumps(posted._asdict()), flush=True)


if __name__ == "__main__":
    _main()
