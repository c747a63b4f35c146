"""What the stick has announced, and whether it was found. Pure.

An announcement (``+CMTI``, ``+CDSI``) is a promise: a message is there, and nobody else will deliver it. Sticks get the
place wrong: an EC25 says ``"SM",0`` of a report that lies in SR. So each announcement stays open until a message
was taken for it, and where that was is remembered for the next one. Some sticks announce the same message again: what
is not found, though a message was taken from its very place a moment ago, is such a repetition and not lost.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import MutableMapping

REPORT_STORED = "+CDSI:"
MESSAGE_STORED = "+CMTI:"

LATE_S = 30.0
"""Sticks hold announcements back while they answer: so long after a message was taken its own may still come."""
SEARCHES = 2
"""So many sweeps in vain, and what was announced counts as lost."""
MAX_OPEN = 256


@dataclass(slots=True, eq=False)
class Announcement:
    """One that no message was taken for yet.

    Args:
        kind: `MESSAGE_STORED` or `REPORT_STORED`.
        memory, index: the place that was named.
        at: when.
        n_searches: sweeps that did not find it.
    """

    kind: str
    memory: str
    index: int
    at: float
    n_searches: int = 0


@dataclass(frozen=True, slots=True)
class _Taken:
    memory: str
    index: int
    is_report: bool
    at: float


class Announced:
    """See the module; all times are by one clock.

    Args:
        homes: by kind and the memory that announcements name: where such messages lie. The named memory itself
            stands there when only the index was wrong. Kept by the caller, for the next session.

    Attributes:
        n_found_again: messages in a row that were where they were announced, or came directly.
    """

    def __init__(self, homes: MutableMapping[tuple[str, str], str]) -> None:
        self._homes = homes
        self._open: list[Announcement] = []
        self._unannounced: deque[_Taken] = deque(maxlen=MAX_OPEN)
        self._taken: deque[_Taken] = deque(maxlen=MAX_OPEN)
        self.n_found_again = 0

    def __len__(self) -> int:
        return len(self._open)

    @property
    def are_reports_open(self) -> bool:
        """A report was announced and not found yet."""
        return any(one.kind == REPORT_STORED for one in self._open)

    def home(self, kind: str, memory: str) -> str | None:
        """Where such a message lies, for it is not in its place; None when the place was right so far."""
        return self._homes.get((kind, memory))

    def expect(self, kind: str, memory: str, index: int, now: float) -> None:
        """The stick announced a message."""
        for taken in self._unannounced:
            if (taken.memory, taken.index) == (memory, index) and now - taken.at <= LATE_S:
                self._unannounced.remove(taken)
                return
        if len(self._open) >= MAX_OPEN:
            del self._open[0]
        self._open.append(Announcement(kind, memory, index, now))

    def took(self, memory: str, index: int, now: float, *, is_report: bool) -> None:
        """A message was taken from this place."""
        taken = _Taken(memory, index, is_report, now)
        self._taken.append(taken)
        for one in self._open:
            if (one.memory, one.index) == (memory, index):
                self._homes.pop((one.kind, one.memory), None)
                self._close(one)
                return
        for one in self._open:
            if self._homes.get((one.kind, one.memory)) == memory and is_report is (one.kind == REPORT_STORED):
                self._close(one)
                return
        self._unannounced.append(taken)

    def _close(self, one: Announcement) -> None:
        self._open.remove(one)
        self.n_found_again += 1

    def open_in(self, memory: str) -> list[int]:
        """The places in a memory that were announced and are open."""
        return [one.index for one in self._open if one.memory == memory]

    def is_open(self, memory: str, index: int) -> bool:
        """Whether this place was announced and nothing was taken for it."""
        return index in self.open_in(memory)

    def searched(self, since: float) -> list[Announcement]:
        """All memories were looked through since then; those announcements that count as lost now."""
        found = [taken for taken in self._unannounced if taken.at >= since]
        lost = []
        for one in [one for one in self._open if one.at <= since]:
            if taken := _best_for(one, found):
                self._homes[one.kind, one.memory] = taken.memory
                found.remove(taken)
                self._unannounced.remove(taken)
                self._close(one)
                continue
            one.n_searches += 1
            if one.n_searches >= SEARCHES:
                self._open.remove(one)
                if self._is_repeated(one):
                    continue
                self.n_found_again = 0
                lost.append(one)
        return lost

    def _is_repeated(self, one: Announcement) -> bool:
        """Whether the message that it means was taken from its place, and so announced twice."""
        place = (one.memory, one.index)
        return any((t.memory, t.index) == place and abs(t.at - one.at) <= LATE_S for t in self._taken)

    def note_handed_over(self) -> None:
        """A message came directly, and needed no announcement."""
        self.n_found_again += 1

    def n_unannounced(self, since: float) -> int:
        """How many messages were taken since then that nothing had announced."""
        return sum(taken.at >= since for taken in self._unannounced)


def _best_for(one: Announcement, found: list[_Taken]) -> _Taken | None:
    """What was found for an announcement that named another place: of its kind, or else any."""
    alike = [taken for taken in found if taken.is_report is (one.kind == REPORT_STORED)]
    return next(iter(alike or found), None)
