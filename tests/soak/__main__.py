"""Eight modems and an SMSC under all faults at random, traffic both ways; the books must balance at the end."""

# ruff: noqa: T201 - a program that reports

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.support.rainy_world import RainyWorld
from tests.support.weather import MODEM_WEATHER, SMSC_WEATHER

SETTLE_S = 900.0
"""Above the longest quarantine; it ends as soon as nothing moves any more."""


async def soak(minutes: float, seed: int, *, out_per_s: float, in_per_s: float) -> bool:
    """Run it and print the books; whether they balance."""
    with tempfile.TemporaryDirectory(prefix="hongyan-soak-", ignore_cleanup_errors=True) as folder:
        async with RainyWorld(Path(folder), seed) as world:
            for fields in MODEM_WEATHER:
                world.inject(target="sim-*", **fields)
            for fields in SMSC_WEATHER:
                world.inject(target="smsc", **fields)
            print(
                f"soak: {minutes:g} minutes, seed {seed}, {len(MODEM_WEATHER) + len(SMSC_WEATHER)} faults",
                flush=True,
            )
            await world.traffic(minutes * 60, out_per_s=out_per_s, in_per_s=in_per_s)
            began = time.monotonic()
            await world.settle(SETTLE_S)
            print(f"settled after {time.monotonic() - began:.0f} s of good weather")
            _, channels = await world.daemon.get("/v1/channels")
            down = [channel["name"] for channel in channels["items"] if channel["state"] != "up"]
            code = await world.daemon.stop()
            return _report(world, down, code)


def _report(world: RainyWorld, down: list[str], code: int) -> bool:
    books = world.ledger
    struck: Counter[str] = Counter()
    for kinds in world.desk.struck().values():
        struck.update(kinds)
    print(f"strikes: {struck.total()}: " + ", ".join(f"{kind} {n}" for kind, n in struck.most_common()))
    print(f"out: accepted {len(books.accepted)} = {dict(books.statuses())}")
    print(f"in: sent {len(books.sent_in)}, stored {books.stored.total()}")
    wrong = [f"{name} is not up" for name in down] + books.discrepancies()
    if code:
        wrong.append(f"the daemon ended with {code}")
    for line in wrong[:50]:
        print(f"WRONG {line}")
    if wrong:
        Path("soak-daemon.log").write_text(
            (world.daemon.folder / "daemon.log").read_text(encoding="utf-8", errors="replace"),
            encoding="utf-8",
        )
        print("the daemon's log is in soak-daemon.log")
    print("the books balance" if not wrong else f"{len(wrong)} discrepancies")
    return not wrong


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=float, default=15.0, help="messages out, per second")
    parser.add_argument("--in", type=float, default=5.0, dest="in_", help="messages in, per second")
    args = parser.parse_args()
    return 0 if asyncio.run(soak(args.minutes, args.seed, out_per_s=args.out, in_per_s=args.in_)) else 1


if __name__ == "__main__":
    sys.exit(main())
