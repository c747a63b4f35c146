"""Admission: how much may wait to be stored. What is beyond is refused at the door, with a word when to come again.

All that clients cause asks here: messages by whatever door, parts of texts, verbs, entries of the opt-out list. What
the gateway itself writes (results, receipts, inbound messages) never does: it is never refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from gateway.errors import Overloaded
from gateway.pipeline.intake.drafts import Draft

MOST_WAITING_OCTETS: Final = 32 << 20
"""About a second of the writer's work, and as much memory."""
_MESSAGE_OCTETS: Final = 1_500
"""Of a message beside its text: the values, its row, its event."""
_SEGMENT_OCTETS: Final = 250


DEED_OCTETS: Final = 2_000
"""Of a verb that waits to be done, beside its request."""


class Room:
    """The place where what clients cause waits for the writer, bounded in octets.

    Args:
        most_octets: that may wait at once; a single request finds room in an empty one, however large it is.
    """

    def __init__(self, most_octets: int = MOST_WAITING_OCTETS) -> None:
        self._most_octets = most_octets
        self._n_octets = 0

    def hold(self, drafts: Sequence[Draft]) -> AbstractContextManager[None]:
        """Have room for these until they are stored.

        Raises:
            Overloaded: there is none now.
        """
        return self.hold_octets(sum(map(weigh, drafts)))

    @contextmanager
    def hold_octets(self, n_octets: int) -> Iterator[None]:
        """Have room for so much.

        Raises:
            Overloaded: there is none now.
        """
        if self._n_octets and self._n_octets + n_octets > self._most_octets:
            raise Overloaded("too much waits to be stored; nothing was taken, try again in a moment")
        self._n_octets += n_octets
        try:
            yield
        finally:
            self._n_octets -= n_octets


def weigh(draft: Draft) -> int:
    """About how many octets a draft holds in memory until it is stored."""
    n_text = 2 * len(draft.message.text or "")
    return _MESSAGE_OCTETS + n_text + sum(len(s.payload) + _SEGMENT_OCTETS for s in draft.segments)
