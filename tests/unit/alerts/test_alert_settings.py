"""`[[alerts]]` as a user writes it: what is refused, and in which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.settings.config import SettingsErrors, load_settings
from tests.support.settings import SMPP, write

pytestmark = pytest.mark.unit

CARRIER = SMPP + 'password = "x"\n'
GOOD = '[[alerts]]\nname = "a"\nto = ["13800138000"]\n'
BAD = {
    "no recipient": (
        "to = []",
        'FILE:alerts[0].to: has 0 numbers; write 1 to 100 of them, such as ["+8613800138000"]',
    ),
    "no number": ('to = ["12"]', 'FILE:alerts[0].to: "12" can\'t be sent to: '),
    "matcher": (
        'match = ["severity"]',
        'FILE:alerts[0].match: "severity" is no matcher; write such as severity="critical" or job=~"db|web"',
    ),
    "pattern": ("match = ['a=~(']", 'FILE:alerts[0].match: "a=~(" holds no regular expression: '),
    "template": (
        'template = "{status}"',
        "FILE:alerts[0].template: names {status}, which is not known; write one of alertname, ",
    ),
    "storm": (
        'storm = "5000/s"',
        'FILE:alerts[0].storm: "5000/s" guards nobody; write at most 1000, such as "20/h"',
    ),
    "category": (
        'category = "marketing"',
        'FILE:alerts[0].category: "marketing" is not known; write one of transactional, emergency',
    ),
    "group": ('sender = "nobody"', 'FILE:alerts[0].sender: no channel serves "nobody"'),
    "hours": ('active_hours = "8-22"', 'FILE:alerts[0].active_hours: "8-22" are no hours of the day; '),
}


def faults(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(SettingsErrors) as caught:
        load_settings(write(tmp_path, text))
    return str(caught.value).replace(f"{tmp_path}/hongyan.toml", "FILE").splitlines()


@pytest.mark.parametrize(("line", "fault"), BAD.values(), ids=BAD)
def test_faults_say_where_and_what_to_write(tmp_path, line, fault):
    text = (
        CARRIER + GOOD.replace('to = ["13800138000"]', line)
        if line.startswith("to")
        else CARRIER + GOOD + line
    )
    (found,) = faults(tmp_path, text + "\n")
    assert found.startswith(fault)


def test_tables_have_names_of_their_own_and_something_comes_to_each(tmp_path):
    assert faults(tmp_path, GOOD + GOOD) == [
        'FILE:alerts[1].name: "a" stands there twice; write another',
        'FILE:alerts[1].match: nothing comes here: "a" takes every alarm; put that table last',
    ]


def test_good_ones_become_receivers(tmp_path):
    text = GOOD + "continue = true\n" + GOOD.replace('"a"', '"b"') + "match = ['x=y']\n"
    first, second = (table.receiver() for table in load_settings(write(tmp_path, text)).alerts)
    assert (first.goes_on, first.most_texts, first.per_s) == (True, 20, 3_600.0)
    assert second.matchers[0].takes({"x": "y"})
