"""Addresses in TPDUs (TP-DA, TP-OA, TP-RA) and the service centre address before them.

An address here is a string: ``+`` and digits for an international number, digits (with ``*`` and ``#``)
for any other, text for an alphanumeric one. Where the type-of-address octet matters too, it travels beside
the string (see `default_toa`). Numbers are not validated or completed.

Spec: 3GPP TS 23.040 9.1.2.5; service centre address TS 24.011 8.2.5.
"""

from __future__ import annotations

import re
from typing import Final

from drivers.codec.gsm7 import decode_gsm7, encode_gsm7
from drivers.codec.septets import pack_septets, unpack_septets
from drivers.errors import DecodeError, EncodeError

MAX_DIGITS: Final = 20
"""An address value has at most ten octets; some networks send more, and none take more."""

# Type-of-address: bit 7 set, type of number in bits 6..4, numbering plan in bits 3..0.
_TOA_UNKNOWN: Final = 0x81
_TOA_INTERNATIONAL: Final = 0x91
_TOA_ALPHANUMERIC: Final = 0xD0
_TON_INTERNATIONAL: Final = 0b001
_TON_ALPHANUMERIC: Final = 0b101

_DIALABLE: Final = re.compile(r"\+?[0-9*#]*", re.ASCII)
_SEMI_OCTETS: Final = re.compile(r"\+?[0-9*#abc]*", re.ASCII)
_SWAP_NIBBLES: Final = bytes(low << 4 | high for high in range(16) for low in range(16))
_FILLER: Final = "f"

# Semi-octets 0xA..0xE are * # a b c; hex digits carry them through bytes.hex() and bytes.fromhex().
_HEX_TO_DIGIT: Final = str.maketrans("abcde", "*#abc")
_DIGIT_TO_HEX: Final = str.maketrans("*#abc", "abcde")


def default_toa(number: str) -> int:
    """The type-of-address octet that `encode_address` gives a number unless told otherwise.

    Returns:
        0x91 (international, ISDN) for ``+`` and digits, 0x81 (unknown, ISDN) for digits, else 0xD0
        (alphanumeric).

    Spec: 3GPP TS 23.040 9.1.2.5.

    >>> [hex(default_toa(number)) for number in ("+46708251358", "10086", "Tele2")]
    ['0x91', '0x81', '0xd0']
    """
    if not _DIALABLE.fullmatch(number):
        return _TOA_ALPHANUMERIC
    return _TOA_INTERNATIONAL if number.startswith("+") else _TOA_UNKNOWN


def encode_address(number: str, toa: int | None = None) -> bytes:
    """Encode an address field: length in semi-octets, type-of-address, value.

    Args:
        number: ``+`` and digits (international), digits with ``*`` and ``#`` (type unknown, which
            every network takes for national numbers and short codes), or else text of at most
            eleven 7-bit codes (alphanumeric).
        toa: type-of-address, 128..255, for another type of number or numbering plan; None for
            `default_toa`. Under an alphanumeric type the number is text whatever it looks like; under any
            other it may also have the semi-octets ``a``, ``b`` and ``c``.

    Returns:
        2 to 12 octets.

    Raises:
        EncodeError: more than 20 digits, text too long or outside the GSM 7-bit alphabet, a number that is
            none under ``toa``.

    Spec: 3GPP TS 23.040 9.1.2.5.

    >>> encode_address("+46708251358").hex()
    '0b916407281553f8'
    >>> encode_address("10086").hex(), encode_address("Tele2").hex()
    ('05810180f6', '09d0d432bb2c03')
    >>> encode_address("13800138000", toa=0xA1).hex()
    '0ba13108108300f0'
    """
    if toa is None:
        digits = number.removeprefix("+")
        if digits.isdecimal() and digits.isascii():  # nearly all of them
            n_digits, value = _encode_digits(digits)
            return bytes((n_digits, _TOA_UNKNOWN if digits == number else _TOA_INTERNATIONAL)) + value
        toa = default_toa(number)
    elif not 0 <= toa <= 0xFF:
        raise EncodeError("address.toa", "must be an octet")
    if toa >> 4 & 0b111 == _TON_ALPHANUMERIC:
        return _encode_name(number, toa)
    if not _SEMI_OCTETS.fullmatch(number):
        raise EncodeError("address", "is text, but its type is that of a number")
    n_digits, value = _encode_digits(number)
    return bytes((n_digits, toa)) + value


def _encode_name(name: str, toa: int) -> bytes:
    septets = encode_gsm7(name)
    if 7 * len(septets) > 4 * MAX_DIGITS:
        raise EncodeError("address", "alphanumeric address is longer than 11 septets")
    # The length counts useful semi-octets: the half octet that packing may leave over is not one.
    return bytes(((7 * len(septets) + 3) // 4, toa)) + pack_septets(septets)


def _encode_digits(number: str) -> tuple[int, bytes]:
    """(number of digits, semi-octets with a filler if odd)."""
    digits = number.removeprefix("+")
    if len(digits) > MAX_DIGITS:
        raise EncodeError("address", f"has {len(digits)} digits, {MAX_DIGITS} are possible")
    semi_octets = digits if digits.isdecimal() else digits.translate(_DIGIT_TO_HEX)
    if len(digits) % 2:
        semi_octets += _FILLER
    return len(digits), bytes.fromhex(semi_octets).translate(_SWAP_NIBBLES)


def decode_address(octets: bytes, offset: int = 0) -> tuple[str, int]:
    """Decode an address field.

    Args:
        octets: the TPDU.
        offset: where the length octet stands.

    Returns:
        The address and the offset of the octet behind it. National, subscriber and network specific
        numbers come as plain digits: their type is in the octet at ``offset + 1``. More than 20 digits
        are read if they are there. An alphanumeric address of 14 semi-octets that ends in ``@`` loses
        it: networks round 13 up to 14, and the ``@`` is their padding.

    Raises:
        DecodeError: the field ends too early.

    Spec: 3GPP TS 23.040 9.1.2.5.

    >>> decode_address(bytes.fromhex("0b916407281553f8"))
    ('+46708251358', 8)
    """
    if not 0 <= offset < len(octets):
        raise DecodeError("n_digits", offset, "is missing")
    n_digits = octets[offset]
    value_at = offset + 2
    end = value_at + (n_digits + 1) // 2
    if end > len(octets):
        raise DecodeError("digits", len(octets), f"end early, {end - len(octets)} octets are missing")
    return _decode_value(octets[offset + 1], octets[value_at:end], n_digits), end


def _decode_value(toa: int, value: bytes, n_digits: int) -> str:
    ton = toa >> 4 & 0b111
    if ton == _TON_ALPHANUMERIC:
        septets = unpack_septets(value, 4 * n_digits // 7)
        return decode_gsm7(septets[:-1] if n_digits == 14 and septets.endswith(b"\x00") else septets)
    digits = value.translate(_SWAP_NIBBLES).hex()[:n_digits]
    if not digits.isdecimal():
        digits = digits.partition(_FILLER)[0].translate(_HEX_TO_DIGIT)
    return f"+{digits}" if ton == _TON_INTERNATIONAL and digits else digits


def encode_sca(number: str | None) -> bytes:
    """Encode the service centre address that stands before a TPDU in AT commands.

    Args:
        number: ``+`` and digits, or digits; None for the one stored in the SIM.

    Returns:
        Length in octets, type-of-address and semi-octets; ``00`` for None.

    Raises:
        EncodeError: not a dialable number, or more than 20 digits.

    Spec: 3GPP TS 27.005 3.1 (``<pdu>``); TS 24.011 8.2.5.

    >>> encode_sca("+8613800280500").hex(), encode_sca(None).hex()
    ('0891683108200805f0', '00')
    """
    if not number:
        return b"\x00"
    if not _DIALABLE.fullmatch(number):
        raise EncodeError("sca", "is not a dialable number")
    _, value = _encode_digits(number)
    return bytes((1 + len(value), default_toa(number))) + value


def split_sca(octets: bytes) -> tuple[str | None, bytes]:
    r"""Split what a modem prints into service centre address and TPDU.

    Args:
        octets: the decoded ``<pdu>`` of ``+CMT``, ``+CMGR``, ``+CDS`` ...

    Returns:
        The service centre (None when absent) and the TPDU, which may be empty.

    Raises:
        DecodeError: the address is longer than the octets.

    Spec: 3GPP TS 27.005 3.1 (``<pdu>``); TS 24.011 8.2.5.

    >>> split_sca(bytes.fromhex("07917283010010f504"))
    ('+27381000015', b'\x04')
    """
    if not octets:
        raise DecodeError("sca", 0, "is missing")
    n_octets = octets[0]
    end = 1 + n_octets
    if end > len(octets):
        raise DecodeError("sca", 0, f"announces {n_octets} octets, {len(octets) - 1} are there")
    if n_octets < 2:
        return None, octets[end:]
    return _decode_value(octets[1], octets[2:end], 2 * (n_octets - 1)) or None, octets[end:]
