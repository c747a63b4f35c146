"""Folding: the form in which words that people write are compared. Pure."""

from __future__ import annotations

import unicodedata
from typing import Final

from gateway.policy.hanzi import SIMPLIFIED

_VARIANTS: Final = frozenset(map(chr, range(0xFE00, 0xFE10)))
"""Variation selectors: phones put one after many a symbol, and they are seen as marks of the letter before."""
_SHORTEST_BARE: Final = 3
"""Letters of a word that may stand without its accents: ``ť`` is not T."""
_SIMPLER: Final = str.maketrans({**SIMPLIFIED, "覆": "复", "帳": "账", "戸": "户"})
"""Traditional characters; a few that people write for one another in such words are the same, too."""

_VOICED: Final = "\u3099\u309a"
"""Marks of Japanese syllables: without them they are others."""


def fold_word(text: str) -> str:
    """A text in the form in which words are compared.

    NFKC (full width becomes ASCII), case folded, without white space, quotes, punctuation, symbols and
    invisible characters; traditional characters as simplified ones.

    >>> fold_word("“ＴＤ。”")
    'td'
    >>> fold_word(" 退 訂! ")
    '退订'
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    kept = "".join(c for c in folded if unicodedata.category(c)[0] not in "PSZC" and c not in _VARIANTS)
    # What was removed may have kept an accent from its letter.
    return unicodedata.normalize("NFKC", kept).translate(_SIMPLER)


def fold_phrase(text: str) -> str:
    """A text as words with one space between them, and around them; without accents.

    >>> fold_phrase("Arrêtez, s'il vous plaît!")
    ' arretez s il vous plait '
    """
    folded = unicodedata.normalize("NFKC", text).casefold().translate(_SIMPLER)
    spaced = "".join(" " if unicodedata.category(c)[0] in "PSZC" else c for c in folded if c not in _VARIANTS)
    return f" {' '.join(strip_accents(spaced).split())} "


def strip_accents(text: str) -> str:
    """Letters without their accents; the same text where there are none.

    >>> strip_accents("arrêt")
    'arret'
    """
    if text.isascii():
        return text
    apart = unicodedata.normalize("NFD", text)
    kept = "".join(c for c in apart if c in _VOICED or not unicodedata.combining(c))
    return unicodedata.normalize("NFC", kept)


def bare(word: str) -> str:
    """A folded word without its accents, where it is long enough to be told without them."""
    return strip_accents(word) if len(word) >= _SHORTEST_BARE else word
