"""Who is connected to our SMPP server, and who has to go when there are too many. Pure.

Places are for those that bind. So nobody who is not bound keeps a newcomer out: the oldest that has not even begun to
bind makes room, of the same address where that address has too many. Who is bound stays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final, Generic, Protocol, TypeVar

MOST_UNBOUND_FROM_ONE: Final = 64
"""Connections of one address that are not bound."""


class Guest(Protocol):
    """One connection.

    Attributes:
        origin: under what its address is counted.
    """

    origin: str

    @property
    def waits_for_login(self) -> bool:
        """Whether it has sent its bind, and that is being looked at."""
        ...


G = TypeVar("G", bound=Guest)


class Guests(Generic[G]):
    """All open connections.

    Args:
        most: at once.
        most_from_one: at once from one address.
    """

    def __init__(self, most: int, most_from_one: int) -> None:
        self._most = most
        self._most_from_one = most_from_one
        self._all: dict[G, None] = {}
        self._unbound: dict[G, None] = {}
        self._unbound_from: dict[str, dict[G, None]] = {}
        self._n_from: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[G]:
        return iter(list(self._all))

    def enter(self, guest: G) -> G | None:
        """A newcomer; who has to go for it, which may be itself."""
        origin = guest.origin
        self._all[guest] = self._unbound[guest] = None
        neighbours = self._unbound_from.setdefault(origin, {})
        neighbours[guest] = None
        self._n_from[origin] += 1
        if self._n_from[origin] > self._most_from_one or len(neighbours) > MOST_UNBOUND_FROM_ONE:
            return _first_to_go(neighbours)
        return _first_to_go(self._unbound) if len(self._all) > self._most else None

    def bind(self, guest: G) -> None:
        """It is bound now, and keeps its place."""
        self._unbound.pop(guest, None)
        neighbours = self._unbound_from.get(guest.origin, {})
        neighbours.pop(guest, None)
        if not neighbours:
            self._unbound_from.pop(guest.origin, None)

    def leave(self, guest: G) -> None:
        """It is gone."""
        if guest in self._all:
            self.bind(guest)
            del self._all[guest]
            self._n_from[guest.origin] -= 1
            if not self._n_from[guest.origin]:
                del self._n_from[guest.origin]


def _first_to_go(unbound: dict[G, None]) -> G:
    """The oldest that does not bind; where all do, the oldest."""
    return next((guest for guest in unbound if not guest.waits_for_login), next(iter(unbound)))
