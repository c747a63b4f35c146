"""Carriers: whose a number is, as far as its range and what is known of ported numbers tell. Pure.

A range tells who was given a number once. Where people may take it along to another carrier (携号转网) that is a guess;
what is known of a single number goes before it.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

MOST_PORTED: Final = 5_000_000
"""Numbers of the file of ported ones: nine octets each in memory."""


class CarrierRange(NamedTuple):
    """Numbers that begin alike.

    Args:
        prefix: with ``+`` and country code.
        carrier: the name of a carrier.
        kind: ``mobile``, ``virtual``, ``iot`` or ``satellite``.
        n_digits: of the whole number with its country code; 0 for any.
    """

    prefix: str
    carrier: str
    kind: str = "mobile"
    n_digits: int = 0


class Carrier(NamedTuple):
    """One carrier.

    Args:
        name: as rules name it.
        title: as people call it.
        networks: its MCC with MNC, digits.
    """

    name: str
    title: str
    networks: tuple[str, ...] = ()


class Known(NamedTuple):
    """What the store knows of one number.

    Args:
        carrier: the name of a carrier; one that is not in the tables any more is passed over.
        source: ``api`` or ``receipt``.
    """

    carrier: str
    source: str


class CarrierFact(msgspec.Struct, frozen=True, kw_only=True):
    """Whose a number is.

    Args:
        carrier: its name; null where nothing tells.
        title: as people call it.
        kind: ``mobile``, ``virtual``, ``iot`` or ``satellite``; null where only a single number is known.
        source: ``api``, ``file``, ``receipt`` or ``range``; null where nothing tells.
        detail: one sentence: how it is known.
    """

    carrier: str | None
    title: str | None = None
    kind: str | None = None
    source: str | None = None
    detail: str


class Ported:
    """Numbers and their carriers, packed; immutable.

    Args:
        numbers: number with ``+`` -> carrier. At most 255 different carriers.
    """

    def __init__(self, numbers: Mapping[str, str] | None = None) -> None:
        listed = sorted((int(number), carrier) for number, carrier in (numbers or {}).items())
        self._carriers = sorted({carrier for _, carrier in listed})
        place = {carrier: n for n, carrier in enumerate(self._carriers)}
        self._numbers = array("Q", [number for number, _ in listed])
        self._places = bytes(place[carrier] for _, carrier in listed)

    def __len__(self) -> int:
        return len(self._numbers)

    def find(self, number: str) -> str | None:
        """The carrier of one number."""
        if not self._numbers or not number.startswith("+"):
            return None
        value = int(number)
        at = bisect_left(self._numbers, value)
        if at < len(self._numbers) and self._numbers[at] == value:
            return self._carriers[self._places[at]]
        return None


_SOURCES: Final = {
    "api": "It was set by hand.",
    "file": "It stands in the file of ported numbers.",
    "receipt": "It was learned from a delivery report.",
}


class Carriers:
    """All that the config knows of carriers; immutable.

    Args:
        carriers: all of them.
        ranges: where two fit, the longer prefix wins, and one of a certain length before one of any.
        ported: see `Ported`.
        learn: what delivery reports tell is kept.
    """

    def __init__(
        self,
        carriers: Sequence[Carrier] = (),
        ranges: Iterable[CarrierRange] = (),
        ported: Ported | None = None,
        *,
        learn: bool = False,
    ) -> None:
        self.by_name = {carrier.name: carrier for carrier in carriers}
        self.learn = learn
        self._networks = {network: carrier.name for carrier in carriers for network in carrier.networks}
        self._ported = ported or Ported()
        self._ranges = {(found.prefix, found.n_digits): found for found in ranges}
        self._lengths = sorted({len(prefix) for prefix, _ in self._ranges}, reverse=True)

    def range_of(self, number: str) -> CarrierRange | None:
        """The range that a number lies in."""
        n_digits = len(number) - 1
        for length in self._lengths:
            prefix = number[:length]
            found = self._ranges.get((prefix, n_digits)) or self._ranges.get((prefix, 0))
            if found is not None:
                return found
        return None

    def of_network(self, network: str) -> str | None:
        """The carrier with this MCC and MNC, such as ``46000``."""
        return self._networks.get(network)

    def name_of(self, number: str, known: Known | None = None) -> str | None:
        """The carrier of a number; None where nothing tells.

        Args:
            known: what the store knows of it.
        """
        return self._find(number, known)[0]

    def _find(self, number: str, known: Known | None) -> tuple[str | None, str | None]:
        if known is not None and known.source == "api" and known.carrier in self.by_name:
            return known.carrier, "api"
        if (ported := self._ported.find(number)) is not None:
            return ported, "file"
        if known is not None and known.carrier in self.by_name:
            return known.carrier, known.source
        found = self.range_of(number)
        return (None, None) if found is None else (found.carrier, "range")

    def fact_of(self, number: str, known: Known | None = None) -> CarrierFact:
        """The same, with how it is known."""
        name, source = self._find(number, known)
        found = self.range_of(number)
        if name is None:
            return CarrierFact(carrier=None, detail="No range of the carrier files holds this number.")
        kind = None if found is None else found.kind
        if source == "range" and found is not None:
            detail = (
                f"Numbers with {found.prefix} were given to it; whether this one was ported is not known."
            )
        else:
            detail = _SOURCES[source or ""]
            if found is not None and found.carrier != name:
                detail += f" Its range {found.prefix} was given to {found.carrier}."
        title = self.by_name[name].title if name in self.by_name else None
        return CarrierFact(carrier=name, title=title, kind=kind, source=source, detail=detail)
