"""Between what the network carries and what a SIM stores: TPDUs. Pure."""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import TYPE_CHECKING

from drivers.base import ReceiptState
from drivers.codec.dcs import encode_dcs
from drivers.codec.tpdu import SmsDeliver, SmsStatusReport, SmsSubmit, encode_deliver, encode_status_report
from simulators.traffic import NetworkMessage

if TYPE_CHECKING:
    from simulators.traffic import NetworkReceipt

OPERATOR_ZONE = timezone(timedelta(hours=8))
"""Service centres stamp local time, with the offset beside it."""
_CLASS_SIM = 2
TP_ST = {
    ReceiptState.DELIVERED: 0x00,
    ReceiptState.ENROUTE: 0x20,
    ReceiptState.REJECTED: 0x42,
    ReceiptState.UNDELIVERABLE: 0x43,
    ReceiptState.EXPIRED: 0x46,
    ReceiptState.DELETED: 0x48,
    ReceiptState.UNKNOWN: 0x40,
}
"""3GPP TS 23.040 9.2.3.15."""


def message_from_submit(submit: SmsSubmit, *, sender: str, via: str) -> NetworkMessage:
    """What the network makes of a SIM's SMS-SUBMIT."""
    return NetworkMessage(
        sender=sender, recipient=submit.tp_da, encoding=submit.encoding, payload=submit.payload,
        udh=submit.udh, flash=submit.flash, report=submit.tp_srr, via=via,
    )  # fmt: skip


def tpdu_from_message(message: NetworkMessage) -> bytes:
    """The SMS-DELIVER in which a message reaches a SIM."""
    return encode_deliver(
        SmsDeliver(
            tp_oa=message.sender, tp_scts=message.at.astimezone(OPERATOR_ZONE), encoding=message.encoding,
            payload=message.payload, udh=message.udh, flash=message.flash,
            tp_dcs=encode_dcs(message.encoding, message_class=_CLASS_SIM) if message.for_sim else None,
        )
    )  # fmt: skip


def tpdu_from_receipt(receipt: NetworkReceipt, mr: int) -> bytes:
    """The SMS-STATUS-REPORT in which a receipt reaches a SIM."""
    return encode_status_report(
        SmsStatusReport(
            tp_mr=mr,
            tp_ra=receipt.message.recipient,
            tp_scts=receipt.message.at.astimezone(OPERATOR_ZONE),
            tp_dt=receipt.done_at.astimezone(OPERATOR_ZONE),
            tp_st=TP_ST[receipt.state],
        )
    )
