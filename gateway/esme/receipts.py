"""Receipts for applications: from a change of a message to the deliver_sm that tells of it. Pure.

Spec: SMPP 3.4 4.6, 5.2.12, 5.2.17, 5.3.2.12, 5.3.2.35, appendix B.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from drivers.smpp.text import MAX_ADDRESS_CHARS
from drivers.smpp.times import format_receipt_date
from drivers.smpp.wire import constants as c
from drivers.smpp.wire.constants import MessageState, Tag
from drivers.smpp.wire.pdus import DeliverSm
from drivers.smpp.wire.receipt import DeliveryReceipt, format_receipt, stat_of
from gateway.esme.submit import parse_address
from gateway.model.lifecycle import TERMINAL
from gateway.model.message import MessageStatus
from gateway.store.esme import EsmeSubmit

STATE_BY_STATUS: Final = {
    MessageStatus.SCHEDULED: MessageState.ENROUTE,
    MessageStatus.QUEUED: MessageState.ENROUTE,
    MessageStatus.SENDING: MessageState.ENROUTE,
    MessageStatus.SENT: MessageState.ENROUTE,
    MessageStatus.UNCERTAIN: MessageState.UNKNOWN,
    MessageStatus.DELIVERED: MessageState.DELIVERED,
    MessageStatus.UNDELIVERED: MessageState.UNDELIVERABLE,
    MessageStatus.FAILED: MessageState.UNDELIVERABLE,
    MessageStatus.EXPIRED: MessageState.EXPIRED,
    MessageStatus.CANCELED: MessageState.DELETED,
    MessageStatus.BLOCKED: MessageState.REJECTED,
}
_STATE_BY_ERROR: Final = {
    "receipt_expired": MessageState.EXPIRED,
    "receipt_rejected": MessageState.REJECTED,
    "receipt_deleted": MessageState.DELETED,
}
_ONLY_FAILURE: Final = 0x02
_ONLY_SUCCESS: Final = 0x03
_NO_ERROR: Final = "000"
_SOME_ERROR: Final = "255"
"""The network, or we ourselves, gave no number of three digits."""
_NETWORK_ERROR: Final = re.compile(r"\[(?:err|network:\d+):([0-9A-Za-z]{1,3})\]")


def state_of_message(status: MessageStatus, error: str | None) -> MessageState:
    """The state of a message in SMPP's terms.

    Args:
        error: code and sentence joined by ``: ``, as in the timeline.
    """
    return _STATE_BY_ERROR.get((error or "").partition(":")[0], STATE_BY_STATUS[status])


def wants(registered: int, status: MessageStatus) -> bool:
    """Whether ``registered_delivery`` asks to be told of this. Spec: SMPP 3.4 5.2.17; 5.0 for bits 11."""
    if status is MessageStatus.SENT:
        return bool(registered & c.REGISTERED_INTERMEDIATE)
    if status not in TERMINAL:
        return False
    delivered = status is MessageStatus.DELIVERED
    asked = registered & 0x03
    return (
        asked == c.REGISTERED_FINAL
        or (asked == _ONLY_FAILURE and not delivered)
        or (asked == _ONLY_SUCCESS and delivered)
    )


def make_receipt(
    submit: EsmeSubmit, status: MessageStatus, error: str | None, at: datetime
) -> DeliverSm | None:
    """The receipt of one submission; None when it was not asked for.

    Args:
        status: what the message has come to.
        error: as in `state_of_message`.
        at: when.
    """
    if not wants(submit.registered, status):
        return None
    state = state_of_message(status, error)
    delivered = state is MessageState.DELIVERED
    found = _NETWORK_ERROR.search(error or "")
    text = DeliveryReceipt(
        message_id=submit.told_id,
        submitted="001",
        delivered="001" if delivered else "000",
        submit_date=format_receipt_date(submit.submitted_at),
        done_date=format_receipt_date(at),
        stat=stat_of(state),
        err=found[1].rjust(3, "0") if found else _NO_ERROR if delivered or not error else _SOME_ERROR,
    )
    source, destination = parse_address(submit.source), parse_address(submit.destination)
    intermediate = status is MessageStatus.SENT
    return DeliverSm(
        # The receipt comes from where the message went.
        source_addr_ton=destination.ton,
        source_addr_npi=destination.npi,
        source_addr=destination.address[:MAX_ADDRESS_CHARS],
        dest_addr_ton=source.ton,
        dest_addr_npi=source.npi,
        destination_addr=source.address[:MAX_ADDRESS_CHARS],
        esm_class=c.ESM_TYPE_INTERMEDIATE if intermediate else c.ESM_TYPE_RECEIPT,
        short_message=format_receipt(text),
        tlvs=(
            (Tag.RECEIPTED_MESSAGE_ID, submit.told_id.encode("ascii") + b"\0"),
            (Tag.MESSAGE_STATE, bytes((state,))),
        ),
    )
