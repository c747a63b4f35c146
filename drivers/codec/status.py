"""TP-Status: what a status report says about a message.

A table, not a judgement: whether a state ends a message is for the gateway to say.

Spec: 3GPP TS 23.040 9.2.3.15.
"""

from __future__ import annotations

from typing import Final

from drivers.base import ReceiptState

_NAMED: Final[dict[int, ReceiptState]] = {
    # Transaction completed
    0x00: ReceiptState.DELIVERED,  # received by the SME
    0x01: ReceiptState.ENROUTE,  # forwarded to the SME, delivery can't be confirmed
    0x02: ReceiptState.DELETED,  # replaced by the service centre
    # Temporary error, the service centre still tries
    0x20: ReceiptState.ENROUTE,  # congestion
    0x21: ReceiptState.ENROUTE,  # SME busy
    0x22: ReceiptState.ENROUTE,  # no response from SME
    0x23: ReceiptState.ENROUTE,  # service rejected
    0x24: ReceiptState.ENROUTE,  # quality of service not available
    0x25: ReceiptState.ENROUTE,  # error in SME
    # Permanent error
    0x40: ReceiptState.UNDELIVERABLE,  # remote procedure error
    0x41: ReceiptState.UNDELIVERABLE,  # incompatible destination
    0x42: ReceiptState.REJECTED,  # connection rejected by SME
    0x43: ReceiptState.UNDELIVERABLE,  # not obtainable
    0x44: ReceiptState.UNDELIVERABLE,  # quality of service not available
    0x45: ReceiptState.UNDELIVERABLE,  # no interworking available
    0x46: ReceiptState.EXPIRED,  # validity period expired
    0x47: ReceiptState.DELETED,  # by the originating SME
    0x48: ReceiptState.DELETED,  # by the service centre's administration
    0x49: ReceiptState.UNKNOWN,  # the service centre knows no such message
    # Temporary error, the service centre has given up
    0x60: ReceiptState.UNDELIVERABLE,  # congestion
    0x61: ReceiptState.UNDELIVERABLE,  # SME busy
    0x62: ReceiptState.UNDELIVERABLE,  # no response from SME
    0x63: ReceiptState.REJECTED,  # service rejected
    0x64: ReceiptState.UNDELIVERABLE,  # quality of service not available
    0x65: ReceiptState.UNDELIVERABLE,  # error in SME
}

# "Values specific to each SC": only their group is known. A completed transaction need not be a
# delivery, so the first group promises none.
_SC_SPECIFIC: Final[dict[range, ReceiptState]] = {
    range(0x10, 0x20): ReceiptState.UNKNOWN,
    range(0x30, 0x40): ReceiptState.ENROUTE,
    range(0x50, 0x60): ReceiptState.UNDELIVERABLE,
    range(0x70, 0x80): ReceiptState.UNDELIVERABLE,
}

# All other values are reserved, and a receiver is to take them for "service rejected" (0x63).
_STATES: Final = (
    dict.fromkeys(range(256), ReceiptState.REJECTED)
    | {tp_st: state for group, state in _SC_SPECIFIC.items() for tp_st in group}
    | _NAMED
)


def classify_tp_st(tp_st: int) -> tuple[ReceiptState, str]:
    """What a TP-ST octet means, and its code for logs.

    Args:
        tp_st: 0..255; anything else is UNKNOWN.

    Spec: 3GPP TS 23.040 9.2.3.15.

    >>> classify_tp_st(0x46)
    (<ReceiptState.EXPIRED: 'expired'>, 'tp_st_0x46')
    """
    return _STATES.get(tp_st, ReceiptState.UNKNOWN), f"tp_st_0x{tp_st:02x}"
