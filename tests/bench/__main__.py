"""``python -m tests.bench [NAME ...]``: run the benchmarks and print a table.

``python -m tests.bench ground-floor [ROW ...]`` prints the table of `tests.bench.ground_floor`, beside goals.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvloop

from tests.bench import ground_floor
from tests.bench.attackers import ATTACKERS
from tests.bench.attacks import attacks
from tests.bench.audit import audit
from tests.bench.consents import consents
from tests.bench.console import console
from tests.bench.esme import esme
from tests.bench.figures import Figure, describe_machine, show
from tests.bench.hours import hours
from tests.bench.http_attacks import http_attacks
from tests.bench.kannel import peer_kannel
from tests.bench.modem_events import modem_hung, modem_idle
from tests.bench.modems import modem_memory, modems
from tests.bench.outage import outage
from tests.bench.policy import policy
from tests.bench.routing import routing
from tests.bench.smpp import memory, smpp_batch, smpp_single
from tests.bench.smpp_window import smpp_window
from tests.bench.webhooks import webhooks

Bench = Callable[[Path, argparse.Namespace], Awaitable[list[Figure]]]

BENCHES: dict[str, Bench] = {
    "smpp-single": lambda folder, options: smpp_single(folder, options.messages),
    "smpp-batch": lambda folder, options: smpp_batch(folder, options.messages),
    "esme": lambda folder, options: esme(folder, options.messages),
    "peer-kannel": lambda folder, options: peer_kannel(folder, options.messages),
    "modems": lambda folder, options: modems(folder, options.modems, options.each),
    "modems-8": lambda folder, options: modems(folder, 8, options.each),
    "modems-uneven": lambda folder, options: modems(folder, 8, options.each, spread_s=0.5),
    "modem-idle": lambda folder, options: modem_idle(folder),
    "modem-hung": lambda folder, options: modem_hung(folder),
    "modem-memory": lambda folder, options: modem_memory(folder),
    "codec": lambda folder, options: _codec(),
    "smpp-codec": lambda folder, options: _smpp_codec(),
    "consents": consents,
    "console": lambda folder, options: console(folder, options.finished),
    "routing": lambda folder, options: routing(),
    "hours": lambda folder, options: hours(folder),
    "policy": lambda folder, options: policy(folder),
    "webhooks": lambda folder, options: webhooks(folder),
    "audit": lambda folder, options: audit(folder),
    "smpp-window": lambda folder, options: smpp_window(folder),
    "memory": lambda folder, options: memory(folder, options.queued),
    "outage": lambda folder, options: outage(folder, options.load, options.down, options.ramp),
    "http-attacks": lambda folder, options: http_attacks(folder),
    "attacks": lambda folder, options: attacks(folder, options.seconds, options.attack),
}


# These compare with packages of requirements-bench.lock, which the others do without.


async def _codec() -> list[Figure]:
    from tests.bench.codec import codec

    return await codec()


async def _smpp_codec() -> list[Figure]:
    from tests.bench.smpp_codec import smpp_codec

    return await smpp_codec()


def main() -> None:
    """Parse, run, clean up."""
    if sys.argv[1:2] == ["ground-floor"]:
        ground_floor.main(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description="The base line; asserts nothing."
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"of {', '.join(BENCHES)}; all without; or ground-floor",
    )
    parser.add_argument("--folder", type=Path, default=Path("var/bench"), help="on the disk to be measured")
    parser.add_argument("--consents", type=int, default=1_000_000, help="in the store, for consents")
    parser.add_argument("--finished", type=int, default=100_000, help="messages in the store, for console")
    parser.add_argument(
        "--messages", type=int, default=10_000, help="for smpp-single, smpp-batch, peer-kannel"
    )
    parser.add_argument("--modems", type=int, default=32, help="for modems")
    parser.add_argument("--each", type=int, default=20, help="for modems: messages a modem")
    parser.add_argument("--seconds", type=float, default=10.0, help="for attacks: how long each goes on")
    parser.add_argument("--attack", action="append", choices=ATTACKERS, help="for attacks: only this one")
    parser.add_argument("--queued", type=int, default=100_000, help="for memory")
    parser.add_argument("--load", type=int, default=500, help="for outage: messages that come each second")
    parser.add_argument("--down", type=float, default=60.0, help="for outage: seconds that the SMSC is down")
    parser.add_argument("--ramp", type=float, default=30.0, help="for outage: seconds that the rate grows")
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in BENCHES]:
        parser.error(f"{unknown[0]} is not one of {', '.join(BENCHES)}")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(options))


async def _run(options: argparse.Namespace) -> None:
    figures: list[Figure] = []
    with _scratch(options.folder.absolute()) as folder:
        print(describe_machine(folder), flush=True)
        for name in options.names or BENCHES:
            place = folder / name
            place.mkdir()
            measured = await BENCHES[name](place, options)
            show(measured)
            figures += measured
            shutil.rmtree(place)
    show(_compare(figures))


@contextmanager
def _scratch(parent: Path) -> Iterator[Path]:
    """A folder that goes away afterwards, and its parent with it if that was not there before."""
    made = not parent.exists()
    parent.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=parent) as folder:
            yield Path(folder)
    finally:
        if made:
            parent.rmdir()


def _compare(figures: list[Figure]) -> list[Figure]:
    """Ours over theirs, where both were measured."""
    by_bench: dict[str, dict[str, float]] = {}
    for figure in figures:
        if figure.value is not None:
            by_bench.setdefault(figure.bench, {}).setdefault(figure.unit, figure.value)
    ours, theirs = by_bench.get("smpp-single"), by_bench.get("peer-kannel")
    if not ours or not theirs:
        return []
    return [
        Figure("ratio", "throughput, hongyan / Kannel", ours["msg/s"] / theirs["msg/s"]),
        Figure("ratio", "CPU a message, hongyan / Kannel", ours["ms/msg"] / theirs["ms/msg"]),
    ]


if __name__ == "__main__":
    main()
