"""What consents cost in a store with a million of them: recording, a proof of 100,000 numbers, its check.

Beside the proof a watch asks the event loop every 5 ms, and the writer for a commit every 20: a proof holds up neither.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import resource
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway.clock import SystemClock
from gateway.consents.check import check_pack
from gateway.consents.proof import Prover, Wanted
from gateway.model.actor import SYSTEM
from gateway.model.consent import Consent, ConsentState, Evidence, hash_wording
from gateway.runtime.stores import opened_store
from gateway.store.consents import Brought, find_standings, record_consents
from gateway.store.ports import Store, Tx
from tests.bench.figures import Figure

BENCH = "consents"
N_PROVED = 100_000
_IN_CALL = 1_000
_WORDINGS = [f"I agree to get offers of shop {n} by SMS, at most two a week" for n in range(20)]
_START = datetime(2025, 1, 1, tzinfo=UTC)


def number_of(n: int) -> str:
    """One of a hundred million."""
    return f"+86138{n * 7_919 % 100_000_000:08d}"


def make_consent(n: int, state: ConsentState = ConsentState.GIVEN) -> Brought:
    """As an import brings it."""
    at = _START + timedelta(seconds=n if state is ConsentState.GIVEN else n + 9_000_000)
    evidence = Evidence(reference=f"order-{n}", form="https://shop.example/checkout")
    wording = hash_wording(_WORDINGS[n % len(_WORDINGS)])
    consent = Consent(
        number=number_of(n),
        state=state,
        source="form",
        at=at,
        recorded_at=at,
        wording=wording,
        evidence=evidence,
        by="key:shop",
        file="ab" * 32 if state is ConsentState.GIVEN else None,
        row=n + 2 if state is ConsentState.GIVEN else None,
    )
    return Brought(consent, dated=True)


async def consents(folder: Path, options: argparse.Namespace) -> list[Figure]:
    """All rows."""
    place = folder / "consents"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    async with opened_store(f"sqlite:///{place}/hongyan.db") as store:
        n_all = options.consents
        started = time.perf_counter()
        await _fill(store, n_all)
        per_s = n_all / (time.perf_counter() - started)
        size_mb = sum(file.stat().st_size for file in place.iterdir()) / 1e6
        numbers = [number_of(n) for n in random.Random(4711).sample(range(n_all), min(N_PROVED, n_all))]
        asked_us = await _time_standings(store, numbers)
        prover = Prover(store, SystemClock(), "CN")
        proof = place / "proof.zip"
        began_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started, cpu = time.perf_counter(), time.process_time()
        async with _watched(store) as late, prover.prove(Wanted(numbers=numbers), SYSTEM) as archive:
            shutil.copy(archive, proof)
        proved_s, proved_cpu_s = time.perf_counter() - started, time.process_time() - cpu
        grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - began_kib) / 1_024
    started = time.perf_counter()
    report = check_pack(proof)
    checked_s = time.perf_counter() - started
    assert report.faults == []
    assert report.sums["records"] == len(numbers)
    many = f"{len(numbers):,} of {n_all:,}"
    return [
        Figure(BENCH, f"recorded, {n_all:,} in calls of {_IN_CALL}", per_s, "consents/s"),
        Figure(BENCH, "the store takes, on the disk", size_mb, "MB"),
        Figure(BENCH, "looked up for the rule, in batches of 500", asked_us, "us/number"),
        Figure(BENCH, f"proof of {many} numbers", proved_s, "s"),
        Figure(BENCH, "CPU of it", proved_cpu_s, "s"),
        Figure(BENCH, "memory that it took beside", grown_mib, "MiB"),
        Figure(BENCH, "the event loop was late by, at most", late[0] * 1e3, "ms"),
        Figure(BENCH, "a commit beside it took, at most", late[1] * 1e3, "ms"),
        Figure(BENCH, "the archive", proof.stat().st_size / 1e6, "MB"),
        Figure(BENCH, "its check", checked_s, "s"),
    ]


async def _fill(store: Store, n_all: int) -> None:
    """One in ten took it back later."""
    for first in range(0, n_all, _IN_CALL):
        brought = [make_consent(n) for n in range(first, min(first + _IN_CALL, n_all))]
        brought += [make_consent(n, ConsentState.WITHDRAWN) for n in range(first, first + _IN_CALL, 10)]
        await store.write(lambda tx, some=brought: record_consents(tx, some, wordings=_WORDINGS))  # type: ignore[misc]


async def _time_standings(store: Store, numbers: list[str]) -> float:
    best = float("inf")
    for start in range(0, min(len(numbers), 20_000), 500):
        some = numbers[start : start + 500]
        started = time.perf_counter()
        await store.read(lambda tx, some=some: find_standings(tx, some))  # type: ignore[misc]
        best = min(best, (time.perf_counter() - started) / len(some))
    return best * 1e6


@asynccontextmanager
async def _watched(store: Store) -> AsyncIterator[list[float]]:
    """The longest that the loop was late, and that a commit took, in seconds."""
    late = [0.0, 0.0]

    async def loop() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.005)
            late[0] = max(late[0], time.perf_counter() - began - 0.005)

    async def commits() -> None:
        async def write(tx: Tx) -> None:
            await tx.execute("UPDATE consent_keys SET created_at = created_at + 0 WHERE id = 2")

        while True:
            began = time.perf_counter()
            await store.write(write)
            late[1] = max(late[1], time.perf_counter() - began)
            await asyncio.sleep(0.02)

    jobs = [asyncio.create_task(loop()), asyncio.create_task(commits())]
    try:
        yield late
    finally:
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
