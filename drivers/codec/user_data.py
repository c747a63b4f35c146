"""TP-UDL and TP-UD: header and payload packed into the last field of a TPDU, and taken out again.

Spec: 3GPP TS 23.040 9.2.3.16 (TP-UDL), 9.2.3.24 (TP-UD).
"""

from __future__ import annotations

from typing import Final

from drivers.base import Encoding
from drivers.codec.gsm7 import pack_septets, unpack_septets
from drivers.errors import DecodeError, EncodeError

MAX_UD_OCTETS: Final = 140


def encode_user_data(encoding: Encoding, payload: bytes, udh: bytes = b"") -> bytes:
    """Encode TP-UDL and TP-UD.

    Args:
        encoding: of ``payload``; GSM7 is packed here, behind fill bits if there is a header.
        payload: codes or octets, without header.
        udh: header with its leading length octet; empty for none.

    Returns:
        The length octet (septets for GSM7, header and fill bits included; else octets) and up to 140 octets.

    Raises:
        EncodeError: header and payload exceed 140 octets once packed, the header's length octet is
            wrong, or a code is above 127.

    Spec: 3GPP TS 23.040 9.2.3.16, 9.2.3.24.

    >>> encode_user_data(Encoding.GSM7, b"hello").hex()
    '05e8329bfd06'
    >>> encode_user_data(Encoding.GSM7, b"hello", bytes.fromhex("050003cc0201")).hex()
    '0c050003cc0201d06536fb0d'
    """
    if udh and udh[0] + 1 != len(udh):
        raise EncodeError("tp_ud.udh.udhl", f"announces {udh[0]} octets, {len(udh) - 1} are there")
    if encoding is Encoding.GSM7:
        n_header, fill_bits = _count_header_septets(len(udh))
        body, tp_udl = pack_septets(payload, fill_bits), n_header + len(payload)
    else:
        body, tp_udl = payload, len(udh) + len(payload)
    if len(udh) + len(body) > MAX_UD_OCTETS:
        raise EncodeError("tp_ud", f"{len(udh) + len(body)} octets, {MAX_UD_OCTETS} are possible")
    return bytes((tp_udl,)) + udh + body


def decode_user_data(octets: bytes, offset: int, encoding: Encoding, *, udhi: bool) -> tuple[bytes, bytes]:
    """Decode TP-UDL and TP-UD.

    Args:
        octets: the TPDU; octets behind the user data are ignored.
        offset: where TP-UDL stands.
        encoding: from TP-DCS: it says what TP-UDL counts.
        udhi: whether the user data starts with a header.

    Returns:
        The header with its length octet (empty for none) and the payload, GSM7 unpacked.

    Raises:
        DecodeError: the user data end too early, or inside the header.

    Spec: 3GPP TS 23.040 9.2.3.16, 9.2.3.24.

    >>> decode_user_data(bytes.fromhex("0c050003cc0201d06536fb0d"), 0, Encoding.GSM7, udhi=True)[1]
    b'hello'
    """
    if offset >= len(octets):
        raise DecodeError("tp_udl", len(octets), "is missing")
    tp_udl = octets[offset]
    start = offset + 1
    end = start + ((7 * tp_udl + 7) // 8 if encoding is Encoding.GSM7 else tp_udl)
    if end > len(octets):
        raise DecodeError("tp_ud", start, f"needs {end - start} octets, {len(octets) - start} are there")
    header_end = start
    if udhi and end > start:
        header_end += octets[start] + 1
        if header_end > end:
            raise DecodeError(
                "tp_ud.udh.udhl", start, f"announces {octets[start]} octets beyond the user data"
            )
    udh, payload = octets[start:header_end], octets[header_end:end]
    if encoding is not Encoding.GSM7:
        return udh, payload
    n_header, fill_bits = _count_header_septets(len(udh))
    if n_header > tp_udl:  # the header ends in the spare bits of the last octet
        raise DecodeError("tp_udl", offset, f"{tp_udl} septets end inside the header")
    return udh, unpack_septets(payload, tp_udl - n_header, fill_bits)


def _count_header_septets(n_octets: int) -> tuple[int, int]:
    """Septets that a header of ``n_octets`` takes, and the fill bits behind it."""
    n_septets = (8 * n_octets + 6) // 7
    return n_septets, 7 * n_septets - 8 * n_octets
