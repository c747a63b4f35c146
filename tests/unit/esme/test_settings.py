"""The settings of applications: what is refused, in which words, what the account becomes, and who is for whom."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from drivers.smpp.server.listener import BindKind
from gateway.access.passwords import hash_password, parse_hash, verify_password
from gateway.cli.main import main
from gateway.ids import InboundId
from gateway.model.message import Category, InboundMessage
from gateway.model.msisdn import spell_own
from gateway.runtime.esme import make_account
from gateway.runtime.tls import check_tls
from gateway.settings.config import SettingsErrors, load_settings
from tests.support.smpp_application import account

pytestmark = pytest.mark.unit

SERVER = '[[smpp_server]]\nlisten = "127.0.0.1:0"\n'
HASH = hash_password("secret")
ACCOUNT = f'[[smpp_accounts]]\nsystem_id = "shop"\npassword_hash = "{HASH}"\n'


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "hongyan.toml"
    path.write_text(text, encoding="utf-8")
    return path


BAD = {
    "a password where its hash belongs": (
        SERVER + '[[smpp_accounts]]\nsystem_id = "shop"\npassword_hash = "hunter2"\n',
        "smpp_accounts[0].password_hash: is no password hash; make one with: hongyan smpp-account SYSTEM_ID",
    ),
    "an account twice": (
        SERVER + ACCOUNT + ACCOUNT,
        "smpp_accounts[1].system_id: is that of smpp_accounts[0] too; write another",
    ),
    "nobody may bind": (
        SERVER,
        "smpp_accounts: is missing: nobody could bind; write [[smpp_accounts]], or leave smpp_server out",
    ),
    "nowhere to bind": (
        ACCOUNT,
        "smpp_server: is missing: nobody could bind; write [[smpp_server]] with listen",
    ),
    "an address that is none": (
        SERVER + ACCOUNT + 'addresses = ["10.0.0.0/33"]\n',
        'smpp_accounts[0].addresses: "10.0.0.0/33" is no address; write one such as "192.0.2.7" or "10.0.0.0/8"',
    ),
    "no kind of bind": (
        SERVER + ACCOUNT + "binds = []\n",
        "smpp_accounts[0].binds: is empty; write one or more of transceiver, transmitter, receiver",
    ),
    "a certificate alone": (
        SERVER + 'tls_cert = "/etc/passwd"\n' + ACCOUNT,
        "smpp_server[0].tls_key: is missing; write the private key that belongs to tls_cert",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_setting_is_named_with_what_to_write(case: str, tmp_path: Path):
    text, expected = BAD[case]
    with pytest.raises(SettingsErrors) as caught:
        load_settings(write(tmp_path, text))
    assert [str(error) for error in caught.value.errors] == [expected]
    assert "hunter2" not in str(caught.value)


def test_a_certificate_that_can_not_serve_is_named(tmp_path: Path):
    path = write(tmp_path, SERVER + 'tls_cert = "/etc/passwd"\ntls_key = "/etc/passwd"\n' + ACCOUNT)
    with pytest.raises(SettingsErrors, match=r"smpp_server\[0\]\.tls_cert: cannot be used"):
        check_tls(load_settings(path), path)


def test_an_account_is_what_was_written(tmp_path: Path):
    rights = (
        'addresses = ["10.0.0.0/8", "::1"]\nbinds = ["receiver"]\nmax_binds = 2\nwindow = 7\nrate = "30/min"\n'
        'max_queued = 9\ngroups = ["otp", "default"]\nsenders = ["1069*"]\ncategory = "marketing"\njoin = false\n'
        'alphabet = "latin1"\ninbound = ["sim-1"]\nkeep = "2d"\n'
    )
    settings = load_settings(write(tmp_path, SERVER + ACCOUNT + rights))
    made = make_account(settings.smpp_accounts[0])
    assert verify_password(made.password, "secret")
    assert (made.binds, made.max_binds, made.window, made.rate_per_s) == (
        frozenset({BindKind.RECEIVER}),
        2,
        7,
        0.5,
    )
    assert (made.max_waiting, made.category, made.join, made.latin_1) == (9, Category.MARKETING, False, True)
    assert made.keep.days == 2


@pytest.mark.parametrize(
    ("peer", "may"),
    [("10.1.2.3", True), ("::ffff:10.1.2.3", True), ("::1", True), ("11.1.2.3", False), ("", False)],
)
def test_where_an_account_may_come_from(tmp_path: Path, peer: str, may: bool):
    settings = load_settings(write(tmp_path, SERVER + ACCOUNT + 'addresses = ["10.0.0.0/8", "::1"]\n'))
    assert make_account(settings.smpp_accounts[0]).may_come_from(peer) is may


INBOUND = InboundMessage(
    id=InboundId("x"),
    sender="+8613800138000",
    recipient="+8613900139000",
    channel="sim-1",
    text="hello",
    encoding="gsm7",
    parts=1,
    complete=True,
    received_at=datetime(2026, 3, 14, tzinfo=UTC),
)


@pytest.mark.parametrize(
    ("inbound", "gets"),
    [
        (("sim-1",), True),
        (("sim-2",), False),
        (("+8613900139000",), True),
        (("8613900139000",), True),
        (("13900139000",), True),
        (("139*",), True),
        (("+86139*",), True),
        (("*",), True),
        (("+8613800138000",), False),
        ((), False),
    ],
)
def test_whose_an_inbound_message_is(inbound: tuple[str, ...], gets: bool):
    assert account(inbound=inbound).gets(INBOUND, spell_own(INBOUND.recipient or "")) is gets
    assert account(inbound=inbound).gets(msgspec.structs.replace(INBOUND, recipient=None), {""}) is (
        gets and inbound in {("sim-1",), ("*",)}
    )


def test_the_command_makes_an_account_that_works(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["smpp-account", "shop"]) == 0
    printed = capsys.readouterr()
    password = printed.out.strip()
    settings = load_settings(write(tmp_path, SERVER + printed.err))
    assert settings.smpp_accounts[0].system_id == "shop"
    assert verify_password(parse_hash(settings.smpp_accounts[0].password_hash), password)
    assert password not in printed.err


def test_a_name_that_smpp_can_not_carry_is_refused(capsys: pytest.CaptureFixture[str]):
    assert main(["smpp-account", "a-name-of-sixteen"]) == 2
    assert "15" in capsys.readouterr().err
