"""Inbound messages for applications: one deliver_sm a part, cut like our own texts. Pure.

Spec: SMPP 3.4 4.6.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from drivers.base import Concat, Encoding
from drivers.codec.segment import plan_segments
from drivers.codec.udh import encode_concat_udh
from drivers.errors import EncodeError
from drivers.smpp.text import AddressPlan, encode_address
from drivers.smpp.wire import constants as c
from drivers.smpp.wire.pdus import DeliverSm
from gateway.model.message import InboundMessage

_MOST_ADDRESS_CHARS: Final = 20
_MOST_OCTETS: Final = 254
_DATA_CODING: Final = {
    Encoding.GSM7: c.DATA_CODING_DEFAULT,
    Encoding.UCS2: c.DATA_CODING_UCS2,
    Encoding.BINARY: c.DATA_CODING_OCTETS,
}
_ADDRESSES: Final = AddressPlan()


def make_deliveries(inbound: InboundMessage, *, latin_1: bool) -> list[DeliverSm]:
    """What an application gets of an inbound message, in order.

    Args:
        latin_1: ``data_coding`` 0 is Latin-1 for it.
    """
    head = _address(inbound)
    if inbound.text is None:
        octets = inbound.data or b""
        pieces = [octets[i : i + _MOST_OCTETS] for i in range(0, len(octets), _MOST_OCTETS)] or [b""]
        return [replace(head, data_coding=c.DATA_CODING_OCTETS, short_message=piece) for piece in pieces]
    if not inbound.text:
        return [head]
    if latin_1 and len(inbound.text) <= _MOST_OCTETS and _is_latin_1(inbound.text):
        return [replace(head, short_message=inbound.text.encode("latin-1"))]
    # Where 0 is not the GSM alphabet, what Latin-1 can't hold goes as UCS-2.
    return _cut(head, inbound, Encoding.UCS2 if latin_1 else None)


def _cut(head: DeliverSm, inbound: InboundMessage, encoding: Encoding | None) -> list[DeliverSm]:
    assert inbound.text is not None
    try:
        plan = plan_segments(inbound.text, encoding)
    except EncodeError:  # longer than 255 parts; nobody can have sent that
        plan = plan_segments(inbound.text[: 255 * 60], Encoding.UCS2)
    total = len(plan.segments)
    data_coding = _DATA_CODING[plan.encoding]
    if total == 1:
        return [replace(head, data_coding=data_coding, short_message=plan.segments[0].payload)]
    # Any number will do that the next message to this application will not have.
    reference = sum(inbound.id.encode("ascii")[-6:]) & 0xFF
    return [
        replace(
            head,
            esm_class=c.ESM_UDHI,
            data_coding=data_coding,
            short_message=encode_concat_udh(Concat(reference=reference, total=total, part=part))
            + segment.payload,
        )
        for part, segment in enumerate(plan.segments, 1)
    ]


def _address(inbound: InboundMessage) -> DeliverSm:
    source_ton, source_npi, source = encode_address(_wire(inbound.sender), _ADDRESSES)
    dest_ton, dest_npi, destination = encode_address(_wire(inbound.recipient or ""), _ADDRESSES)
    return DeliverSm(
        source_addr_ton=source_ton,
        source_addr_npi=source_npi,
        source_addr=source,
        dest_addr_ton=dest_ton,
        dest_addr_npi=dest_npi,
        destination_addr=destination,
    )


def _wire(address: str) -> str:
    """As a C-octet string can hold it."""
    plain = address.encode("latin-1", "replace").decode("latin-1").replace("\0", "")
    return plain[: _MOST_ADDRESS_CHARS + plain.startswith("+")]


def _is_latin_1(text: str) -> bool:
    return all(ord(char) <= 0xFF for char in text)
