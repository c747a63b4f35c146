"""The channels of a daemon as lanes, one directory for all who look at them; it changes while the daemon runs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from gateway.pipeline.sending.lane import Lane


class Lanes(Collection[Lane]):
    """Every lane, in the order of the config.

    Whoever goes through it sees it as it was when he began, so that he may wait meanwhile.
    """

    def __init__(self, lanes: Iterable[Lane] = ()) -> None:
        self._lanes = tuple(lanes)

    def __iter__(self) -> Iterator[Lane]:
        return iter(self._lanes)

    def __len__(self) -> int:
        return len(self._lanes)

    def __contains__(self, lane: object) -> bool:
        return lane in self._lanes

    def find(self, name: str) -> Lane | None:
        """One by its channel's name; None when there is none."""
        return next((lane for lane in self._lanes if lane.name == name), None)

    def put(self, name: str, lane: Lane | None, order: Sequence[str]) -> None:
        """Have this lane under a name from now on.

        Args:
            lane: None for none any more.
            order: names as the config has them; what it does not have stands last.
        """
        others = [other for other in self._lanes if other.name != name]
        place = {known: number for number, known in enumerate(order)}
        found = [*others, lane] if lane is not None else others
        self._lanes = tuple(sorted(found, key=lambda one: place.get(one.name, len(place))))


def rotate(lanes: Sequence[Lane], n: int) -> list[Lane]:
    """The same, from the n-th on, then from the first."""
    first = n % (len(lanes) or 1)
    return [*lanes[first:], *lanes[:first]]
