"""Which national tables can carry a text in septets, and what they cost: the choice is for the caller.

Spec: 3GPP TS 23.038 6.2.1.2; TS 23.040 9.2.3.24.15, 9.2.3.24.16.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final, NamedTuple

from drivers.codec.gsm7 import alphabet
from drivers.codec.gsm7_tables import DEFAULT_ALPHABET, ESCAPE
from drivers.codec.national_tables import LOCKING, SINGLE_SHIFT, Language

IEI_SINGLE_SHIFT: Final = 0x24
"""National language single shift (TS 23.040 9.2.3.24.15)."""
IEI_LOCKING_SHIFT: Final = 0x25
"""National language locking shift (TS 23.040 9.2.3.24.16)."""

_ELEMENT_OCTETS: Final = 3


def _chars_of(table: str) -> frozenset[str]:
    return frozenset(table) - {chr(ESCAPE)}


_LOCKED: Final = {None: _chars_of(DEFAULT_ALPHABET)} | {
    language: _chars_of(table) for language, table in LOCKING.items()
}
_SHIFTED: Final = {language: frozenset(table.values()) for language, table in SINGLE_SHIFT.items()}


class ShiftOption(NamedTuple):
    """One way to write a text in septets.

    Args:
        locking: language of the locking shift table; None for the default alphabet.
        single_shift: language of the single shift table; None for the extension table.
        n_septets: what the text takes, without any header.
    """

    locking: Language | None
    single_shift: Language | None
    n_septets: int

    @property
    def elements(self) -> tuple[tuple[int, bytes], ...]:
        """The elements that every part's header must have, for `drivers.codec.udh.encode_udh`."""
        return national_elements(self.locking, self.single_shift)

    @property
    def n_header_octets(self) -> int:
        """Octets of `elements`, without UDHL: 0, 3 or 6."""
        return _ELEMENT_OCTETS * ((self.locking is not None) + (self.single_shift is not None))


def national_elements(
    locking: Language | None, single_shift: Language | None
) -> tuple[tuple[int, bytes], ...]:
    r"""The header elements that announce national tables, as (identifier, data).

    Spec: 3GPP TS 23.040 9.2.3.24.15, 9.2.3.24.16.

    >>> national_elements(Language.TURKISH, None)
    ((37, b'\x01'),)
    """
    announced = ((IEI_SINGLE_SHIFT, single_shift), (IEI_LOCKING_SHIFT, locking))
    return tuple((iei, bytes((language,))) for iei, language in announced if language is not None)


def shift_options(text: str, languages: Iterable[Language]) -> list[ShiftOption]:
    """All ways to write a text in septets with the tables of some languages.

    Args:
        text: anything.
        languages: that may be used, in order of preference; the default tables may always be.

    Returns:
        The cheapest first by septets and header together; equally cheap ones in order of preference,
        single shift before locking shift, for more handsets know it. Empty when no pair of tables holds
        the text.

    Spec: 3GPP TS 23.038 6.2.1.2.

    >>> shift_options("ışık", [Language.TURKISH])[0]
    ShiftOption(locking=<Language.TURKISH: 1>, single_shift=None, n_septets=4)
    >>> shift_options("鸿雁", list(Language))
    []
    """
    counts = Counter(text)
    chars = counts.keys()
    wanted: list[Language | None] = [None, *languages]
    options = []
    for locking in wanted:
        if locking not in _LOCKED:
            continue
        escaped = chars - _LOCKED[locking]
        n_septets = len(text) + sum(counts[char] for char in escaped)
        options += [
            ShiftOption(locking, single_shift, n_septets)
            for single_shift in wanted
            if escaped <= (_DEFAULT_SHIFTED if single_shift is None else _SHIFTED[single_shift])
        ]
    return sorted(options, key=_cost)


_DEFAULT_SHIFTED: Final = alphabet() - _LOCKED[None]


def _cost(option: ShiftOption) -> tuple[int, bool]:
    # The first element brings a header's length octet along. Sorting is stable: preference decides the rest.
    n_octets = option.n_header_octets + bool(option.n_header_octets)
    return option.n_septets + (8 * n_octets + 6) // 7, option.locking is not None
