"""Time as a dependency, and the store's spelling of instants."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple, Protocol

from gateway.errors import StoreError

# Whole numbers all the way: floating seconds lose a millisecond now and then.
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_BELOW_MS = tuple(timedelta(microseconds=n) for n in range(1000))
"""What is dropped of an instant; taking it off costs an eighth of what ``replace`` does."""

STEP_S = 5.0
"""A clock that was set by less is not worth a look."""


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


class Reading(NamedTuple):
    """Both clocks at one moment: who decides by one must not wait by another.

    Args:
        monotonic: see `Clock.monotonic`.
        wall: see `Clock.now`.
    """

    monotonic: float
    wall: datetime


def read(clock: Clock) -> Reading:
    """Read both clocks."""
    return Reading(clock.monotonic(), clock.now())


BREATH_S = 0.005
"""How long a piece of work may hold the loop before others get their turn."""


class Breath:
    """Long work on the loop, done in pieces: `take` it between them."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    async def take(self) -> None:
        """Let others have their turn, if they have waited long enough."""
        if time.monotonic() - self._since >= BREATH_S:
            await asyncio.sleep(0)
            self._since = time.monotonic()


async def do_every(
    every_s: float,
    do: Callable[[], Awaitable[object]],
    put_off: Callable[[StoreError], None],
    *,
    at_once: bool = True,
) -> None:
    """Do something again and again, until canceled.

    Args:
        put_off: told why the store did not let it be done; it is done the next time.
        at_once: False for the first time after a pause.
    """
    if not at_once:
        await asyncio.sleep(every_s)
    while True:
        try:
            await do()
        except StoreError as error:
            put_off(error)
        await asyncio.sleep(every_s)


def ahead_s(clock: Clock) -> float:
    """How far its instants are ahead of its seconds; when that changes by more than ``STEP_S``, the clock was set."""
    return clock.now().timestamp() - clock.monotonic()


def format_ms(at: datetime | None) -> int | None:
    """An instant as milliseconds since 1970 (the store's spelling); sub-millisecond digits are dropped."""
    return None if at is None else (at - _EPOCH) // _MILLISECOND


@lru_cache(maxsize=4096)  # what is read together happened together
def parse_instant(ms: int) -> datetime:
    """Milliseconds since 1970, from a column that is never null, as an aware instant in UTC."""
    return _EPOCH + ms * _MILLISECOND


def parse_ms(ms: int | None) -> datetime | None:
    """The same for a column that may be null."""
    return None if ms is None else parse_instant(ms)


def truncate_ms(at: datetime) -> datetime:
    """The instant as the store will give it back."""
    return at - _BELOW_MS[at.microsecond % 1000]
