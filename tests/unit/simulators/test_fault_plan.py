"""When faults strike: the conditions, their end, the seed."""

from __future__ import annotations

import pytest

from simulators.fault_plan import NEVER, BadFault, FaultDesk, FaultPlan, lasting
from simulators.faults import POINTS, Fault, ModemFault, Point, SmscFault
from simulators.modem.misbehaviour import Misbehaviour
from simulators.modem.modem import SimulatedModem
from simulators.network import Network

pytestmark = pytest.mark.unit

N = 12


def strikes(fault: Fault, *, n: int = N, seed: int = 0, step_s: float = 1.0) -> list[int]:
    """The occasions, from 1, on which a fault strikes; one occasion every ``step_s``, the first at 0."""
    plan = FaultPlan("sim-1", frozenset(ModemFault), seed)
    plan.inject(fault, 0.0)
    return [i for i in range(1, n + 1) if plan.strike(fault.point, (i - 1) * step_s)]


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, [1]),
        ({"nth": 3}, [3]),
        ({"every": 4}, [4, 8, 12]),
        ({"every": 5, "burst": 2}, [4, 5, 9, 10]),
        ({"every": 1}, list(range(1, 13))),
        ({"times": 2}, [1, 2]),
        ({"every": 3, "times": 2}, [3, 6]),
        ({"after_s": 4.0}, [5]),
        ({"for_s": 3.0}, [1, 2, 3]),
        ({"after_s": 2.0, "for_s": 2.0}, [3, 4]),
        ({"probability": 0.0}, []),
        ({"probability": 1.0, "times": 3}, [1, 2, 3]),
    ],
)
def test_conditions_choose_the_occasions(conditions, expected):
    assert strikes(Fault(kind="cms_error", **conditions)) == expected


def test_the_same_seed_draws_the_same_and_another_seed_does_not():
    fault = Fault(kind="cms_error", probability=0.5)
    drawn = strikes(fault, n=200, seed=7)
    assert drawn == strikes(fault, n=200, seed=7) != strikes(fault, n=200, seed=8)
    assert 60 < len(drawn) < 140


def test_only_matching_occasions_at_the_right_point_count():
    plan = FaultPlan("sim-1", frozenset(ModemFault))
    plan.inject(Fault(kind="cme_error", match="+CMGR", nth=2), 0.0)
    assert not plan.strike(Point.COMMAND, 0.0, "AT+CMGR=1")
    assert not plan.strike(Point.COMMAND, 0.0, "AT+CSQ")
    assert not plan.strike(Point.PDU, 0.0, "AT+CMGR=2")
    assert plan.strike(Point.COMMAND, 0.0, "AT+CMGR=2")
    assert plan.struck == {"cme_error": 1}
    assert plan.quiet


def test_an_effect_lasts_and_is_over():
    plan = FaultPlan("sim-1", frozenset(ModemFault))
    plan.inject(Fault(kind="deregistered", lasts_s=5.0), 0.0)
    assert plan.in_effect("deregistered", 0.0) is None
    assert plan.strike(Point.SECOND, 10.0)
    assert plan.in_effect("deregistered", 14.9) is not None
    assert plan.in_effect("deregistered", 15.0) is None
    assert plan.quiet


def test_clearing_disarms_and_ends_effects():
    plan = FaultPlan("sim-1", frozenset(ModemFault))
    changes = []
    plan.on_change = lambda: changes.append(plan.quiet)
    plan.inject(Fault(kind="hang"), 0.0, 1)
    plan.inject(Fault(kind="cms_error", every=2), 0.0, 2)
    assert plan.strike(Point.SECOND, 0.0)
    assert plan.in_effect("hang", 1e9)  # for ever
    plan.clear(1)
    assert plan.in_effect("hang", 0.0) is None
    assert not plan.quiet
    plan.clear()
    assert changes == [False, False, False, True]


def test_how_long_kinds_last():
    assert lasting(Fault(kind="hang")) == NEVER
    assert lasting(Fault(kind="hang", lasts_s=3.0)) == 3.0
    assert lasting(Fault(kind="cms_error", lasts_s=3.0)) is None


def test_the_desk_hands_faults_to_those_they_name():
    now = [0.0]
    desk = FaultDesk(clock=lambda: now[0])
    sims = {name: desk.plan(name, frozenset(ModemFault)) for name in ("sim-1", "sim-2")}
    smsc = desk.plan("smsc", frozenset(SmscFault))
    fault_id = desk.inject(Fault(kind="hang", target="sim-*"))
    assert sims["sim-1"].strike(Point.SECOND, 0.0)
    assert sims["sim-2"].waits_at(Point.SECOND)
    assert not smsc.waits_at(Point.SECOND)
    assert desk.struck() == {"sim-1": {"hang": 1}}
    assert [(target, number, n) for target, number, _, n in desk.armed()] == [("sim-2", fault_id, 0)]
    desk.clear(fault_id)
    assert desk.armed() == []


@pytest.mark.parametrize(
    ("fields", "hint"),
    [
        ({"kind": "hung"}, "write one of"),
        ({"kind": "hang", "target": "sim-9"}, "nobody here"),
        ({"kind": "throttle", "target": "sim-1"}, "nobody here"),
        ({"kind": "hang", "nth": 1, "every": 2}, "exclude each other"),
        ({"kind": "hang", "every": 2, "burst": 3}, "burst"),
        ({"kind": "receipt_dialect", "text": "klingon"}, "no dialect"),
    ],
)
def test_what_makes_no_sense_is_said(fields, hint):
    desk = FaultDesk(clock=lambda: 0.0)
    desk.plan("sim-1", frozenset(ModemFault))
    with pytest.raises(BadFault, match=hint):
        desk.inject(Fault(**fields))


def test_every_kind_strikes_somewhere():
    assert set(POINTS) == set(ModemFault) | set(SmscFault)


def test_a_wrong_byte_in_a_prompt_that_is_lost_already_is_nothing():
    plan = FaultPlan("sim-1", frozenset(ModemFault))
    plan.inject(Fault(kind="garble", probability=1.0), 0.0)
    misbehaviour = Misbehaviour(plan)
    misbehaviour.victim = SimulatedModem(Network(), number="+8613800138001")
    says = misbehaviour.says
    assert (says(b""), says(b"O")) == (b"", b"\xff")
