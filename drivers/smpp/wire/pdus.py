"""The PDUs of SMPP 3.4 as values.

A value is a PDU's body; the header's sequence number and status travel beside it, in `Pdu`. Field names
are the specification's. Text fields hold Latin-1; every body with fields also takes optional parameters
(``tlvs``), in order and unknown tags included.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

from drivers.smpp.wire.constants import INTERFACE_VERSION_34, CommandId
from drivers.smpp.wire.fields import Destination, Tlv, UnsuccessSme


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """Root of all bodies."""

    command_id: ClassVar[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _BindRequest(Body):
    """What the three bind requests share. The password is not part of its repr."""

    system_id: str = ""
    password: str = field(default="", repr=False)
    system_type: str = ""
    interface_version: int = INTERFACE_VERSION_34
    addr_ton: int = 0
    addr_npi: int = 0
    address_range: str = ""
    tlvs: tuple[Tlv, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _BindResponse(Body):
    """What the three bind responses share."""

    system_id: str = ""
    tlvs: tuple[Tlv, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BindTransmitter(_BindRequest):
    """Spec: SMPP 3.4 4.1.1."""

    command_id = CommandId.BIND_TRANSMITTER


@dataclass(frozen=True, slots=True, kw_only=True)
class BindTransmitterResp(_BindResponse):
    """Spec: SMPP 3.4 4.1.2."""

    command_id = CommandId.BIND_TRANSMITTER_RESP


@dataclass(frozen=True, slots=True, kw_only=True)
class BindReceiver(_BindRequest):
    """Spec: SMPP 3.4 4.1.3."""

    command_id = CommandId.BIND_RECEIVER


@dataclass(frozen=True, slots=True, kw_only=True)
class BindReceiverResp(_BindResponse):
    """Spec: SMPP 3.4 4.1.4."""

    command_id = CommandId.BIND_RECEIVER_RESP


@dataclass(frozen=True, slots=True, kw_only=True)
class BindTransceiver(_BindRequest):
    """Spec: SMPP 3.4 4.1.5."""

    command_id = CommandId.BIND_TRANSCEIVER


@dataclass(frozen=True, slots=True, kw_only=True)
class BindTransceiverResp(_BindResponse):
    """Spec: SMPP 3.4 4.1.6."""

    command_id = CommandId.BIND_TRANSCEIVER_RESP


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbind(Body):
    """An SMSC's call to bind as receiver. Spec: SMPP 3.4 4.1.7."""

    command_id = CommandId.OUTBIND
    system_id: str = ""
    password: str = field(default="", repr=False)
    tlvs: tuple[Tlv, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unbind(Body):
    """Spec: SMPP 3.4 4.2.1."""

    command_id = CommandId.UNBIND


@dataclass(frozen=True, slots=True, kw_only=True)
class UnbindResp(Body):
    """Spec: SMPP 3.4 4.2.2."""

    command_id = CommandId.UNBIND_RESP


@dataclass(frozen=True, slots=True, kw_only=True)
class GenericNack(Body):
    """Answer to what could not be understood. Spec: SMPP 3.4 4.3.1."""

    command_id = CommandId.GENERIC_NACK


@dataclass(frozen=True, slots=True, kw_only=True)
class EnquireLink(Body):
    """Spec: SMPP 3.4 4.11.1."""

    command_id = CommandId.ENQUIRE_LINK


@dataclass(frozen=True, slots=True, kw_only=True)
class EnquireLinkResp(Body):
    """Spec: SMPP 3.4 4.11.2."""

    command_id = CommandId.ENQUIRE_LINK_RESP


@dataclass(frozen=True, slots=True, kw_only=True)
class _ShortMessage(Body):
    """The common layout of submit_sm and deliver_sm. The content is not part of its repr."""

    service_type: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = field(default="", repr=False)
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str = field(default="", repr=False)
    esm_class: int = 0
    protocol_id: int = 0
    priority_flag: int = 0
    schedule_delivery_time: str = ""
    validity_period: str = ""
    registered_delivery: int = 0
    replace_if_present_flag: int = 0
    data_coding: int = 0
    sm_default_msg_id: int = 0
    short_message: bytes = field(default=b"", repr=False)
    tlvs: tuple[Tlv, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitSm(_ShortMessage):
    """Spec: SMPP 3.4 4.4.1."""

    command_id = CommandId.SUBMIT_SM


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverSm(_ShortMessage):
    """Spec: SMPP 3.4 4.6.1."""

    command_id = CommandId.DELIVER_SM


@dataclass(frozen=True, slots=True, kw_only=True)
class _MessageIdResponse(Body):
    """A response that names a message."""

    message_id: str = ""
    tlvs: tuple[Tlv, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitSmResp(_MessageIdResponse):
    """Spec: SMPP 3.4 4.4.2."""

    command_id = CommandId.SUBMIT_SM_RESP


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverSmResp(_MessageIdResponse):
    """``message_id`` is unused and empty. Spec: SMPP 3.4 4.6.2."""

    command_id = CommandId.DELIVER_SM_RESP


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitMulti(Body):
    """Spec: SMPP 3.4 4.5.1."""

    command_id = CommandId.SUBMIT_MULTI
    service_type: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = field(default="", repr=False)
    dest_addresses: tuple[Destination, ...] = field(default=(), repr=False)
    esm_class: int = 0
    protocol_id: int = 0
    priority_flag: int = 0
    schedule_delivery_time: str = ""
    validity_period: str = ""
    registered_delivery: int = 0
    replace_if_present_flag: int = 0
    data_coding: int = 0
    sm_default_msg_id: int = 0
    short_message: bytes = field(default=b"", repr=False)
    tlvs: tuple[Tlv, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitMultiResp(Body):
    """Spec: SMPP 3.4 4.5.2."""

    command_id = CommandId.SUBMIT_MULTI_RESP
    message_id: str = ""
    unsuccess_sme: tuple[UnsuccessSme, ...] = field(default=(), repr=False)
    tlvs: tuple[Tlv, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSm(Body):
    """A message whose content is a parameter (``message_payload``). Spec: SMPP 3.4 4.7.1."""

    command_id = CommandId.DATA_SM
    service_type: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = field(default="", repr=False)
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str = field(default="", repr=False)
    esm_class: int = 0
    registered_delivery: int = 0
    data_coding: int = 0
    tlvs: tuple[Tlv, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSmResp(_MessageIdResponse):
    """Spec: SMPP 3.4 4.7.2."""

    command_id = CommandId.DATA_SM_RESP


@dataclass(frozen=True, slots=True, kw_only=True)
class QuerySm(Body):
    """Spec: SMPP 3.4 4.8.1."""

    command_id = CommandId.QUERY_SM
    message_id: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = field(default="", repr=False)
    tlvs: tuple[Tlv, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class QuerySmResp(Body):
    """Spec: SMPP 3.4 4.8.2."""

    command_id = CommandId.QUERY_SM_RESP
    message_id: str = ""
    final_date: str = ""
    message_state: int = 0
    error_code: int = 0
    tlvs: tuple[Tlv, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelSm(Body):
    """Spec: SMPP 3.4 4.9.1."""

    command_id = CommandId.CANCEL_SM
    service_type: str = ""
    message_id: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = field(default="", repr=False)
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str = field(default="", repr=False)
    tlvs: tuple[Tlv, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelSmResp(Body):
    """Spec: SMPP 3.4 4.9.2."""

    command_id = CommandId.CANCEL_SM_RESP


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceSm(Body):
    """Spec: SMPP 3.4 4.10.1."""

    command_id = CommandId.REPLACE_SM
    message_id: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = field(default="", repr=False)
    schedule_delivery_time: str = ""
    validity_period: str = ""
    registered_delivery: int = 0
    sm_default_msg_id: int = 0
    short_message: bytes = field(default=b"", repr=False)
    tlvs: tuple[Tlv, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceSmResp(Body):
    """Spec: SMPP 3.4 4.10.2."""

    command_id = CommandId.REPLACE_SM_RESP


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertNotification(Body):
    """A handset can be reached again; has no response. Spec: SMPP 3.4 4.12.1."""

    command_id = CommandId.ALERT_NOTIFICATION
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = field(default="", repr=False)
    esme_addr_ton: int = 0
    esme_addr_npi: int = 0
    esme_addr: str = field(default="", repr=False)
    tlvs: tuple[Tlv, ...] = ()


class Pdu(NamedTuple):
    """A body with what the header says besides its kind."""

    body: Body
    sequence_number: int
    command_status: int = 0
