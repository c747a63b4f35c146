"""The user data header: information elements before the text, concatenation above all.

Elements that have no meaning here are kept as they are. Joining parts is not done here.

Spec: 3GPP TS 23.040 9.2.3.24.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from drivers.base import Concat
from drivers.errors import DecodeError, EncodeError

IEI_CONCAT_8: Final = 0x00
"""Concatenated short messages, 8-bit reference (9.2.3.24.1)."""
IEI_CONCAT_16: Final = 0x08
"""Concatenated short messages, 16-bit reference (9.2.3.24.8)."""

MAX_UDH_OCTETS: Final = 140
"""The header shares TP-UD with the text, its own length octet included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Udh:
    """A decoded user data header.

    Args:
        elements: (identifier, data) of every element, in order, known or not.
        concat: what the elements say about concatenation; None if nothing, or nothing valid.
    """

    elements: tuple[tuple[int, bytes], ...]
    concat: Concat | None = None


def encode_udh(elements: Iterable[tuple[int, bytes]]) -> bytes:
    """Put elements into a header, with its leading UDHL octet.

    Args:
        elements: (identifier, data) pairs, both as on the wire; written in this order.

    Returns:
        The header; empty when there is no element, for then there is no header.

    Raises:
        EncodeError: an identifier is no octet, or the header is longer than 140 octets.

    Spec: 3GPP TS 23.040 9.2.3.24.

    >>> encode_udh([(0x05, bytes.fromhex("158a0000"))]).hex()
    '060504158a0000'
    """
    parts = []
    for iei, data in elements:
        if not 0 <= iei <= 0xFF or len(data) > 0xFF:
            raise EncodeError("udh.ie", "identifier and data length must each fit one octet")
        parts.append(bytes((iei, len(data))) + data)
    body = b"".join(parts)
    if len(body) >= MAX_UDH_OCTETS:
        raise EncodeError("udh.udhl", f"{len(body)} octets do not fit TP-UD")
    return bytes((len(body),)) + body if body else b""


def encode_concat_udh(concat: Concat) -> bytes:
    """The header of one part of a concatenated message, with its leading UDHL octet.

    Returns:
        6 octets for an 8-bit reference (leaves 153 septets or 134 octets), 7 for a 16-bit one (152 or 133).

    Raises:
        EncodeError: a number of ``concat`` is out of its range.

    Spec: 3GPP TS 23.040 9.2.3.24.1, 9.2.3.24.8.

    >>> encode_concat_udh(Concat(reference=0xCC, total=3, part=1)).hex()
    '050003cc0301'
    >>> encode_concat_udh(Concat(reference=0xCC, total=3, part=1, width=16)).hex()
    '06080400cc0301'
    """
    if concat.width not in {8, 16}:
        raise EncodeError("udh.concat.width", "must be 8 or 16")
    if not 0 <= concat.reference < 1 << concat.width:
        raise EncodeError("udh.concat.reference", f"must fit {concat.width} bits")
    if not 1 <= concat.part <= concat.total <= 255:
        raise EncodeError("udh.concat.part", "part and total must be 1..255 and part not above total")
    n_octets = concat.width // 8
    head = b"\x05\x00\x03" if n_octets == 1 else b"\x06\x08\x04"
    return head + concat.reference.to_bytes(n_octets, "big") + bytes((concat.total, concat.part))


def decode_udh(octets: bytes) -> Udh:
    """Read a header.

    A concatenation element with a zero, with a part above its total or with a wrong length is kept as
    an element but says nothing; of several valid ones the last counts.

    Args:
        octets: start with the UDHL octet; what follows the header is ignored.

    Raises:
        DecodeError: the header or its last element is longer than what is there. A receiver is to
            ignore such a header as a whole.

    Spec: 3GPP TS 23.040 9.2.3.24, 9.2.3.24.1, 9.2.3.24.8.

    >>> decode_udh(bytes.fromhex("050003cc0301")).concat
    Concat(reference=204, total=3, part=1, width=8)
    """
    if not octets:
        raise DecodeError("udhl", 0, "is missing")
    end = 1 + octets[0]
    if end > len(octets):
        raise DecodeError("udhl", 0, f"announces {octets[0]} octets, {len(octets) - 1} are there")
    elements: list[tuple[int, bytes]] = []
    concat: Concat | None = None
    at = 1
    while at < end:
        if at + 2 > end or at + 2 + octets[at + 1] > end:
            raise DecodeError("ie", at, "is longer than the header")
        iei, data = octets[at], octets[at + 2 : at + 2 + octets[at + 1]]
        elements.append((iei, data))
        concat = _read_concat(iei, data) or concat
        at += 2 + len(data)
    return Udh(elements=tuple(elements), concat=concat)


def _read_concat(iei: int, data: bytes) -> Concat | None:
    n_reference = {IEI_CONCAT_8: 1, IEI_CONCAT_16: 2}.get(iei)
    if n_reference is None or len(data) != n_reference + 2:
        return None
    total, part = data[-2:]
    if not 1 <= part <= total:
        return None
    reference = int.from_bytes(data[:n_reference], "big")
    return Concat(reference=reference, total=total, part=part, width=8 * n_reference)
