"""Normal forms: one for all the ways in which a word can be dressed, so that texts can be compared with lists. Pure.

Folding leaves letters, digits and the marks that words of their script need. It takes away width and form
(NFKC), case, accents of Latin, Greek and Cyrillic letters, traditional forms of Chinese characters, look-alikes of
Latin letters, and all that only stands between: white space, punctuation, symbols, invisible characters. What comes
out is for comparing; it is never sent.

A character is folded whatever stands beside it. Only where folding leaves parts of one letter side by side (a Korean
syllable, a voiced kana) they are joined.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from gateway.policy.hanzi import SIMPLIFIED

_MOST_REMEMBERED: Final = 65_536
"""Characters that a table remembers; no living text has more."""
_ROUNDS: Final = 8
"""Folding what was folded changes nothing after two or three; this only keeps a loop from being endless."""

_INVISIBLE_LETTERS: Final = "\u115f\u1160\u17b4\u17b5\u3164\uffa0"
"""Letters by category that nobody sees: fillers of Korean, inherent vowels of Khmer."""


def _pairs(looks: str, like: str) -> dict[str, str]:
    return dict(zip(looks, like, strict=True))


_LOOK_ALIKES: Final[Mapping[str, str]] = {
    # As capitals look, since case is gone by then: В is a B, Η an H. Greek has no way to please both cases.
    **_pairs("авекмнорстухіјѕѵԁһԛԝүӏгь", "abekmhopctyxijsvdhqwylrb"),
    **_pairs("αβεζηικμνορτυχϲϳ", "abezhikmnoptyxcj"),
    **_pairs("ıɩɑɡøđłħʋɴʀʏʟɪɢʜʙ", "iiagodlhvnrylighb"),
    **_pairs("ᴀᴄᴅᴇᴊᴋᴍᴏᴘᴛᴜᴠᴡᴢꜰꜱօսհ", "acdejkmoptuvwzfsouh"),
    "æ": "ae",
    "œ": "oe",
    "ð": "d",
    # Letters in boxes and discs, and those that flags are made of.
    **{chr(first + n): chr(97 + n) for first in (0x1F150, 0x1F170, 0x1F1E6) for n in range(26)},
}

AS_LETTERS: Final[Mapping[str, str]] = MappingProxyType(
    {**_pairs("0134578@$|i", "oleastbasll"), "9": "g", "6": "g"}
)
"""Digits and signs that stand for letters, for `Folding`. One stands for both i and l, so these are one letter then."""


class Folding:
    """One way to fold; lists that are compared with a text are folded the same way.

    Args:
        further: look-alikes beside those of letters, such as `AS_LETTERS`.
    """

    def __init__(self, further: Mapping[str, str] | None = None) -> None:
        self._table = _Table({**_LOOK_ALIKES, **(further or {})})
        self._last = ("", "")

    def fold(self, text: str) -> str:
        """A text in the form that is compared.

        >>> Folding().fold("【最\u200b佳】 ＦＲＥＥ")
        '最佳free'
        """
        # Several rules look at one text, one after the other.
        last, folded = self._last
        if last == text:
            return folded
        folded = text.translate(self._table)
        for _ in range(_ROUNDS):
            if unicodedata.is_normalized("NFC", folded):
                break
            folded = unicodedata.normalize("NFC", folded).translate(self._table)
        self._last = (text, folded)
        return folded

    def fold_text(self, text: str) -> tuple[str, list[int]]:
        """The same, with the index in ``text`` of what each folded character came from. Slower than `fold`."""
        chars, offsets = self._spread(text, range(len(text)))
        for _ in range(_ROUNDS):
            folded = "".join(chars)
            if unicodedata.is_normalized("NFC", folded):
                break
            composed, offsets = _compose(chars, offsets)
            chars, offsets = self._spread(composed, offsets)
        return "".join(chars), offsets

    def _spread(self, text: str, origins: list[int] | range) -> tuple[list[str], list[int]]:
        chars: list[str] = []
        offsets: list[int] = []
        for char, origin in zip(text, origins, strict=True):
            for folded in self._table[ord(char)]:
                chars.append(folded)
                offsets.append(origin)
        return chars, offsets


class _Table(dict[int, str]):
    """Code point -> what it is folded to; filled as characters come."""

    def __init__(self, look_alikes: Mapping[str, str]) -> None:
        super().__init__()
        self._look_alikes = look_alikes

    def __missing__(self, code: int) -> str:
        folded = self._fold(chr(code))
        if len(self) < _MOST_REMEMBERED:
            self[code] = folded
        return folded

    def _fold(self, char: str) -> str:
        for _ in range(_ROUNDS):
            before = char
            apart = unicodedata.normalize("NFKD", char)
            whole = unicodedata.normalize("NFKC", "".join(c for c in apart if not _is_accent(c)))
            char = "".join(map(self._replace, whole.casefold()))
            if char == before:
                break
        return char

    def _replace(self, char: str) -> str:
        if (like := self._look_alikes.get(char)) is not None:
            return like
        if unicodedata.category(char)[0] in "PSZC" or char in _INVISIBLE_LETTERS or _is_variant(char):
            return ""
        return SIMPLIFIED.get(char, char)


_ACCENTS: Final = ((0x0300, 0x036F), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF), (0x20D0, 0x20FF), (0xFE20, 0xFE2F))
"""Blocks of marks that go with any letter; those of Indian or Thai letters are parts of words."""
_VARIANTS: Final = ((0x180B, 0x180F), (0xFE00, 0xFE0F), (0xE0100, 0xE01EF))


def _is_accent(char: str) -> bool:
    return any(first <= ord(char) <= last for first, last in _ACCENTS)


def _is_variant(char: str) -> bool:
    return any(first <= ord(char) <= last for first, last in _VARIANTS)


def _compose(chars: list[str], offsets: list[int]) -> tuple[str, list[int]]:
    """NFC, letter by letter, so that each keeps the index of its beginning."""
    starts = [n for n, char in enumerate(chars) if n == 0 or _begins_letter(char)]
    composed: list[str] = []
    origins: list[int] = []
    for start, end in zip(starts, [*starts[1:], len(chars)], strict=True):
        letter = unicodedata.normalize("NFC", "".join(chars[start:end]))
        composed.append(letter)
        origins += [offsets[min(start + n, end - 1)] for n in range(len(letter))]
    return "".join(composed), origins


def _begins_letter(char: str) -> bool:
    """Whether nothing before a character can be one letter with it: marks and Korean vowels and finals are joined."""
    return unicodedata.category(char)[0] != "M" and not 0x1160 <= ord(char) <= 0x11FF


_PLAIN: Final = Folding()


def fold(text: str) -> str:
    """A text in the form that is compared; see the module."""
    return _PLAIN.fold(text)


def fold_text(text: str) -> tuple[str, list[int]]:
    """The same, with the index in ``text`` of what each folded character came from.

    >>> fold_text("退 訂")
    ('退订', [0, 2])
    """
    return _PLAIN.fold_text(text)
