"""`kill -9` under load, hundreds of times, and the books at the end: ``python -m tests.soak.kills --kills 500``."""

# ruff: noqa: T201 - a program that reports

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

from tests.support.killing import killing
from tests.support.postgres import Cluster, running_cluster

TELL_EVERY = 25


async def soak(kills: int, seed: int, cluster: Cluster | None) -> bool:
    """Run it and print the books; whether they balance."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hongyan-kills-", ignore_cleanup_errors=True) as folder:
        async with killing(Path(folder), seed, cluster) as run:
            for n in range(1, kills + 1):
                await (run.kill_database() if cluster is not None and n % 2 == 0 else run.kill_daemon())
                if n % TELL_EVERY == 0:
                    print(
                        f"{n} kills, {len(run.books.accepted)} accepted, {time.monotonic() - began:.0f} s",
                        flush=True,
                    )
            wrong = await run.settle()
            print(run.describe())
            for line in wrong[:50]:
                print(f"WRONG {line}")
            if wrong:
                _keep(run.daemon.log())
    print(
        "the books balance"
        if not wrong
        else f"{len(wrong)} discrepancies; the daemon's log is in soak-daemon.log"
    )
    return not wrong


def _keep(log: str) -> None:
    Path("soak-daemon.log").write_text(log, encoding="utf-8")


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--postgres", action="store_true", help="on a PostgreSQL server, which every second kill is for"
    )
    args = parser.parse_args()
    with running_cluster() if args.postgres else nullcontext() as cluster:
        return 0 if asyncio.run(soak(args.kills, args.seed, cluster)) else 1


if __name__ == "__main__":
    sys.exit(main())
