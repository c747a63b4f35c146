"""GSM 7-bit text: characters to codes and back, and codes packed into octets.

Codes are handled one per byte, as `drivers.base.Encoding.GSM7` payloads are; packing happens only at
the edge of a TPDU. No national language tables, and no guessing: ``ç`` is not ``Ç``.

Spec: 3GPP TS 23.038 6.1.2.1 (packing) and 6.2.1 (alphabet).
"""

from __future__ import annotations

import codecs
import re
from typing import Final

from drivers.codec.gsm7_tables import DEFAULT_ALPHABET, ESCAPE, EXTENSION
from drivers.errors import DecodeError, EncodeError

_ESC_CHAR: Final = chr(ESCAPE)

# The charmap codec of the C library does the loop: one table look-up per character, no Python per character.
_ENCODE_MAP: Final[dict[int, int | bytes]] = {
    **{ord(char): code for code, char in enumerate(DEFAULT_ALPHABET) if char != _ESC_CHAR},
    **{ord(char): bytes((ESCAPE, code)) for code, char in EXTENSION.items()},
}
_DECODE_TABLE: Final = DEFAULT_ALPHABET + "\ufffd" * 128
_ALPHABET: Final = frozenset(map(chr, _ENCODE_MAP))

# Keyed by what the default table makes of the code after the escape. Undefined codes fall back to the
# default table; a second escape is reserved for another table and shown as a space (TS 23.038 6.2.1.1).
_ESCAPED: Final = {DEFAULT_ALPHABET[code]: char for code, char in EXTENSION.items()} | {_ESC_CHAR: " "}
_ESCAPE_PAIR: Final = re.compile(f"{_ESC_CHAR}(.?)", re.DOTALL)

_BITS: Final = tuple(f"{code:07b}" for code in range(128))


def is_gsm7(text: str) -> bool:
    """Whether every character is in the default alphabet or its extension table.

    Spec: 3GPP TS 23.038 6.2.1.

    >>> is_gsm7("Grüße: 5 €"), is_gsm7("鸿雁"), is_gsm7("ça")
    (True, False, False)
    """
    return _ALPHABET.issuperset(text)


def encode_gsm7(text: str) -> bytes:
    """Turn text into codes, one per byte; a character of the extension table becomes two.

    Args:
        text: anything; only what `is_gsm7` accepts can be encoded.

    Returns:
        Codes 0..127. Their number is what counts against 160 or 153, not the number of characters.

    Raises:
        EncodeError: a character is not in the alphabet; its position is named, not the character.

    Spec: 3GPP TS 23.038 6.2.1, 6.2.1.1.

    >>> encode_gsm7("@£€").hex(" ")
    '00 01 1b 65'
    """
    try:
        return codecs.charmap_encode(text, "strict", _ENCODE_MAP)[0]
    except UnicodeEncodeError as error:
        raise EncodeError("ud", f"character {error.start} is not in the GSM 7-bit alphabet") from None


def decode_gsm7(codes: bytes) -> str:
    r"""Turn codes, one per byte, into text; total.

    Args:
        codes: any bytes. Values above 127 become U+FFFD, an undefined code after an escape is read
            in the default table, an escape before nothing or before another escape is a space.

    Spec: 3GPP TS 23.038 6.2.1, 6.2.1.1.

    >>> decode_gsm7(bytes.fromhex("00 01 1b 65"))
    '@£€'
    >>> decode_gsm7(b"a\x1bb\x1b")
    'ab '
    """
    text = codecs.charmap_decode(codes, "strict", _DECODE_TABLE)[0]
    if _ESC_CHAR not in text:
        return text
    return _ESCAPE_PAIR.sub(_resolve_escape, text)


def _resolve_escape(pair: re.Match[str]) -> str:
    char = pair[1]
    return _ESCAPED.get(char, char) or " "


def pack_septets(septets: bytes, fill_bits: int = 0) -> bytes:
    """Pack 7-bit codes into octets, least significant bit first.

    Args:
        septets: one code per byte, each 0..127 (an escaped character is two).
        fill_bits: zero bits before the first septet, 0..6; non-zero only after a UDH, so that text
            starts on a septet boundary.

    Returns:
        ``ceil((7 * len(septets) + fill_bits) / 8)`` octets, zero padded. The septet count is not
        recoverable from them; it travels in TP-UDL.

    Raises:
        EncodeError: a code is above 127 or ``fill_bits`` is out of range.

    Spec: 3GPP TS 23.038 6.1.2.1; fill bits TS 23.040 9.2.3.24.

    >>> pack_septets(b"hello").hex()
    'e8329bfd06'
    >>> pack_septets(b"hello", fill_bits=1).hex()
    'd06536fb0d'
    """
    if not 0 <= fill_bits <= 6:
        raise EncodeError("ud.fill_bits", "must be 0..6")
    try:
        bits = "".join(map(_BITS.__getitem__, reversed(septets)))
    except IndexError:
        raise EncodeError("ud", "a septet is above 127") from None
    n_octets = (len(bits) + fill_bits + 7) // 8
    return (int(bits or "0", 2) << fill_bits).to_bytes(n_octets, "little")


def unpack_septets(octets: bytes, n_septets: int, fill_bits: int = 0) -> bytes:
    """Unpack 7-bit codes from octets.

    Args:
        octets: packed as by `pack_septets`; octets beyond the last septet are ignored.
        n_septets: how many codes to read, from TP-UDL.
        fill_bits: bits to skip before the first septet, 0..6.

    Returns:
        ``n_septets`` codes, one per byte, each 0..127.

    Raises:
        DecodeError: there are too few octets, or the counts make no sense.

    Spec: 3GPP TS 23.038 6.1.2.1; fill bits TS 23.040 9.2.3.24.

    >>> unpack_septets(bytes.fromhex("e8329bfd4697d9ec37"), 10)
    b'hellohello'
    """
    if not 0 <= fill_bits <= 6 or n_septets < 0:
        raise DecodeError("ud", 0, "septet count or fill bits out of range")
    n_octets = (7 * n_septets + fill_bits + 7) // 8
    if n_septets and n_octets > len(octets):
        raise DecodeError(
            "ud", len(octets), f"{n_septets} septets need {n_octets} octets, {len(octets)} are there"
        )
    bits = int.from_bytes(octets[:n_octets], "little") >> fill_bits
    return bytes([(bits >> shift) & 0x7F for shift in range(0, 7 * n_septets, 7)])
