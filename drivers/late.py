"""Answers that come after their submit has ended without one: handed to the sink until it has stored them."""

from __future__ import annotations

import asyncio
from typing import Final

from drivers.base import Accepted, EventSink, LateResult, OutboundSegment, SubmitResult, Uncertain
from drivers.paced_log import PacedLog
from drivers.pacing import Backoff

_log = PacedLog(__name__, most=100)

_TRIES: Final = 8
_STORED_WITHIN_S: Final = 1.0
"""What a cancelled sink gets to end in."""


class LateAnswers:
    """Late answers in hand, over all connections or sessions of one run.

    Args:
        channel: name for the log.
        sink: where they go.
    """

    def __init__(self, channel: str, sink: EventSink) -> None:
        self._channel = channel
        self._sink = sink
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, segment: OutboundSegment, result: SubmitResult, *, abandoned: bool = False) -> None:
        """Begin to report what the network answered after all; nothing when that settles nothing.

        Args:
            abandoned: as in `LateResult`.
        """
        if isinstance(result, Uncertain):
            return
        event = LateResult(
            segment_id=segment.segment_id, attempt=segment.attempt, result=result, abandoned=abandoned
        )
        task = asyncio.create_task(self._report(event))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish(self) -> None:
        """Wait a moment for those in hand; cancel the rest. Cancel: cancels them all at once."""
        try:
            if self._tasks:
                await asyncio.wait(set(self._tasks), timeout=_STORED_WITHIN_S)
        finally:
            for task in self._tasks:
                task.cancel()

    async def _report(self, event: LateResult) -> None:
        backoff = Backoff(0.5, 30.0)
        for _ in range(_TRIES):
            try:
                await self._sink.handle(event)
            except Exception as error:  # noqa: BLE001 - a supervisor: no one else would try again
                kind = "accepted" if isinstance(event.result, Accepted) else "refused"
                _log.error("%s: late answer (%s) not stored: %s", self._channel, kind, type(error).__name__)
                await asyncio.sleep(backoff.next_s())
            else:
                return
