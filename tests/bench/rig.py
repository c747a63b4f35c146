"""What the figures of `tests.bench.ground_floor` stand on: a lean SMSC, the daemon on either store, and the posts."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

from tests.bench.daemons import running
from tests.bench.load import make_message, make_post
from tests.bench.processes import started
from tests.support.daemon import Daemon, free_port, smpp_toml

WINDOW: Final = 100
LATENCY_S: Final = 0.005
RECEIPT_S: Final = 0.2
LONG: Final = "This text is made of three parts, whatever else it says. " * 7


class Smsc(NamedTuple):
    """An SMSC that only answers.

    Args:
        times: a file that holds when each submit_sm came.
    """

    pid: int
    port: int
    times: Path

    def submitted_at(self) -> list[float]:
        """When each submit_sm came, by the machine's monotonic clock."""
        return [float(line) for line in self.times.read_text().split("\n")[:-1]]


@asynccontextmanager
async def lean_smsc(
    folder: Path, *, latency_s: float = LATENCY_S, timed: bool = False
) -> AsyncIterator[Smsc]:
    """See `tests.bench.echo_smsc`; receipts come a moment later."""
    times = folder / "submits"
    command: list[object] = [sys.executable, "-m", "tests.bench.echo_smsc"]
    command += ["--latency-s", latency_s, "--receipt-s", RECEIPT_S]
    if timed:
        command += ["--times", times]
    async with started(command, folder / "smsc.log") as process:
        assert process.stdout is not None
        yield Smsc(process.pid, int(await process.stdout.readline()), times)


@asynccontextmanager
async def gateway(
    folder: Path, store_url: str | None, smsc_port: int | None
) -> AsyncIterator[tuple[Daemon, int]]:
    """The daemon, ready, and its pid.

    Args:
        store_url: None for a file in the folder.
        smsc_port: None for an SMSC that is down.
    """
    channel = smpp_toml("smsc", smsc_port or free_port(), window=str(WINDOW))
    n_up = None if smsc_port else 0
    kept = folder / "secret"
    secret = kept.read_text() if kept.exists() else ""
    async with running(folder, channel, n_up=n_up, store_url=store_url, secret=secret) as (daemon, pid):
        kept.write_text(daemon.secret)
        yield daemon, pid


def single_posts(secret: str, n: int, *, first: int = 0, **more: str) -> Iterator[bytes]:
    """One message a request."""
    for i in range(first, first + n):
        yield make_post("/v1/messages", secret, make_message(i) | more)


def batch_posts(secret: str, n: int, each: int, *, first: int = 0, **more: str) -> Iterator[bytes]:
    """``each`` messages a request."""
    for start in range(first, first + n, each):
        messages = [make_message(i) | more for i in range(start, min(start + each, first + n))]
        yield make_post("/v1/messages/batch", secret, {"messages": messages})


async def settle() -> None:
    """What has just been started or filled has its peace before it is measured."""
    await asyncio.sleep(0.5)
