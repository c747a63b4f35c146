"""`[[kannel_accounts]]` and `[[mo_routes]]`: what is wrong is named, and what is right means what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.kannel.accounts import KannelAccount
from gateway.kannel.parameters import parse_query
from gateway.settings.config import SettingsErrors, load_settings

pytestmark = pytest.mark.unit

ACCOUNT = '[[kannel_accounts]]\nusername = "a"\npassword = "secret"\n'
CHANNEL = '[[modems]]\nname = "sim-1"\nport = "/dev/ttyUSB0"\n'
ROUTE = '[[mo_routes]]\nname = "r"\n'

BAD = {
    '[[kannel_accounts]]\nusername = "a"\n': "kannel_accounts[0].password",
    ACCOUNT + 'allowed_ips = ["10.0.0.300"]': "kannel_accounts[0].allowed_ips",
    ACCOUNT + 'allowed_ips = "10.0.0.1"': "kannel_accounts[0].allowed_ips",
    ACCOUNT + 'smsc = ["old"]': "kannel_accounts[0].smsc",
    ACCOUNT + 'dlr_url = "ftp://x"': "kannel_accounts[0].dlr_url",
    ACCOUNT + 'charset = "nonsense"': "kannel_accounts[0].charset",
    ACCOUNT + 'category = "spam"': "kannel_accounts[0].category",
    ACCOUNT + "mask = 1": "kannel_accounts[0].mask",
    ACCOUNT + ACCOUNT: "kannel_accounts[1].username",
    CHANNEL + ACCOUNT + 'group = "otp"': "kannel_accounts[0].group",
    CHANNEL + ACCOUNT + 'groups = ["sim-2"]': "kannel_accounts[0].groups",
    CHANNEL + ACCOUNT + 'smsc = ["a=sim-2"]': "kannel_accounts[0].smsc",
    CHANNEL + ROUTE + 'get_url = "http://a/"\nchannels = ["sim-2"]': "mo_routes[0].channels",
    ROUTE: "mo_routes[0].get_url",
    ROUTE + 'get_url = "http://a/"\npost_url = "http://a/"': "mo_routes[0].post_url",
    ROUTE + 'get_url = "a"': "mo_routes[0].get_url",
    ROUTE + 'get_url = "http://a/"\nmax_segments = 0': "mo_routes[0].max_segments",
    2 * (ROUTE + 'get_url = "http://a/"\n'): "mo_routes[1].name",
}


def write(folder: Path, text: str) -> Path:
    path = folder / "hongyan.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("text", BAD)
def test_what_is_wrong_is_named(tmp_path: Path, text: str):
    with pytest.raises(SettingsErrors) as caught:
        load_settings(write(tmp_path, text))
    assert [error.key_path for error in caught.value.errors] == [BAD[text]]
    assert "secret" not in str(caught.value)


def test_an_account_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SHOP", "from the environment")
    text = (
        '[[kannel_accounts]]\nusername = "a"\npassword_env = "SHOP"\nallowed_ips = ["10.0.0.0/8", "::1"]\n'
        'smsc = ["old = sim-1", "x=otp"]\ncategory = "otp"\ncharset = "utf8"\n'
        'default_sender = "10690000"\nsenders = ["1069*", "Shop"]\n'
    )
    account = load_settings(write(tmp_path, text)).kannel_accounts[0].account()
    assert account.password == "from the environment"
    assert account.smsc == {"old": "sim-1", "x": "otp"}
    assert account.category == "otp"
    assert account.admits("10.9.9.9")
    assert account.admits("::1")
    assert not account.admits("192.168.0.1")
    assert account.source_for("Shop") == "Shop"


@pytest.mark.parametrize(
    ("senders", "wanted", "source"),
    [
        ((), "10690000", None),
        (("*",), "+8613800138000", "+8613800138000"),
        (("*",), "Gas & Water", "Gas & Water"),
        (("*",), None, "10690000"),
        (("1069*",), "10690001", "10690001"),
        (("Shop",), "shop", None),
        (("Shop",), None, None),
        (("*",), "1" * 21, None),
        (("*",), "+Shop", None),
        (("*",), "商店", None),
        (("*",), "Shop\n", None),
    ],
)
def test_a_sender_goes_out_where_the_account_has_a_right_to_it(
    senders: tuple[str, ...], wanted: str | None, source: str | None
):
    account = KannelAccount(username="a", password="b", smsc={}, default_sender="10690000", senders=senders)
    assert account.source_for(wanted) == source


def test_a_route_is_read(tmp_path: Path):
    text = (
        ROUTE + 'post_url = "https://a.example/mo?p=%p"\nkeywords = ["x"]\ncharset = "utf-8"\nreply = false\n'
    )
    route = load_settings(write(tmp_path, text)).mo_routes[0].route()
    assert (route.method, route.url, route.charset) == ("POST", "https://a.example/mo?p=%p", "UTF-8")
    assert (route.keywords, route.reply, route.max_segments) == (("x",), False, 1)


def test_a_password_is_octets_like_any_other():
    assert parse_query(b"password=p%2B%26%C3%A9+1")["password"] == "p+&é 1".encode()
