"""How a simulated SMSC behaves, and the requests it grants or refuses. Pure.

Misbehaviour on purpose belongs here too, as further fields of `SmscBehaviour` that `answer_bind`,
`answer_refusal` and the session consult.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from drivers.smpp.session.machine import SessionTimers
from drivers.smpp.wire.constants import INTERFACE_VERSION_34, CommandStatus, Tag
from drivers.smpp.wire.pdus import (
    BindReceiver,
    BindReceiverResp,
    BindTransceiver,
    BindTransceiverResp,
    BindTransmitter,
    BindTransmitterResp,
)
from simulators.traffic import RefusalCause

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulators.smsc.account import Account
    from simulators.smsc.receipts import MessageIds

SYSTEM_ID: Final = "hongyan-smsc"
DEFAULT_TIMERS: Final = SessionTimers(session_init_s=30.0)

BindRequest = BindTransmitter | BindReceiver | BindTransceiver
BindResponse = BindTransmitterResp | BindReceiverResp | BindTransceiverResp

_RESPONSES: Final[dict[type[BindRequest], type[BindResponse]]] = {
    BindTransmitter: BindTransmitterResp,
    BindReceiver: BindReceiverResp,
    BindTransceiver: BindTransceiverResp,
}
_STATUS_BY_CAUSE: Final = {
    RefusalCause.UNASSIGNED_NUMBER: CommandStatus.RINVDSTADR,
    RefusalCause.OPERATOR_BARRING: CommandStatus.RSUBMITFAIL,
    RefusalCause.NETWORK_OUT_OF_ORDER: CommandStatus.RSYSERR,
    RefusalCause.CONGESTION: CommandStatus.RTHROTTLED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SmscBehaviour:
    """What differs from one SMSC to the next.

    Args:
        latency_s: from a submit_sm to its response; submits behind each other do not add up.
        message_ids: how message ids are spelled.
        deliver_window: deliver_sm without an answer on one bind.
        resend_s: pause before a delivery that was answered with an error is offered again.
        timers: see `SessionTimers`; a deliver_sm without an answer for ``response_s`` is offered again too.
    """

    latency_s: float
    message_ids: MessageIds
    deliver_window: int
    resend_s: float
    timers: SessionTimers


def answer_bind(
    request: BindRequest, accounts: Mapping[str, Account], *, bound: bool
) -> tuple[BindResponse, CommandStatus, Account | None]:
    """The answer to a bind, its status, and the account when it was granted."""
    response = _RESPONSES[type(request)]
    if bound:
        return response(), CommandStatus.RALYBND, None
    account = accounts.get(request.system_id)
    if account is None:
        return response(), CommandStatus.RINVSYSID, None
    if request.password != account.password:
        return response(), CommandStatus.RINVPASWD, None
    # An ESME of 3.3 would not understand parameters (SMPP 3.4 3.4.1).
    modern = request.interface_version >= INTERFACE_VERSION_34
    tlvs = ((int(Tag.SC_INTERFACE_VERSION), bytes((INTERFACE_VERSION_34,))),) if modern else ()
    return response(system_id=SYSTEM_ID, tlvs=tlvs), CommandStatus.ROK, account


def answer_refusal(cause: RefusalCause) -> CommandStatus:
    """The status of a submit_sm_resp when the network did not take the segment."""
    return _STATUS_BY_CAUSE[cause]
