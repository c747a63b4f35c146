"""Fair shares: whose message comes first among those of one class and priority in a queue. Pure.

Start-time fair queueing. Each owner (an API key, an SMPP account, an account of Kannel's) has its own line, and each
message gets a tag when it is accepted: where the line stands that it joins. A line moves on by what a message takes,
divided by the owner's weight, and a line that was idle begins where the queue is being served. Messages are taken by
their tags, so nothing has to be worked out when one is taken, and a million of one owner stand behind each other, not
before the ten of another.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple

STEP: Final = 100_000
"""By how much one segment of an owner of weight 1 moves its line on."""
MOST_TAG: Final = 1 << 56
"""Tags are smaller; enough for 700,000 million segments."""
MOST_LINES: Final = 10_000
"""Lines of one band that are kept in memory; lines that stand still are forgotten first."""


class Place(NamedTuple):
    """Where a line stands, for the store: of an owner in a band of a queue.

    Args:
        band: class and priority, as in the upper bits of a rank.
        tag: of the owner's next message, if it came now.
    """

    queue: str
    band: int
    owner: str
    tag: int


class _Band:
    """One class and priority in one queue."""

    __slots__ = ("lines", "served")

    def __init__(self, served: int) -> None:
        self.served = served
        self.lines: dict[str, int] = {}


class Shares:
    """The lines of all owners; bounded by those that have something waiting.

    Args:
        begin: the tag of the first message of all; not below what an older version gave.
        weights: of owners that have another one than 1.

    It may be asked on the store's thread, too, as the clock may: what two ask at once is at worst answered alike.
    """

    def __init__(self, begin: int, weights: Mapping[str, int] | None = None) -> None:
        self._begin = begin
        self._weights = dict(weights or {})
        self._bands: dict[tuple[str, int], _Band] = {}

    def adopt(self, weights: Mapping[str, int]) -> None:
        """Go by other weights from now on; what has joined a line keeps its place."""
        self._weights = dict(weights)

    def join(self, queue: str, band: int, owner: str, n_segments: int = 1, *, alias: str = "") -> int:
        """A message joins its owner's line; its tag.

        Args:
            alias: another name under which the owner's weight may stand.
        """
        if alias in self._weights and owner not in self._weights:
            self._weights[owner] = self._weights[alias]
        found = self._band(queue, band)
        tag = max(found.served, found.lines.get(owner, 0))
        found.lines[owner] = min(tag + n_segments * STEP // self._weights.get(owner, 1), MOST_TAG - 1)
        if len(found.lines) > MOST_LINES:
            self._forget(found)
        return tag

    def note_served(self, queue: str, band: int, tag: int) -> None:
        """A message with this tag was taken, or is the first that waits: lines that are idle begin no earlier."""
        found = self._band(queue, band)
        found.served = max(found.served, tag)

    def note_idle(self, but: Collection[tuple[str, int]]) -> None:
        """Nothing waits, but in these bands of queues: elsewhere nobody is ahead of anybody any more."""
        for place, found in list(self._bands.items()):
            if place not in but:
                found.served = max([found.served, *list(found.lines.values())])
                found.lines = {}

    def restore(self, places: Iterable[Place]) -> None:
        """Lines as an earlier run left them, or another instance sees them."""
        for place in places:
            lines = self._band(place.queue, place.band).lines
            lines[place.owner] = max(place.tag, lines.get(place.owner, 0))

    def begin_at(self, queue: str, band: int, tag: int) -> None:
        """The first message that waits there, found at the start."""
        self._band(queue, band).served = tag

    def ahead(self) -> list[Place]:
        """The lines that stand ahead of what is being served: those that must be remembered."""
        return [
            Place(queue, band, owner, tag)
            for (queue, band), found in list(self._bands.items())
            for owner, tag in list(found.lines.items())
            if tag > found.served
        ]

    def _band(self, queue: str, band: int) -> _Band:
        found = self._bands.get((queue, band))
        if found is None:
            found = self._bands[queue, band] = _Band(self._begin)
        return found

    @staticmethod
    def _forget(band: _Band) -> None:
        band.lines = {owner: tag for owner, tag in list(band.lines.items()) if tag > band.served}
        while len(band.lines) > MOST_LINES // 2:
            del band.lines[next(iter(band.lines))]  # it may cut in once, by as much as waits of it
