"""The memory of bodies on their way to us, and of answers: bounded in all, and who holds the most gives way.

A body counts from its 65th kilobyte on, so that a single message always finds room. The rest of what a stranger can
hold is bounded by the connections that he may have.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Final

from aiohttp import web

from gateway.clock import Breath
from gateway.errors import Overloaded
from gateway.http.inflate import Inflater

MOST_OCTETS: Final = 64 << 20
"""Two of the largest batches, or sixty usual ones."""
FREE_OCTETS: Final = 64 << 10


class Held:
    """The body of one request, or the answer to it.

    Args:
        owner: whose it is: an API key's id, or an address.

    Attributes:
        deadline: of its reading or writing; None while it does neither.
        given_way: it was too much, and another's is taken instead: no more of it is read or written.
    """

    def __init__(self, bodies: Bodies, owner: str) -> None:
        self._bodies = bodies
        self.owner = owner
        self.n_octets = 0
        self.given_way = False
        self.deadline: asyncio.Timeout | None = None

    def grow(self, n_octets: int) -> None:
        """More of it has come.

        Raises:
            Overloaded: there is no room for it.
        """
        self.n_octets += n_octets
        if self.n_octets > FREE_OCTETS:
            self._bodies.make_room(self)

    def release(self) -> None:
        """The request has ended."""
        self._bodies.forget(self)


class Bodies:
    """All bodies and answers in flight.

    Args:
        most_octets: of all of them together.
    """

    def __init__(self, most_octets: int = MOST_OCTETS) -> None:
        self._most_octets = most_octets
        self._held: set[Held] = set()
        self._inflating = asyncio.Lock()

    @property
    def n_octets(self) -> int:
        """That are held now, small ones not counted."""
        return sum(held.n_octets for held in self._held)

    async def inflate(self, inflater: Inflater, octets: bytes, keep: Callable[[bytes], None]) -> None:
        """Undo a content coding: one body at a time, and others get their turn between its pieces.

        Args:
            keep: takes each piece.
        """
        breath = Breath()
        async with self._inflating:
            for piece in inflater.feed(octets):
                keep(piece)
                await breath.take()

    def make_room(self, asking: Held) -> None:
        """Count it; where that is too much the largest body of whoever holds the most gives way.

        Raises:
            Overloaded: that is this one, or the others are being worked on.
        """
        self._held.add(asking)
        while self.n_octets > self._most_octets:
            largest = self._find_largest(asking)
            self.forget(largest)
            if largest is asking:
                raise Overloaded("too much is on its way at once; nothing was taken, try again in a moment")
            largest.given_way = True
            if largest.deadline is not None:
                largest.deadline.reschedule(0.0)

    def _find_largest(self, asking: Held) -> Held:
        totals: Counter[str] = Counter()
        for held in self._held:
            totals[held.owner] += held.n_octets
        moving = [held for held in self._held if held.deadline is not None]
        return max(moving, key=lambda held: (totals[held.owner], held.n_octets), default=asking)

    def forget(self, held: Held) -> None:
        """It is gone, or about to go."""
        self._held.discard(held)


BODIES = web.AppKey("bodies", Bodies)
HELD = web.RequestKey("held", Held)
