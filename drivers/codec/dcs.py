"""TP-DCS: which alphabet the user data is in, its message class, and what waits elsewhere.

Spec: 3GPP TS 23.038 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from drivers.base import Encoding
from drivers.errors import EncodeError

_GENERAL: Final = {0b00: Encoding.GSM7, 0b01: Encoding.BINARY, 0b10: Encoding.UCS2}
"""Bits 3..2 of the general data coding group; 0b11 is reserved."""
_ENCODE: Final = {Encoding.GSM7: 0x00, Encoding.BINARY: 0x04, Encoding.UCS2: 0x08}

_HAS_CLASS: Final = 0x10
_COMPRESSED: Final = 0x20
_AUTO_DELETE: Final = 0x40

# Message waiting groups, bits 7..4.
_WAITING_DISCARD: Final = 0xC
_WAITING_STORE: Final = 0xD
_WAITING_STORE_UCS2: Final = 0xE
_WAITING_ACTIVE: Final = 0x08


class WaitingKind(IntEnum):
    """What waits: bits 1..0 of the message waiting groups."""

    VOICEMAIL = 0
    FAX = 1
    EMAIL = 2
    OTHER = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageWaiting:
    """An indicator on the handset that is to be switched.

    Args:
        kind: which one.
        active: on or off.
        store: whether the message that carries this is to be kept.
    """

    kind: WaitingKind
    active: bool
    store: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Dcs:
    """What a TP-DCS octet says.

    Args:
        encoding: how to read the user data; BINARY when it is compressed, for it can't be read as text.
        message_class: 0 (flash), 1 (ME), 2 (SIM), 3 (TE); None when the octet gives no class.
        compressed: packed with the algorithm of TS 23.042, which nobody undoes here.
        auto_delete: to be deleted once it is read.
        waiting: an indicator to be switched; None outside the message waiting groups.
        reserved: a coding that the standard keeps for later; read as GSM 7-bit without a class, as it asks.
    """

    encoding: Encoding
    message_class: int | None = None
    compressed: bool = False
    auto_delete: bool = False
    waiting: MessageWaiting | None = None
    reserved: bool = False

    @property
    def flash(self) -> bool:
        """Class 0: to be shown at once and not stored."""
        return self.message_class == 0


def encode_dcs(
    encoding: Encoding,
    *,
    flash: bool = False,
    message_class: int | None = None,
    auto_delete: bool = False,
    waiting: MessageWaiting | None = None,
) -> int:
    """The TP-DCS octet of a message that is not compressed; in the general group if it can be.

    Args:
        encoding: of the payload.
        flash: message class 0, the same as ``message_class=0``.
        message_class: 0..3; None to give no class.
        auto_delete: ask the handset to delete the message once it is read.
        waiting: switch an indicator; excludes the three above, and UCS2 or BINARY where no group has them.

    Raises:
        EncodeError: no octet says this.

    Spec: 3GPP TS 23.038 4.

    >>> encode_dcs(Encoding.GSM7), encode_dcs(Encoding.UCS2), hex(encode_dcs(Encoding.UCS2, flash=True))
    (0, 8, '0x18')
    >>> hex(encode_dcs(Encoding.GSM7, waiting=MessageWaiting(kind=WaitingKind.FAX, active=True, store=True)))
    '0xd9'
    """
    if flash:
        message_class = 0
    if waiting is not None:
        if message_class is not None or auto_delete:
            raise EncodeError("tp_dcs", "a message waiting indication has no class and is not deleted")
        return _encode_waiting(encoding, waiting)
    if message_class is not None and not 0 <= message_class <= 3:
        raise EncodeError("tp_dcs", "message class must be 0..3")
    coding = _ENCODE[encoding] | (_AUTO_DELETE if auto_delete else 0)
    return coding if message_class is None else coding | _HAS_CLASS | message_class


def _encode_waiting(encoding: Encoding, waiting: MessageWaiting) -> int:
    groups = {
        (Encoding.GSM7, False): _WAITING_DISCARD,
        (Encoding.GSM7, True): _WAITING_STORE,
        (Encoding.UCS2, True): _WAITING_STORE_UCS2,
    }
    group = groups.get((encoding, waiting.store))
    if group is None:
        raise EncodeError("tp_dcs", "no message waiting group has this encoding")
    return group << 4 | (_WAITING_ACTIVE if waiting.active else 0) | waiting.kind


def decode_dcs(tp_dcs: int) -> Dcs:
    """Read a TP-DCS octet; total.

    Args:
        tp_dcs: 0..255. Reserved codings are read as 0x00 (GSM 7-bit, no class), as the spec asks of
            receivers; the reserved bit 3 of group 0xF and bit 2 of the message waiting groups are ignored.

    Spec: 3GPP TS 23.038 4.

    >>> decode_dcs(0x18).encoding, decode_dcs(0x18).flash
    (<Encoding.UCS2: 'ucs2'>, True)
    >>> decode_dcs(0xF5).encoding, decode_dcs(0xF5).message_class
    (<Encoding.BINARY: 'binary'>, 1)
    """
    return _DECODED[tp_dcs & 0xFF]


def _decode(tp_dcs: int) -> Dcs:
    match tp_dcs >> 4:
        case 0xC | 0xD | 0xE as group:
            waiting = MessageWaiting(
                kind=WaitingKind(tp_dcs & 0b11),
                active=bool(tp_dcs & _WAITING_ACTIVE),
                store=group != _WAITING_DISCARD,
            )
            encoding = Encoding.UCS2 if group == _WAITING_STORE_UCS2 else Encoding.GSM7
            return Dcs(encoding=encoding, waiting=waiting)
        case 0xF:
            encoding = Encoding.BINARY if tp_dcs & 0x04 else Encoding.GSM7
            return Dcs(encoding=encoding, message_class=tp_dcs & 0b11)
        case group if group < 0x8:  # general data coding; 01xx is the same, marked for automatic deletion
            return _decode_general(tp_dcs)
        case _:
            return Dcs(encoding=Encoding.GSM7, reserved=True)


def _decode_general(tp_dcs: int) -> Dcs:
    encoding = _GENERAL.get(tp_dcs >> 2 & 0b11)
    if encoding is None:
        return Dcs(encoding=Encoding.GSM7, reserved=True)
    compressed = bool(tp_dcs & _COMPRESSED)
    return Dcs(
        encoding=Encoding.BINARY if compressed else encoding,
        message_class=tp_dcs & 0b11 if tp_dcs & _HAS_CLASS else None,
        compressed=compressed,
        auto_delete=bool(tp_dcs & _AUTO_DELETE),
    )


_DECODED: Final = tuple(map(_decode, range(0x100)))
