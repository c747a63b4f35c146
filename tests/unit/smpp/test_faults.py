"""Every command_status has a reaction."""

from __future__ import annotations

import pytest

from drivers.base import Blame, FaultKind
from drivers.smpp.client.faults import FAULT_BY_STATUS, fault_for_bind, fault_for_status
from drivers.smpp.wire.constants import CommandStatus, status_name

pytestmark = pytest.mark.unit


def test_no_status_of_the_specification_is_missing():
    assert set(FAULT_BY_STATUS) == set(CommandStatus) - {CommandStatus.ROK}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (CommandStatus.RTHROTTLED, FaultKind.THROTTLED),
        (CommandStatus.RMSGQFUL, FaultKind.THROTTLED),
        (CommandStatus.RSYSERR, FaultKind.TEMPORARY),
        (CommandStatus.RINVDSTADR, FaultKind.PERMANENT),
        (CommandStatus.RBINDFAIL, FaultKind.CHANNEL),
        (CommandStatus.RINVPASWD, FaultKind.CONFIG),
        (CommandStatus.RINVSYSID, FaultKind.CONFIG),
        (CommandStatus.RINVBNDSTS, FaultKind.CHANNEL),
        (CommandStatus.RINVCMDID, FaultKind.CHANNEL),
        (0x400, FaultKind.TEMPORARY),
        (0xFFFFFFFF, FaultKind.TEMPORARY),
    ],
)
def test_statuses_ask_for_the_right_reaction(status, kind):
    fault = fault_for_status(status)
    assert fault.kind is kind
    assert fault.code == f"smpp_0x{status:02x}"
    assert status_name(status) in fault.detail


@pytest.mark.parametrize("status", [s for s in CommandStatus if s])
def test_a_bind_is_either_tried_again_or_a_matter_for_a_person(status):
    assert fault_for_bind(status).kind in {FaultKind.CHANNEL, FaultKind.CONFIG}


@pytest.mark.parametrize(
    "status", [CommandStatus.RALYBND, CommandStatus.RSYSERR, CommandStatus.RTHROTTLED, 0x401]
)
def test_a_bind_refused_for_now_is_tried_again(status):
    assert fault_for_bind(status).kind is FaultKind.CHANNEL


@pytest.mark.parametrize(
    "status", [CommandStatus.RINVPASWD, CommandStatus.RINVCMDID, CommandStatus.RINVSYSTYP]
)
def test_a_bind_refused_for_good_calls_a_person(status):
    assert fault_for_bind(status).kind is FaultKind.CONFIG


@pytest.mark.parametrize(
    ("statuses", "whose"),
    [
        ((CommandStatus.RINVDSTADR, CommandStatus.RX_T_APPN, CommandStatus.RINVMSGLEN), Blame.SEGMENT),
        ((CommandStatus.RSYSERR, CommandStatus.RSUBMITFAIL, CommandStatus.RUNKNOWNERR, 0x401), Blame.UNCLEAR),
        ((CommandStatus.RINVBNDSTS, CommandStatus.RALYBND, CommandStatus.RBINDFAIL), Blame.CHANNEL),
        ((CommandStatus.RTHROTTLED, CommandStatus.RMSGQFUL, CommandStatus.RINVSYSID), Blame.CHANNEL),
    ],
)
def test_the_status_tells_whose_a_refusal_is_or_leaves_it_to_several_recipients(statuses, whose):
    assert {status: fault_for_status(status).whose for status in statuses} == dict.fromkeys(statuses, whose)
