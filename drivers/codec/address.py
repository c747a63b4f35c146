"""Addresses in TPDUs (TP-DA, TP-OA, TP-RA) and the service centre address before them.

An address here is a string: ``+`` and digits for an international number, digits (with ``*`` and ``#``)
for any other, text for an alphanumeric one. Numbers are not validated or completed.

Spec: 3GPP TS 23.040 9.1.2.5; service centre address TS 24.011 8.2.5.
"""

from __future__ import annotations

import re
from typing import Final

from drivers.codec.gsm7 import decode_gsm7, encode_gsm7, pack_septets, unpack_septets
from drivers.errors import DecodeError, EncodeError

MAX_DIGITS: Final = 20
"""An address value has at most ten octets."""

# Type-of-address: bit 7 set, type of number in bits 6..4, numbering plan in bits 3..0.
_TOA_UNKNOWN: Final = 0x81
_TOA_INTERNATIONAL: Final = 0x91
_TOA_ALPHANUMERIC: Final = 0xD0
_TON_INTERNATIONAL: Final = 0b001
_TON_ALPHANUMERIC: Final = 0b101

_DIALABLE: Final = re.compile(r"\+?[0-9*#]*", re.ASCII)
_SWAP_NIBBLES: Final = bytes(low << 4 | high for high in range(16) for low in range(16))
_FILLER: Final = "f"

# Semi-octets 0xA..0xE are * # a b c; hex digits carry them through bytes.hex() and bytes.fromhex().
_HEX_TO_DIGIT: Final = str.maketrans("abcde", "*#abc")
_DIGIT_TO_HEX: Final = str.maketrans("*#", "ab")


def encode_address(number: str) -> bytes:
    """Encode an address field: length in semi-octets, type-of-address, value.

    Args:
        number: ``+`` and digits (international), digits with ``*`` and ``#`` (type unknown, which
            every network takes for national numbers and short codes), or else text of at most
            eleven 7-bit codes (alphanumeric).

    Returns:
        2 to 12 octets.

    Raises:
        EncodeError: more than 20 digits, or text too long or outside the GSM 7-bit alphabet.

    Spec: 3GPP TS 23.040 9.1.2.5.

    >>> encode_address("+46708251358").hex()
    '0b916407281553f8'
    >>> encode_address("10086").hex(), encode_address("Tele2").hex()
    ('05810180f6', '09d0d432bb2c03')
    """
    if _DIALABLE.fullmatch(number):
        n_digits, toa, value = _encode_digits(number)
        return bytes((n_digits, toa)) + value
    septets = encode_gsm7(number)
    if 7 * len(septets) > 4 * MAX_DIGITS:
        raise EncodeError("address", "alphanumeric address is longer than 11 septets")
    # The length counts useful semi-octets: the half octet that packing may leave over is not one.
    return bytes(((7 * len(septets) + 3) // 4, _TOA_ALPHANUMERIC)) + pack_septets(septets)


def _encode_digits(number: str) -> tuple[int, int, bytes]:
    """(number of digits, type-of-address, semi-octets with a filler if odd)."""
    digits = number.removeprefix("+")
    if len(digits) > MAX_DIGITS:
        raise EncodeError("address", f"has {len(digits)} digits, {MAX_DIGITS} are possible")
    toa = _TOA_INTERNATIONAL if digits != number else _TOA_UNKNOWN
    semi_octets = digits.translate(_DIGIT_TO_HEX) + _FILLER * (len(digits) % 2)
    return len(digits), toa, bytes.fromhex(semi_octets).translate(_SWAP_NIBBLES)


def decode_address(octets: bytes, offset: int = 0) -> tuple[str, int]:
    """Decode an address field.

    Args:
        octets: the TPDU.
        offset: where the length octet stands.

    Returns:
        The address and the offset of the octet behind it. National, subscriber and network specific
        numbers come as plain digits: their type is not kept. An alphanumeric address of 14 semi-octets
        that ends in ``@`` loses it: networks round 13 up to 14, and the ``@`` is their padding.

    Raises:
        DecodeError: the field ends too early or announces more than 20 semi-octets.

    Spec: 3GPP TS 23.040 9.1.2.5.

    >>> decode_address(bytes.fromhex("0b916407281553f8"))
    ('+46708251358', 8)
    """
    if not 0 <= offset < len(octets):
        raise DecodeError("n_digits", offset, "is missing")
    n_digits = octets[offset]
    if n_digits > MAX_DIGITS:
        raise DecodeError("n_digits", offset, f"is {n_digits}, {MAX_DIGITS} are possible")
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
    digits = value.translate(_SWAP_NIBBLES).hex()[:n_digits].partition(_FILLER)[0].translate(_HEX_TO_DIGIT)
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
    _, toa, value = _encode_digits(number)
    return bytes((1 + len(value), toa)) + value


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
