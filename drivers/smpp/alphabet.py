"""What octets a carrier wants for texts: SMPP leaves the alphabet of data_coding 0 to the SMSC, and each has its own.

Spec: SMPP 3.4 5.2.19; 3GPP TS 23.038 6.1.2 for packed texts.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from drivers.base import Encoding
from drivers.codec.gsm7 import decode_gsm7, describe
from drivers.codec.septets import pack_septets, unpack_septets
from drivers.codec.udh import decode_udh
from drivers.errors import DecodeError, EncodeError
from drivers.smpp.wire import constants as c

MAX_OCTETS: Final = 140
_CR: Final = 0x0D
_FILLERS: Final = (_CR, 0)
"""What stands in seven spare bits: the specification's carriage return, or a careless sender's zero."""


class Alphabet(StrEnum):
    """How a text of GSM-7 characters is written on a bind.

    GSM7: one code of the GSM alphabet an octet; what most carriers want.
    GSM7_PACKED: eight codes in seven octets, as on the air.
    LATIN_1, ASCII: the characters themselves; those that the alphabet has not make the segment UCS-2.
    """

    GSM7 = "gsm7"
    GSM7_PACKED = "gsm7-packed"
    LATIN_1 = "latin1"
    ASCII = "ascii"


_CHARSETS: Final = {Alphabet.LATIN_1: "latin-1", Alphabet.ASCII: "ascii"}
_DATA_CODING: Final = {
    Alphabet.GSM7: c.DATA_CODING_DEFAULT,
    Alphabet.GSM7_PACKED: c.DATA_CODING_DEFAULT,
    Alphabet.LATIN_1: c.DATA_CODING_LATIN_1,
    Alphabet.ASCII: c.DATA_CODING_ASCII,
}
_FLASH: Final = {Encoding.GSM7: 0x10, Encoding.UCS2: 0x18, Encoding.BINARY: 0x14}
"""With a message class data_coding is a GSM TP-DCS: class 0 in the general group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPlan:
    """What was agreed with the carrier about texts.

    Args:
        alphabet: of texts in GSM-7 characters, both ways.
        data_coding: of these texts; None for what goes with the alphabet (0, 3 or 1).
        ucs2_data_coding: of texts in UCS-2.
        binary_data_coding: of octets.
    """

    alphabet: Alphabet = Alphabet.GSM7
    data_coding: int | None = None
    ucs2_data_coding: int = c.DATA_CODING_UCS2
    binary_data_coding: int = c.DATA_CODING_OCTETS

    def data_coding_of(self, encoding: Encoding, *, flash: bool) -> int:
        """The ``data_coding`` of a segment."""
        if flash:
            return _FLASH[encoding]
        if encoding is Encoding.GSM7:
            return _DATA_CODING[self.alphabet] if self.data_coding is None else self.data_coding
        return self.ucs2_data_coding if encoding is Encoding.UCS2 else self.binary_data_coding

    def encoding_of(self, data_coding: int) -> Encoding | None:
        """What the agreement makes of a ``data_coding`` that comes in; None where SMPP's own meaning stands."""
        # The SMSC's default alphabet is what its texts are in, under whatever number we send ours.
        if data_coding in {c.DATA_CODING_DEFAULT, self.data_coding}:
            return Encoding.GSM7
        if data_coding == self.ucs2_data_coding:
            return Encoding.UCS2
        return Encoding.BINARY if data_coding == self.binary_data_coding else None


PLAIN: Final = TextPlan()
"""What carriers want who say nothing about it."""


def encode_content(
    encoding: Encoding, payload: bytes, udh: bytes, plan: TextPlan, *, flash: bool = False
) -> tuple[int, bytes]:
    """``data_coding`` and ``short_message`` of a segment, header included.

    Raises:
        EncodeError: a character is not in the carrier's alphabet, and as UCS-2 the segment would be too long; or
            the text needs a national table, which only GSM alphabets have.

    Spec: SMPP 3.4 5.2.19; 3GPP TS 23.038 6.1.2.1.
    """
    if encoding is Encoding.GSM7:
        if plan.alphabet is Alphabet.GSM7_PACKED:
            payload = _pack(payload, _fill_bits(udh))
        elif plan.alphabet is not Alphabet.GSM7 and not flash:
            encoding, payload = _transcode(payload, udh, _CHARSETS[plan.alphabet])
    return plan.data_coding_of(encoding, flash=flash), udh + payload


def decode_default(content: bytes, udh: bytes, plan: TextPlan) -> tuple[Encoding, bytes]:
    """Read a text in the bind's alphabet; total.

    Args:
        content: without header.
        udh: the header; packed texts begin on a septet boundary behind it.
    """
    if plan.alphabet is Alphabet.GSM7_PACKED:
        return Encoding.GSM7, _unpack(content, _fill_bits(udh))
    if plan.alphabet is Alphabet.GSM7 and max(content, default=0) <= 0x7F:
        return Encoding.GSM7, content
    # Latin-1, ASCII that has more than it says, or a GSM alphabet with codes above 127: that is Latin-1, too.
    return Encoding.UCS2, content.decode("latin-1").encode("utf-16-be")


def _transcode(payload: bytes, udh: bytes, charset: str) -> tuple[Encoding, bytes]:
    if udh:
        _refuse_national(udh)
    text = decode_gsm7(payload)
    try:
        return Encoding.GSM7, text.encode(charset)
    except UnicodeEncodeError as error:
        octets = text.encode("utf-16-be")
        if len(udh) + len(octets) <= MAX_OCTETS:
            return Encoding.UCS2, octets
        where, char = error.start, text[error.start]
        reason = (
            f"character {where}, {describe(char)}, is not in {charset}, and as UCS-2 the segment is too long"
        )
        raise EncodeError("short_message", reason) from None


def _refuse_national(udh: bytes) -> None:
    try:
        header = decode_udh(udh)
    except DecodeError:  # the caller's own header, sent as it is
        return
    if header.locking is not None or header.single_shift is not None:
        raise EncodeError("short_message", "national tables need a channel whose alphabet is gsm7")


def _fill_bits(udh: bytes) -> int:
    return -8 * len(udh) % 7


def _pack(codes: bytes, fill_bits: int) -> bytes:
    if (fill_bits + 7 * len(codes)) % 8 == 1:  # seven spare bits would read as another character, @
        codes += bytes((_CR,))
    return pack_septets(codes, fill_bits)


def _unpack(octets: bytes, fill_bits: int) -> bytes:
    n_bits = 8 * len(octets) - fill_bits
    if n_bits < 7:
        return b""
    codes = unpack_septets(octets, n_bits // 7, fill_bits)
    return codes[:-1] if n_bits % 7 == 0 and codes[-1] in _FILLERS else codes
