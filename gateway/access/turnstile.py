"""How a guesser of passwords is slowed down, whichever door he stands at, and nobody else with him.

A right password gets in as soon as it was looked at; only a wrong one is answered late, and later each time. Wrong ones
are counted by address (of IPv6 by network) and forgiven with time. Many people may stand behind one address, so tries
wait in a line for each address and account. Looks cost time, so they are made one after the other: those at an account
that is expected from there, or has come from there before, at a desk of their own; all others at a second desk, first
those from addresses where few were wrong. A name that nobody has is refused without a look where many were wrong.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import Final, TypeVar

from drivers.origins import origin_of
from gateway.clock import Clock

T = TypeVar("T")

_FREE_ERRORS: Final = 3
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 8.0
"""Below the time that an SMPP connection has for its bind."""
_PACE_S: Final = 0.1
"""Between two looks at one account from an address where many were wrong."""
_FORGIVEN_AFTER_S: Final = 60.0
"""One wrong password is forgotten after so long."""
_MOST_ERRORS: Final = 9.0
"""More are not counted: these have the longest pause already, and are forgiven when a program's setting is mended."""
_MOST_IN_LINE: Final = 64
"""With `_PACE_S` and the looks themselves some ten seconds, which most programs wait for an answer."""
_MOST_ADDRESSES: Final = 10_000
_MOST_KNOWN: Final = 10_000


class Crowded(Exception):
    """Too many tries at once at one account from an address; this one was not looked at."""


@dataclass(slots=True)
class _Visitor:
    """An address that gave wrong passwords."""

    errors: float = 0.0
    counted_at: float = 0.0


@dataclass(slots=True)
class _Line:
    """Who waits for a look at one account, from one address."""

    n: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class _Desk:
    """Where one try is looked at after the other, those of the lowest rank first."""

    def __init__(self) -> None:
        self._busy = False
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = count()

    @property
    def idle(self) -> bool:
        """Whether nobody is here."""
        return not self._busy

    async def look(self, rank: float, look: Callable[[], Awaitable[T | None]]) -> T | None:
        """Look when it is this one's turn. Cancel: a look that has begun goes on, and keeps the desk until it ends."""
        await self._take(rank)
        job = asyncio.ensure_future(look())
        job.add_done_callback(lambda _: self._give_back())
        return await asyncio.shield(job)

    async def _take(self, rank: float) -> None:
        if not self._busy:
            self._busy = True
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heappush(self._waiting, (rank, next(self._numbers), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give_back()
            raise

    def _give_back(self) -> None:
        while self._waiting:
            turn = heappop(self._waiting)[2]
            if not turn.done():
                turn.set_result(None)
                return
        self._busy = False


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
        self._lines: dict[tuple[str, str], _Line] = {}
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()
        """Address and account; only right passwords bring an entry."""
        self._trusted, self._others = _Desk(), _Desk()

    def knows(self, address: str, account: str) -> bool:
        """Whether somebody has given this account's right password from there."""
        return (origin_of(address), account) in self._known

    async def admit(
        self,
        address: str,
        account: str | None,
        look: Callable[[], Awaitable[T | None]],
        *,
        expected: bool = False,
    ) -> T | None:
        """Look at a try when it is its turn.

        Args:
            address: where it comes from.
            account: which one is tried; None if there is none of that name.
            look: whom the password belongs to; None for a wrong one.
            expected: the account is meant to come from there.

        Returns:
            What ``look`` found; None after a while.

        Raises:
            Crowded: it was not looked at.

        Cancel: it leaves the line.
        """
        came_at = self._clock.monotonic()
        origin = origin_of(address)
        errors = self._errors_now(origin)
        found = None
        if account is not None:
            found = await self._look(origin, account, look, errors=errors, expected=expected)
        elif errors < _FREE_ERRORS and self._others.idle:
            await self._others.look(errors, look)  # so that time does not tell which accounts there are
        if found is None or account is None:
            pause_s = self._note_error(origin) - (self._clock.monotonic() - came_at)
            if pause_s > 0:
                await self._pause(pause_s)
            return None
        self._known[origin, account] = None
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        return found

    async def _look(
        self,
        origin: str,
        account: str,
        look: Callable[[], Awaitable[T | None]],
        *,
        errors: float,
        expected: bool,
    ) -> T | None:
        key = origin, account
        line = self._lines.setdefault(key, _Line())
        if line.n >= _MOST_IN_LINE:
            raise Crowded
        line.n += 1
        try:
            async with line.turn:
                if errors >= _FREE_ERRORS:
                    await self._pause(_PACE_S)
                desk = self._trusted if expected or key in self._known else self._others
                return await desk.look(errors, look)
        finally:
            line.n -= 1
            if not line.n:
                del self._lines[key]

    def _errors_now(self, origin: str) -> float:
        visitor = self._visitors.get(origin)
        if visitor is None:
            return 0.0
        forgiven = (self._clock.monotonic() - visitor.counted_at) / _FORGIVEN_AFTER_S
        return max(0.0, visitor.errors - forgiven)

    def _note_error(self, origin: str) -> float:
        """Count a wrong password; how long its answer has to wait."""
        errors = self._errors_now(origin)
        visitor = self._visitors.setdefault(origin, _Visitor())
        visitor.errors = min(errors + 1, _MOST_ERRORS)
        visitor.counted_at = self._clock.monotonic()
        self._visitors.move_to_end(origin)
        if len(self._visitors) > _MOST_ADDRESSES:
            self._visitors.popitem(last=False)
        over = errors - _FREE_ERRORS
        return min(_FIRST_PAUSE_S * 2**over, _LONGEST_PAUSE_S) if over >= 0 else 0.0
