"""From the octets of a receipt to characters: by what stands in them, not by the number that goes with them.

Many SMSCs copy ``data_coding`` from the message that they report on, and write the report itself as they always do. So
``data_coding`` is not asked at all. A receipt is of keys and values in Latin letters, and only one reading shows these.

Spec: SMPP 3.4 5.2.19, appendix B; 3GPP TS 23.038 6.1.2.1 for packed texts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from drivers.codec.septets import unpack_septets
from drivers.codec.ucs2 import find_byte_order

_UTF_8_MARK: Final = b"\xef\xbb\xbf"
_PADDING: Final = b"\0 \t\r\n"
_UNDERSCORE: Final = {0x11: "_"}
"""The octet that is an underscore in the GSM alphabet, and no character in any other."""
_LEAST_PACKED: Final = 8
_MOST_PACKED: Final = 255
"""Octets: a longer one is no single message."""


def read_octets(content: bytes, is_report: Callable[[str], bool]) -> str:
    """The characters of a receipt; total.

    Args:
        content: the text as it came.
        is_report: whether a reading shows what a receipt has.

    Returns:
        UTF-16 where there is a byte order mark, or a zero beside each letter; GSM-7 packed where only that shows a
        receipt; else one octet a character.
    """
    order = find_byte_order(content)
    if order is not None:
        return content[: len(content) & ~1].decode(order, "replace").lstrip("\ufeff")
    # Blanks and NULs may stand before an odd or an even number of octets.
    plain = content.removeprefix(_UTF_8_MARK).strip(_PADDING)
    text = plain.decode("latin-1").translate(_UNDERSCORE)
    if not is_report(text) and _LEAST_PACKED <= len(content) <= _MOST_PACKED:
        unpacked = _unpack(content)
        if is_report(unpacked):
            return unpacked
    return text


def _unpack(content: bytes) -> str:
    codes = unpack_septets(content, 8 * len(content) // 7)
    return codes.decode("latin-1").translate(_UNDERSCORE).rstrip("\r\0 ")
