"""[[limits]] and the limits in [queue]: what may be written, and what is refused in which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.pipeline.intake.limits import LimitSettings, OwnerLimits, Pace
from gateway.routing.load import Bounds
from gateway.runtime.policies import make_limits
from gateway.settings.config import Settings, SettingsErrors, load_settings
from tests.support.settings import write

pytestmark = pytest.mark.unit

ACCOUNT = '[[kannel_accounts]]\nusername = "bob"\npassword = "p"\n'


def test_limits_as_they_are_meant(tmp_path: Path):
    text = f"""{ACCOUNT}
[queue]
max_messages = 7
max_age = "2h"
[[limits]]
key = "shop"
rate = "100/s"
requests = "10/min"
max_megabytes = 2
[[limits]]
key = "kannel:bob"
max_messages = 3
[[limits]]
key = "*"
max_age = "1h"
"""
    assert make_limits(load_settings(write(tmp_path, text))) == LimitSettings(
        Bounds(7, 10_000_000_000, 7_200.0),
        {
            "key:shop": OwnerLimits(Bounds(None, 2_000_000), Pace(100, 1.0), Pace(10, 60.0)),
            "kannel:bob": OwnerLimits(Bounds(3)),
        },
        OwnerLimits(Bounds(age_s=3_600.0)),
    )
    assert make_limits(Settings()) == LimitSettings(Bounds(5_000_000, 10_000_000_000))


BAD = {
    "nothing limited": (
        '[[limits]]\nkey = "a"\n',
        "FILE:limits[0].key: has no limit; write rate, requests, max_messages, max_megabytes or max_age",
    ),
    "twice": (
        '[[limits]]\nkey = "a"\nmax_messages = 1\n[[limits]]\nkey = "a"\nmax_messages = 2\n',
        "FILE:limits[1].key: has limits in limits[0] already; write each once",
    ),
    "no such account": (
        '[[limits]]\nkey = "smpp:a"\nmax_messages = 1\n',
        "FILE:limits[0].key: names an account that there is not; write the name as its table has it",
    ),
    "requests of an account": (
        f'{ACCOUNT}[[limits]]\nkey = "kannel:bob"\nrequests = "1/s"\n',
        "FILE:limits[0].requests: is for API keys, and this is an account; write rate",
    ),
    "age": (
        '[queue]\nmax_age = "soon"\n',
        (
            'FILE:queue.max_age: "soon" is not a duration; write a number and a unit, such as "90s", "10m", "2h" or '
            '"1d"; "never" for no limit'
        ),
    ),
    "none at all": (
        "[queue]\nmax_messages = 0\n",
        "FILE:queue.max_messages: 0 will not do; write a whole number from 1 to 1000000000",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_said_with_what_to_write(tmp_path: Path, name: str):
    text, expected = BAD[name]
    with pytest.raises(SettingsErrors) as caught:
        load_settings(write(tmp_path, text))
    assert str(caught.value).replace(f"{tmp_path}/hongyan.toml", "FILE") == expected
