"""The PDUs of SMPP 3.4 as values.

A value is a PDU's body; the header's sequence number and status travel beside it, in `Pdu`. Field names
are the specification's. Text fields hold Latin-1; every body with fields also takes optional parameters
(``tlvs``), in order and unknown tags included.

The fields of a body stand in the order of the wire, which is how the decoder fills them in; anyone else names
them. A body is a msgspec struct as it is made for every PDU, and a frozen dataclass takes ten times as long.
"""

from __future__ import annotations

from typing import ClassVar, Final

import msgspec

from drivers.smpp.wire.constants import INTERFACE_VERSION_34, CommandId
from drivers.smpp.wire.fields import Destination, Tlv, UnsuccessSme

_NOT_SHOWN: Final = frozenset(
    {
        "password",
        "source_addr",
        "destination_addr",
        "esme_addr",
        "dest_addresses",
        "unsuccess_sme",
        "short_message",
        "tlvs",
    }
)


class Body(msgspec.Struct, frozen=True, gc=False):
    """Root of all bodies. Passwords, addresses and contents are not part of a repr."""

    command_id: ClassVar[int]

    def __repr__(self) -> str:
        shown = [
            f"{name}={getattr(self, name)!r}" for name in self.__struct_fields__ if name not in _NOT_SHOWN
        ]
        return f"{type(self).__name__}({', '.join(shown)})"


class _BindRequest(Body, frozen=True):
    """What the three bind requests share."""

    system_id: str = ""
    password: str = ""
    system_type: str = ""
    interface_version: int = INTERFACE_VERSION_34
    addr_ton: int = 0
    addr_npi: int = 0
    address_range: str = ""
    tlvs: tuple[Tlv, ...] = ()


class _BindResponse(Body, frozen=True):
    """What the three bind responses share."""

    system_id: str = ""
    tlvs: tuple[Tlv, ...] = ()


class BindTransmitter(_BindRequest, frozen=True):
    """Spec: SMPP 3.4 4.1.1."""

    command_id = CommandId.BIND_TRANSMITTER


class BindTransmitterResp(_BindResponse, frozen=True):
    """Spec: SMPP 3.4 4.1.2."""

    command_id = CommandId.BIND_TRANSMITTER_RESP


class BindReceiver(_BindRequest, frozen=True):
    """Spec: SMPP 3.4 4.1.3."""

    command_id = CommandId.BIND_RECEIVER


class BindReceiverResp(_BindResponse, frozen=True):
    """Spec: SMPP 3.4 4.1.4."""

    command_id = CommandId.BIND_RECEIVER_RESP


class BindTransceiver(_BindRequest, frozen=True):
    """Spec: SMPP 3.4 4.1.5."""

    command_id = CommandId.BIND_TRANSCEIVER


class BindTransceiverResp(_BindResponse, frozen=True):
    """Spec: SMPP 3.4 4.1.6."""

    command_id = CommandId.BIND_TRANSCEIVER_RESP


class Outbind(Body, frozen=True):
    """An SMSC's call to bind as receiver. Spec: SMPP 3.4 4.1.7."""

    command_id = CommandId.OUTBIND
    system_id: str = ""
    password: str = ""
    tlvs: tuple[Tlv, ...] = ()


class Unbind(Body, frozen=True):
    """Spec: SMPP 3.4 4.2.1."""

    command_id = CommandId.UNBIND


class UnbindResp(Body, frozen=True):
    """Spec: SMPP 3.4 4.2.2."""

    command_id = CommandId.UNBIND_RESP


class GenericNack(Body, frozen=True):
    """Answer to what could not be understood. Spec: SMPP 3.4 4.3.1."""

    command_id = CommandId.GENERIC_NACK


class EnquireLink(Body, frozen=True):
    """Spec: SMPP 3.4 4.11.1."""

    command_id = CommandId.ENQUIRE_LINK


class EnquireLinkResp(Body, frozen=True):
    """Spec: SMPP 3.4 4.11.2."""

    command_id = CommandId.ENQUIRE_LINK_RESP


class _ShortMessage(Body, frozen=True):
    """The common layout of submit_sm and deliver_sm."""

    service_type: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str = ""
    esm_class: int = 0
    protocol_id: int = 0
    priority_flag: int = 0
    schedule_delivery_time: str = ""
    validity_period: str = ""
    registered_delivery: int = 0
    replace_if_present_flag: int = 0
    data_coding: int = 0
    sm_default_msg_id: int = 0
    short_message: bytes = b""
    tlvs: tuple[Tlv, ...] = ()


class SubmitSm(_ShortMessage, frozen=True):
    """Spec: SMPP 3.4 4.4.1."""

    command_id = CommandId.SUBMIT_SM


class DeliverSm(_ShortMessage, frozen=True):
    """Spec: SMPP 3.4 4.6.1."""

    command_id = CommandId.DELIVER_SM


class _MessageIdResponse(Body, frozen=True):
    """A response that names a message."""

    message_id: str = ""
    tlvs: tuple[Tlv, ...] = ()


class SubmitSmResp(_MessageIdResponse, frozen=True):
    """Spec: SMPP 3.4 4.4.2."""

    command_id = CommandId.SUBMIT_SM_RESP


class DeliverSmResp(_MessageIdResponse, frozen=True):
    """``message_id`` is unused and empty. Spec: SMPP 3.4 4.6.2."""

    command_id = CommandId.DELIVER_SM_RESP


class SubmitMulti(Body, frozen=True):
    """Spec: SMPP 3.4 4.5.1."""

    command_id = CommandId.SUBMIT_MULTI
    service_type: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    dest_addresses: tuple[Destination, ...] = ()
    esm_class: int = 0
    protocol_id: int = 0
    priority_flag: int = 0
    schedule_delivery_time: str = ""
    validity_period: str = ""
    registered_delivery: int = 0
    replace_if_present_flag: int = 0
    data_coding: int = 0
    sm_default_msg_id: int = 0
    short_message: bytes = b""
    tlvs: tuple[Tlv, ...] = ()


class SubmitMultiResp(Body, frozen=True):
    """Spec: SMPP 3.4 4.5.2."""

    command_id = CommandId.SUBMIT_MULTI_RESP
    message_id: str = ""
    unsuccess_sme: tuple[UnsuccessSme, ...] = ()
    tlvs: tuple[Tlv, ...] = ()


class DataSm(Body, frozen=True):
    """A message whose content is a parameter (``message_payload``). Spec: SMPP 3.4 4.7.1."""

    command_id = CommandId.DATA_SM
    service_type: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str = ""
    esm_class: int = 0
    registered_delivery: int = 0
    data_coding: int = 0
    tlvs: tuple[Tlv, ...] = ()


class DataSmResp(_MessageIdResponse, frozen=True):
    """Spec: SMPP 3.4 4.7.2."""

    command_id = CommandId.DATA_SM_RESP


class QuerySm(Body, frozen=True):
    """Spec: SMPP 3.4 4.8.1."""

    command_id = CommandId.QUERY_SM
    message_id: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    tlvs: tuple[Tlv, ...] = ()


class QuerySmResp(Body, frozen=True):
    """Spec: SMPP 3.4 4.8.2."""

    command_id = CommandId.QUERY_SM_RESP
    message_id: str = ""
    final_date: str = ""
    message_state: int = 0
    error_code: int = 0
    tlvs: tuple[Tlv, ...] = ()


class CancelSm(Body, frozen=True):
    """Spec: SMPP 3.4 4.9.1."""

    command_id = CommandId.CANCEL_SM
    service_type: str = ""
    message_id: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str = ""
    tlvs: tuple[Tlv, ...] = ()


class CancelSmResp(Body, frozen=True):
    """Spec: SMPP 3.4 4.9.2."""

    command_id = CommandId.CANCEL_SM_RESP


class ReplaceSm(Body, frozen=True):
    """Spec: SMPP 3.4 4.10.1."""

    command_id = CommandId.REPLACE_SM
    message_id: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    schedule_delivery_time: str = ""
    validity_period: str = ""
    registered_delivery: int = 0
    sm_default_msg_id: int = 0
    short_message: bytes = b""
    tlvs: tuple[Tlv, ...] = ()


class ReplaceSmResp(Body, frozen=True):
    """Spec: SMPP 3.4 4.10.2."""

    command_id = CommandId.REPLACE_SM_RESP


class AlertNotification(Body, frozen=True):
    """A handset can be reached again; has no response. Spec: SMPP 3.4 4.12.1."""

    command_id = CommandId.ALERT_NOTIFICATION
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    esme_addr_ton: int = 0
    esme_addr_npi: int = 0
    esme_addr: str = ""
    tlvs: tuple[Tlv, ...] = ()


class Pdu(msgspec.Struct, frozen=True, gc=False):
    """A body with what the header says besides its kind."""

    body: Body
    sequence_number: int
    command_status: int = 0
