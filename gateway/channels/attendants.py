"""What runs beside a channel as long as it is there: questions for the balance of its SIM, and for late receipts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from gateway.pipeline.sending.lane import Lane


class Attendants:
    """Starts and ends them with their lanes.

    Args:
        make: the jobs of a lane; none for most.
        ended: told of each that ends, whatever for.
    """

    def __init__(
        self,
        make: Callable[[Lane], Iterable[Coroutine[Any, Any, None]]],
        ended: Callable[[asyncio.Task[None]], None],
    ) -> None:
        self._make = make
        self._ended = ended
        self._tasks: dict[Lane, list[asyncio.Task[None]]] = {}

    def begin(self, lane: Lane) -> None:
        """Begin what belongs to a lane."""
        for number, job in enumerate(self._make(lane)):
            task = asyncio.create_task(job, name=f"attendant {number} of {lane.name}")
            task.add_done_callback(self._ended)
            self._tasks.setdefault(lane, []).append(task)

    async def end(self, lane: Lane) -> None:
        """End what belongs to a lane. Cancel: it ends all the same."""
        tasks = self._tasks.pop(lane, [])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def stop(self) -> None:
        """End all."""
        for lane in list(self._tasks):
            await self.end(lane)
