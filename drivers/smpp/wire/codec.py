"""PDUs to octets and back.

Encoding is strict, decoding lenient where leniency harms nobody (see `drivers.smpp.wire.fields`) and total:
any octets give a `Pdu`, a `DecodeError` or a `RemoteProtocolError`, nothing else. The four PDUs that every
message costs go a short way without the table; it is tested to agree with the table.

Spec: SMPP 3.4 3.2.
"""

from __future__ import annotations

import struct
from dataclasses import fields
from inspect import getattr_static
from typing import Any, Final, NamedTuple

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
from drivers.smpp.wire.pdus import Body, DeliverSm, DeliverSmResp, Pdu, SubmitSm, SubmitSmResp

_HEADER: Final = struct.Struct(">IIII")
_new_tuple: Final = tuple.__new__
"""Makes a named tuple without the call of its own `__new__`, which costs as much as the rest."""
_NOT_ORDINARY: Final = (IndexError, ValueError, DecodeError)


class Header(NamedTuple):
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
    header = Header._make(_HEADER.unpack_from(octets, offset))
    if not HEADER_OCTETS <= header.command_length <= MAX_COMMAND_LENGTH:
        raise RemoteProtocolError(f"command_length {header.command_length}", recoverable=False)
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
    octets = b"" if header_only else _encode_body(body)
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
    if len(octets) < HEADER_OCTETS:
        raise RemoteProtocolError(f"{len(octets)} octets are no PDU", recoverable=False)
    length, command_id, command_status, sequence_number = _HEADER.unpack_from(octets)
    if length == len(octets) <= MAX_COMMAND_LENGTH:
        return _new_tuple(Pdu, (decode_body(command_id, octets), sequence_number, command_status))
    header = decode_header(octets)
    raise RemoteProtocolError(
        f"command_length {header.command_length} of {len(octets)} octets", recoverable=False
    )


def decode_body(command_id: int, octets: bytes) -> Body:
    """Read the body of a whole PDU (offsets count from its header); raises as `decode_pdu`."""
    short_way = _DECODERS.get(command_id)
    if short_way is not None:
        try:
            return short_way(octets)
        except _NOT_ORDINARY:
            pass  # the long way says what is wrong, and where
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


def _encode_body(body: Body) -> bytes:
    if isinstance(body, (SubmitSm, DeliverSm)):
        octets = _encode_short_message(body)
    elif isinstance(body, (SubmitSmResp, DeliverSmResp)):
        octets = _encode_message_id(body)
    else:
        octets = None
    return encode_by_layout(body) if octets is None else octets


# ---- the short way ----
# Each returns None, or raises one of _NOT_ORDINARY, for whatever is out of the ordinary; then the table decides.

_SHORT_MESSAGE: Final = b"%b\0%c%c%b\0%c%c%b\0%c%c%c%b\0%b\0%c%c%c%c%c%b%b"


def _encode_short_message(body: SubmitSm | DeliverSm) -> bytes | None:
    service_type, source_addr, destination_addr = body.service_type, body.source_addr, body.destination_addr
    scheduled, validity, content = body.schedule_delivery_time, body.validity_period, body.short_message
    if (
        len(service_type) > 5
        or len(source_addr) > 20
        or len(destination_addr) > 20
        or len(scheduled) not in {0, 16}
        or len(validity) not in {0, 16}
        or len(content) > 254
    ):
        return None
    try:
        texts = f"{service_type}\0{source_addr}\0{destination_addr}\0{scheduled}\0{validity}".encode(
            "latin-1"
        )
        # Five texts, or one of them had a NUL inside, which split makes too many of.
        service, source, destination, schedule, valid = texts.split(b"\0")
        return _SHORT_MESSAGE % (
            service,
            body.source_addr_ton,
            body.source_addr_npi,
            source,
            body.dest_addr_ton,
            body.dest_addr_npi,
            destination,
            body.esm_class,
            body.protocol_id,
            body.priority_flag,
            schedule,
            valid,
            body.registered_delivery,
            body.replace_if_present_flag,
            body.data_coding,
            body.sm_default_msg_id,
            len(content),
            content,
            write_tlvs(body.tlvs) if body.tlvs else b"",
        )
    except (ValueError, OverflowError):
        return None


def _encode_message_id(body: SubmitSmResp | DeliverSmResp) -> bytes | None:
    message_id = body.message_id
    if body.tlvs or len(message_id) > 64 or "\0" in message_id or not message_id.isascii():
        return None
    return message_id.encode("ascii") + b"\0"


def _decode_short_message(kind: type[SubmitSm | DeliverSm], octets: bytes) -> SubmitSm | DeliverSm:
    index = octets.index
    service_end = index(0, HEADER_OCTETS)
    source_end = index(0, service_end + 3)
    destination_end = index(0, source_end + 3)
    schedule_end = index(0, destination_end + 4)
    validity_end = index(0, schedule_end + 1)
    content = validity_end + 6
    end = content + octets[validity_end + 5]
    if end > len(octets):
        raise IndexError
    body = _new_object(kind)
    for set_field, value in zip(
        _SHORT_MESSAGE_SETTERS,
        (
            octets[HEADER_OCTETS:service_end].decode("latin-1"),
            octets[service_end + 1],
            octets[service_end + 2],
            octets[service_end + 3 : source_end].decode("latin-1"),
            octets[source_end + 1],
            octets[source_end + 2],
            octets[source_end + 3 : destination_end].decode("latin-1"),
            octets[destination_end + 1],
            octets[destination_end + 2],
            octets[destination_end + 3],
            octets[destination_end + 4 : schedule_end].decode("latin-1"),
            octets[schedule_end + 1 : validity_end].decode("latin-1"),
            octets[validity_end + 1],
            octets[validity_end + 2],
            octets[validity_end + 3],
            octets[validity_end + 4],
            octets[content:end],
            read_tlvs(octets, end, strict=kind is SubmitSm) if end < len(octets) else (),
        ),
        strict=True,
    ):
        set_field(body, value)
    return body


def _decode_submit_sm(octets: bytes) -> Body:
    return _decode_short_message(SubmitSm, octets)


def _decode_deliver_sm(octets: bytes) -> Body:
    return _decode_short_message(DeliverSm, octets)


def _decode_submit_sm_resp(octets: bytes) -> Body:
    body = _new_object(SubmitSmResp)
    _set_message_id(body, _decode_lone_message_id(octets))
    _set_response_tlvs(body, ())
    return body


def _decode_deliver_sm_resp(octets: bytes) -> Body:
    body = _new_object(DeliverSmResp)
    _set_message_id(body, _decode_lone_message_id(octets))
    _set_response_tlvs(body, ())
    return body


def _decode_lone_message_id(octets: bytes) -> str:
    end = octets.index(0, HEADER_OCTETS)
    if end + 1 != len(octets):
        raise ValueError
    return octets[HEADER_OCTETS:end].decode("latin-1")


_new_object: Final = object.__new__
# A frozen value is filled by its slots: its own `__init__` takes three times as long.
_SHORT_MESSAGE_SETTERS: Final = tuple(getattr_static(SubmitSm, f.name).__set__ for f in fields(SubmitSm))
_set_message_id: Final = getattr_static(SubmitSmResp, "message_id").__set__
_set_response_tlvs: Final = getattr_static(SubmitSmResp, "tlvs").__set__

_DECODERS: Final = {
    int(CommandId.SUBMIT_SM): _decode_submit_sm,
    int(CommandId.SUBMIT_SM_RESP): _decode_submit_sm_resp,
    int(CommandId.DELIVER_SM): _decode_deliver_sm,
    int(CommandId.DELIVER_SM_RESP): _decode_deliver_sm_resp,
}
