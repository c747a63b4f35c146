"""The four PDUs that every message costs, read and written without the table of layouts.

A short way knows the ordinary form alone. For any other it returns None or raises one of `NOT_ORDINARY`; then
the table decides, and says what is wrong and where. The two are tested to agree.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from drivers.errors import DecodeError
from drivers.smpp.wire.constants import HEADER_OCTETS, CommandId
from drivers.smpp.wire.fields import read_tlvs, write_tlvs
from drivers.smpp.wire.pdus import Body, DeliverSm, DeliverSmResp, SubmitSm, SubmitSmResp

NOT_ORDINARY: Final = (LookupError, ValueError, DecodeError)
"""What there is to catch when the table has to look: no short way for the command, or not for these octets."""

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
    find_nul = octets.index
    service_end = find_nul(0, HEADER_OCTETS)
    source_end = find_nul(0, service_end + 3)
    destination_end = find_nul(0, source_end + 3)
    schedule_end = find_nul(0, destination_end + 4)
    validity_end = find_nul(0, schedule_end + 1)
    content = validity_end + 6
    end = content + octets[validity_end + 5]
    if end > len(octets):
        raise ValueError
    text = octets.decode("latin-1")
    return kind(
        text[HEADER_OCTETS:service_end],
        octets[service_end + 1],
        octets[service_end + 2],
        text[service_end + 3 : source_end],
        octets[source_end + 1],
        octets[source_end + 2],
        text[source_end + 3 : destination_end],
        octets[destination_end + 1],
        octets[destination_end + 2],
        octets[destination_end + 3],
        text[destination_end + 4 : schedule_end],
        text[schedule_end + 1 : validity_end],
        octets[validity_end + 1],
        octets[validity_end + 2],
        octets[validity_end + 3],
        octets[validity_end + 4],
        octets[content:end],
        read_tlvs(octets, end, strict=kind is SubmitSm) if end < len(octets) else (),
    )


def _decode_message_id(
    kind: type[SubmitSmResp | DeliverSmResp], octets: bytes
) -> SubmitSmResp | DeliverSmResp:
    message_id, nul, tlvs = octets[HEADER_OCTETS:].partition(b"\0")
    if tlvs or not nul:
        raise ValueError
    return kind(message_id.decode("latin-1"))


ENCODERS: Final[dict[type[Body], Callable[[Any], bytes | None]]] = {
    SubmitSm: _encode_short_message,
    SubmitSmResp: _encode_message_id,
    DeliverSm: _encode_short_message,
    DeliverSmResp: _encode_message_id,
}
"""Body -> octets without header, or None."""

DECODERS: Final[dict[int, Callable[[bytes], Body]]] = {
    int(CommandId.SUBMIT_SM): partial(_decode_short_message, SubmitSm),
    int(CommandId.SUBMIT_SM_RESP): partial(_decode_message_id, SubmitSmResp),
    int(CommandId.DELIVER_SM): partial(_decode_short_message, DeliverSm),
    int(CommandId.DELIVER_SM_RESP): partial(_decode_message_id, DeliverSmResp),
}
"""Whole PDU -> body, or one of `NOT_ORDINARY`."""
