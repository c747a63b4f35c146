"""One bind with a window of 100 before an SMSC that answers in 20 ms: what of 5,000 submits a second is reached."""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from pathlib import Path

from drivers.base import Accepted, ChannelUp, DriverEvent, Encoding, EventSink, OutboundSegment, SegmentId
from drivers.smpp.config import SmppConfig
from drivers.smpp.driver import SmppDriver
from tests.bench.figures import Figure
from tests.bench.processes import started

WINDOW = 100
LATENCY_S = 0.02
N_SUBMITS = 30_000
N_ALONE = 50


class _UpSink(EventSink):
    """Notices that the bind is up; receipts are taken and dropped."""

    def __init__(self) -> None:
        self.up = asyncio.Event()

    async def handle(self, event: DriverEvent) -> None:
        if isinstance(event, ChannelUp):
            self.up.set()


async def smpp_window(folder: Path) -> list[Figure]:
    """Submits a second, and of which limit that is how much."""
    command = (sys.executable, "-m", "tests.bench.echo_smsc", LATENCY_S)
    async with started(command, folder / "echo.log") as process:
        assert process.stdout is not None
        port = int(await process.stdout.readline())
        driver = SmppDriver(
            SmppConfig(
                name="bench",
                host="127.0.0.1",
                port=port,
                system_id="hongyan",
                password="secret",
                window=WINDOW,
            )
        )
        sink = _UpSink()
        task = asyncio.create_task(driver.run(sink))
        try:
            await asyncio.wait_for(sink.up.wait(), 10)
            alone_s = await _time_alone(driver)
            began, cpu = time.perf_counter(), time.process_time()
            await _submit_all(driver)
            taken_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    rate, limit = N_SUBMITS / taken_s, WINDOW / alone_s
    by_cpu = N_SUBMITS / cpu_s
    lower = "window" if limit <= by_cpu else "CPU"
    return [
        Figure("smpp-window", f"window {WINDOW}, answers after {LATENCY_S * 1e3:g} ms", rate, "submit/s"),
        Figure("smpp-window", "response time of a lone submit", alone_s * 1e3, "ms"),
        Figure("smpp-window", "window / response time", limit, "submit/s"),
        Figure("smpp-window", "what one core could", by_cpu, "submit/s"),
        Figure("smpp-window", f"reached of the lower limit ({lower})", 100 * rate / min(limit, by_cpu), "%"),
    ]


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
    numbers = iter(range(N_SUBMITS))

    async def work() -> None:
        for number in numbers:
            await _submit(driver, number)

    await asyncio.gather(*(work() for _ in range(2 * WINDOW)))
