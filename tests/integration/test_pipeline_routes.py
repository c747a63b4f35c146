"""Rules on the whole pipeline: where messages go, failover and back, sticky channels, and rehearsals that come true."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest

from gateway.model.message import Category
from gateway.model.request import RouteRequest
from gateway.pipeline.intake.rehearse import rehearse
from gateway.routing.channel import PAUSE, RESUME
from gateway.routing.routes.carriers import Carrier, CarrierRange, Carriers
from gateway.routing.routes.conditions import Conditions
from gateway.routing.routes.explain import RouteExplanation
from gateway.routing.routes.table import Rule, Share
from gateway.store.routes import NumberCarrier, find_facts, forget_sticky, save_number_carrier
from tests.support.fake_driver import ScriptedDriver
from tests.support.gateway import PHONE, Rig, ScriptedChannel, running
from tests.support.people import OPERATOR

pytestmark = pytest.mark.integration

DAY_S = 86_400.0
CARRIERS = Carriers(
    [Carrier("cmcc", "中国移动"), Carrier("unicom", "中国联通")],
    [CarrierRange("+86138", "cmcc"), CarrierRange("+86130", "unicom")],
)


def channel(name: str, *groups: str, capacity: int = 10) -> ScriptedChannel:
    return ScriptedChannel(driver=ScriptedDriver(name, capacity=capacity), groups=groups)


def rule(name: str, *steps: str | dict[str, int], sticky_s: float = 0.0, **conditions: object) -> Rule:
    shares = tuple(
        tuple(
            Share(place, weight) for place, weight in ({step: 1} if isinstance(step, str) else step).items()
        )
        for step in steps
    )
    return Rule(name=name, steps=shares, sticky_s=sticky_s, conditions=Conditions(**conditions))  # type: ignore[arg-type]


async def explain(rig: Rig, to: str = PHONE, **fields: object) -> RouteExplanation:
    request = msgspec.convert({"to": to, **fields}, RouteRequest)
    return await rehearse(rig.store, rig.clock, rig.intake, rig.channels.standings(), request, key=None)


async def look(rig: Rig, seconds: float = 0.0) -> None:
    """Let time pass, and look at the channels as the switch does each second."""
    await rig.advance(seconds)
    await rig.switch.look()
    await rig.settled()


def sent_by(*channels: ScriptedChannel) -> dict[str, int]:
    return {c.driver.channel_id: len(c.driver.submitted) for c in channels}


async def test_a_message_goes_by_the_rule_that_fits_and_its_timeline_names_it(tmp_path: Path):
    bulk, usual = channel("bulk-1", "bulk"), channel("a", "default")
    rules = [rule("ads", "bulk", category=frozenset({Category.MARKETING}))]
    async with running(tmp_path / "s.db", bulk, usual, rules=rules) as rig:
        ad, code = await rig.send(category="marketing"), await rig.send(category="otp")
        await rig.until_status(ad, "sent")
        await rig.until_status(code, "sent")
        assert ((await rig.message(ad.id)).channel, (await rig.message(code.id)).channel) == ("bulk-1", "a")
        assert [detail.rule for detail in await rig.details(ad.id)][:2] == ["ads", None]
        assert all(detail.rule is None for detail in await rig.details(code.id))


async def test_who_pins_a_channel_or_names_a_group_gets_it(tmp_path: Path):
    bulk, usual = channel("bulk-1", "bulk"), channel("a", "default")
    async with running(tmp_path / "s.db", bulk, usual, rules=[rule("all", "bulk")]) as rig:
        pinned, named, plain = [
            await rig.send(channel="a"),
            await rig.send(sender="default"),
            await rig.send(),
        ]
        for message, expected in ((pinned, "a"), (named, "a"), (plain, "bulk-1")):
            assert (await rig.until_status(message, "sent")).channel == expected


async def test_shares_of_a_step_are_kept(tmp_path: Path):
    big, small = channel("big", "x"), channel("small", "y")
    async with running(tmp_path / "s.db", big, small, rules=[rule("all", {"x": 3, "y": 1})]) as rig:
        for _ in range(40):
            await rig.send()
        await rig.settled()
        assert sent_by(big, small) == {"big": 30, "small": 10}


async def test_the_next_step_takes_over_when_all_of_one_is_out_and_gives_back(tmp_path: Path):
    first, twin, backup = channel("a1", "a"), channel("a2", "a"), channel("b", "b")
    async with running(tmp_path / "s.db", first, twin, backup, rules=[rule("all", "a", "b")]) as rig:
        await rig.send()
        await look(rig)
        await rig.channels.pause("a1", PAUSE, by=OPERATOR)
        await look(rig, 60.0)
        await rig.send()
        await look(rig)
        assert sent_by(first, twin, backup)["b"] == 0, "one of the group is in service"
        await rig.channels.pause("a2", PAUSE, by=OPERATOR)
        waiting = await rig.send()
        await look(rig, 29.0)
        assert (await rig.message(waiting.id)).status == "queued", "not for a moment's failure"
        await look(rig, 1.0)
        await look(rig, 30.0)
        assert (await rig.until_status(waiting, "sent")).channel == "b", "what waits goes, too"
        assert (await explain(rig)).channel == "b"
        await rig.channels.pause("a2", RESUME, by=OPERATOR)
        await look(rig)
        await look(rig, 9.0)
        assert rig.lanes["a2"].out, "not trusted at once"
        await look(rig, 1.0)
        back = await rig.send()
        assert (await rig.until_status(back, "sent")).channel == "a2"
        await rig.channels.pause("a2", PAUSE, by=OPERATOR)
        waits = await rig.send()
        await look(rig)
        assert (await rig.message(waits.id)).status == "queued", "the other step has stopped serving"


async def test_messages_of_a_way_are_found_after_a_restart(tmp_path: Path):
    rules = [rule("all", "a", "b")]
    async with running(tmp_path / "s.db", channel("a", "a"), channel("b", "b"), rules=rules) as rig:
        await rig.channels.pause("a", PAUSE, by=OPERATOR)
        waiting = await rig.send()
    async with running(tmp_path / "s.db", channel("a", "a"), channel("b", "b"), rules=rules) as rig:
        await rig.switch.look()
        await rig.channels.pause("a", RESUME, by=OPERATOR)
        assert (await rig.until_status(waiting, "sent")).channel == "a"


async def test_a_recipient_stays_with_his_channel_for_a_while(tmp_path: Path):
    one, two = channel("sim-1", "s1"), channel("sim-2", "s2")
    rules = [rule("support", {"s1": 1, "s2": 1}, sticky_s=30 * DAY_S)]
    numbers = [f"+86138001380{n:02}" for n in range(20)]
    async with running(tmp_path / "s.db", one, two, rules=rules) as rig:
        first = {}
        for number in numbers:
            first[number] = (await rig.until_status(await rig.send(number), "sent")).channel
        assert set(first.values()) == {"sim-1", "sim-2"}
        await rig.advance(29 * DAY_S)
        random.Random(7).shuffle(numbers)
        for number in numbers:
            assert (await rig.until_status(await rig.send(number), "sent")).channel == first[number]
        assert "stays with it" in str((await explain(rig, numbers[0])).sticky)
        await rig.advance(30 * DAY_S + 1)
        facts = await rig.store.read(lambda tx: find_facts(tx, numbers, rig.clock.now()))
        assert facts == {}
        assert await rig.store.write(lambda tx: forget_sticky(tx, rig.clock.now(), 12)) == 12
        assert await rig.store.write(lambda tx: forget_sticky(tx, rig.clock.now(), 12)) == 8


async def test_a_sticky_channel_that_is_out_is_replaced_and_the_new_one_remembered(tmp_path: Path):
    one, two = channel("sim-1", "sims"), channel("sim-2", "sims")
    async with running(tmp_path / "s.db", one, two, rules=[rule("s", "sims", sticky_s=DAY_S)]) as rig:
        before = (await rig.until_status(await rig.send(), "sent")).channel
        await rig.channels.pause(str(before), PAUSE, by=OPERATOR)
        waiting = await rig.send()
        await look(rig)
        assert (await rig.message(waiting.id)).status == "queued"
        await look(rig, 30.0)
        after = (await rig.until_status(waiting, "sent")).channel
        assert after not in {before, None}
        await rig.channels.pause(str(before), RESUME, by=OPERATOR)
        await look(rig)
        await look(rig, 10.0)
        assert (await rig.until_status(await rig.send(), "sent")).channel == after


async def test_a_ported_number_goes_by_its_new_carrier(tmp_path: Path):
    mobile, union = channel("m", "m"), channel("u", "u")
    rules = [rule("m", "m", carrier=frozenset({"cmcc"})), rule("u", "u", carrier=frozenset({"unicom"}))]
    async with running(tmp_path / "s.db", mobile, union, rules=rules, carriers=CARRIERS) as rig:
        assert (await rig.until_status(await rig.send(), "sent")).channel == "m"
        ported = NumberCarrier(PHONE, "unicom", "api", rig.clock.now())
        await rig.store.write(lambda tx: save_number_carrier(tx, ported))
        explained = await explain(rig)
        assert (explained.channel, explained.carrier.source) == ("u", "api")
        assert (await rig.until_status(await rig.send(), "sent")).channel == "u"


async def test_a_rehearsal_equals_reality(tmp_path: Path):
    """Whatever the rules and the message: it waits, or goes, where the answer before said."""
    names = ["p", "q", "r"]
    channels = [channel(name, name, "default") for name in names]
    rules = [
        rule("otp", {"p": 2, "q": 1}, "r", category=frozenset({Category.OTP})),
        rule("vip", "q", tag=frozenset({"vip"}), sticky_s=DAY_S),
        rule("union", {"r": 1, "p": 1}, carrier=frozenset({"unicom"})),
        rule("pool", "r", "q", sender=frozenset({"pool"})),
    ]
    dice = random.Random(11)
    async with running(tmp_path / "s.db", *channels, rules=rules, carriers=CARRIERS) as rig:
        for _ in range(80):
            to = dice.choice(["+8613800138000", "+8613000130001", "+8613800138002"])
            fields: dict[str, object] = {"category": dice.choice(["otp", "transactional"])}
            if dice.random() < 0.4:
                fields["tags"] = ["vip"]
            if dice.random() < 0.3:
                fields["sender"] = dice.choice(["pool", "p"])
            told = await explain(rig, to, **fields)
            message = await rig.send(to, **fields)  # type: ignore[arg-type]
            assert (await rig.details(message.id))[0].rule == told.rule
            assert (await rig.until_status(message, "sent")).channel in {
                one.channel for one in told.channels if one.serves
            }
