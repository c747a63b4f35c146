"""GSM 7-bit text: characters to codes and back, in the default alphabet or under national shift tables.

Codes are handled one per byte, as `drivers.base.Encoding.GSM7` payloads are; they are packed
(`drivers.codec.septets`) only at the edge of a TPDU. No guessing: ``ç`` is not ``Ç``.

Spec: 3GPP TS 23.038 6.2.1 (alphabet), 6.2.1.2 (national languages).
"""

from __future__ import annotations

import codecs
import unicodedata
from functools import lru_cache
from typing import Final

from drivers.codec.gsm7_tables import DEFAULT_ALPHABET, ESCAPE, EXTENSION
from drivers.codec.national_tables import LOCKING, SINGLE_SHIFT, Language
from drivers.codec.septets import pack_septets, unpack_septets
from drivers.errors import EncodeError

# Packing was part of this module once, and is still asked for here.
__all__ = [
    "alphabet",
    "count_septets",
    "decode_gsm7",
    "describe",
    "encode_gsm7",
    "is_gsm7",
    "pack_septets",
    "unpack_septets",
]

_ESC: Final = bytes((ESCAPE,))
_ESC_CHAR: Final = chr(ESCAPE)
_ABOVE_127: Final = "\ufffd" * 128
_BLANK: Final = " "
_SPACE: Final = 0x20

_TABLES: Final[dict[Language | None, str]] = {
    None: DEFAULT_ALPHABET + _ABOVE_127,
    **{language: table + _ABOVE_127 for language, table in LOCKING.items()},
}
_EXTENSIONS: Final[dict[Language | None, dict[int, str]]] = {
    language: EXTENSION if language is None else SINGLE_SHIFT[language] for language in (None, *Language)
}

_EncodeMap = dict[int, int | bytes]


# A pair of tables takes some 20 kilobytes, and few pairs are ever used at a time.
@lru_cache(maxsize=32)
def _encode_map(locking: Language | None, single_shift: Language | None) -> _EncodeMap:
    if locking is not None and locking not in LOCKING:
        raise EncodeError("ud.locking", f"{locking.name.title()} has no locking shift table")
    # What both tables have is written without an escape; of equal characters in one table the first is taken.
    mapping: _EncodeMap = {
        ord(char): bytes((ESCAPE, code)) for code, char in reversed(_EXTENSIONS[single_shift].items())
    }
    for code, char in reversed(list(enumerate(_TABLES[locking][:128]))):
        if char != _ESC_CHAR and (char != _BLANK or code == _SPACE):
            mapping[ord(char)] = code
    return mapping


_DEFAULT_MAP: Final = _encode_map(None, None)
_DEFAULT_CHARS: Final = frozenset(map(chr, _DEFAULT_MAP))


def alphabet(locking: Language | None = None, single_shift: Language | None = None) -> frozenset[str]:
    """The characters that can be written under a pair of tables, one septet each or two.

    Args:
        locking: the language whose table stands for the default alphabet; None for the latter.
        single_shift: the language whose table stands for the extension table; None for the latter.

    Raises:
        EncodeError: Spanish as ``locking``: it has no such table.

    Spec: 3GPP TS 23.038 6.2.1, 6.2.1.2, Annex A.

    >>> "ş" in alphabet(), "ş" in alphabet(Language.TURKISH), "ş" in alphabet(None, Language.TURKISH)
    (False, True, True)
    """
    if locking is None and single_shift is None:
        return _DEFAULT_CHARS
    return frozenset(map(chr, _encode_map(locking, single_shift)))


def is_gsm7(text: str, *, locking: Language | None = None, single_shift: Language | None = None) -> bool:
    """Whether every character can be written; by default, in the default alphabet or its extension table.

    Args:
        text: anything.
        locking: see `alphabet`.
        single_shift: see `alphabet`.

    Raises:
        EncodeError: Spanish as ``locking``.

    Spec: 3GPP TS 23.038 6.2.1.

    >>> is_gsm7("Grüße: 5 €"), is_gsm7("鸿雁"), is_gsm7("ça")
    (True, False, False)
    >>> is_gsm7("ça", single_shift=Language.SPANISH)
    True
    """
    return alphabet(locking, single_shift).issuperset(text)


def encode_gsm7(text: str, *, locking: Language | None = None, single_shift: Language | None = None) -> bytes:
    """Turn text into codes, one per byte; a character of the extension or single shift table becomes two.

    Args:
        text: anything; only what `is_gsm7` accepts can be encoded.
        locking: see `alphabet`; the message's header must then announce it (`drivers.codec.udh`).
        single_shift: the same.

    Returns:
        Codes 0..127. Their number is what counts against 160 or 153, not the number of characters.

    Raises:
        EncodeError: a character can't be written: its index in ``text``, code point and name are given, the
            text is not. Or Spanish as ``locking``.

    Spec: 3GPP TS 23.038 6.2.1, 6.2.1.1, 6.2.1.2.

    >>> encode_gsm7("@£€").hex(" ")
    '00 01 1b 65'
    >>> encode_gsm7("ışık", locking=Language.TURKISH).hex(" ")
    '07 1d 07 6b'
    """
    mapping = _DEFAULT_MAP if locking is single_shift is None else _encode_map(locking, single_shift)
    try:
        return codecs.charmap_encode(text, "strict", mapping)[0]
    except UnicodeEncodeError as error:
        where, char = error.start, text[error.start]
        raise EncodeError("ud", f"character {where}, {describe(char)}, is not in the alphabet") from None


def describe(char: str) -> str:
    """A character by code point and name, fit for a log whatever it is.

    >>> describe("’")
    'U+2019 RIGHT SINGLE QUOTATION MARK'
    """
    return f"U+{ord(char):04X} {unicodedata.name(char, '')}".rstrip()


def count_septets(text: str, *, locking: Language | None = None, single_shift: Language | None = None) -> int:
    """How many septets the text takes, without any header.

    Args:
        text: as in `encode_gsm7`.
        locking: see `alphabet`.
        single_shift: see `alphabet`.

    Raises:
        EncodeError: as `encode_gsm7`.

    Spec: 3GPP TS 23.038 6.2.1, 6.2.1.1.

    >>> count_septets("5 €"), count_septets("ş", single_shift=Language.TURKISH)
    (4, 2)
    """
    return len(encode_gsm7(text, locking=locking, single_shift=single_shift))


def decode_gsm7(
    codes: bytes, *, locking: Language | None = None, single_shift: Language | None = None
) -> str:
    r"""Turn codes, one per byte, into text; total.

    Args:
        codes: any bytes. Values above 127 become U+FFFD; a code that is undefined after an escape is read
            without it; an escape before nothing or before another escape is a space, and so is a cell
            that a locking shift table leaves empty.
        locking: from element 0x25 of the header; a language without such a table is read as None.
        single_shift: from element 0x24 of the header.

    Spec: 3GPP TS 23.038 6.2.1, 6.2.1.1, 6.2.1.2, Annex A.

    >>> decode_gsm7(bytes.fromhex("00 01 1b 65"))
    '@£€'
    >>> decode_gsm7(b"a\x1bb\x1b")
    'ab '
    >>> decode_gsm7(bytes.fromhex("071d076b"), locking=Language.TURKISH)
    'ışık'
    """
    table = _TABLES.get(locking) or _TABLES[None]
    if ESCAPE not in codes:
        return codecs.charmap_decode(codes, "strict", table)[0]
    first, *others = codes.split(_ESC)
    pieces = [codecs.charmap_decode(first, "strict", table)[0]]
    extension = _EXTENSIONS[single_shift]
    rest = iter(others)
    for part in rest:
        if part:
            char = extension.get(part[0], "")
            pieces += char, codecs.charmap_decode(part[1:] if char else part, "strict", table)[0]
        else:  # an escape after an escape announces a table that nobody has defined (TS 23.038 6.2.1.1)
            pieces += _BLANK, codecs.charmap_decode(next(rest, b""), "strict", table)[0]
    return "".join(pieces)
