"""The table "Figures" of the ground floor: ``python -m tests.bench ground-floor [ROW ...] [--store postgres]``.

Each row is measured some times over, on a daemon of its own each time, and where it says so beside Debian's Kannel
in the same run. CPU is that of the daemon's own processes alone (of both of Kannel's programs), throughput that of
all on this machine: on two cores they share them with the load and the SMSC, which cost as little as they can.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final, NamedTuple

import uvloop

from tests.bench.beside import beside_batch, beside_drain, idle
from tests.bench.daemons import wait_logged
from tests.bench.figures import describe_machine
from tests.bench.kannel import DLRS_EACH, is_installed, kannel, sendsms_requests, wait_receipts
from tests.bench.options import Options, parse_options
from tests.bench.poster import poster
from tests.bench.processes import Meter
from tests.bench.rig import batch_posts, gateway, lean_smsc, settle, single_posts
from tests.bench.rows import Row, show_rows
from tests.bench.stored import lists, memory, room, stored

BATCH: Final = 1_000


class _Run(NamedTuple):
    """What messages cost until their last receipt.

    Args:
        cpu_ms: of a message.
        rate: messages a second.
    """

    cpu_ms: float
    rate: float


async def single(options: Options, n_connections: int) -> list[Row]:
    """Single POSTs to the last receipt, ours and Kannel's by turns."""
    ours, theirs = [], []
    with_kannel = is_installed()
    for _ in options.rounds:
        ours.append(await _run_ours(options, n_connections, single_posts))
        if with_kannel:
            theirs.append(await _run_kannel(options, n_connections))
    name = f"single POSTs, {n_connections} connections"
    goals = {16: (0.4, 2.0), 128: (None, 2.5)}.get(n_connections, (None, None))
    rows = [
        Row(f"{name}: CPU a message", "", None, [run.cpu_ms for run in ours], "ms"),
        Row(f"{name}: messages to the receipt", "", None, [run.rate for run in ours], "/s"),
    ]
    if theirs:
        rows += [
            Row(f"{name}: CPU of Kannel's", "", None, [run.cpu_ms for run in theirs], "ms"),
            Row(f"{name}: Kannel's to the receipt", "", None, [run.rate for run in theirs], "/s"),
            Row(
                f"{name}: CPU / Kannel's",
                "0.58-1.05" if n_connections == 16 else "-",
                goals[0],
                [one.cpu_ms / other.cpu_ms for one, other in zip(ours, theirs, strict=True)],
            ),
            Row(
                f"{name}: throughput / Kannel's",
                "0.58-0.93" if n_connections == 16 else "-",
                goals[1],
                [one.rate / other.rate for one, other in zip(ours, theirs, strict=True)],
                at_least=True,
            ),
        ]
    return rows


async def batch(options: Options) -> list[Row]:
    """Batches of 1,000 to the last receipt."""

    def posts(secret: str, n: int) -> Iterator[bytes]:
        return batch_posts(secret, n, BATCH)

    runs = [await _run_ours(options, 2, posts, n=2 * options.messages) for _ in options.rounds]
    return [
        Row(
            f"batches of {BATCH:,}: CPU a message",
            "0.27-0.41",
            0.11,
            [run.cpu_ms for run in runs],
            "ms",
        ),
        Row(
            f"batches of {BATCH:,}: messages to the last receipt",
            "2,700-3,300",
            9_000,
            [run.rate for run in runs],
            "/s",
            at_least=True,
        ),
    ]


async def _run_ours(
    options: Options,
    n_connections: int,
    posts: Callable[[str, int], Iterator[bytes]],
    n: int | None = None,
) -> _Run:
    n = n or options.messages
    async with (
        options.place() as (folder, url),
        lean_smsc(folder) as smsc,
        gateway(folder, url, smsc.port) as (daemon, pid),
        poster(folder, daemon.port, posts(daemon.secret, n), n_connections) as load,
    ):
        await settle()
        meter, began = Meter(pid), time.perf_counter()
        _, ended = await asyncio.gather(load.post(), wait_logged(daemon.delivery, "message.delivered", n))
        return _Run(meter.used_s * 1e3 / n, n / (ended - began))


async def _run_kannel(options: Options, n_connections: int) -> _Run:
    n = options.messages
    async with (
        options.place() as (folder, _),
        lean_smsc(folder) as smsc,
        kannel(folder, smsc.port) as (ports, pids),
        poster(folder, ports.sendsms, sendsms_requests(n), n_connections) as load,
    ):
        await settle()
        meter, began = Meter(*pids), time.perf_counter()
        _, ended = await asyncio.gather(load.post(), wait_receipts(ports, n * DLRS_EACH))
        return _Run(meter.used_s * 1e3 / n, n / (ended - began))


async def accept(options: Options) -> list[Row]:
    """Accepting alone: the SMSC is down."""
    singles, batches = [], []
    for _ in options.rounds:
        async with options.place() as (folder, url), gateway(folder, url, None) as (daemon, _):
            n = options.messages
            async with poster(folder, daemon.port, single_posts(daemon.secret, n), 16) as load:
                await settle()
                singles.append(n / (await load.post()).seconds)
            n *= 4
            posts = batch_posts(daemon.secret, n, BATCH)
            async with poster(folder, daemon.port, posts, 2) as load:
                await settle()
                batches.append(n / (await load.post()).seconds)
    return [
        Row("accept alone, single", "2,000-4,000", 10_000, singles, "/s", at_least=True),
        Row(f"accept alone, batches of {BATCH:,}", "12,000-24,000", 80_000, batches, "/s", at_least=True),
    ]


ROWS: Final[dict[str, Callable[[Options], Awaitable[list[Row]]]]] = {
    "single-16": lambda options: single(options, 16),
    "single-128": lambda options: single(options, 128),
    "batch": batch,
    "accept": accept,
    "idle": idle,
    "stored": stored,
    "memory": memory,
    "room": room,
    "lists": lists,
    "beside-drain": beside_drain,
    "beside-batch": beside_batch,
}


async def measure(options: Options) -> list[Row]:
    """The rows that are asked for; all of them where none is named."""
    print(describe_machine(options.folder), flush=True)
    print(f"store: {options.store}, {options.n_rounds} rounds", flush=True)
    found = []
    for name in options.names or ROWS:
        began = time.perf_counter()
        rows = await ROWS[name](options)
        print(f"\n{name} ({time.perf_counter() - began:.0f} s)", flush=True)
        show_rows(rows)
        found += rows
    return found


def main(arguments: Sequence[str]) -> None:
    """Parse, run, print."""
    options = parse_options(ROWS, arguments)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, options.scratch():
        rows = runner.run(measure(options))
    print()
    show_rows(rows)
