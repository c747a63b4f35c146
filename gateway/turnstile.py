"""How a guesser of passwords is slowed down, whichever door he stands at.

Wrong passwords are counted by address, of IPv6 by network, and forgiven with time. From an address with too many of
them tries are looked at one by one, each after a pause that doubles; whoever knows the password gets in all the same.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_address
from typing import Final, TypeVar

from gateway.clock import Clock

T = TypeVar("T")

_FREE_ERRORS: Final = 3
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 8.0
"""Below the time that an SMPP connection has for its bind."""
_FORGIVEN_AFTER_S: Final = 60.0
"""One wrong password is forgotten after so long."""
_MOST_ERRORS: Final = 9.0
"""More are not counted: these have the longest pause already, and are forgiven when a program's setting is mended."""
_MOST_IN_LINE: Final = 4
_MOST_ADDRESSES: Final = 10_000


class Crowded(Exception):
    """Too many tries at once from an address that gave wrong passwords; this one was not looked at."""


@dataclass(slots=True)
class _Visitor:
    """An address that gave wrong passwords."""

    errors: float = 0.0
    counted_at: float = 0.0
    n_in_line: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Turnstile:
    """Lets tries of passwords through, at the pace that their address deserves.

    Args:
        clock: the time.
        pause: waits; a test's own does not.
    """

    def __init__(self, clock: Clock, pause: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._clock = clock
        self._pause = pause
        self._visitors: OrderedDict[str, _Visitor] = OrderedDict()

    async def admit(self, address: str, look: Callable[[], Awaitable[T | None]]) -> T | None:
        """Look at a try when it is its turn.

        Args:
            address: where it comes from.
            look: whom the password belongs to; None for a wrong one.

        Returns:
            What ``look`` found.

        Raises:
            Crowded: it was not looked at.

        Cancel: it leaves the line.
        """
        origin = _origin_of(address)
        visitor = self._visitors.get(origin)
        if visitor is None:
            return await self._look(origin, look)
        if visitor.n_in_line >= _MOST_IN_LINE:
            raise Crowded
        visitor.n_in_line += 1
        try:
            async with visitor.turn:
                pause_s = self._pause_s(visitor)
                if pause_s:
                    await self._pause(pause_s)
                return await self._look(origin, look)
        finally:
            visitor.n_in_line -= 1

    async def _look(self, origin: str, look: Callable[[], Awaitable[T | None]]) -> T | None:
        found = await look()
        if found is None:
            self._note_error(origin)
        return found

    def _pause_s(self, visitor: _Visitor) -> float:
        over = self._errors_now(visitor) - _FREE_ERRORS
        return min(_FIRST_PAUSE_S * 2**over, _LONGEST_PAUSE_S) if over >= 0 else 0.0

    def _errors_now(self, visitor: _Visitor) -> float:
        forgiven = (self._clock.monotonic() - visitor.counted_at) / _FORGIVEN_AFTER_S
        return max(0.0, visitor.errors - forgiven)

    def _note_error(self, origin: str) -> None:
        visitor = self._visitors.setdefault(origin, _Visitor())
        visitor.errors = min(self._errors_now(visitor) + 1, _MOST_ERRORS)
        visitor.counted_at = self._clock.monotonic()
        self._visitors.move_to_end(origin)
        if len(self._visitors) > _MOST_ADDRESSES:
            self._visitors.popitem(last=False)


def _origin_of(address: str) -> str:
    """Under what an address is counted: whoever has one of IPv6 has the 2**64 of its network."""
    try:
        read = ip_address(address)
    except ValueError:
        return address
    if isinstance(read, IPv4Address):
        return address
    return str(read.ipv4_mapped) if read.ipv4_mapped else read.packed[:8].hex()
