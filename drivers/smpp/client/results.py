"""From an answer on the wire, or its absence, to what became of a segment."""

from __future__ import annotations

from typing import Final

from drivers.base import Accepted, Blame, Fault, FaultKind, Refused, SubmitResult, Uncertain
from drivers.smpp.client.faults import fault_for_status
from drivers.smpp.connection import Answer, Unanswered
from drivers.smpp.session.machine import ResponseReceived
from drivers.smpp.wire.constants import Tag
from drivers.smpp.wire.fields import find_int_tlv
from drivers.smpp.wire.pdus import SubmitSmResp

NOT_BOUND: Final = Fault(kind=FaultKind.CHANNEL, code="not_bound", detail="The bind is not up.")


def result_of(answer: Answer) -> SubmitResult:
    """What became of the segment of a submit_sm."""
    match answer:
        case Unanswered(written=False):
            return Refused(fault=NOT_BOUND)
        case Unanswered(code=code, detail=detail):
            blame = Blame.CHANNEL if code == "link_lost" else Blame.UNCLEAR
            return Uncertain(code=code, detail=detail, blame=blame)
        case ResponseReceived(command_status=0, body=SubmitSmResp(message_id=message_id, tlvs=tlvs)):
            congestion = find_int_tlv(tlvs, Tag.CONGESTION_STATE) if tlvs else None
            return Accepted(reference=message_id.strip() or None, congestion=congestion)
        case ResponseReceived(command_status=0):
            return Uncertain(code="answer_unreadable", detail="The SMSC's answer is no submit_sm_resp.")
        case ResponseReceived(command_status=status):
            return Refused(fault=fault_for_status(status))
