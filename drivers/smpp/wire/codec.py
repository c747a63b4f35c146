"""PDUs to octets and back.

Encoding is strict, decoding lenient where leniency harms nobody (see `drivers.smpp.wire.fields`) and total:
any octets give a `Pdu`, a `DecodeError` or a `RemoteProtocolError`, nothing else. The four PDUs that every
message costs go a short way without the table (`drivers.smpp.wire.short_way`).

Spec: SMPP 3.4 3.2.
"""

from __future__ import annotations

import struct
from typing import Any, Final

import msgspec

from drivers.errors import DecodeError, EncodeError, RemoteProtocolError
from drivers.smpp.wire.constants import (
    HEADER_OCTETS,
    MAX_COMMAND_LENGTH,
    MAX_SEQUENCE_NUMBER,
    RESPONSE_BIT,
    CommandId,
    command_name,
)
from drivers.smpp.wire.fields import Field, Tlv, read_tlvs, write_tlvs
from drivers.smpp.wire.layouts import BODY_BY_COMMAND, MANDATORY_FIELDS
from drivers.smpp.wire.pdus import Body, Pdu
from drivers.smpp.wire.short_way import DECODERS, ENCODERS, NOT_ORDINARY

_HEADER: Final = struct.Struct(">IIII")
_unpack_header: Final = _HEADER.unpack_from


class Header(msgspec.Struct, frozen=True, gc=False):
    """The first 16 octets of every PDU."""

    command_length: int
    command_id: int
    command_status: int
    sequence_number: int


def decode_header(octets: bytes | bytearray, offset: int = 0) -> Header:
    """Read the 16 octets at ``offset``.

    Raises:
        RemoteProtocolError: ``command_length`` can't be true; not recoverable, as the start of the next
            PDU is unknown.

    Spec: SMPP 3.4 3.2.
    """
    header = Header(*_unpack_header(octets, offset))
    if not HEADER_OCTETS <= header.command_length <= MAX_COMMAND_LENGTH:
        # In hex: a number as long as this would be masked in the log, as if it were somebody's.
        raise RemoteProtocolError(f"command_length 0x{header.command_length:08x}", recoverable=False)
    return header


def encode_pdu(body: Body, sequence_number: int, command_status: int = 0) -> bytes:
    """Put a PDU on the wire.

    A response that reports an error and has nothing in its body goes out as a header alone, as the
    specification asks of submit_sm_resp and its like.

    Raises:
        EncodeError: a field breaks its bound.

    Spec: SMPP 3.4 3.2, 4.
    """
    header_only = command_status != 0 and body.command_id & RESPONSE_BIT and body == type(body)()
    octets = b"" if header_only else encode_body(body)
    length = HEADER_OCTETS + len(octets)
    if length > MAX_COMMAND_LENGTH:
        raise EncodeError("command_length", f"{length} octets where {MAX_COMMAND_LENGTH} fit")
    if not 0 <= sequence_number <= 0xFFFFFFFF or not 0 <= command_status <= 0xFFFFFFFF:
        raise EncodeError("header", "sequence_number and command_status have 32 bits")
    return _HEADER.pack(length, body.command_id, command_status, sequence_number) + octets


def decode_pdu(octets: bytes) -> Pdu:
    """Read one whole PDU, header included.

    A response may come without its body, whatever its status: all fields then have their defaults.

    Raises:
        DecodeError: the body does not hold what its command promises.
        RemoteProtocolError: the length is not that of ``octets`` (not recoverable), or the command is
            unknown (recoverable: to be answered with generic_nack).

    Spec: SMPP 3.4 3.2, 4.
    """
    try:
        length, command_id, command_status, sequence_number = _unpack_header(octets)
    except struct.error:
        raise RemoteProtocolError(f"{len(octets)} octets are no PDU", recoverable=False) from None
    if length != len(octets) or length > MAX_COMMAND_LENGTH:
        raise RemoteProtocolError(f"command_length 0x{length:08x} of {len(octets)} octets", recoverable=False)
    try:  # as `decode_body`, whose call would be a fifth of the time that a short answer takes
        body = DECODERS[command_id](octets)
    except NOT_ORDINARY:
        body = decode_by_layout(command_id, octets)
    return Pdu(body, sequence_number, command_status)


def encode_body(body: Body) -> bytes:
    """A body without header; raises as `encode_pdu`."""
    short_way = ENCODERS.get(type(body))
    octets = short_way(body) if short_way is not None else None
    return encode_by_layout(body) if octets is None else octets


def decode_body(command_id: int, octets: bytes) -> Body:
    """Read the body of a whole PDU (offsets count from its header); raises as `decode_pdu`."""
    try:
        return DECODERS[command_id](octets)
    except NOT_ORDINARY:
        return decode_by_layout(command_id, octets)


def decode_by_layout(command_id: int, octets: bytes) -> Body:
    """The same by the table alone."""
    kind = BODY_BY_COMMAND.get(command_id)
    if kind is None:
        raise RemoteProtocolError(f"unknown command_id {command_name(command_id)}", recoverable=True)
    fields = MANDATORY_FIELDS[kind]
    if not fields or (command_id & RESPONSE_BIT and len(octets) == HEADER_OCTETS):
        return kind()
    values: dict[str, Any] = {}
    offset = HEADER_OCTETS
    for field in fields:
        values[field.name], offset = _read_field(kind, field, octets, offset)
    try:
        tlvs = read_tlvs(octets, offset, strict=_is_strict(command_id))
    except DecodeError as error:
        raise error.nested(command_name(command_id), 0) from None
    values["tlvs"] = tlvs
    return kind(**values)


def encode_by_layout(body: Body) -> bytes:
    """A body by the table alone, without header; raises as `encode_pdu`."""
    fields = MANDATORY_FIELDS[type(body)]
    if not fields:
        return b""
    parts = []
    for field in fields:
        try:
            parts.append(field.write(getattr(body, field.name)))
        except ValueError as error:
            raise EncodeError(f"{command_name(body.command_id)}.{field.name}", str(error)) from None
    tlvs: tuple[Tlv, ...] = getattr(body, "tlvs", ())
    return b"".join(parts) + write_tlvs(tlvs)


def next_sequence_number(last: int) -> int:
    """The number after ``last``: 1..0x7FFFFFFF, then 1 again. Spec: SMPP 3.4 5.1.4."""
    return 1 if last >= MAX_SEQUENCE_NUMBER else last + 1


def _is_strict(command_id: int) -> bool:
    """Whether a mangled last parameter is an error: it is our client's to mend, never an SMSC's."""
    return not command_id & RESPONSE_BIT and command_id != CommandId.DELIVER_SM


def _read_field(kind: type[Body], field: Field, octets: bytes, offset: int) -> tuple[Any, int]:
    try:
        return field.read(octets, offset)
    except IndexError:
        reason = "cut off"
    except ValueError as error:
        reason = str(error)
    raise DecodeError(f"{command_name(kind.command_id)}.{field.name}", offset, reason)
