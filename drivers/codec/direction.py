"""Any TPDU by the way it goes: TP-MTI means one thing towards the mobile, another from it.

Spec: 3GPP TS 23.040 9.2.3.1.
"""

from __future__ import annotations

from typing import assert_never

from drivers.codec import fields as f
from drivers.codec.command import SmsCommand, decode_command, encode_command
from drivers.codec.reports import (
    SmsDeliverReport,
    SmsStatusReport,
    SmsSubmitReport,
    decode_deliver_report,
    decode_status_report,
    decode_submit_report,
    encode_deliver_report,
    encode_status_report,
    encode_submit_report,
)
from drivers.codec.tpdu import (
    SmsDeliver,
    SmsSubmit,
    decode_deliver,
    decode_submit,
    encode_deliver,
    encode_submit,
)
from drivers.errors import DecodeError

FromMobile = SmsSubmit | SmsDeliverReport | SmsCommand
ToMobile = SmsDeliver | SmsSubmitReport | SmsStatusReport


def decode_from_mobile(octets: bytes) -> FromMobile:
    """Decode what a mobile sends to its service centre.

    Raises:
        DecodeError: the reserved TP-MTI, or the TPDU ends too early.

    Spec: 3GPP TS 23.040 9.2.3.1.

    >>> decode_from_mobile(bytes.fromhex("0000"))  # doctest: +ELLIPSIS
    SmsDeliverReport(...)
    """
    match f.read_octet(octets, 0, "tp_mti") & f.MTI_MASK:
        case f.MTI_SUBMIT:
            return decode_submit(octets)
        case f.MTI_DELIVER_REPORT:
            return decode_deliver_report(octets)
        case f.MTI_COMMAND:
            return decode_command(octets)
        case reserved:
            raise DecodeError("tp_mti", 0, f"is {reserved}, which is reserved")


def decode_to_mobile(octets: bytes) -> ToMobile:
    """Decode what a service centre sends to a mobile; the reserved TP-MTI is an SMS-DELIVER, as the spec has it.

    Raises:
        DecodeError: the TPDU ends too early.

    Spec: 3GPP TS 23.040 9.2.3.1.

    >>> decode_to_mobile(bytes.fromhex("0405810180f60000621121020000230141")).text
    'A'
    """
    match f.read_octet(octets, 0, "tp_mti") & f.MTI_MASK:
        case f.MTI_STATUS_REPORT:
            return decode_status_report(octets)
        case f.MTI_SUBMIT_REPORT:
            return decode_submit_report(octets)
        case _:
            return decode_deliver(octets)


def encode_tpdu(pdu: FromMobile | ToMobile) -> bytes:
    """Encode any TPDU.

    Raises:
        EncodeError: see the function of its kind.

    Spec: 3GPP TS 23.040 9.2.2.
    """
    match pdu:
        case SmsSubmit():
            return encode_submit(pdu)
        case SmsDeliver():
            return encode_deliver(pdu)
        case SmsStatusReport():
            return encode_status_report(pdu)
        case SmsDeliverReport():
            return encode_deliver_report(pdu)
        case SmsSubmitReport():
            return encode_submit_report(pdu)
        case SmsCommand():
            return encode_command(pdu)
    assert_never(pdu)
