"""An event sink that remembers, can be held, and can fail: the gateway's part in driver tests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from drivers.base import ChannelUp, DriverEvent, EventSink, InboundPart, Receipt

if TYPE_CHECKING:
    from collections.abc import Callable

DEADLINE_S = 60.0
"""How long a test waits for what must happen; only a failing test waits that long."""

E = TypeVar("E")


class SinkFailure(Exception):
    """What a store that is full or gone would raise."""


class RecordingSink(EventSink):
    """Keeps every event that was handled.

    Attributes:
        handled: events whose handling was completed.
        offered: events that were handed over, also those that were held or failed.
        failures: how many of the next inbound events and receipts fail.
    """

    def __init__(self) -> None:
        self.handled: list[DriverEvent] = []
        self.offered: list[DriverEvent] = []
        self.failures = 0
        self._open = asyncio.Event()
        self._open.set()
        self._changed = asyncio.Condition()

    async def handle(self, event: DriverEvent) -> None:
        """Record the event; inbound parts and receipts wait while held, then may fail."""
        await self._note(self.offered, event)
        if isinstance(event, InboundPart | Receipt):
            await self._open.wait()
            if self.failures:
                self.failures -= 1
                raise SinkFailure
        await self._note(self.handled, event)

    def hold(self) -> None:
        """Let nothing be completed until `release`."""
        self._open.clear()

    def release(self) -> None:
        """Complete what was held."""
        self._open.set()

    def of(self, kind: type[E]) -> list[E]:
        """The handled events of one class."""
        return [event for event in self.handled if isinstance(event, kind)]

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds; it is looked at after each event."""
        async with asyncio.timeout(DEADLINE_S), self._changed:
            await self._changed.wait_for(condition)

    async def wait_for_event(self, kind: type[E]) -> E:
        """The first handled event of a class."""
        await self.wait_for(lambda: bool(self.of(kind)))
        return self.of(kind)[0]

    async def wait_until_up(self) -> None:
        """The driver has said that it takes segments."""
        await self.wait_for_event(ChannelUp)

    async def _note(self, events: list[DriverEvent], event: DriverEvent) -> None:
        async with self._changed:
            events.append(event)
            self._changed.notify_all()
