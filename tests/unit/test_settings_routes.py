"""Routing rules and carriers in the config as a user meets them: what is read, what is refused, in which words."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.routing.routes.carriers import Known
from gateway.routing.routes.conditions import Asked
from gateway.routing.routes.table import NO_FACTS, Facts, Share, Turns
from gateway.settings.carriers import CarrierSettings
from gateway.settings.config import SettingsErrors, load_settings
from gateway.settings.routes import make_routes
from tests.support.settings import write

pytestmark = pytest.mark.unit

CHANNELS = """
[[smpp]]
name = "a"
host = "h"
system_id = "s"
password = "p"
groups = ["cmcc", "default"]

[[smpp]]
name = "b"
host = "h"
system_id = "t"
password = "p"
groups = ["backup"]

[[smpp]]
name = "ears"
host = "h"
system_id = "u"
password = "p"
bind = "receiver"
groups = ["listening"]
"""
KNOWN = "cbn, cmcc, cn-iot, cn-satellite, telecom, unicom"
RULE = '[[routes]]\nname = "r"\nto = ["cmcc"]\n'
OTHER = '[[routes]]\nname = "o"\nto = ["backup"]\n'


def faults(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(SettingsErrors) as caught:
        load_settings(write(tmp_path, CHANNELS + text))
    return str(caught.value).replace(f"{tmp_path}/", "").removeprefix("hongyan.toml:").splitlines()


def rule(line: str) -> str:
    return '[[routes]]\nname = "r"\n' + line + ("" if line.startswith("to") else '\nto = ["cmcc"]')


BAD = {
    "nowhere": (
        rule("to = []"),
        'routes[0].to: is empty: the rule routes nowhere; write groups, such as ["default"]',
    ),
    "no list": (rule('to = "cmcc"'), 'routes[0].to: "cmcc" is not a list; write it in brackets: ["cmcc"]'),
    "weight of zero": (
        rule("to = [{ cmcc = 1, backup = 0 }]"),
        "routes[0].to: gives backup the weight 0, which gets nothing; leave it out, or make it a step of its own",
    ),
    "weight": (
        rule('to = [{ cmcc = "x" }]'),
        'routes[0].to: gives cmcc the weight "x"; write a whole number from 1 to 1000',
    ),
    "twice": (
        rule('to = ["cmcc", { cmcc = 1, backup = 1 }]'),
        'routes[0].to: "cmcc" stands twice; write it once',
    ),
    "unknown group": (
        rule('to = ["cmc"]'),
        'routes[0].to: no channel serves the group "cmc"; did you mean cmcc?',
    ),
    "receives only": (
        rule('to = ["listening"]'),
        'routes[0].to: "listening" only receives: nothing goes that way; write a group that a sending channel serves',
    ),
    "unknown carrier": (
        rule('carrier = ["unicorn"]'),
        'routes[0].carrier: "unicorn" is not known; did you mean unicom?',
    ),
    "no message": (
        rule("tag = []"),
        "routes[0].tag: is empty, so that no message fits; leave the key out for all messages",
    ),
    "prefix": (
        rule('prefix = ["0086"]'),
        'routes[0].prefix: "0086" begins no number; write it with plus and country code, such as "+86139"',
    ),
    "hours that overlap": (
        rule('hours = ["08:00-12:00", "11:00-14:00"]'),
        "routes[0].hours: 11:00-14:00 overlaps another time of the list; write each time of the day once",
    ),
    "hours of nothing": (
        rule('hours = ["08:00-08:00"]'),
        'routes[0].hours: "08:00-08:00" are no hours of the day; write from and to, such as "08:00-22:00"',
    ),
    "days": (
        rule('weekdays = ["monday"]'),
        'routes[0].weekdays: "monday" is no day of the week; write one of mon, tue, wed, thu, fri, sat, sun',
    ),
    "day twice": (
        rule('weekdays = ["mon-wed", "tue"]'),
        "routes[0].weekdays: names a day twice; write each day once",
    ),
    "zone": (
        rule('hours = ["08:00-12:00"]\nzone = "Asia/Nowhere"'),
        'routes[0].zone: "Asia/Nowhere" is no time zone; write one such as "Asia/Shanghai"',
    ),
    "zone of nothing": (
        rule('zone = "Asia/Shanghai"'),
        "routes[0].zone: is that of hours and weekdays, and there are none; leave it out",
    ),
    "weights and cost": (
        rule('to = [{ cmcc = 2, backup = 1 }]\norder = "cost"'),
        'routes[0].to: has weights, which mean nothing with order = "cost"; leave out one of both',
    ),
    "same name": (
        rule('tag = ["x"]') + "\n" + RULE,
        'routes[1].name: "r" is that of another rule; write another',
    ),
    "never": (
        RULE + OTHER + 'category = ["otp"]',
        'routes[1]: "o" can never take a message: routes[0] "r" takes all of them before; move it up, or leave it out',
    ),
    "never, by prefix and time": (
        rule('prefix = ["+86"]\nhours = ["08:00-20:00"]')
        + "\n"
        + OTHER
        + 'prefix = ["+8613", "+8615"]\nhours = ["09:00-12:00"]\nweekdays = ["sat"]',
        'routes[1]: "o" can never take a message: routes[0] "r" takes all of them before; move it up, or leave it out',
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_every_fault_is_named_with_what_to_write(tmp_path: Path, name: str):
    text, expected = BAD[name]
    assert faults(tmp_path, text) == [expected]


@pytest.mark.parametrize(
    "later",
    [
        RULE + 'tag = ["x"]\n' + OTHER,
        RULE + OTHER + 'sender = ["news"]',
        rule('prefix = ["+8613"]') + "\n" + OTHER + 'prefix = ["+86"]',
        rule('category = ["otp"]') + "\n" + OTHER + 'category = ["otp", "marketing"]',
        rule('hours = ["08:00-12:00"]') + "\n" + OTHER + 'hours = ["09:00-13:00"]',
        rule('hours = ["08:00-12:00"]\nzone = "Asia/Shanghai"') + "\n" + OTHER + 'hours = ["09:00-10:00"]',
    ],
)
def test_a_rule_that_may_take_something_is_no_fault(tmp_path: Path, later: str):
    load_settings(write(tmp_path, CHANNELS + later))


def test_a_rule_is_compiled(tmp_path: Path):
    text = CHANNELS + (
        '[[routes]]\nname = "r"\nto = [{ cmcc = 3, backup = 1 }, "a"]\nweekdays = ["fri-mon"]\n'
        'hours = ["22:00-06:00"]\nzone = "UTC"\nsticky = "30d"\nkey = ["shop"]\n'
    )
    settings = load_settings(write(tmp_path, text))
    channels = {"a": ("cmcc", "default"), "b": ("backup",)}
    (compiled,) = make_routes(settings.routes, channels, settings.carriers.load()).rules
    assert compiled.steps == ((Share("cmcc", 3), Share("backup")), (Share("@a"),))
    assert (compiled.sticky_s, compiled.conditions.weekdays) == (30 * 86_400.0, frozenset({4, 5, 6, 0}))
    assert (settings.routing.failover_after_s, settings.routing.failback_after_s) == (30.0, 10.0)


@pytest.mark.parametrize(
    ("number", "carrier", "kind"),
    [
        ("+8613800138000", "cmcc", "mobile"),
        ("+8613490138000", "cn-satellite", "satellite"),
        ("+8613430138000", "cmcc", "mobile"),
        ("+8613000138000", "unicom", "mobile"),
        ("+8619900138000", "telecom", "mobile"),
        ("+8619200138000", "cbn", "mobile"),
        ("+8617000138000", "telecom", "virtual"),
        ("+8617050138000", "cmcc", "virtual"),
        ("+8617090138000", "unicom", "virtual"),
        ("+8616200138000", "telecom", "virtual"),
        ("+8617400138000", "telecom", "satellite"),
        ("+861440012345678", "cn-iot", "iot"),
        ("+8614400123456", None, None),
        ("+861012345678", None, None),
        ("+447700900123", None, None),
        ("10086", None, None),
    ],
)
def test_the_shipped_ranges_of_china(number: str, carrier: str | None, kind: str | None):
    fact = CarrierSettings().load().fact_of(number)
    assert (fact.carrier, fact.kind, fact.source) == (carrier, kind, carrier and "range")


def test_what_is_known_of_a_number_goes_before_its_range(tmp_path: Path):
    (tmp_path / "ported.csv").write_text("number,carrier\n+8613800138000,unicom\n+8613800138001,telecom\n")
    (tmp_path / "my.toml").write_text(
        'country_code = "44"\n[[carriers]]\nname = "o2"\n[[ranges]]\ncarrier = "o2"\nprefixes = ["7700"]\n'
    )
    text = f'[carriers]\nfiles = ["{tmp_path}/my.toml"]\nported = "{tmp_path}/ported.csv"\nlearn = true\n'
    carriers = load_settings(write(tmp_path, text)).carriers.load()
    one, two = "+8613800138000", "+8613800138002"
    assert carriers.name_of(one) == "unicom"
    assert carriers.name_of(one, Known("cbn", "receipt")) == "unicom", "the file goes before what was learned"
    assert carriers.name_of(one, Known("cbn", "api")) == "cbn", "what people say goes before all"
    assert carriers.name_of(two, Known("cbn", "receipt")) == "cbn"
    assert carriers.name_of(two, Known("gone", "api")) == "cmcc", "a carrier that no file knows any more"
    assert carriers.name_of("+447700900123") == "o2"
    assert (carriers.learn, carriers.of_network("46001"), carriers.of_network("99999")) == (
        True,
        "unicom",
        None,
    )


@pytest.mark.parametrize(
    ("files", "text", "expected"),
    [
        (
            {"p.csv": "+8613800138000,unicom\n138,cmcc\n"},
            'ported = "p.csv"',
            'carriers.ported: p.csv, line 2: write number and carrier: "+8613800138000,unicom"',
        ),
        (
            {"p.csv": "+8613800138000,nobody\n"},
            'ported = "p.csv"',
            f"carriers.ported: names the carrier nobody, which no file knows; known: {KNOWN}",
        ),
        (
            {"c.toml": 'country_code = "44"\n[[ranges]]\ncarrier = "x"\nprefixes = ["7"]\n'},
            'files = ["c.toml"]',
            'carriers.files: c.toml: ranges[0].carrier: "x" is none of [[carriers]]',
        ),
        (
            {"c.toml": "ranges = 3\n"},
            'files = ["c.toml"]',
            'carriers.files: c.toml: write country_code = "86", [[carriers]] and [[ranges]], and nothing else',
        ),
        (
            {"c.toml": 'country_code = "44"\nranges = 3\n'},
            'files = ["c.toml"]',
            "carriers.files: c.toml: has another shape than config/carriers/cn.toml",
        ),
    ],
)
def test_faulty_files_of_carriers(tmp_path: Path, files: dict[str, str], text: str, expected: str):
    for name, content in files.items():
        (tmp_path / name).write_text(content)
        text = text.replace(f'"{name}"', f'"{tmp_path}/{name}"')
    assert faults(tmp_path, f"[carriers]\n{text}\n") == [expected]


def test_a_message_by_the_carrier_of_a_file(tmp_path: Path):
    settings = load_settings(write(tmp_path, CHANNELS + RULE + 'carrier = ["telecom"]'))
    routes = make_routes(settings.routes, {"a": ("cmcc", "default")}, settings.carriers.load())
    asked = Asked("+8613800138000", datetime(2026, 3, 14, tzinfo=UTC))
    assert routes.decide(asked, NO_FACTS, Turns().peek).rule is None
    ported = routes.decide(asked, Facts(Known("telecom", "api")), Turns().peek)
    assert ported.rule is not None
