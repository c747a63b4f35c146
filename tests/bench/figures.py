"""Figures and the machine they were taken on, as a plain table."""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

N_SYNCS = 200
PAGE = bytes(4096)


class Figure(NamedTuple):
    """One row of the table."""

    bench: str
    what: str
    value: float | None
    unit: str = ""


def describe_machine(folder: Path) -> str:
    """One line: processor, Python, and how long the disk under ``folder`` takes for a durable page."""
    median_s, slow_s = time_fsync(folder)
    return (
        f"machine: {os.cpu_count()} cores ({_processor()}), load {os.getloadavg()[0]:.1f}, Linux {platform.release()},"
        f" Python {platform.python_version()}, fsync of 4 KiB {median_s * 1e3:.2f} ms (p99 {slow_s * 1e3:.2f} ms)"
    )


def time_fsync(folder: Path) -> tuple[float, float]:
    """Median and 99th percentile of appending 4 KiB and making it durable, in seconds."""
    taken = []
    path = folder / "fsync.tmp"
    with path.open("wb", buffering=0) as file:
        for _ in range(N_SYNCS):
            started = time.perf_counter()
            file.write(PAGE)
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - started)
    path.unlink()
    return percentiles(taken)


def percentiles(values: list[float]) -> tuple[float, float]:
    """Median and 99th percentile."""
    return statistics.median(values), statistics.quantiles(values, n=100, method="inclusive")[98]


def show(figures: Iterable[Figure]) -> None:
    """Print each as a row."""
    for f in figures:
        value = "-" if f.value is None else f"{f.value:,.{_decimals(f.value)}f}"
        print(f"{f.bench:<12}  {f.what:<52}  {value:>12}  {f.unit}")
    sys.stdout.flush()


def _decimals(value: float) -> int:
    return 0 if abs(value) >= 100 else 3 if abs(value) < 10 else 1


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
