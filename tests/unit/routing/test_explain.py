"""What people are told of a way: whole answers, word by word, and the conditions in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from msgspec import to_builtins

from gateway.cli.route import describe
from gateway.model.message import Category
from gateway.routing.balancer import Taker
from gateway.routing.channel import ChannelSnapshot, ChannelState, Standing
from gateway.routing.periods import ActiveHours
from gateway.routing.prices import Price
from gateway.routing.routes.carriers import Known
from gateway.routing.routes.conditions import Asked, Conditions
from gateway.routing.routes.explain import explain_route
from gateway.routing.routes.table import Facts, Routes, Rule, Share, Turns
from gateway.settings.carriers import CarrierSettings

pytestmark = pytest.mark.unit

NOW = datetime(2026, 3, 14, 1, 30, tzinfo=UTC)
"""A Saturday, 09:30 in Shanghai."""
SHANGHAI = ZoneInfo("Asia/Shanghai")
CHANNELS = {"m1": ("cmcc",), "m2": ("cmcc",), "b": ("backup", "default"), "s": ("sims",)}
PRICES = {"m1": 45_000, "m2": 45_000, "b": 60_000}
RULES = [
    Rule(
        name="office",
        conditions=Conditions(weekdays=frozenset(range(5)), zone=SHANGHAI),
        steps=((Share("sims"),),),
    ),
    Rule(
        name="codes",
        conditions=Conditions(category=frozenset({Category.OTP}), key=frozenset({"shop"})),
        steps=((Share("backup"),),),
    ),
    Rule(
        name="mobile",
        conditions=Conditions(prefix=("+86",), carrier=frozenset({"cmcc"})),
        steps=((Share("cmcc"),), (Share("backup"),)),
    ),
    Rule(
        name="cheap",
        conditions=Conditions(tag=frozenset({"bulk"})),
        steps=((Share("backup"), Share("cmcc")),),
        by_cost=True,
    ),
    Rule(
        name="talk",
        conditions=Conditions(sender=frozenset({"support"})),
        steps=((Share("sims"),), (Share("backup"),)),
        sticky_s=86_400.0,
    ),
]


def price_of(channel: str, number: str, at: datetime) -> Price | None:
    micros = PRICES.get(channel)
    return None if micros is None else Price(micros, "CNY")


ROUTES = Routes(RULES, CHANNELS, CarrierSettings().load(), price_of)


def standing(name: str, *, free: int = 5, out: bool = False, **fields: object) -> Standing:
    snapshot = ChannelSnapshot(
        **{"name": name, "kind": "smpp", "groups": CHANNELS[name], "since": NOW, "capacity": 10}
        | {"state": ChannelState.UP if free else ChannelState.DOWN}
        | fields  # type: ignore[arg-type]
    )
    queues = (f"channel:{name}", *(f"group:{group}" for group in CHANNELS[name]))
    taker = Taker(name, queues, free) if free else None
    return Standing(snapshot=snapshot, queues=queues, taker=taker, out=out)


ALL_UP = [standing("m1", free=3), standing("m2", free=8), standing("b"), standing("s")]


def told(asked: Asked, facts: Facts = Facts(), standings: list[Standing] = ALL_UP) -> str:  # noqa: B008
    explained = explain_route(ROUTES, asked, facts, Turns().peek, standings, now=NOW)
    assert explained is not None
    return "\n".join(describe(to_builtins(explained)))


def asked(number: str = "+8613800138000", **fields: object) -> Asked:
    return Asked(number=number, at=NOW, **fields)  # type: ignore[arg-type]


def test_a_rule_by_carrier():
    assert told(asked(n_segments=2, key=("01k", "web"))) == (
        """\
+8613800138000  2 segments (gsm7)
carrier  cmcc 中国移动 mobile: Numbers with +86138 were given to it; whether this one was ported is not known.
  no        office: The rule is for mon, tue, wed, thu, fri, and it is sat 09:30 in Asia/Shanghai.
  no        codes: The rule is for otp, and the message is transactional.
  takes it  mobile: It meets prefix and carrier.
  not asked: 2 more
way  group cmcc, then group backup. The rule mobile takes it.
     m1 (group cmcc, 0.09 CNY): It could take it, too; among equals the one with the most room does.
  -> m2 (group cmcc, 0.09 CNY): It takes the message now.
     b (group backup, 0.12 CNY): It takes over when every channel of group cmcc is out of service.
cost  0.09 CNY"""
    )


def test_a_ported_number_and_a_step_that_is_out():
    down = {"error": "bind_rejected: wrong password", "free": 0, "out": True}
    standings = [standing("m1", **down), standing("m2", **down), standing("b", free=1), standing("s")]  # type: ignore[arg-type]
    assert told(asked("+8613000138000"), Facts(Known("cmcc", "receipt")), standings) == (
        """\
+8613000138000  1 segment (gsm7)
carrier  cmcc 中国移动 mobile: It was learned from a delivery report. Its range +86130 was given to unicom.
  no        office: The rule is for mon, tue, wed, thu, fri, and it is sat 09:30 in Asia/Shanghai.
  no        codes: The rule is for otp, and the message is transactional.
  takes it  mobile: It meets prefix and carrier.
  not asked: 2 more
way  group cmcc, then group backup. The rule mobile takes it.
     m1 (group cmcc, 0.045 CNY): It is down and tries again by itself: bind_rejected: wrong password.
     m2 (group cmcc, 0.045 CNY): It is down and tries again by itself: bind_rejected: wrong password.
  -> b (group backup, 0.06 CNY): It takes the message now.
cost  0.06 CNY"""
    )


def test_least_cost_and_waiting():
    standings = [standing("m1", free=0), standing("m2", free=0), standing("b"), standing("s")]
    assert told(asked("+447700900123", tags=("bulk",)), standings=standings) == (
        """\
+447700900123  1 segment (gsm7)
carrier  No range of the carrier files holds this number.
  no        office: The rule is for mon, tue, wed, thu, fri, and it is sat 09:30 in Asia/Shanghai.
  no        codes: The rule is for otp, and the message is transactional.
  no        mobile: The number does not begin with +86.
  takes it  cheap: It meets tag.
  not asked: 1 more
way  group cmcc, then group backup. The rule cheap takes it. The cheapest comes first: \
group cmcc 0.045 CNY, group backup 0.06 CNY a segment.
     m1 (group cmcc, 0.045 CNY): It is down and tries again by itself: see its log.
     m2 (group cmcc, 0.045 CNY): It is down and tries again by itself: see its log.
     b (group backup, 0.06 CNY): It takes over when every channel of group cmcc is out of service.
It would wait:
  down: m1: It is down and tries again by itself: see its log.
  down: m2: It is down and tries again by itself: see its log.
cost  0.045 CNY"""
    )


def test_sticky_for_a_sender():
    facts = Facts(sticky={"talk": "b"})
    assert told(asked(sender="support"), facts).splitlines()[2:] == [
        "  no        office: The message names the sender support, and the rule has none.",
        "  no        codes: The message names the sender support, and the rule has none.",
        "  no        mobile: The message names the sender support, and the rule has none.",
        "  no        cheap: The message names the sender support, and the rule has none.",
        "  takes it  talk: It meets sender.",
        "way  channel b, then group sims, then group backup. The rule talk takes it.",
        "sticky  It was sent something by b lately, and stays with it while that is in service.",
        "  -> b (channel b, 0.06 CNY): It takes the message now.",
        "     s (group sims): It takes over when every channel of channel b is out of service.",
        "cost  0.06 CNY",
    ]


def test_pinned_and_without_a_rule():
    assert told(asked(channel="s")).splitlines()[2:] == [
        "  not asked: 5 more",
        "way  channel s. It is pinned to channel s: no rule is asked.",
        "  -> s (channel s): It takes the message now.",
        "cost  no price is known",
    ]
    assert "way  group default. No rule takes it: it goes by the group default." in told(
        asked("+33612345678")
    )


THE = "The rule is for"


@pytest.mark.parametrize(
    ("conditions", "message", "sentence"),
    [
        ({"carrier": {"unicom"}}, {}, f"{THE} the carrier unicom, and the number's is cmcc."),
        (
            {"key": {"a", "b", "c"}},
            {"key": ("1", "x")},
            f"{THE} messages by a, b or c, and this one is by x.",
        ),
        ({"key": {"a"}}, {}, f"{THE} messages by a, and this one is the gateway's own."),
        ({"tag": {"vip"}}, {"tags": ("x", "y")}, f"{THE} the tag vip, and the message has x, y."),
        ({"tag": {*"abcdefg"}}, {}, f"{THE} the tag a, b, c, d, e or 2 others, and the message has none."),
        ({"sender": {"p"}}, {}, f"{THE} the sender p, and the message names none."),
        ({"sender": {"p"}}, {"sender": "q"}, f"{THE} the sender p, and the message names q."),
        ({"encoding": {"gsm7"}}, {"encoding": "ucs2"}, f"{THE} GSM-7, and the message is UCS-2."),
        (
            {"hours": (ActiveHours(600, 720),), "zone": SHANGHAI},
            {},
            f"{THE} 10:00-12:00, and it is sat 09:30 in Asia/Shanghai.",
        ),
    ],
)
def test_conditions_in_words(conditions: dict[str, object], message: dict[str, object], sentence: str):
    rule = Conditions(**conditions)  # type: ignore[arg-type]
    message_asked = asked(**message)  # type: ignore[arg-type]
    missed = rule.missed(message_asked, "cmcc")
    assert missed is not None
    assert rule.tell_missed(missed, message_asked, "cmcc") == sentence


def test_hours_over_midnight_and_the_day_that_counts():
    night = Conditions(hours=(ActiveHours(1320, 360),), weekdays=frozenset({5}), zone=SHANGHAI)
    at_two = asked()._replace(at=datetime(2026, 3, 13, 18, 0, tzinfo=UTC))
    assert night.missed(at_two, None) is None, "02:00 on Saturday"
    assert night.missed(at_two._replace(at=at_two.at - timedelta(hours=3)), None) == "weekdays", (
        "23:00 on Friday"
    )
    assert night.missed(asked(), None) == "hours"
