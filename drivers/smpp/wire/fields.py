"""The kinds of fields that PDU bodies are made of, each able to read and write itself.

Writing is strict: what the specification does not allow is an `EncodeError`. Reading is lenient where
a peer's slip harms nobody (a C-octet string longer than its bound), and a `DecodeError` where octets
are missing.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from drivers.errors import DecodeError, EncodeError

Tlv = tuple[int, bytes]
"""One optional parameter: tag and value."""

Reader = Callable[[bytes, int], tuple[Any, int]]
"""(whole PDU, offset) -> (value, offset after it); IndexError or ValueError when octets are missing."""

Writer = Callable[[Any], bytes]
"""Value -> octets; ValueError when the field can't hold it."""

_TLV_HEADER: Final = struct.Struct(">HH")
_TLV_HEADER_OCTETS: Final = 4
_TIME_OCTETS: Final = 16


class Field(NamedTuple):
    """One field of a PDU body: its name in the specification, and how it is read and written."""

    name: str
    read: Reader
    write: Writer


class SmeAddress(NamedTuple):
    """A single destination of submit_multi (dest_flag 1). Spec: SMPP 3.4 4.5.1.1."""

    dest_addr_ton: int
    dest_addr_npi: int
    destination_addr: str


class DistributionList(NamedTuple):
    """A list of destinations that the SMSC knows by name (dest_flag 2). Spec: SMPP 3.4 4.5.1.2."""

    dl_name: str


class UnsuccessSme(NamedTuple):
    """A destination that submit_multi could not serve. Spec: SMPP 3.4 4.5.2.1."""

    dest_addr_ton: int
    dest_addr_npi: int
    destination_addr: str
    error_status_code: int


Destination = SmeAddress | DistributionList


def u8(name: str) -> Field:
    """An octet."""
    return Field(name, _read_u8, _write_u8)


def cstring(name: str, limit: int) -> Field:
    """A C-octet string of at most ``limit`` octets, its NUL included."""

    def write(value: str) -> bytes:
        return _write_cstring(value, limit)

    return Field(name, read_cstring, write)


def last_cstring(name: str, limit: int) -> Field:
    """A C-octet string that ends a response; some SMSCs leave out its NUL, or the string altogether."""
    return cstring(name, limit)._replace(read=_read_last_cstring)


def time(name: str) -> Field:
    """A time in SMPP's text form: 16 characters and a NUL, or just the NUL. Spec: SMPP 3.4 7.1.1."""

    def write(value: str) -> bytes:
        if len(value) not in {0, _TIME_OCTETS}:
            raise ValueError("a time has 16 characters or none")
        return _write_cstring(value, _TIME_OCTETS + 1)

    return Field(name, read_cstring, write)


def counted_octets(name: str, limit: int) -> Field:
    """``sm_length`` and that many octets."""

    def write(value: bytes) -> bytes:
        if len(value) > limit:
            raise ValueError(f"{len(value)} octets where {limit} fit")
        return bytes((len(value),)) + value

    return Field(name, _read_counted, write)


def destinations(name: str) -> Field:
    """``number_of_dests`` and the destinations of submit_multi."""
    return Field(name, _read_destinations, _write_destinations)


def unsuccess_smes(name: str) -> Field:
    """``no_unsuccess`` and the destinations that failed."""
    return Field(name, _read_unsuccess, _write_unsuccess)


def read_cstring(octets: bytes, offset: int) -> tuple[str, int]:
    """The text up to the next NUL, as Latin-1 so that any octet survives; ValueError without a NUL."""
    end = octets.find(0, offset)
    if end < 0:
        raise ValueError("no NUL")
    return octets[offset:end].decode("latin-1"), end + 1


def read_tlvs(octets: bytes, offset: int, *, strict: bool = True) -> tuple[Tlv, ...]:
    """All optional parameters from ``offset`` to the end, in order, unknown tags included.

    Args:
        octets: the whole PDU.
        offset: where the first parameter starts.
        strict: False takes what is left as the value of a last parameter that announces more, as at
            least one carrier's receipts do; refused, they would only be sent again.

    Raises:
        DecodeError: a parameter is cut off (when strict); stray NULs at the end are none.

    Spec: SMPP 3.4 3.2.4.
    """
    tlvs = []
    end = len(octets)
    while offset < end:
        if offset + _TLV_HEADER_OCTETS > end:
            # Some applications end short_message as a C string, with a NUL that sm_length does not count.
            if not strict or not any(octets[offset:]):
                break
            raise DecodeError("tlv", offset, "cut off in tag and length")
        tag, length = _TLV_HEADER.unpack_from(octets, offset)
        start = offset + _TLV_HEADER_OCTETS
        offset = start + length
        if offset > end and strict:
            raise DecodeError(f"tlv.0x{tag:04x}", start, f"{end - start} octets where {length} are announced")
        tlvs.append((tag, octets[start:offset]))
    return tuple(tlvs)


def write_tlvs(tlvs: tuple[Tlv, ...]) -> bytes:
    """Optional parameters as octets, in order.

    Raises:
        EncodeError: a tag or a value is out of range.
    """
    parts = []
    for tag, value in tlvs:
        try:
            parts.append(_TLV_HEADER.pack(tag, len(value)) + value)
        except struct.error:
            raise EncodeError(f"tlv.0x{tag:04x}", "tag and length have 16 bits") from None
    return b"".join(parts)


def find_tlv(tlvs: tuple[Tlv, ...], tag: int) -> bytes | None:
    """Value of the first parameter with this tag; None when it is absent."""
    for found, value in tlvs:
        if found == tag:
            return value
    return None


def find_int_tlv(tlvs: tuple[Tlv, ...], tag: int) -> int | None:
    """The same, read as an unsigned number of whatever width came; None when absent or empty."""
    value = find_tlv(tlvs, tag)
    return int.from_bytes(value, "big") if value else None


def find_text_tlv(tlvs: tuple[Tlv, ...], tag: int) -> str | None:
    """The same, read as a C-octet string, with or without its NUL; None when absent or empty."""
    value = find_tlv(tlvs, tag)
    return value.partition(b"\0")[0].decode("latin-1") or None if value else None


def _read_u8(octets: bytes, offset: int) -> tuple[int, int]:
    return octets[offset], offset + 1


def _write_u8(value: int) -> bytes:
    if not 0 <= value <= 0xFF:
        raise ValueError("not within an octet")
    return bytes((value,))


def _write_cstring(value: str, limit: int) -> bytes:
    if len(value) >= limit:
        raise ValueError(f"{len(value)} characters where {limit - 1} fit")
    if "\0" in value:
        raise ValueError("a NUL inside")
    try:
        return value.encode("latin-1") + b"\0"
    except UnicodeEncodeError:
        # The codec's own message would quote the value.
        raise ValueError("a character outside Latin-1") from None


def _read_last_cstring(octets: bytes, offset: int) -> tuple[str, int]:
    if octets.find(0, offset) < 0:
        return octets[offset:].decode("latin-1"), len(octets)
    return read_cstring(octets, offset)


def _read_counted(octets: bytes, offset: int) -> tuple[bytes, int]:
    start = offset + 1
    end = start + octets[offset]
    if end > len(octets):
        raise IndexError
    return octets[start:end], end


def _read_destinations(octets: bytes, offset: int) -> tuple[tuple[Destination, ...], int]:
    found: list[Destination] = []
    count, offset = _read_u8(octets, offset)
    for _ in range(count):
        dest_flag, offset = _read_u8(octets, offset)
        if dest_flag == 1:
            ton, npi = octets[offset], octets[offset + 1]
            address, offset = read_cstring(octets, offset + 2)
            found.append(SmeAddress(ton, npi, address))
        elif dest_flag == 2:
            dl_name, offset = read_cstring(octets, offset)
            found.append(DistributionList(dl_name))
        else:
            raise ValueError("dest_flag is neither 1 nor 2")
    return tuple(found), offset


def _write_destinations(value: tuple[Destination, ...]) -> bytes:
    parts = [_write_u8(len(value))]
    for destination in value:
        if isinstance(destination, SmeAddress):
            ton, npi, address = destination
            parts.append(b"\1" + _write_u8(ton) + _write_u8(npi) + _write_cstring(address, 21))
        else:
            parts.append(b"\2" + _write_cstring(destination.dl_name, 21))
    return b"".join(parts)


def _read_unsuccess(octets: bytes, offset: int) -> tuple[tuple[UnsuccessSme, ...], int]:
    found = []
    count, offset = _read_u8(octets, offset)
    for _ in range(count):
        ton, npi = octets[offset], octets[offset + 1]
        address, offset = read_cstring(octets, offset + 2)
        end = offset + 4
        if end > len(octets):
            raise IndexError
        found.append(UnsuccessSme(ton, npi, address, int.from_bytes(octets[offset:end], "big")))
        offset = end
    return tuple(found), offset


def _write_unsuccess(value: tuple[UnsuccessSme, ...]) -> bytes:
    parts = [_write_u8(len(value))]
    for ton, npi, address, status in value:
        if not 0 <= status <= 0xFFFFFFFF:
            raise ValueError("error_status_code is not within 32 bits")
        parts.append(
            _write_u8(ton) + _write_u8(npi) + _write_cstring(address, 21) + status.to_bytes(4, "big")
        )
    return b"".join(parts)
