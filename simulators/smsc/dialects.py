"""How SMSCs of the wild spell receipts: words that can be combined, as ``hex+comma``. Pure.

Spec: SMPP 3.4 appendix B shows one spelling and calls it vendor specific; vendors took the hint.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

_IDS: Final[dict[str, Callable[[int], str]]] = {
    "decimal": str,
    "hex": lambda number: f"{number:x}",
    "upper": lambda number: f"{number:X}",
    "padded": lambda number: f"{number:020d}",
    "padded_hex": lambda number: f"{number:016x}",
}
_FORMATS: Final = {"comma", "capitals", "seconds", "no_text", "no_tlv", "reordered"}

WORDS: Final = frozenset(_IDS) | _FORMATS
"""Ids: ``decimal``, ``hex``, ``upper`` (hex in capitals), ``padded``, ``padded_hex``. Texts: ``comma`` between the
fields, ``capitals`` (``ID:``, ``Text:``), ``seconds`` in dates, ``no_text``, ``reordered`` fields. ``no_tlv``: the
text alone."""


class UnknownWord(ValueError):
    """A dialect that nobody speaks."""


@dataclass(frozen=True, slots=True)
class ReceiptFacts:
    """What a receipt says, before it is spelled."""

    message_id: str
    submitted_at: datetime
    done_at: datetime
    stat: str
    err: int
    delivered: int
    text: str


def read_dialect(text: str) -> frozenset[str]:
    """The words of a dialect. Raises UnknownWord."""
    words = frozenset(text.split("+")) - {""}
    for word in sorted(words - WORDS):
        raise UnknownWord(f'"{word}" is no dialect; write words of {", ".join(sorted(WORDS))}, joined by "+"')
    return words


def spell_id(reference: str, words: frozenset[str]) -> str | None:
    """The network's reference in the dialect's spelling; None when it has none of its own."""
    for word in words & _IDS.keys():
        return _IDS[word](int(reference))
    return None


def spell_receipt(facts: ReceiptFacts, words: frozenset[str]) -> str:
    """The text of a receipt.

    >>> from datetime import datetime
    >>> day = datetime(2024, 5, 1, 12, 30)
    >>> spell_receipt(ReceiptFacts("7", day, day, "DELIVRD", 0, 1, "hi"), frozenset({"comma", "no_text"}))
    'id:7,sub:001,dlvrd:001,submit date:2405011230,done date:2405011230,stat:DELIVRD,err:000'
    """
    date = "%y%m%d%H%M%S" if "seconds" in words else "%y%m%d%H%M"
    fields = [
        ("id", facts.message_id),
        ("sub", "001"),
        ("dlvrd", f"{facts.delivered:03}"),
        ("submit date", facts.submitted_at.strftime(date)),
        ("done date", facts.done_at.strftime(date)),
        ("stat", facts.stat),
        ("err", f"{facts.err:03}"),
    ]
    if "reordered" in words:
        fields = [fields[5], *fields[:5], fields[6]]
    if "no_text" not in words:
        fields.append(("text", facts.text))
    if "capitals" in words:
        fields = [(key.title() if key == "text" else key.upper(), value) for key, value in fields]
    return ("," if "comma" in words else " ").join(f"{key}:{value}" for key, value in fields)
