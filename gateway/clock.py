"""Time as a dependency, and the store's spelling of instants."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where the product takes its time from; tests bring their own."""

    def now(self) -> datetime:
        """The instant, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards; only differences mean anything."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        """The instant, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        return time.monotonic()


def format_ms(at: datetime | None) -> int | None:
    """An instant as milliseconds since 1970 (the store's spelling); sub-millisecond digits are dropped."""
    return None if at is None else int(at.timestamp() * 1000)


def parse_ms(ms: int | None) -> datetime | None:
    """Milliseconds since 1970 as an aware instant in UTC."""
    return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC)


def truncate_ms(at: datetime) -> datetime:
    """The instant as the store will give it back."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
