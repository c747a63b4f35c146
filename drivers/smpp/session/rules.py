"""Who may ask what in which state, as tables; the same for an ESME and for an SMSC.

Spec: SMPP 3.4 2.2, 2.3 (table 2-1).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from drivers.errors import DecodeError
from drivers.smpp.wire.constants import RESPONSE_BIT, CommandId, CommandStatus
from drivers.smpp.wire.layouts import BODY_BY_COMMAND
from drivers.smpp.wire.pdus import Body


class Role(StrEnum):
    """A side of the session."""

    ESME = "esme"
    SMSC = "smsc"

    @property
    def peer(self) -> Role:
        """The other side."""
        return Role.SMSC if self is Role.ESME else Role.ESME


class SessionState(StrEnum):
    """Spec: SMPP 3.4 2.2."""

    OPEN = "open"
    """Connected, not bound."""
    BOUND_TX = "bound_tx"
    BOUND_RX = "bound_rx"
    BOUND_TRX = "bound_trx"
    CLOSED = "closed"
    """Unbound, failed, or the link is gone."""


_OPEN: Final = frozenset({SessionState.OPEN})
_SENDS: Final = frozenset({SessionState.BOUND_TX, SessionState.BOUND_TRX})
_RECEIVES: Final = frozenset({SessionState.BOUND_RX, SessionState.BOUND_TRX})
_BOUND: Final = _SENDS | _RECEIVES
_ESME: Final = frozenset({Role.ESME})
_SMSC: Final = frozenset({Role.SMSC})
_EITHER: Final = _ESME | _SMSC

_REQUESTS: Final[dict[int, tuple[frozenset[SessionState], frozenset[Role]]]] = {
    CommandId.BIND_TRANSMITTER: (_OPEN, _ESME),
    CommandId.BIND_RECEIVER: (_OPEN, _ESME),
    CommandId.BIND_TRANSCEIVER: (_OPEN, _ESME),
    CommandId.OUTBIND: (_OPEN, _SMSC),
    CommandId.UNBIND: (_BOUND, _EITHER),
    CommandId.SUBMIT_SM: (_SENDS, _ESME),
    CommandId.SUBMIT_MULTI: (_SENDS, _ESME),
    CommandId.DATA_SM: (_BOUND, _EITHER),
    CommandId.DELIVER_SM: (_RECEIVES, _SMSC),
    CommandId.QUERY_SM: (_SENDS, _ESME),
    CommandId.CANCEL_SM: (_SENDS, _ESME),
    # The table of 3.4 names BOUND_TX alone; 5.0 mends that.
    CommandId.REPLACE_SM: (_SENDS, _ESME),
    # 3.4 wants a bind first; peers ask before it too, and 5.0 allows that.
    CommandId.ENQUIRE_LINK: (_BOUND | _OPEN, _EITHER),
    CommandId.ALERT_NOTIFICATION: (_RECEIVES, _SMSC),
}

_ALLOWED: Final = frozenset(
    (role, state, int(command_id))
    for command_id, (states, roles) in _REQUESTS.items()
    for state in states
    for role in roles
)

BOUND_STATE_BY_BIND: Final[dict[int, SessionState]] = {
    CommandId.BIND_TRANSMITTER: SessionState.BOUND_TX,
    CommandId.BIND_RECEIVER: SessionState.BOUND_RX,
    CommandId.BIND_TRANSCEIVER: SessionState.BOUND_TRX,
}
"""What a granted bind leads to."""

UNANSWERED_COMMANDS: Final = frozenset({CommandId.ALERT_NOTIFICATION, CommandId.OUTBIND})
"""Requests without a response."""

RESPONSE_BODY: Final[dict[int, type[Body]]] = {
    command_id: body for command_id, body in BODY_BY_COMMAND.items() if command_id & RESPONSE_BIT
}
"""Body of each response by its command_id."""


def may_send(role: Role, state: SessionState, command_id: int) -> bool:
    """Whether ``role`` may send this request in this state; False for unknown commands and responses."""
    return (role, state, command_id) in _ALLOWED


def status_for_decode_error(error: DecodeError) -> CommandStatus:
    """The status that tells the peer what was wrong with its PDU."""
    if ".tlv." in error.field or error.field.endswith(".tlv"):
        return CommandStatus.RINVOPTPARSTREAM
    if error.field.endswith(".short_message"):
        return CommandStatus.RINVMSGLEN
    return CommandStatus.RINVCMDLEN
