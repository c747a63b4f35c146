"""Settings as a user writes them: secrets, units and defaults."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.settings.config import SettingsErrors, load_settings
from gateway.settings.forms import Listen, Rate
from gateway.settings.secrets import Secret
from tests.support.settings import MODEM, SMPP, write

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "form", ['password = "{}"', 'password_env = "HONGYAN_TEST_PW"', 'password_file = "{file}"']
)
def test_a_secret_may_be_given_in_three_ways(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "pw"
    file.write_text("s3cret\n")
    monkeypatch.setenv("HONGYAN_TEST_PW", "s3cret")
    settings = load_settings(write(tmp_path, SMPP + form.format("s3cret", file=file)))
    assert settings.smpp[0].password == Secret("s3cret")
    assert settings.smpp[0].password.reveal() == "s3cret"


def test_no_repr_shows_a_secret(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, SMPP + 'password = "s3cret"\n' + MODEM + 'pin = "7391"\n'))
    for shown in (
        repr(settings),
        str(settings),
        f"{settings.smpp[0].password}",
        repr([settings.modems[0].pin]),
    ):
        assert "s3cret" not in shown
        assert "7391" not in shown


def test_values_are_read_into_their_units(tmp_path: Path) -> None:
    text = (
        '[http]\nlisten = "[::1]:80"\n[queue]\nvalid_for = "1.5h"\nretry_first = "500ms"\n'
        + MODEM
        + 'rate = "20/min"\nquota = "200/day"\nanswer_timeout = "2m"\n'
    )
    settings = load_settings(write(tmp_path, text))
    assert settings.http.listen == Listen("::1", 80)
    assert str(settings.http.listen) == "[::1]:80"
    assert settings.queue.valid_for_s == 5400.0
    assert settings.queue.retry_first_s == 0.5
    modem = settings.modems[0]
    assert (modem.rate, modem.quota, modem.answer_timeout_s) == (Rate(20, 60.0), Rate(200, 86400.0), 120.0)
    assert str(modem.rate) == "20/min"
    assert modem.groups == ("default",)


def test_no_file_gives_the_embedded_defaults() -> None:
    settings = load_settings(None)
    assert settings.store.url == "sqlite:///./var/hongyan.db"
    assert settings.log.delivery == "./var/delivery.jsonl"
    assert str(settings.http.listen) == "127.0.0.1:8080"
    assert (settings.modems, settings.smpp) == ((), ())


def test_what_is_kept_for_how_long(tmp_path: Path):
    path = tmp_path / "c.toml"
    path.write_text('[retention]\ntexts = "30d"\nmessages = "never"\nevents = "off"\n')
    kept = load_settings(path).retention
    assert (kept.texts, kept.messages, kept.events, kept.inbound) == (30 * 86_400.0, 0.0, 0.0, 365 * 86_400.0)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('texts = "1h"', 'retention.texts: "1h" is less than a day; write "1d" or more'),
        ('texts = "long"', 'retention.texts: "long" will not do; write days, "1d" to "36500d", or "never"'),
        ("texts = 14", 'retention.texts: 14 has no unit; write "14d" for days, or "never"'),
        ('texts = "180"', 'retention.texts: "180" has no unit; write "180d" for days, or "never"'),
        ('texts = "-3d"', 'write days, "1d" to "36500d"'),
        ("texts = true", 'write days, "1d" to "36500d"'),
        ('text = "1d"', "retention.text: unknown key; did you mean texts?"),
        (
            'messages = "7d"\n[[modems]]\nname = "a"\nport = "/dev/a"\nquota_month = 9',
            "retention.messages: is shorter",
        ),
        ('audit = "179d"', 'retention.audit: is shorter than half a year; write "180d" or more, or "never"'),
    ],
)
def test_what_will_not_do_for_retention(tmp_path: Path, line: str, fault: str):
    path = tmp_path / "c.toml"
    path.write_text(f"[retention]\n{line}\n")
    with pytest.raises(SettingsErrors, match=re.escape(fault)):
        load_settings(path)
