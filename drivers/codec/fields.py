"""What the TPDUs have in common: single fields read and written with errors that name them.

Internal to `drivers.codec`.

Spec: 3GPP TS 23.040 9.2.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from drivers.codec.address import decode_address, default_toa, encode_address
from drivers.codec.dcs import Dcs, decode_dcs, encode_dcs
from drivers.codec.text import decode_text
from drivers.codec.times import SCTS_OCTETS, encode_scts
from drivers.errors import DecodeError, EncodeError

if TYPE_CHECKING:
    from datetime import datetime

    from drivers.base import Encoding

# TP-MTI, bits 1..0 of the first octet; its meaning depends on the direction (9.2.3.1).
MTI_MASK: Final = 0b11
MTI_DELIVER: Final = 0b00
MTI_DELIVER_REPORT: Final = 0b00
MTI_SUBMIT: Final = 0b01
MTI_SUBMIT_REPORT: Final = 0b01
MTI_STATUS_REPORT: Final = 0b10
MTI_COMMAND: Final = 0b10
MTI_RESERVED: Final = 0b11
"""A receiver takes it for SMS-DELIVER."""

# Other bits of the first octet; which of them a TPDU has, its module says.
TP_MMS: Final = 0x04
TP_RD: Final = 0x04
TP_LP: Final = 0x08
TP_SRI: Final = 0x20
TP_SRR: Final = 0x20
TP_SRQ: Final = 0x20
TP_UDHI: Final = 0x40
TP_RP: Final = 0x80

_NO_SCTS: Final = bytes(SCTS_OCTETS)
_PLAIN_DCS: Final = frozenset({0x00, 0x04, 0x08, 0x10, 0x14, 0x18})
"""What `encode_dcs` writes for an encoding with flash or without."""


class TextMixin:
    """What every TPDU with user data can tell of it."""

    __slots__ = ()

    encoding: Encoding
    payload: bytes
    udh: bytes
    flash: bool
    tp_dcs: int | None

    @property
    def dcs(self) -> Dcs:
        """TP-DCS, taken apart."""
        return decode_dcs(encode_plain_dcs(self.encoding, self.tp_dcs, flash=self.flash))

    @property
    def text(self) -> str:
        """The text of this TPDU alone, national tables included; see `drivers.codec.text.decode_text`."""
        return decode_text(self.encoding, self.payload, self.udh)


def encode_plain_dcs(encoding: Encoding, tp_dcs: int | None, *, flash: bool) -> int:
    """The TP-DCS octet: as given, or the plain one of the encoding. Raises EncodeError if they contradict."""
    if tp_dcs is None:
        return encode_dcs(encoding, flash=flash)
    if not 0 <= tp_dcs <= 0xFF:
        raise EncodeError("tp_dcs", "must be 0..255")
    if decode_dcs(tp_dcs).encoding is not encoding:
        raise EncodeError("tp_dcs", f"says {decode_dcs(tp_dcs).encoding}, the payload is {encoding}")
    return tp_dcs


def unusual_dcs(tp_dcs: int) -> int | None:
    """A TP-DCS octet unless it is the plain one of its encoding.

    >>> unusual_dcs(0x08), unusual_dcs(0xF1)
    (None, 241)
    """
    return None if tp_dcs in _PLAIN_DCS else tp_dcs


def encode_octet(value: int, field: str) -> bytes:
    """One octet. Raises EncodeError."""
    if not 0 <= value <= 0xFF:
        raise EncodeError(field, "must be 0..255")
    return bytes((value,))


def write_address(number: str, toa: int | None, field: str) -> bytes:
    """An address field. Raises EncodeError."""
    try:
        return encode_address(number, toa)
    except EncodeError as error:
        raise EncodeError(field, error.reason) from None


def encode_time(at: datetime | None, field: str) -> bytes:
    """A time stamp; zeros for None. Raises EncodeError."""
    try:
        return _NO_SCTS if at is None else encode_scts(at)
    except EncodeError as error:
        raise EncodeError(field, error.reason) from None


def read_first(octets: bytes, *expected: int) -> int:
    """The first octet, if its TP-MTI is an expected one. Raises DecodeError."""
    first = read_octet(octets, 0, "tp_mti")
    if first & MTI_MASK not in expected:
        raise DecodeError("tp_mti", 0, f"is {first & MTI_MASK}, expected {expected[0]}")
    return first


def read_octet(octets: bytes, at: int, field: str) -> int:
    """One octet. Raises DecodeError."""
    if at >= len(octets):
        raise DecodeError(field, len(octets), "is missing")
    return octets[at]


def read_octets(octets: bytes, at: int, n_octets: int, field: str) -> bytes:
    """Several octets. Raises DecodeError."""
    if at + n_octets > len(octets):
        raise DecodeError(
            field, min(at, len(octets)), f"needs {n_octets} octets, {max(0, len(octets) - at)} are there"
        )
    return octets[at : at + n_octets]


def read_address(octets: bytes, at: int, field: str) -> tuple[str, int | None, int]:
    """An address, its type-of-address if that is not the default one, and the next offset. Raises DecodeError."""
    try:
        number, end = decode_address(octets, at)
    except DecodeError as error:
        raise error.nested(field, 0) from None
    toa = octets[at + 1]
    return number, None if toa == default_toa(number) else toa, end
