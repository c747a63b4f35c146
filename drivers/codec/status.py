"""What a network says became of a message: TP-Status, and the message_state of SMPP in the same terms.

Tables, not judgements: whether a state ends a message, and whether it is sent again, is for the gateway to say.

Spec: 3GPP TS 23.040 9.2.3.15; SMPP 3.4 5.2.28, SMPP 5.0 4.7.15.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from drivers.base import ReceiptState


class Verdict(StrEnum):
    """What a status comes to."""

    DELIVERED = "delivered"
    """It is on the handset."""
    TEMPORARY = "temporary"
    """It is not known to be there, and nothing says that it can't get there, now or when it is sent again."""
    PERMANENT = "permanent"
    """It is not there, and sending it again would end in the same way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """One status, told to the gateway, to programs and to people.

    Args:
        verdict: what it comes to.
        final: the network is done with the message: no other report will follow.
        state: the same in the terms of receipts.
        code: stable, with the value as the wire has it: ``tp_st_0x41``, ``message_state_5``.
        reason: stable and snake case, the same for all values that mean the same.
        sentence: for people.
    """

    verdict: Verdict
    final: bool
    state: ReceiptState
    code: str
    reason: str
    sentence: str


class _Row(NamedTuple):
    verdict: Verdict
    final: bool
    state: ReceiptState
    reason: str
    sentence: str


_DELIVERED: Final = Verdict.DELIVERED
_TEMPORARY: Final = Verdict.TEMPORARY
_PERMANENT: Final = Verdict.PERMANENT
_TRYING, _OVER = False, True

_EN_ROUTE, _GONE = ReceiptState.ENROUTE, ReceiptState.DELETED
_FAILED, _REFUSED = ReceiptState.UNDELIVERABLE, ReceiptState.REJECTED

# fmt: off
_NAMED: Final[dict[int, _Row]] = {
    # Transaction completed
    0x00: _Row(_DELIVERED, _OVER, ReceiptState.DELIVERED, "delivered", "It was delivered."),
    0x01: _Row(_TEMPORARY, _TRYING, _EN_ROUTE, "unconfirmed",
               "The network passed it on and can't tell whether it arrived."),
    0x02: _Row(_PERMANENT, _OVER, _GONE, "replaced", "A later message took its place before it was delivered."),
    # Temporary error, the service centre still tries
    0x20: _Row(_TEMPORARY, _TRYING, _EN_ROUTE, "congestion", "The network is congested and keeps trying."),
    0x21: _Row(_TEMPORARY, _TRYING, _EN_ROUTE, "busy", "The handset is busy; the network keeps trying."),
    0x22: _Row(_TEMPORARY, _TRYING, _EN_ROUTE, "no_response",
               "The handset does not answer; the network keeps trying."),
    0x23: _Row(_TEMPORARY, _TRYING, _EN_ROUTE, "service_rejected",
               "The service was rejected for now; the network keeps trying."),
    0x24: _Row(_TEMPORARY, _TRYING, _EN_ROUTE, "quality_not_available",
               "The quality of service is not available now; the network keeps trying."),
    0x25: _Row(_TEMPORARY, _TRYING, _EN_ROUTE, "handset_error",
               "The handset reported an error; the network keeps trying."),
    # Permanent error
    0x40: _Row(_PERMANENT, _OVER, _FAILED, "remote_procedure_error",
               "The network failed in handing it to the handset's network."),
    0x41: _Row(_PERMANENT, _OVER, _FAILED, "incompatible_destination", "The handset can't take such messages."),
    0x42: _Row(_PERMANENT, _OVER, _REFUSED, "rejected_by_recipient", "The handset rejected it."),
    0x43: _Row(_PERMANENT, _OVER, _FAILED, "not_obtainable", "The number can't be reached by this network."),
    0x44: _Row(_PERMANENT, _OVER, _FAILED, "quality_not_available",
               "The quality of service is not available."),
    0x45: _Row(_PERMANENT, _OVER, _FAILED, "no_interworking", "The two networks don't exchange messages."),
    0x46: _Row(_PERMANENT, _OVER, ReceiptState.EXPIRED, "expired",
               "It expired before the handset could be reached."),
    0x47: _Row(_PERMANENT, _OVER, _GONE, "deleted_by_sender", "Its sender deleted it in the network."),
    0x48: _Row(_PERMANENT, _OVER, _GONE, "deleted_by_network", "The network's administration deleted it."),
    0x49: _Row(_PERMANENT, _OVER, ReceiptState.UNKNOWN, "unknown_to_network",
               "The network does not know this message."),
    # Temporary error, the service centre has given up
    0x60: _Row(_TEMPORARY, _OVER, _FAILED, "congestion", "The network was congested and gave up."),
    0x61: _Row(_TEMPORARY, _OVER, _FAILED, "busy", "The handset was busy and the network gave up."),
    0x62: _Row(_TEMPORARY, _OVER, _FAILED, "no_response", "The handset did not answer and the network gave up."),
    0x63: _Row(_TEMPORARY, _OVER, _REFUSED, "service_rejected", "The network rejected the service."),
    0x64: _Row(_TEMPORARY, _OVER, _FAILED, "quality_not_available",
               "The quality of service was not available and the network gave up."),
    0x65: _Row(_TEMPORARY, _OVER, _FAILED, "handset_error",
               "The handset reported an error and the network gave up."),
}

# "Values specific to each SC": only their group is known. A completed transaction need not be a
# delivery, so the first group promises none.
_SC_SPECIFIC: Final[dict[range, _Row]] = {
    range(0x10, 0x20): _Row(_TEMPORARY, _OVER, ReceiptState.UNKNOWN, "network_specific",
                            "The network is done with it, in a way that only it can explain."),
    range(0x30, 0x40): _Row(_TEMPORARY, _TRYING, _EN_ROUTE, "network_specific",
                            "The network keeps trying, for a reason of its own."),
    range(0x50, 0x60): _Row(_PERMANENT, _OVER, _FAILED, "network_specific",
                            "It can't be delivered, for a reason of the network's own."),
    range(0x70, 0x80): _Row(_TEMPORARY, _OVER, _FAILED, "network_specific",
                            "The network gave up, for a reason of its own."),
}
# All other values are reserved, and a receiver is to take them for "service rejected".
_RESERVED: Final = _NAMED[0x63]._replace(
    reason="reserved", sentence="The network gave a status that the standard does not know: taken for a refusal."
)

_MESSAGE_STATES: Final[dict[int, _Row]] = {
    0: _Row(_TEMPORARY, _TRYING, _EN_ROUTE, "scheduled", "The network will send it at its time."),
    1: _Row(_TEMPORARY, _TRYING, _EN_ROUTE, "enroute", "It is on its way."),
    2: _NAMED[0x00],
    3: _NAMED[0x46],
    4: _Row(_PERMANENT, _OVER, _GONE, "deleted", "It was deleted in the network."),
    5: _Row(_PERMANENT, _OVER, _FAILED, "undeliverable", "The network can't deliver it."),
    # "Read on behalf of the subscriber", says the standard; most networks mean that they took it over.
    6: _Row(_TEMPORARY, _TRYING, _EN_ROUTE, "accepted", "The network has taken it over."),
    7: _Row(_TEMPORARY, _TRYING, ReceiptState.UNKNOWN, "unknown", "The network does not know what became of it."),
    8: _Row(_PERMANENT, _OVER, _REFUSED, "rejected", "The network rejected it."),
    9: _Row(_PERMANENT, _OVER, _GONE, "skipped", "The network took it and chose not to send it."),
}
_STRANGE_STATE: Final = _MESSAGE_STATES[7]._replace(
    reason="reserved", sentence="The network gave a state that the standard does not know."
)
# fmt: on


def _status(row: _Row, code: str) -> Status:
    return Status(code=code, **row._asdict())


_BY_TP_ST: Final = {
    tp_st: _status(row, f"tp_st_0x{tp_st:02x}")
    for tp_st, row in (
        dict.fromkeys(range(0x100), _RESERVED)
        | {tp_st: row for group, row in _SC_SPECIFIC.items() for tp_st in group}
        | _NAMED
    ).items()
}
_BY_MESSAGE_STATE: Final = {
    number: _status(_MESSAGE_STATES.get(number, _STRANGE_STATE), f"message_state_{number}")
    for number in range(0x100)
}


def describe_tp_st(tp_st: int) -> Status:
    """What a TP-ST octet means; total.

    Args:
        tp_st: 0..255; of anything else the lowest eight bits count.

    Spec: 3GPP TS 23.040 9.2.3.15.

    >>> status = describe_tp_st(0x62)
    >>> str(status.verdict), status.final, status.reason
    ('temporary', True, 'no_response')
    """
    return _BY_TP_ST[tp_st & 0xFF]


def describe_message_state(message_state: int) -> Status:
    """What a message_state octet of SMPP means; total.

    Args:
        message_state: 0..255; of anything else the lowest eight bits count.

    Spec: SMPP 3.4 5.2.28, SMPP 5.0 4.7.15.

    >>> describe_message_state(5).sentence
    "The network can't deliver it."
    """
    return _BY_MESSAGE_STATE[message_state & 0xFF]


def classify_tp_st(tp_st: int) -> tuple[ReceiptState, str]:
    """What a TP-ST octet means, and its code for logs.

    Args:
        tp_st: 0..255; anything else is UNKNOWN.

    Spec: 3GPP TS 23.040 9.2.3.15.

    >>> classify_tp_st(0x46)
    (<ReceiptState.EXPIRED: 'expired'>, 'tp_st_0x46')
    """
    status = _BY_TP_ST.get(tp_st)
    return (ReceiptState.UNKNOWN, f"tp_st_0x{tp_st:02x}") if status is None else (status.state, status.code)
