"""What a command_status asks us to do: one table over all statuses of SMPP 3.4."""

from __future__ import annotations

from typing import Final

from drivers.base import Blame, Fault, FaultKind
from drivers.smpp.wire.constants import CommandStatus as S
from drivers.smpp.wire.constants import status_name

_TEMPORARY: Final = FaultKind.TEMPORARY
_THROTTLED: Final = FaultKind.THROTTLED
_CHANNEL: Final = FaultKind.CHANNEL
_PERMANENT: Final = FaultKind.PERMANENT
_CONFIG: Final = FaultKind.CONFIG

FAULT_BY_STATUS: Final[dict[S, tuple[FaultKind, str]]] = {
    S.RINVMSGLEN: (_PERMANENT, "the SMSC calls the message length invalid"),
    S.RINVCMDLEN: (_PERMANENT, "the SMSC calls the PDU's length invalid"),
    # No message is to blame where even submit_sm is not known: it is not the SMSC that bound us that answers.
    S.RINVCMDID: (_CHANNEL, "the SMSC does not know this command"),
    S.RINVBNDSTS: (_CHANNEL, "the SMSC does not allow this command on this kind of bind"),
    S.RALYBND: (_CHANNEL, "the SMSC says that this account is bound already"),
    S.RINVPRTFLG: (_PERMANENT, "the SMSC refuses the priority"),
    S.RINVREGDLVFLG: (_PERMANENT, "the SMSC refuses the request for a delivery report"),
    S.RSYSERR: (_TEMPORARY, "the SMSC has an internal error"),
    S.RINVSRCADR: (_PERMANENT, "the SMSC refuses the sender"),
    S.RINVDSTADR: (_PERMANENT, "the SMSC refuses the recipient"),
    S.RINVMSGID: (_PERMANENT, "the SMSC does not know this message id"),
    # Says no more than "not now", as after a lost link whose old bind still counts: tried again, ever more seldom.
    S.RBINDFAIL: (_CHANNEL, "the SMSC refuses the bind"),
    S.RINVPASWD: (_CONFIG, "the SMSC refuses the password"),
    S.RINVSYSID: (_CONFIG, "the SMSC does not know the system_id"),
    S.RCANCELFAIL: (_PERMANENT, "the SMSC could not cancel the message"),
    S.RREPLACEFAIL: (_PERMANENT, "the SMSC could not replace the message"),
    S.RMSGQFUL: (_THROTTLED, "the SMSC's queue is full"),
    S.RINVSERTYP: (_PERMANENT, "the SMSC refuses the service_type"),
    S.RINVNUMDESTS: (_PERMANENT, "the SMSC refuses the number of destinations"),
    S.RINVDLNAME: (_PERMANENT, "the SMSC does not know the distribution list"),
    S.RINVDESTFLAG: (_PERMANENT, "the SMSC refuses the destination flag"),
    S.RINVSUBREP: (_PERMANENT, "the SMSC refuses submit with replace"),
    S.RINVESMCLASS: (_PERMANENT, "the SMSC refuses the esm_class"),
    S.RCNTSUBDL: (_PERMANENT, "the SMSC can't submit to the distribution list"),
    S.RSUBMITFAIL: (_TEMPORARY, "the SMSC could not take the message"),
    S.RINVSRCTON: (_PERMANENT, "the SMSC refuses the sender's type of number"),
    S.RINVSRCNPI: (_PERMANENT, "the SMSC refuses the sender's numbering plan"),
    S.RINVDSTTON: (_PERMANENT, "the SMSC refuses the recipient's type of number"),
    S.RINVDSTNPI: (_PERMANENT, "the SMSC refuses the recipient's numbering plan"),
    S.RINVSYSTYP: (_CONFIG, "the SMSC refuses the system_type"),
    S.RINVREPFLAG: (_PERMANENT, "the SMSC refuses the replace flag"),
    S.RINVNUMMSGS: (_PERMANENT, "the SMSC refuses the number of messages"),
    S.RTHROTTLED: (_THROTTLED, "the SMSC says that we send too fast"),
    S.RINVSCHED: (_PERMANENT, "the SMSC refuses the scheduled time"),
    S.RINVEXPIRY: (_PERMANENT, "the SMSC refuses the validity period"),
    S.RINVDFTMSGID: (_PERMANENT, "the SMSC does not know the predefined message"),
    S.RX_T_APPN: (_TEMPORARY, "the receiving application has a temporary error"),
    S.RX_P_APPN: (_PERMANENT, "the receiving application has a permanent error"),
    S.RX_R_APPN: (_PERMANENT, "the receiving application rejects the message"),
    S.RQUERYFAIL: (_TEMPORARY, "the SMSC could not answer the query"),
    S.RINVOPTPARSTREAM: (_PERMANENT, "the SMSC can't read the optional parameters"),
    S.ROPTPARNOTALLWD: (_PERMANENT, "the SMSC does not allow an optional parameter"),
    S.RINVPARLEN: (_PERMANENT, "the SMSC refuses the length of a parameter"),
    S.RMISSINGOPTPARAM: (_PERMANENT, "the SMSC misses an optional parameter"),
    S.RINVOPTPARAMVAL: (_PERMANENT, "the SMSC refuses the value of an optional parameter"),
    S.RDELIVERYFAILURE: (_PERMANENT, "the SMSC could not deliver the message"),
    S.RUNKNOWNERR: (_TEMPORARY, "the SMSC reports an unknown error"),
}
"""Every status but success."""

_RECIPIENTS: Final = frozenset({S.RX_T_APPN})
"""Statuses that are about the recipient though they may pass."""
_UNKNOWN: Final = (_TEMPORARY, "the SMSC answers with a status of its own")


def fault_for_status(command_status: int) -> Fault:
    """What to do about a submit_sm that was answered with this status (not 0).

    A status outside the specification (0x400..0x4FF are the vendors') counts as temporary: the number
    of attempts is bounded elsewhere, and a refusal for good can't be taken back.
    """
    kind, detail = FAULT_BY_STATUS.get(_known(command_status), _UNKNOWN)
    return Fault(
        kind=kind,
        code=status_code(command_status),
        detail=f"{detail} ({status_name(command_status)})",
        blame=Blame.SEGMENT if _known(command_status) in _RECIPIENTS else None,
    )


def fault_for_bind(command_status: int) -> Fault:
    """What to do about a bind that was answered with this status (not 0).

    What would be final for a segment is a wrong setting here; what is temporary takes the channel down
    until the next try.
    """
    fault = fault_for_status(command_status)
    lasting = fault.kind in {FaultKind.PERMANENT, FaultKind.CONFIG} or command_status == S.RINVCMDID
    kind = FaultKind.CONFIG if lasting else FaultKind.CHANNEL
    return Fault(kind=kind, code=fault.code, detail=fault.detail)


def status_code(command_status: int) -> str:
    """The stable code in logs and in the API: ``smpp_0x58``."""
    return f"smpp_0x{command_status:02x}"


def _known(command_status: int) -> S:
    try:
        return S(command_status)
    except ValueError:
        return S.ROK
