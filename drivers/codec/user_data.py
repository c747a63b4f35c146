"""TP-UDL and TP-UD: header and payload packed into the last field of a TPDU, and taken out again.

Spec: 3GPP TS 23.040 9.2.3.16 (TP-UDL), 9.2.3.24 (TP-UD).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from drivers.base import Encoding
from drivers.codec.septets import pack_septets, unpack_septets
from drivers.codec.udh import Udh, decode_udh
from drivers.errors import DecodeError, EncodeError

MAX_UD_OCTETS: Final = 140


class UserData(NamedTuple):
    """What TP-UD holds.

    Args:
        udh: header with its leading length octet; empty for none, and for one that goes beyond the user data.
        payload: codes or octets behind the header.
        header: the header read; None when there is none, or it is broken.
        fault: what is wrong with the header, with field and offset; empty if nothing. As a receiver is to,
            we then ignore what its elements say, and keep the text as far as it can be told from the header.
    """

    udh: bytes
    payload: bytes
    header: Udh | None = None
    fault: str = ""


def encode_user_data(
    encoding: Encoding, payload: bytes, udh: bytes = b"", *, max_octets: int = MAX_UD_OCTETS
) -> bytes:
    """Encode TP-UDL and TP-UD.

    Args:
        encoding: of ``payload``; GSM7 is packed here, behind fill bits if there is a header.
        payload: codes or octets, without header.
        udh: header with its leading length octet; empty for none.
        max_octets: that TP-UD may have; less or more than 140 in reports.

    Returns:
        The length octet (septets for GSM7, header and fill bits included; else octets) and the octets.

    Raises:
        EncodeError: header and payload exceed ``max_octets`` once packed, the header's length octet is
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
    if len(udh) + len(body) > max_octets:
        raise EncodeError("tp_ud", f"{len(udh) + len(body)} octets, {max_octets} are possible")
    return bytes((tp_udl,)) + udh + body


def decode_user_data(octets: bytes, offset: int, encoding: Encoding, *, udhi: bool) -> UserData:
    """Decode TP-UDL and TP-UD.

    Args:
        octets: the TPDU; octets behind the user data are ignored.
        offset: where TP-UDL stands.
        encoding: from TP-DCS: it says what TP-UDL counts.
        udhi: whether the user data starts with a header.

    Returns:
        Header and payload, GSM7 unpacked. A header that is longer than the user data is no header: all of
        it is payload then. One whose elements don't fit it is skipped. Both are told in ``fault``.

    Raises:
        DecodeError: the user data end too early.

    Spec: 3GPP TS 23.040 9.2.3.16, 9.2.3.24.

    >>> decode_user_data(bytes.fromhex("0c050003cc0201d06536fb0d"), 0, Encoding.GSM7, udhi=True).payload
    b'hello'
    """
    if offset >= len(octets):
        raise DecodeError("tp_udl", len(octets), "is missing")
    tp_udl = octets[offset]
    start = offset + 1
    end = start + ((7 * tp_udl + 7) // 8 if encoding is Encoding.GSM7 else tp_udl)
    if end > len(octets):
        raise DecodeError("tp_ud", start, f"needs {end - start} octets, {len(octets) - start} are there")
    ud = octets[start:end]
    if not udhi:
        return UserData(b"", _unpack(encoding, ud, tp_udl))
    try:
        header, n_octets, fault = decode_udh(ud), ud[0] + 1, ""
    except DecodeError as error:
        header, fault = None, str(error.nested("tp_ud.udh", start))
        # An element that does not fit leaves the header's length as it is; a length that does not fit, nothing.
        n_octets = ud[0] + 1 if ud and ud[0] < len(ud) else 0
    return UserData(ud[:n_octets], _unpack(encoding, ud[n_octets:], tp_udl, n_octets), header, fault)


def _unpack(encoding: Encoding, payload: bytes, tp_udl: int, n_header_octets: int = 0) -> bytes:
    if encoding is not Encoding.GSM7:
        return payload
    n_header, fill_bits = _count_header_septets(n_header_octets)
    # A header may end in the spare bits of the last octet: then there is no text.
    return unpack_septets(payload, max(0, tp_udl - n_header), fill_bits)


def _count_header_septets(n_octets: int) -> tuple[int, int]:
    """Septets that a header of ``n_octets`` takes, and the fill bits behind it."""
    n_septets = (8 * n_octets + 6) // 7
    return n_septets, 7 * n_septets - 8 * n_octets
