"""The audit trail: what an audited deed costs the writer beside the deed itself, and how fast a trail is verified."""

from __future__ import annotations

import statistics
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from gateway.model.actor import Actor, ActorKind
from gateway.model.audit import ChainCheck
from gateway.store.audit import load_audit, load_extent, record_audit
from gateway.store.ports import Store, Tx
from tests.bench.figures import Figure
from tests.support.stores import open_at

N_ENTRIES: Final = 50_000
AT_ONCE: Final = 500
"""Deeds of one commit, as when many opt out at once."""
_BY: Final = Actor(ActorKind.KEY, "billing", "api 203.0.113.7")


async def audit(folder: Path) -> list[Figure]:
    """One trail, written and verified."""
    store = await open_at(folder / "audit.db")
    try:
        entry_us = [await _write(store, start) for start in range(0, N_ENTRIES, AT_ONCE)]
        began = time.perf_counter()
        await store.read(_verify)
        per_s = N_ENTRIES / (time.perf_counter() - began)
    finally:
        await store.close()
    octets = (folder / "audit.db").stat().st_size / N_ENTRIES
    return [
        Figure("audit", "an audited deed more than the deed, CPU", statistics.median(entry_us), "us"),
        Figure("audit", "verified", per_s, "entries/s"),
        Figure("audit", "room in the file, indexes with it", octets, "octets/entry"),
    ]


async def _write(store: Store, start: int) -> float:
    """Microseconds of CPU for each of some entries, without their commit."""
    now = datetime.now(UTC)

    async def op(tx: Tx) -> float:
        began = time.thread_time()
        for n in range(start, start + AT_ONCE):
            details = {"source": "api", "keyword": "td"}
            await record_audit(
                tx, _BY, "subscription.opted_out", f"+86138{n * 7919 % 10**8:08}", details, at=now
            )
        return (time.thread_time() - began) / AT_ONCE * 1e6

    return await store.write(op, n_rows=AT_ONCE)


async def _verify(tx: Tx) -> None:
    extent = await load_extent(tx)
    check, after = ChainCheck(extent.dropped), extent.dropped.seq
    while page := await load_audit(tx, after, 1_000, extent.head.seq):
        assert check.take_all(page) is None
        after = page[-1].seq
    assert check.end(extent.head) is None
