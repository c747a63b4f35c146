"""Scenario files and what the control port answers."""

from __future__ import annotations

import asyncio
import json

import pytest

from simulators.control import ControlPort
from simulators.fault_plan import FaultDesk
from simulators.faults import ModemFault, SmscFault
from simulators.network import Network
from simulators.scenario import BadScenario, arm, load_scenario, shipped_scenarios

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("name", shipped_scenarios())
def test_shipped_scenarios_make_sense_and_concern_somebody(name):
    scenario = load_scenario(name)
    desk = FaultDesk(clock=lambda: 0.0, seed=scenario.seed)
    for i in range(1, 9):
        desk.plan(f"sim-{i}", frozenset(ModemFault))
    desk.plan("smsc", frozenset(SmscFault))
    assert arm(scenario, desk) == len(scenario.faults) > 10
    assert scenario.about


def test_a_file_of_ones_own(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('seed = 3\n[[faults]]\nkind = "hang"\ntarget = "sim-1"\nlasts_s = 2\n')
    scenario = load_scenario(str(path))
    assert scenario.seed == 3
    assert [(fault.kind, fault.lasts_s) for fault in scenario.faults] == [("hang", 2)]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("seed = ", "mine.toml"),
        ('[[faults]]\nkind = "hung"', 'fault 1: "hung" is no fault'),
        ('[[faults]]\nkind = "hang"\nlast_s = 2', "last_s"),
        ('[[faults]]\nkind = "hang"\nlasts_s = "2s"', "lasts_s"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path, text, hint):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(BadScenario, match=hint):
        load_scenario(str(path))


def test_a_missing_file_names_those_that_are_shipped():
    with pytest.raises(BadScenario, match=r"rainy-day\.toml"):
        load_scenario("sunny-day.toml")


def test_the_control_port_injects_lists_counts_and_clears():
    desk = FaultDesk(clock=lambda: 0.0)
    plan = desk.plan("sim-1", frozenset(ModemFault))
    control = ControlPort(desk, stats=lambda: {"taken": 5})

    def ask(**request):
        return asyncio.run(control.answer(json.dumps(request).encode()))

    assert ask(do="inject", fault={"kind": "hang", "at": "pdu", "nth": 2}) == {"ok": True, "id": 1}
    (listed,) = ask(do="list")["faults"]
    assert (listed["target"], listed["id"], listed["strikes"], listed["fault"].nth) == ("sim-1", 1, 0, 2)
    assert ask(do="stats") == {"ok": True, "struck": {}, "taken": 5}
    assert ask(do="clear", id=1) == {"ok": True}
    assert plan.quiet


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b'{"do":"dance"}', b'{"do":"inject"}', b'{"do":"list","x":1}', b"\xff"]
)
def test_the_control_port_answers_nonsense_with_a_reason(line):
    answer = asyncio.run(ControlPort(FaultDesk(clock=lambda: 0.0)).answer(line))
    assert answer["ok"] is False
    assert answer["error"]


async def test_a_phone_writes_to_whoever_wrote_to_it_last():
    network = Network()
    control = ControlPort(FaultDesk(clock=lambda: 0.0), network=network)
    shop, phone = network.add_handset("+8613800138001"), network.add_handset("+8613900139000")

    async def say(**request):
        return await control.answer(json.dumps({"do": "say", **request}).encode())

    alone = await say(**{"from": "+8613900139000", "text": "hello?"})
    assert not alone["ok"]
    assert "nobody has written to +8613900139000 yet" in alone["error"]
    await shop.send("+8613900139000", "回TD退订")
    await network.wait_for(lambda: bool(phone.inbox))
    for spelling in ("+8613900139000", "8613900139000", "13900139000"):
        assert await say(**{"from": spelling, "text": "TD"}) == {
            "ok": True, "from": "+8613900139000", "to": "+8613800138001",
        }  # fmt: skip
    await network.wait_for(lambda: shop.inbox == ["TD"] * 3)
    assert (await say(**{"from": "+8613900139001", "to": "+8613800138001", "text": "x" * 200}))["ok"]
    await network.wait_for(lambda: len(shop.inbox) == 4)
    assert not (await say(text="x"))["ok"]
    without = ControlPort(FaultDesk(clock=lambda: 0.0))
    assert "no network" in (await without.answer(b'{"do":"say","from":"1","text":"x"}'))["error"]
    await network.close()
