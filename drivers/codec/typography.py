"""Typographic characters and the plain ones that stand for them: one curly quote doubles the price of a text.

Letters are never changed: ``ç`` is not ``c``. Marks that Unicode itself can compose (``e`` and an accent) are.

Spec: the plain characters are those of 3GPP TS 23.038 6.2.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple
from unicodedata import normalize

from drivers.codec.gsm7 import is_gsm7

_PLAIN: Final[dict[str, str]] = {
    **dict.fromkeys("‘’‚‛′‵ʹʼˈ`´‹›", "'"),
    **dict.fromkeys("“”„‟″‶«»", '"'),
    **dict.fromkeys("‐‑‒–—―−⁃﹘﹣", "-"),
    **dict.fromkeys(
        "\t\xa0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f", " "
    ),
    **dict.fromkeys("\x85\u2028\u2029\v", "\n"),
    # Invisible: soft hyphen, zero-width space, word joiner, byte order mark. Joiners of emoji are kept.
    **dict.fromkeys("\xad\u200b\u2060\ufeff", ""),
    "…": "...",
    "‥": "..",
    "•": "*",
    "⁄": "/",
    "ﬀ": "ff",
    "ﬁ": "fi",
    "ﬂ": "fl",
    "ﬃ": "ffi",
    "ﬄ": "ffl",
}
_FULL_WIDTH: Final[dict[str, str]] = {
    **{chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},
    "\uff40": "'",  # the grave accent is not in the alphabet
    "\u3000": " ",
    "￡": "£",
    "￥": "¥",
}
_ACCENTED: Final = "[A-Za-z][\u0300-\u036f]+"
_TYPOGRAPHIC: Final = re.compile(f"[{re.escape(''.join(_PLAIN))}]|{_ACCENTED}")
_WIDE_TOO: Final = re.compile(f"[{re.escape(''.join(_PLAIN | _FULL_WIDTH))}]|{_ACCENTED}")
_REPLACEMENTS: Final = _PLAIN | _FULL_WIDTH


class Replacement(NamedTuple):
    """One replaced character.

    Args:
        position: in the text as it was, in characters from 0.
        original: what stood there.
        replacement: what stands there now; empty for invisible characters.
    """

    position: int
    original: str
    replacement: str


class Foreign(NamedTuple):
    """A character that GSM-7 has no code for.

    Args:
        position: in characters from 0.
    """

    position: int
    char: str


def replace_typographic(text: str, *, full_width: bool = False) -> tuple[str, tuple[Replacement, ...]]:
    """Write a text with plain characters wherever typography has an equal in GSM-7.

    Args:
        text: any.
        full_width: full-width Latin letters, digits and punctuation too, as Chinese keyboards make them.

    Returns:
        The new text, and what was replaced, in order. A replacement may be longer than its original.

    >>> replace_typographic("“Hi” …")[0]
    '"Hi" ...'
    >>> replace_typographic("ＯＫ，好", full_width=True)[0]
    'OK,好'
    """
    replaced: list[Replacement] = []

    def plain(found: re.Match[str]) -> str:
        original = found[0]
        char = _REPLACEMENTS.get(original)
        if char is None:
            char = normalize("NFC", original)
            if not is_gsm7(char):
                return original
        replaced.append(Replacement(found.start(), original, char))
        return char

    return (_WIDE_TOO if full_width else _TYPOGRAPHIC).sub(plain, text), tuple(replaced)


def find_foreign(text: str) -> Iterator[Foreign]:
    """The characters that GSM-7 has no code for, in order: each of them makes the text UCS-2.

    >>> list(find_foreign("a—b"))
    [Foreign(position=1, char='—')]
    """
    return (Foreign(position, char) for position, char in enumerate(text) if not is_gsm7(char))
