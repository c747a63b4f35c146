"""The user data header: information elements before the text.

Read here: concatenation, application ports, national tables, special message indications. All other elements
(hyperlink, reply address, e-mail, EMS ...) are kept as they are, in order, repeated ones too. Joining parts is
not done here.

Spec: 3GPP TS 23.040 9.2.3.24.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from drivers.base import Concat
from drivers.codec.national_tables import Language
from drivers.codec.shifts import IEI_LOCKING_SHIFT, IEI_SINGLE_SHIFT
from drivers.errors import DecodeError, EncodeError

IEI_CONCAT_8: Final = 0x00
"""Concatenated short messages, 8-bit reference (9.2.3.24.1)."""
IEI_INDICATION: Final = 0x01
"""Special SMS message indication (9.2.3.24.2)."""
IEI_PORTS_8: Final = 0x04
"""Application port addressing, 8 bits (9.2.3.24.3)."""
IEI_PORTS_16: Final = 0x05
"""Application port addressing, 16 bits (9.2.3.24.4)."""
IEI_CONCAT_16: Final = 0x08
"""Concatenated short messages, 16-bit reference (9.2.3.24.8)."""

MAX_UDH_OCTETS: Final = 140
"""The header shares TP-UD with the text, its own length octet included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Application ports: which program of the handset a message is for.

    Args:
        destination: 0..255 or 0..65535, by ``width``.
        source: the same.
        width: bits of a port, 8 or 16.
    """

    destination: int
    source: int = 0
    width: int = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Indication:
    """Messages of another kind that wait elsewhere, of which this one tells.

    Args:
        kind: 0 voice, 1 fax, 2 e-mail, 3 other, 7 video; others are reserved (9.2.3.24.2).
        count: how many wait, 0..255; 255 means as many or more.
        store: whether this message is to be kept.
        profile: 0..3, of a subscriber with several (0 is the first).
    """

    kind: int
    count: int
    store: bool = False
    profile: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Udh:
    """A decoded user data header.

    Args:
        elements: (identifier, data) of every element, in order, known or not.
        concat: what the elements say about concatenation; None if nothing, or nothing valid.
        ports: the same about application ports.
        locking: language of the locking shift table; None for the default alphabet, or an unknown language.
        single_shift: language of the single shift table; None for the extension table, or an unknown language.
        indications: of messages that wait elsewhere, in order: the one element that may be repeated.
    """

    elements: tuple[tuple[int, bytes], ...]
    concat: Concat | None = None
    ports: Ports | None = None
    locking: Language | None = None
    single_shift: Language | None = None
    indications: tuple[Indication, ...] = ()


def encode_udh(elements: Iterable[tuple[int, bytes]]) -> bytes:
    """Put elements into a header, with its leading UDHL octet.

    Args:
        elements: (identifier, data) pairs, both as on the wire; written in this order. See `concat_element`,
            `ports_element`, `indication_element`, `drivers.codec.shifts.national_elements`.

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
    return encode_udh((concat_element(concat),))


def concat_element(concat: Concat) -> tuple[int, bytes]:
    """The element of one part of a concatenated message, as (identifier, data).

    Raises:
        EncodeError: a number of ``concat`` is out of its range.

    Spec: 3GPP TS 23.040 9.2.3.24.1, 9.2.3.24.8.
    """
    if concat.width not in {8, 16}:
        raise EncodeError("udh.concat.width", "must be 8 or 16")
    if not 0 <= concat.reference < 1 << concat.width:
        raise EncodeError("udh.concat.reference", f"must fit {concat.width} bits")
    if not 1 <= concat.part <= concat.total <= 255:
        raise EncodeError("udh.concat.part", "part and total must be 1..255 and part not above total")
    iei = IEI_CONCAT_8 if concat.width == 8 else IEI_CONCAT_16
    return iei, concat.reference.to_bytes(concat.width // 8, "big") + bytes((concat.total, concat.part))


def without_concat(elements: Iterable[tuple[int, bytes]]) -> tuple[tuple[int, bytes], ...]:
    r"""The elements that say something else, in order: for parts that are to be numbered anew.

    Spec: 3GPP TS 23.040 9.2.3.24.1, 9.2.3.24.8.

    >>> without_concat([(0x00, bytes([7, 2, 1])), (0x25, bytes([1]))])
    ((37, b'\x01'),)
    """
    return tuple((iei, data) for iei, data in elements if iei not in {IEI_CONCAT_8, IEI_CONCAT_16})


def ports_element(ports: Ports) -> tuple[int, bytes]:
    """The element that names application ports, as (identifier, data).

    Raises:
        EncodeError: a port or its width is out of range.

    Spec: 3GPP TS 23.040 9.2.3.24.3, 9.2.3.24.4.

    >>> encode_udh([ports_element(Ports(destination=2948))]).hex()
    '0605040b840000'
    """
    if ports.width not in {8, 16}:
        raise EncodeError("udh.ports.width", "must be 8 or 16")
    if not (0 <= ports.destination < 1 << ports.width and 0 <= ports.source < 1 << ports.width):
        raise EncodeError("udh.ports", f"must fit {ports.width} bits")
    n_octets = ports.width // 8
    data = ports.destination.to_bytes(n_octets, "big") + ports.source.to_bytes(n_octets, "big")
    return IEI_PORTS_8 if ports.width == 8 else IEI_PORTS_16, data


def indication_element(indication: Indication) -> tuple[int, bytes]:
    """The element that tells of messages elsewhere, as (identifier, data).

    Raises:
        EncodeError: a number is out of its range.

    Spec: 3GPP TS 23.040 9.2.3.24.2.

    >>> encode_udh([indication_element(Indication(kind=0, count=3, store=True))]).hex()
    '0401028003'
    """
    kind, profile = indication.kind, indication.profile
    if not (0 <= kind <= 0x1F and 0 <= profile <= 3 and 0 <= indication.count <= 0xFF):
        raise EncodeError("udh.indication", "kind must be 0..31, profile 0..3, count 0..255")
    return IEI_INDICATION, bytes((indication.store << 7 | profile << 5 | kind, indication.count))


def decode_udh(octets: bytes) -> Udh:
    """Read a header.

    An element with a wrong length, or with numbers that make no sense, is kept as an element but says
    nothing; of several valid ones of a kind the last counts.

    Args:
        octets: start with the UDHL octet; what follows the header is ignored.

    Raises:
        DecodeError: the header or its last element is longer than what is there. A receiver is to
            ignore such a header as a whole.

    Spec: 3GPP TS 23.040 9.2.3.24.

    >>> decode_udh(bytes.fromhex("050003cc0301")).concat
    Concat(reference=204, total=3, part=1, width=8)
    """
    elements = _split_elements(octets)
    concat: Concat | None = None
    ports: Ports | None = None
    locking: Language | None = None
    single_shift: Language | None = None
    indications: list[Indication] = []
    for iei, data in elements:
        if iei in {IEI_CONCAT_8, IEI_CONCAT_16}:
            concat = _read_concat(iei, data) or concat
        elif iei in {IEI_PORTS_8, IEI_PORTS_16}:
            ports = _read_ports(iei, data) or ports
        elif iei == IEI_SINGLE_SHIFT:
            single_shift = _read_language(data) or single_shift
        elif iei == IEI_LOCKING_SHIFT:
            locking = _read_language(data) or locking
        elif iei == IEI_INDICATION and len(data) == 2:
            indications.append(_read_indication(data))
    return Udh(
        elements=tuple(elements),
        concat=concat,
        ports=ports,
        locking=locking,
        single_shift=single_shift,
        indications=tuple(indications),
    )


def _split_elements(octets: bytes) -> list[tuple[int, bytes]]:
    if not octets:
        raise DecodeError("udhl", 0, "is missing")
    end = 1 + octets[0]
    if end > len(octets):
        raise DecodeError("udhl", 0, f"announces {octets[0]} octets, {len(octets) - 1} are there")
    elements: list[tuple[int, bytes]] = []
    at = 1
    while at < end:
        if at + 2 > end or at + 2 + octets[at + 1] > end:
            raise DecodeError("ie", at, "is longer than the header")
        elements.append((octets[at], octets[at + 2 : at + 2 + octets[at + 1]]))
        at += 2 + octets[at + 1]
    return elements


def _read_concat(iei: int, data: bytes) -> Concat | None:
    n_reference = 1 if iei == IEI_CONCAT_8 else 2
    if len(data) != n_reference + 2:
        return None
    total, part = data[-2:]
    if not 1 <= part <= total:
        return None
    reference = int.from_bytes(data[:n_reference], "big")
    return Concat(reference=reference, total=total, part=part, width=8 * n_reference)


def _read_ports(iei: int, data: bytes) -> Ports | None:
    n_octets = 1 if iei == IEI_PORTS_8 else 2
    if len(data) != 2 * n_octets:
        return None
    destination, source = int.from_bytes(data[:n_octets], "big"), int.from_bytes(data[n_octets:], "big")
    return Ports(destination=destination, source=source, width=8 * n_octets)


_LANGUAGES: Final = {int(language): language for language in Language}


def _read_language(data: bytes) -> Language | None:
    # One that is not known here is to be read with the default tables (9.2.3.24.15, 9.2.3.24.16).
    return _LANGUAGES.get(data[0]) if len(data) == 1 else None


def _read_indication(data: bytes) -> Indication:
    flags, count = data
    return Indication(kind=flags & 0x1F, count=count, store=bool(flags & 0x80), profile=flags >> 5 & 0b11)
