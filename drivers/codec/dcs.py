"""TP-DCS: which alphabet the user data is in, and whether it is a flash message.

Message waiting types and automatic deletion are not told apart: nothing here acts on them.

Spec: 3GPP TS 23.038 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from drivers.base import Encoding

_GENERAL: Final = {0b00: Encoding.GSM7, 0b01: Encoding.BINARY, 0b10: Encoding.UCS2}
"""Bits 3..2 of the general data coding group; 0b11 is reserved."""
_WAITING: Final = {0xC: Encoding.GSM7, 0xD: Encoding.GSM7, 0xE: Encoding.UCS2}
"""Message waiting groups by bits 7..4: discard, store, store in UCS-2."""

_ENCODE: Final = {Encoding.GSM7: 0x00, Encoding.BINARY: 0x04, Encoding.UCS2: 0x08}
_HAS_CLASS: Final = 0x10


@dataclass(frozen=True, slots=True, kw_only=True)
class Dcs:
    """What a TP-DCS octet says.

    Args:
        encoding: how to read the user data; BINARY when it is compressed, for it can't be read as text.
        message_class: 0 (flash), 1 (ME), 2 (SIM), 3 (TE); None when the octet gives no class.
        compressed: packed with the algorithm of TS 23.042, which nobody undoes here.
    """

    encoding: Encoding
    message_class: int | None = None
    compressed: bool = False

    @property
    def flash(self) -> bool:
        """Class 0: to be shown at once and not stored."""
        return self.message_class == 0


def encode_dcs(encoding: Encoding, *, flash: bool = False) -> int:
    """The TP-DCS octet of a message, in the general data coding group, not compressed.

    Args:
        encoding: of the payload.
        flash: message class 0; without it no class is given.

    Spec: 3GPP TS 23.038 4.

    >>> encode_dcs(Encoding.GSM7), encode_dcs(Encoding.UCS2), hex(encode_dcs(Encoding.UCS2, flash=True))
    (0, 8, '0x18')
    """
    return _ENCODE[encoding] | (_HAS_CLASS if flash else 0)


def decode_dcs(tp_dcs: int) -> Dcs:
    """Read a TP-DCS octet; total.

    Args:
        tp_dcs: 0..255. Reserved codings are read as 0x00 (GSM 7-bit, no class), as the spec asks of
            receivers; the reserved bit 3 of group 0xF is ignored.

    Spec: 3GPP TS 23.038 4.

    >>> decode_dcs(0x18)
    Dcs(encoding=<Encoding.UCS2: 'ucs2'>, message_class=0, compressed=False)
    >>> decode_dcs(0xF5).encoding, decode_dcs(0xF5).message_class
    (<Encoding.BINARY: 'binary'>, 1)
    """
    group = tp_dcs >> 4 & 0xF
    if group < 0x8:  # general data coding; 01xx is the same, marked for automatic deletion
        return _decode_general(tp_dcs)
    if group == 0xF:
        encoding = Encoding.BINARY if tp_dcs & 0x04 else Encoding.GSM7
        return Dcs(encoding=encoding, message_class=tp_dcs & 0b11)
    return Dcs(encoding=_WAITING.get(group, Encoding.GSM7))


def _decode_general(tp_dcs: int) -> Dcs:
    encoding = _GENERAL.get(tp_dcs >> 2 & 0b11)
    if encoding is None:
        return Dcs(encoding=Encoding.GSM7)
    compressed = bool(tp_dcs & 0x20)
    return Dcs(
        encoding=Encoding.BINARY if compressed else encoding,
        message_class=tp_dcs & 0b11 if tp_dcs & _HAS_CLASS else None,
        compressed=compressed,
    )
