"""Zones: in which time zones a number may be. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo

_MOST_KEPT = 10_000
"""Beginnings of numbers that are remembered; area codes of the whole world are fewer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Zones:
    """The zones of areas.

    Args:
        areas: beginnings of numbers without ``+``, each with the zones that a number may be in that begins so; the
            longest counts.
        home: of short codes, and of numbers of no country.
    """

    areas: Mapping[str, tuple[tzinfo, ...]]
    home: tuple[tzinfo, ...]
    _n_digits: int = field(init=False, repr=False, compare=False)
    _kept: dict[str, tuple[tzinfo, ...]] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_n_digits", max(map(len, self.areas), default=0))

    def of(self, number: str) -> tuple[tzinfo, ...]:
        """All zones that a number may be in, at least one.

        Args:
            number: E.164 with ``+``, or a short code's digits.
        """
        if not number.startswith("+"):
            return self.home
        begins = number[1 : 1 + self._n_digits]
        found = self._kept.get(begins)
        if found is None:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            found = self._kept[begins] = self._find(begins)
        return found

    def _find(self, begins: str) -> tuple[tzinfo, ...]:
        for n in range(len(begins), 0, -1):
            if (zones := self.areas.get(begins[:n])) is not None:
                return zones
        return self.home
