r"""UCS-2 as it comes in: with byte order marks, in the other order, with padding, with an octet too many.

A network's own order is big-endian and needs no mark (3GPP TS 23.038 6.2.3). Applications and some SMSCs write what
their machine has in memory.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

BIG: Final = "utf-16-be"
LITTLE: Final = "utf-16-le"

_MARKS: Final = {b"\xfe\xff": BIG, b"\xff\xfe": LITTLE}
_LOOKED_AT: Final = 64
"""Octets in which zeros are counted: what a text begins with tells."""
_LINE_ENDS: Final = frozenset("\r\n\t\0")


def find_byte_order(octets: bytes) -> str | None:
    r"""`BIG` or `LITTLE` where the octets show that they are UTF-16 of Latin letters, or begin with a mark.

    >>> find_byte_order(b"\xff\xfeT\0"), find_byte_order(b"\0i\0d\0:"), find_byte_order(b"id:7")
    ('utf-16-le', 'utf-16-be', None)
    """
    marked = _MARKS.get(octets[:2])
    if marked is not None:
        return marked
    head = octets[: min(_LOOKED_AT, len(octets) & ~1)]
    n_units = len(head) // 2
    if n_units < 2:
        return None
    first, second = head[::2].count(0), head[1::2].count(0)
    # Both zero: padding, which tells nothing.
    both = sum(head[i] == 0 == head[i + 1] for i in range(0, len(head), 2))
    if first - both > 0.6 * (n_units - both) and second == both:
        return BIG
    if second - both > 0.6 * (n_units - both) and first == both:
        return LITTLE
    return None


def tidy_ucs2(octets: bytes) -> bytes:
    r"""A text in UTF-16 of either order as big-endian, without mark and padding; total.

    Returns:
        Without a mark the order is big-endian, unless only the other one can be a text. An odd last octet stays.

    Spec: 3GPP TS 23.038 6.2.3; Unicode 23.8 (byte order mark).

    >>> tidy_ucs2(b"\xff\xfeT\0D\0").decode("utf-16-be"), tidy_ucs2(b"\0T\0\0").decode("utf-16-be")
    ('TD', 'T')
    """
    if octets[:2] not in _MARKS and _is_little(octets[: len(octets) & ~1]):
        octets = _swap(octets)
    octets = _turn(octets, BIG)
    while len(octets) % 2 == 0 and octets.endswith(b"\0\0"):
        octets = octets[:-2]
    return octets


def turn_parts(parts: Sequence[bytes]) -> list[bytes]:
    """Parts of one text in a row as big-endian, without marks: the first one's mark holds for those without.

    An odd last octet stays: it may be half of a character whose other half is in the next part.
    """
    order = _MARKS.get(parts[0][:2], BIG)
    return [_turn(part, order) for part in parts]


def _turn(octets: bytes, order: str) -> bytes:
    """Big-endian and without mark; ``order`` is of those that have none."""
    marked = _MARKS.get(octets[:2])
    octets = octets if marked is None else octets[2:]
    return _swap(octets) if (marked or order) == LITTLE else octets


def _swap(octets: bytes) -> bytes:
    even = len(octets) & ~1
    swapped = bytearray(octets)
    swapped[0:even:2], swapped[1:even:2] = octets[1:even:2], octets[0:even:2]
    return bytes(swapped)


def _is_little(even: bytes) -> bool:
    """Whether the octets can't be a text in big-endian order, and can in the other."""
    if len(even) < 4:
        return False  # one character is too little to judge by
    shown = find_byte_order(even)
    if shown == BIG:
        return False
    if shown == LITTLE and all(0x20 <= octet < 0x7F or octet in b"\r\n\t\0" for octet in even[::2]):
        # Latin letters in the other order read as characters U+xx00, of which 一 (U+4E00) is a common one.
        return even.strip(b"\x4e\0") != b""
    # Private characters, those of a newer Unicode and halves of pairs are no proof; controls are, beside common ones.
    text = even.decode(BIG, "replace")
    has_controls = any(unicodedata.category(c) == "Cc" and c not in _LINE_ENDS for c in text)
    return has_controls and is_common(even.decode(LITTLE, "replace"))


def find_plain_ascii(octets: bytes) -> str | None:
    """A text of one octet a character that came under the number of UCS-2; None where it may be UCS-2.

    An odd number of octets is none. An even one is taken for ASCII only where it is of letters, digits, blanks and
    stops, long enough not to be so by chance, and read as UCS-2 would have characters that are not common.

    >>> find_plain_ascii(b"YES"), find_plain_ascii(b"STOP SMS"), find_plain_ascii("你好".encode("utf-16-be"))
    ('YES', 'STOP SMS', None)
    """
    text = octets.rstrip(b"\0\r\n ").decode("latin-1")
    if len(octets) % 2 and len(text) == len(octets) and text.isascii() and text.isprintable():
        return text
    if len(text) < _LEAST_EVEN or not _PLAIN.fullmatch(text):
        return None
    return None if is_common(octets[: len(octets) & ~1].decode(BIG, "replace")) else text


_LEAST_EVEN: Final = 8
_PLAIN: Final = re.compile(r"[A-Za-z0-9 .,:;!?'\r\n-]+")


def is_common(text: str) -> bool:
    """Whether each character is of the first level of GB 2312 or of Big5, which hold what people write."""
    return any(_is_of_level(text, codec, last) for codec, last in (("gb2312", 0xD7), ("big5", 0xC6)))


def _is_of_level(text: str, codec: str, last: int) -> bool:
    try:
        octets = text.encode(codec)
    except UnicodeEncodeError:
        return False
    return max(octets[::2], default=0) <= last
