"""A driver that runs for the length of a block."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from drivers.base import Driver, EventSink

D = TypeVar("D", bound="Driver")


@asynccontextmanager
async def running_driver(driver: D, sink: EventSink) -> AsyncIterator[D]:
    """Run the driver; at the end it is cancelled and must end by that, or have returned by itself."""
    task = asyncio.create_task(driver.run(sink))
    try:
        yield driver
    finally:
        task.cancel()
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
    assert outcome is None or isinstance(outcome, asyncio.CancelledError), outcome
