"""One bind with a window of 100 before an SMSC that answers in 20 ms: what of 5,000 submits a second is reached.

The same before an SMSC that answers at once tells what the processor would allow, and so which of the two limits.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from drivers.base import Accepted, ChannelUp, DriverEvent, Encoding, EventSink, OutboundSegment, SegmentId
from drivers.smpp.client.config import SmppConfig
from drivers.smpp.client.driver import SmppDriver
from tests.bench.figures import Figure
from tests.bench.processes import Meter, started

WINDOW = 100
LATENCY_S = 0.02
N_SUBMITS = 20_000
ROUNDS = 5
"""Of which the best counts: the others had company on the processor."""
N_ALONE = 50


class _UpSink(EventSink):
    """Notices that the bind is up; receipts are taken and dropped."""

    def __init__(self) -> None:
        self.up = asyncio.Event()

    async def handle(self, event: DriverEvent) -> None:
        if isinstance(event, ChannelUp):
            self.up.set()


class _Run(NamedTuple):
    """What `N_SUBMITS` took: seconds, and CPU seconds of the driver and of the SMSC."""

    alone_s: float
    taken_s: float
    driver_s: float
    smsc_s: float


async def smpp_window(folder: Path) -> list[Figure]:
    """Submits a second, and of which limit that is how much."""
    paced = min([await _run(folder, LATENCY_S) for _ in range(ROUNDS)], key=lambda run: run.taken_s)
    at_once = min([await _run(folder, 0.0) for _ in range(ROUNDS)], key=lambda run: run.driver_s)
    rate, by_window, by_cpu = N_SUBMITS / paced.taken_s, WINDOW / LATENCY_S, N_SUBMITS / at_once.driver_s
    limit = "window" if by_window <= by_cpu else "CPU"
    return [
        Figure("smpp-window", f"window {WINDOW}, answers after {LATENCY_S * 1e3:g} ms", rate, "submit/s"),
        Figure("smpp-window", f"of the lower limit ({limit})", 100 * rate / min(by_window, by_cpu), "%"),
        Figure("smpp-window", "response time of a lone submit", paced.alone_s * 1e3, "ms"),
        Figure(
            "smpp-window", "of the window over that response time", 100 * rate * paced.alone_s / WINDOW, "%"
        ),
        Figure("smpp-window", "of a core used by the driver", 100 * paced.driver_s / paced.taken_s, "%"),
        Figure("smpp-window", "of a core used by the SMSC", 100 * paced.smsc_s / paced.taken_s, "%"),
        Figure("smpp-window", f"window {WINDOW}, answers at once", N_SUBMITS / at_once.taken_s, "submit/s"),
        Figure("smpp-window", "CPU of the driver for it", at_once.driver_s * 1e3 / N_SUBMITS, "ms/submit"),
        Figure("smpp-window", "so one core could", by_cpu, "submit/s"),
    ]


async def _run(folder: Path, latency_s: float) -> _Run:
    command = (sys.executable, "-m", "tests.bench.echo_smsc", "--latency-s", latency_s)
    async with started(command, folder / "echo.log") as process:
        assert process.stdout is not None
        port = int(await process.stdout.readline())
        async with _bound(port) as driver:
            alone_s = await _time_alone(driver)
            smsc, cpu_s, began = Meter(process.pid), time.process_time(), time.perf_counter()
            await _submit_all(driver)
            return _Run(alone_s, time.perf_counter() - began, time.process_time() - cpu_s, smsc.used_s)


@asynccontextmanager
async def _bound(port: int) -> AsyncIterator[SmppDriver]:
    driver = SmppDriver(
        SmppConfig(
            name="bench", host="127.0.0.1", port=port, system_id="hongyan", password="secret", window=WINDOW
        )
    )
    sink = _UpSink()
    task = asyncio.create_task(driver.run(sink))
    try:
        await asyncio.wait_for(sink.up.wait(), 10)
        yield driver
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _time_alone(driver: SmppDriver) -> float:
    """Median time of submits that have the bind for themselves."""
    taken = []
    for number in range(N_ALONE):
        began = time.perf_counter()
        await _submit(driver, number)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


async def _submit(driver: SmppDriver, number: int) -> None:
    result = await driver.submit(
        OutboundSegment(
            segment_id=SegmentId(str(number)),
            recipient=f"+86138{number:08}",
            encoding=Encoding.GSM7,
            payload=b"Your code is 123456.",
            report=False,
        )
    )
    assert isinstance(result, Accepted), result


async def _submit_all(driver: SmppDriver) -> None:
    """As the gateway does: as many under way as the window holds."""
    numbers = iter(range(N_SUBMITS))

    async def work() -> None:
        for number in numbers:
            await _submit(driver, number)

    await asyncio.gather(*(work() for _ in range(WINDOW)))
