"""What waits behind others without end gets a place now and then: how often, and when. Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple


class Patience(NamedTuple):
    """When a message that others go before is helped.

    Args:
        after_s: it has waited for so long.
        one_of: one of so many places of its queue goes to such messages.
    """

    after_s: float = 60.0
    one_of: int = 10


DEFAULT_PATIENCE: Final = Patience()
_MOST_SAVED: Final = 50.0
"""Places that a queue may have in hand."""


class TurnsOfAge:
    """Counts the places of each queue."""

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self._saved: dict[str, float] = {}

    def wanted(self, queues: Collection[str]) -> dict[str, int]:
        """How many places of these queues may go to those that have waited too long; queues without any are absent."""
        return {queue: int(n) for queue in queues if (n := self._saved.get(queue, 0.0)) >= 1.0}

    def note(self, queue: str, *, aged: bool) -> None:
        """A place was given."""
        change = -1.0 if aged else 1.0 / self.patience.one_of
        self._saved[queue] = min(max(self._saved.get(queue, 0.0) + change, 0.0), _MOST_SAVED)
