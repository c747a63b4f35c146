"""How SMSCs of the wild spell receipts: words that can be combined, as ``hex+comma``. Pure.

Spec: SMPP 3.4 appendix B shows one spelling and calls it vendor specific; vendors took the hint.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from drivers.codec.septets import pack_septets

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
_FORMATS: Final = {"comma", "capitals", "seconds", "no_text", "no_tlv", "reordered", "own_words", "odd_words"}
_OCTETS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "wide": lambda text: text.decode("latin-1").encode("utf-16-be"),
    "wide_swapped": lambda text: b"\xff\xfe" + text.decode("latin-1").encode("utf-16-le"),
    "packed": lambda text: pack_septets(text + b"\r" if len(text) % 8 == 7 else text),
}
_ENVELOPES: Final = {"says_ucs2", "in_payload", "no_label", "unturned", "masked"}
_OWN_WORDS: Final = {
    "DELIVRD": "Successfully delivered",
    "UNDELIV": "FAILED",
    "REJECTD": "Rejected by operator",
    "EXPIRED": "TIMEOUT",
}
_ODD_WORD: Final = "HALFWAY"

WORDS: Final = frozenset(_IDS) | _FORMATS | _OCTETS.keys() | _ENVELOPES
"""Ids: ``decimal``, ``hex``, ``upper`` (hex in capitals), ``padded``, ``padded_hex``. Texts: ``comma`` between the
fields, ``capitals`` (``ID:``, ``Text:``), ``seconds`` in dates, ``no_text``, ``reordered`` fields, ``own_words`` or
``odd_words`` (that nobody knows) for the state; in UTF-16 (``wide``, or ``wide_swapped`` with a mark), or ``packed`` as
GSM-7. ``no_tlv``: the text alone. ``says_ucs2``: data_coding 8, whatever the text is in. ``in_payload``: in that
parameter. ``no_label``: esm_class 0. ``unturned``: both addresses as the message had them; ``masked``: digits of the
handset are hidden."""


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
    if "own_words" in words:
        fields[5] = ("stat", _OWN_WORDS.get(facts.stat, facts.stat))
    if "odd_words" in words:
        fields[5] = ("stat", _ODD_WORD)
    if "reordered" in words:
        fields = [fields[5], *fields[:5], fields[6]]
    if "no_text" not in words:
        fields.append(("text", facts.text))
    if "capitals" in words:
        fields = [(key.title() if key == "text" else key.upper(), value) for key, value in fields]
    return ("," if "comma" in words else " ").join(f"{key}:{value}" for key, value in fields)


def spell_octets(text: bytes, words: frozenset[str]) -> bytes:
    """A receipt's text as octets."""
    for word in words & _OCTETS.keys():
        return _OCTETS[word](text)
    return text
