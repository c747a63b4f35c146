"""The layout of each PDU: its mandatory fields in wire order, as one table."""

from __future__ import annotations

from typing import Final

from drivers.smpp.wire import fields as f
from drivers.smpp.wire.fields import Field
from drivers.smpp.wire.pdus import (
    AlertNotification,
    BindReceiver,
    BindReceiverResp,
    BindTransceiver,
    BindTransceiverResp,
    BindTransmitter,
    BindTransmitterResp,
    Body,
    CancelSm,
    CancelSmResp,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Outbind,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    ReplaceSmResp,
    SubmitMulti,
    SubmitMultiResp,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)


def _address(prefix: str, name: str, limit: int) -> tuple[Field, ...]:
    return f.u8(f"{prefix}_ton"), f.u8(f"{prefix}_npi"), f.cstring(name, limit)


_SHORT_MESSAGE_LIMIT: Final = 254
_SOURCE: Final = _address("source_addr", "source_addr", 21)
_DESTINATION: Final = _address("dest_addr", "destination_addr", 21)
_MESSAGE_ID: Final = (f.cstring("message_id", 65),)
_MESSAGE_ID_RESP: Final = (f.last_cstring("message_id", 65),)
_BIND: Final = (
    f.cstring("system_id", 16),
    f.cstring("password", 9),
    f.cstring("system_type", 13),
    f.u8("interface_version"),
    *_address("addr", "address_range", 41),
)
_BIND_RESP: Final = (f.cstring("system_id", 16),)
_SHORT_MESSAGE_TAIL: Final = (
    f.u8("esm_class"),
    f.u8("protocol_id"),
    f.u8("priority_flag"),
    f.time("schedule_delivery_time"),
    f.time("validity_period"),
    f.u8("registered_delivery"),
    f.u8("replace_if_present_flag"),
    f.u8("data_coding"),
    f.u8("sm_default_msg_id"),
    f.counted_octets("short_message", _SHORT_MESSAGE_LIMIT),
)
_SHORT_MESSAGE: Final = (f.cstring("service_type", 6), *_SOURCE, *_DESTINATION, *_SHORT_MESSAGE_TAIL)

MANDATORY_FIELDS: Final[dict[type[Body], tuple[Field, ...]]] = {
    BindTransmitter: _BIND,
    BindTransmitterResp: _BIND_RESP,
    BindReceiver: _BIND,
    BindReceiverResp: _BIND_RESP,
    BindTransceiver: _BIND,
    BindTransceiverResp: _BIND_RESP,
    Outbind: (f.cstring("system_id", 16), f.cstring("password", 9)),
    Unbind: (),
    UnbindResp: (),
    GenericNack: (),
    EnquireLink: (),
    EnquireLinkResp: (),
    SubmitSm: _SHORT_MESSAGE,
    SubmitSmResp: _MESSAGE_ID_RESP,
    DeliverSm: _SHORT_MESSAGE,
    DeliverSmResp: _MESSAGE_ID_RESP,
    SubmitMulti: (
        f.cstring("service_type", 6),
        *_SOURCE,
        f.destinations("dest_addresses"),
        *_SHORT_MESSAGE_TAIL,
    ),
    SubmitMultiResp: (*_MESSAGE_ID, f.unsuccess_smes("unsuccess_sme")),
    DataSm: (
        f.cstring("service_type", 6),
        *_address("source_addr", "source_addr", 65),
        *_address("dest_addr", "destination_addr", 65),
        f.u8("esm_class"),
        f.u8("registered_delivery"),
        f.u8("data_coding"),
    ),
    DataSmResp: _MESSAGE_ID_RESP,
    QuerySm: (*_MESSAGE_ID, *_SOURCE),
    QuerySmResp: (*_MESSAGE_ID, f.time("final_date"), f.u8("message_state"), f.u8("error_code")),
    CancelSm: (f.cstring("service_type", 6), *_MESSAGE_ID, *_SOURCE, *_DESTINATION),
    CancelSmResp: (),
    ReplaceSm: (
        *_MESSAGE_ID,
        *_SOURCE,
        f.time("schedule_delivery_time"),
        f.time("validity_period"),
        f.u8("registered_delivery"),
        f.u8("sm_default_msg_id"),
        f.counted_octets("short_message", _SHORT_MESSAGE_LIMIT),
    ),
    ReplaceSmResp: (),
    AlertNotification: (
        *_address("source_addr", "source_addr", 65),
        *_address("esme_addr", "esme_addr", 65),
    ),
}
"""Mandatory fields of each body, in wire order; bodies with none are a header only."""

BODY_BY_COMMAND: Final[dict[int, type[Body]]] = {int(body.command_id): body for body in MANDATORY_FIELDS}
