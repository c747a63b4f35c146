"""Attacks on the HTTP door, each with an honest client beside it: how long its POSTs take, what the daemon holds."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from tests.bench.figures import Figure, percentiles
from tests.bench.load import make_message, make_post
from tests.bench.processes import memory_mib
from tests.support.daemon import Daemon

WINDOW_S = 12.0
"""How long each attack lasts."""
PATIENCE_S = 30.0
"""An honest POST without an answer for so long counts as that long."""
_CHANNEL = '[[smpp]]\nname = "down"\nhost = "127.0.0.1"\nport = 1\nsystem_id = "x"\npassword = "x"\n'
"""Messages wait: what is measured is the way in."""
_BATCH = "/v1/messages/batch"
_NUMBERS = [f"+86{13_700_000_000 + n}" for n in range(10_000)]

Attack = Callable[[int, str], Coroutine[Any, Any, None]]


async def _send(port: int, octets: bytes) -> bytes:
    """One request on a connection of its own; the answer's first line."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(octets)
        await writer.drain()
        return await reader.readline()
    finally:
        writer.transport.abort()


async def _again(job: Callable[[], Awaitable[object]], pause_s: float) -> None:
    """Do it for ever, whatever the daemon says to it."""
    while True:
        with contextlib.suppress(OSError):
            await job()
        await asyncio.sleep(pause_s)


async def _many(n: int, job: Callable[[], Awaitable[object]], pause_s: float = 0.01) -> None:
    asyncio.get_running_loop().call_later(0.5, partial(print, "at work", flush=True))
    await asyncio.gather(*(_again(job, pause_s) for _ in range(n)))


async def _hold(port: int, octets: bytes) -> None:
    """Send the beginning of a request, and wait for what comes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(octets)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(60):
                await writer.drain()
                await reader.read()
    finally:
        writer.transport.abort()


def _head(secret: str, length: int, extra: str = "", path: str = _BATCH) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {secret}\r\n{extra}Content-Length: {length}\r\n\r\n"
    ).encode()


async def _quiet(_port: int, _secret: str) -> None:
    print("at work", flush=True)
    await asyncio.Event().wait()


async def _batches(port: int, secret: str, *, text: str) -> None:
    request = make_post(_BATCH, secret, {"to": _NUMBERS, "text": text})
    await _many(4, partial(_send, port, request))


async def _bombs(port: int, secret: str, *, known: bool) -> None:
    body = gzip.compress(bytes(256 << 20), 9)
    secret = secret if known else "hy_unknown"
    await _many(8, partial(_send, port, _head(secret, len(body), "Content-Encoding: gzip\r\n") + body))


async def _heads(port: int, _secret: str) -> None:
    await _many(1_000, partial(_hold, port, b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nX-A: "), 1.0)


async def _bodies(port: int, secret: str) -> None:
    body = msgspec.json.encode({"to": _NUMBERS, "text": "x"}).ljust(31 << 20)
    await _many(30, partial(_hold, port, _head(secret, 32 << 20) + body))


async def _escapes(port: int, secret: str) -> None:
    body = b'{"to":["1"],"text":"' + rb"\n" * (10 << 20)
    await _many(2, partial(_send, port, _head(secret, len(body)) + body))


async def _names(port: int, secret: str) -> None:
    body = b'{"' + b" - at `$" * 100_000 + b'":1}'
    await _many(2, partial(_send, port, _head(secret, len(body), path="/v1/messages") + body))


ATTACKS: dict[str, Attack] = {
    "nobody else": _quiet,
    "4 batches of 10,000 x 39,000 characters": partial(_batches, text="x" * 39_000),
    "4 batches of 10,000 x 1,500 characters": partial(_batches, text="x" * 1_500),
    "4 batches of 10,000 x 1 segment": partial(_batches, text="hello"),
    "8 gzip bombs without a key": partial(_bombs, known=False),
    "8 gzip bombs with a key": partial(_bombs, known=True),
    "1,000 half heads": _heads,
    "30 half-sent batch bodies": _bodies,
    "2 bodies of 20 MiB of escapes, cut off": _escapes,
    "2 fields of 0.8 MB that look like a path": _names,
}


async def http_attacks(folder: Path, only: str = "") -> list[Figure]:
    """Each attack on a daemon of its own."""
    figures: list[Figure] = []
    for number, name in enumerate(ATTACKS):
        if only and only not in name:
            continue
        place = folder / str(number)
        place.mkdir()
        figures += await _measure(place, name)
    return figures


async def _measure(folder: Path, name: str) -> list[Figure]:
    daemon = Daemon(folder, _CHANNEL)
    try:
        await daemon.start(n_up=0)
        assert daemon.process is not None
        # In a process of its own: what it costs to attack is not to be seen in what is measured.
        async with attacking(name, daemon):
            taken, n_refused = await _be_honest(daemon.port, daemon.secret)
        peak_mib = memory_mib(daemon.process.pid, "VmHWM")
        disk_mib = _disk_mib(folder)
    finally:
        await daemon.close()
    median_s, slow_s = percentiles(taken) if len(taken) > 1 else (taken[0], taken[0])
    return [
        Figure("http-attacks", f"{name}: honest POST, p50", median_s * 1e3, "ms"),
        Figure("http-attacks", f"{name}: honest POST, p99", slow_s * 1e3, "ms"),
        Figure("http-attacks", f"{name}: honest POSTs, not taken", n_refused, f"of {len(taken)}"),
        Figure("http-attacks", f"{name}: memory, peak", peak_mib, "MiB"),
        Figure("http-attacks", f"{name}: disk", disk_mib, "MiB"),
    ]


@contextlib.asynccontextmanager
async def attacking(name: str, daemon: Daemon) -> AsyncIterator[asyncio.subprocess.Process]:
    """One of `ATTACKS` on a daemon, in full swing, for the length of the block."""
    attacker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, name, str(daemon.port), daemon.secret, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert attacker.stdout is not None
        assert await attacker.stdout.readline() == b"at work\n"
        yield attacker
    finally:
        if attacker.returncode is None:
            attacker.kill()
        await attacker.wait()


def _disk_mib(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.iterdir()) / (1 << 20)


async def _be_honest(port: int, secret: str) -> tuple[list[float], int]:
    """POST one after the other, each on a connection of its own; how long each took, and how many were not taken."""
    taken: list[float] = []
    n_refused = 0
    ends_at = time.perf_counter() + WINDOW_S
    while (started := time.perf_counter()) < ends_at:
        request = make_post("/v1/messages", secret, make_message(len(taken)))
        answer = b""
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                answer = await _send(port, request)
        taken.append(time.perf_counter() - started)
        n_refused += b" 202 " not in answer
        await asyncio.sleep(0.02)
    return taken, n_refused


if __name__ == "__main__":
    _, wanted, port, secret = sys.argv
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(ATTACKS[wanted](int(port), secret))
