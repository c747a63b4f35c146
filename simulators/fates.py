"""What became of segments that the network took: those under way, and the end of those that are not any more."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from drivers.base import ReceiptState

if TYPE_CHECKING:
    from simulators.traffic import Endpoint, NetworkMessage

REMEMBERED: Final = 20_000
"""Ends that are known; the oldest gives way. What is under way is always known."""


@dataclass(slots=True, eq=False)
class Carried:
    """A segment between submit and delivery.

    Args:
        message: what is delivered; may be changed until it is in somebody's hands.
        in_hand: the recipient is just taking it.
    """

    reference: str
    message: NetworkMessage
    submitter: Endpoint
    in_hand: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What the network knows of a segment.

    Args:
        state: ENROUTE, or how it ended: DELIVERED, UNDELIVERABLE, or DELETED when its submitter took it back.
        done_at: when it ended; None while it is under way.
    """

    state: ReceiptState
    done_at: datetime | None = None


_ENROUTE: Final = Fate(state=ReceiptState.ENROUTE)


@dataclass(slots=True)
class Fates:
    """The book of all segments, by reference."""

    _open: dict[str, Carried] = field(default_factory=dict)
    _ended: dict[str, Fate] = field(default_factory=dict)

    def begin(self, carried: Carried) -> None:
        """The network has taken it."""
        self._open[carried.reference] = carried

    def end(self, carried: Carried, state: ReceiptState) -> datetime:
        """It came to this; when."""
        del self._open[carried.reference]
        now = datetime.now(UTC)
        self._ended[carried.reference] = Fate(state=state, done_at=now)
        if len(self._ended) > REMEMBERED:
            del self._ended[next(iter(self._ended))]
        return now

    def find(self, reference: str) -> Fate | None:
        """What became of it; None when nobody knows."""
        return _ENROUTE if reference in self._open else self._ended.get(reference)

    def is_open(self, carried: Carried) -> bool:
        """Whether it is still under way."""
        return carried.reference in self._open

    def find_changeable(self, reference: str) -> Carried | None:
        """It, while it is under way and in nobody's hands."""
        carried = self._open.get(reference)
        return None if carried is None or carried.in_hand else carried
