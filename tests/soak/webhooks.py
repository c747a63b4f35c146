"""``python -m tests.soak.webhooks``: events through `kill -9` of the daemon and of the receiver; the books balance.

Each event must be heard at least once, under one id, and those of a message in order. A message is told of three times
to each of the receivers.
"""

# ruff: noqa: T201 - a program that reports

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

from tests.support.webhook_world import WebhookWorld, webhook_world

PIECE = 500
"""Messages of one request."""


async def soak(events: int, kills: int, seed: int, patience_s: float) -> bool:
    """Run it and print the books; whether they balance."""
    rng = random.Random(seed)
    names = ("single", "batch", "callback")
    n_pieces = max(1, events // (PIECE * 3 * len(names)))
    with tempfile.TemporaryDirectory(prefix="hongyan-webhooks-", ignore_cleanup_errors=True) as folder:
        async with webhook_world(Path(folder)) as world:
            await world.subscribe("single")
            await world.subscribe("batch", batch=100)
            began = time.monotonic()
            killing = asyncio.create_task(_kill(world, kills, rng))
            for _ in range(n_pieces):
                await _send(world)
                await asyncio.sleep(rng.uniform(0.0, 1.0))
            await killing
            while (missing := world.n_missing(*names)) and time.monotonic() - began < patience_s:
                print(f"{time.monotonic() - began:5.0f} s: {missing:,} events are not heard yet", flush=True)
                await asyncio.sleep(10)
            return _report(world, names, kills, time.monotonic() - began)


async def _send(world: WebhookWorld) -> None:
    """Until they are accepted. A batch whose answer a kill took away is sent anew, as other messages."""
    while True:
        try:
            await world.send(PIECE)
        except (OSError, AssertionError, aiohttp.ClientError):
            await asyncio.sleep(0.5)
        else:
            return


async def _kill(world: WebhookWorld, n: int, rng: random.Random) -> None:
    for _ in range(n):
        await asyncio.sleep(rng.uniform(1.0, 6.0))
        if rng.random() < 0.5:
            await world.kill_receiver()
            await asyncio.sleep(rng.uniform(0.0, 3.0))
            await world.start_receiver()
        else:
            await world.restart_daemon()


def _report(world: WebhookWorld, names: tuple[str, ...], kills: int, took_s: float) -> bool:
    n_events = sum(map(len, world.happened().values())) * len(names)
    wrong = world.wrongs(*names)
    print(
        f"{n_events:,} events of {len(world.accepted):,} messages through {kills} kills in {took_s:.0f} s;",
        end=" ",
    )
    print(f"{world.repeats():,} came more than once; {len(wrong)} wrong")
    for line in wrong[:20]:
        print(f"WRONG {line}")
    return not wrong


def main() -> None:
    """Parse the arguments, run it; exit 1 if the books don't balance."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.webhooks", description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--patience", type=float, default=3_600.0, help="seconds until what is missing is wrong"
    )
    options = parser.parse_args()
    sys.exit(0 if asyncio.run(soak(options.events, options.kills, options.seed, options.patience)) else 1)


if __name__ == "__main__":
    main()
