"""What peers send, worked off in bites and in turn, so that nobody who talks without end is the only one heard.

An event loop may hand over megabytes of one peer between two looks at everybody else (uvloop: 32 reads of what the
protocol has room for). So each wire has an `Inflow`, which takes no more than a bite at a time, and all inflows of
one event loop share a `Rota`: a bound of bites for each turn of the loop. What exceeds it waits its turn. Until then
its wire is not read: uvloop stops reading within the same turn, so that one bite waits at most. The kernel then slows
the peer down.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol
from weakref import WeakKeyDictionary

BITE: Final = 2048
"""Octets that are taken at once: of the smallest PDUs 128, which cost a millisecond or more."""
BITES_A_TURN: Final = 2.0
"""For all wires of a loop together."""
NUISANCES: Final = 100
NUISANCE_PAUSE_S: Final = 0.1
"""After so many messages that could only be refused a wire is not read for so long."""
_LEAST_SHARE: Final = 1 / 64
"""What the shortest bite counts as."""


class Pausable(Protocol):
    """What an inflow needs of its transport."""

    def pause_reading(self) -> None:
        """Read no more for now."""
        ...

    def resume_reading(self) -> None:
        """Read again."""
        ...

    def is_closing(self) -> bool:
        """Whether it is closed or about to be."""
        ...

    def abort(self) -> None:
        """Close at once."""
        ...


class Rota:
    """Shares the turns of one event loop among all its inflows; see the module."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._call_soon = loop.call_soon
        self._left = BITES_A_TURN
        self._waiting: deque[Inflow] = deque()
        self._scheduled = False

    @classmethod
    def running(cls) -> Rota:
        """That of the running loop."""
        loop = asyncio.get_running_loop()
        rota = _ROTAS.get(loop)
        if rota is None:
            rota = _ROTAS[loop] = cls(loop)
        return rota

    def admit(self) -> bool:
        """Whether something may be taken in this turn, ahead of nobody."""
        return self._left > 0 and not self._waiting

    def charge(self, share: float) -> None:
        """Something was taken in this turn."""
        self._left -= max(share, _LEAST_SHARE)
        self._schedule()

    def wait(self, inflow: Inflow) -> None:
        """Give an inflow a turn once those before it have had theirs."""
        self._waiting.append(inflow)
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        self._left = BITES_A_TURN
        try:
            while self._waiting and self._left > 0:
                self._waiting.popleft().take_turn()
        finally:  # one that breaks must not stop the others
            if self._waiting:
                self._schedule()


_ROTAS: WeakKeyDictionary[asyncio.AbstractEventLoop, Rota] = WeakKeyDictionary()


class Inflow:
    """Octets of one wire on their way to who understands them.

    Args:
        take: takes a bite; called with no octets where something that was taken before can go on.
        bite: octets that are taken at once.
    """

    def __init__(self, take: Callable[[bytes], None], bite: int = BITE) -> None:
        self._take = take
        self._bite = bite
        self._rota = Rota.running()
        self._transport: Pausable | None = None
        self._unread = bytearray()
        self._in_line = False
        self._paused = False
        self._holds: dict[str, bool] = {}
        self._n_nuisances = 0

    @property
    def held(self) -> bool:
        """Whether nothing is to be taken for now; who takes looks at it between two messages."""
        return bool(self._holds)

    @property
    def n_unread(self) -> int:
        """Octets that wait; a bite, or what the transport hands over at once where that is more."""
        return len(self._unread)

    def attach(self, transport: Pausable) -> None:
        """The wire is open."""
        self._transport = transport
        self._watch()

    def received(self, octets: bytes) -> None:
        """Octets came: they are taken at once if this turn has room for them."""
        if self._unread or self._in_line or self._holds or len(octets) > self._bite or not self._rota.admit():
            self._unread += octets
            self._stand_in_line()
        else:
            self._swallow(octets)

    def hold(self, why: str, *, listening: bool = False) -> None:
        """Take nothing for now.

        Args:
            listening: go on reading, so that the end of the wire is noticed, as long as less than a bite waits.
        """
        self._holds[why] = listening
        self._watch()

    def release(self, why: str) -> None:
        """Undo a `hold`."""
        if self._holds.pop(why, None) is not None and not self._holds:
            self._stand_in_line()

    def note_nuisance(self) -> None:
        """What was taken could only be refused: who goes on like that is heard less often."""
        self._n_nuisances += 1
        if self._n_nuisances >= NUISANCES:
            self._n_nuisances = 0
            self.hold("nuisance")
            asyncio.get_running_loop().call_later(NUISANCE_PAUSE_S, self.release, "nuisance")

    def finish(self) -> None:
        """The wire is gone: take the little that is left of it, unless nobody listens for good."""
        self._transport = None
        rest, self._unread = bytes(self._unread), bytearray()
        if True not in self._holds.values():
            self._holds.clear()
            self._take(rest)

    def take_turn(self) -> None:
        """Take a bite; for the rota."""
        self._in_line = False
        if self._holds:
            return
        octets = bytes(self._unread[: self._bite])
        del self._unread[: self._bite]
        self._swallow(octets)
        if self._unread and not self._holds:
            self._stand_in_line()
        else:
            self._watch()

    def _swallow(self, octets: bytes) -> None:
        self._rota.charge(len(octets) / self._bite)
        try:
            self._take(octets)
        except BaseException:  # what came of the rest nobody knows
            self._unread.clear()
            if self._transport is not None:
                self._transport.abort()
            raise

    def _stand_in_line(self) -> None:
        if not self._in_line and not self._holds:
            self._in_line = True
            self._rota.wait(self)
        self._watch()

    def _watch(self) -> None:
        """Read the wire only while what comes can be taken."""
        transport = self._transport
        if transport is None:
            return
        deaf = any(not listening for listening in self._holds.values())
        pause = self._in_line or deaf or len(self._unread) >= self._bite
        if pause is not self._paused:
            self._paused = pause
            if pause:
                transport.pause_reading()
            elif not transport.is_closing():
                transport.resume_reading()
