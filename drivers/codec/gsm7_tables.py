"""The GSM 7-bit default alphabet and its extension table, as data.

Spec: 3GPP TS 23.038 6.2.1 (default alphabet) and 6.2.1.1 (extension table). National language
tables are not here.
"""

from __future__ import annotations

from typing import Final

ESCAPE: Final = 0x1B
"""The code that announces one code of the extension table."""

# Sixteen codes a row. 0x1B stands for itself: it is no character, and no text contains it as one.
DEFAULT_ALPHABET: Final = (
    "@£$¥èéùìòÇ\nØø\rÅå"  # 0x00
    "Δ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"  # 0x10
    " !\"#¤%&'()*+,-./"  # 0x20
    "0123456789:;<=>?"  # 0x30
    "¡ABCDEFGHIJKLMNO"  # 0x40
    "PQRSTUVWXYZÄÖÑÜ§"  # 0x50
    "¿abcdefghijklmno"  # 0x60
    "pqrstuvwxyzäöñüà"  # 0x70
)
"""The character of each code, 0x00..0x7F."""

EXTENSION: Final[dict[int, str]] = {
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}
"""The character of each code that follows an escape; codes not listed are undefined."""
