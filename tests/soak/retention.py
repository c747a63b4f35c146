"""A year of traffic in small: a million messages through retention. File, memory and others' waits stay flat.

python -m tests.soak.retention [--messages 1000000] [--days 365]
"""

# ruff: noqa: T201 - a program that reports

from __future__ import annotations

import argparse
import asyncio
import resource
import statistics
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from gateway.ids import MessageId, make_id
from gateway.model.events import message_event
from gateway.model.message import Message, MessageStatus, Segment
from gateway.pipeline import retention
from gateway.pipeline.chores import Keeping, make_chores
from gateway.pipeline.retention import Retention
from gateway.store.messages import save_messages
from gateway.store.ports import Tx
from gateway.store.sqlite.engine import SqliteStore
from gateway.telemetry.metrics import make_metrics
from tests.support.gateway import ManualClock

DAY_S = 86_400.0
KEEPING = Keeping(
    texts=30 * DAY_S, messages=60 * DAY_S, events=20 * DAY_S, inbound=60 * DAY_S, receipts=14 * DAY_S
)
PIECE = 500


async def soak(n_messages: int, n_days: int) -> bool:
    """Run it; whether all stayed flat."""
    # The year passes in minutes: there is less time for it than in life.
    vars(retention).update(SHORTEST_PAUSE_S=0.001, LEISURE=1.0)
    clock, a_day = ManualClock(), max(1, n_messages // n_days)
    rows = []
    with tempfile.TemporaryDirectory(prefix="hongyan-soak-", ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "s.db"
        store = await SqliteStore.open(path)
        work = Retention(store, clock, make_chores(KEEPING), make_metrics())
        waits: list[float] = []
        probe = asyncio.create_task(_probe(store, waits))
        began = time.monotonic()
        for day in range(n_days):
            for start in range(0, a_day, PIECE):
                await _store(store, clock, min(PIECE, a_day - start))
            clock.advance(DAY_S)
            waits.clear()
            at = time.monotonic()
            n_removed = await work.round()
            if day % 30 == 29:
                size, memory = (
                    path.stat().st_size / 1e6,
                    resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
                )
                median, worst = _in_ms(waits)
                rows.append((day + 1, size, memory, median, worst))
                print(
                    f"day {day + 1:3}: file {size:6.1f} MB, memory {memory:5.0f} MB, {n_removed} removed in"
                    f" {time.monotonic() - at:4.2f} s, a write beside it {median:4.1f} ms, p99 {worst:5.1f} ms",
                    flush=True,
                )
        probe.cancel()
        left = (await store.read(lambda tx: tx.fetch("SELECT count(*) FROM messages")))[0][0]
        await store.close()
    print(f"{a_day * n_days} messages in {time.monotonic() - began:.0f} s; {left} are kept")
    steady = [row for row in rows if row[0] > 90]
    flat = all(row[1] <= steady[0][1] * 1.05 and row[2] <= steady[0][2] * 1.1 for row in steady)
    return flat and left <= a_day * 62 and max(row[4] for row in steady) < 100


async def _store(store: SqliteStore, clock: ManualClock, n: int) -> None:
    at = clock.now()
    messages = [
        Message(
            id=MessageId(make_id()), recipient=f"+861380013{i:04}", text="Your parcel waits for you. " * 4,
            encoding="gsm7", status=MessageStatus.FAILED, n_segments=1, queue="group:default", created_at=at,
            updated_at=at, expires_at=at + timedelta(days=3),
        )
        for i in range(n)
    ]  # fmt: skip

    async def op(tx: Tx) -> None:
        await save_messages(tx, [(m, [Segment(part=1, payload=b"x" * 100)]) for m in messages])
        for _ in range(4):
            for message in messages:
                tx.record(message_event(message, at))

    await store.write(op)


async def _probe(store: SqliteStore, waits: list[float]) -> None:
    """Somebody who writes a little all the time."""

    async def op(tx: Tx) -> None:
        await tx.execute("UPDATE channel_controls SET paused = 0 WHERE channel = 'none'")

    while True:
        at = time.perf_counter()
        await store.write(op)
        waits.append(time.perf_counter() - at)
        await asyncio.sleep(0.002)


def _in_ms(waits: list[float]) -> tuple[float, float]:
    ordered = sorted(waits) or [0.0]
    return statistics.median(ordered) * 1e3, ordered[int(len(ordered) * 0.99)] * 1e3


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=365)
    wanted = parser.parse_args()
    sys.exit(0 if asyncio.run(soak(wanted.messages, wanted.days)) else 1)
