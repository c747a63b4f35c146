"""The parameters of sendsms: names, ranges, charsets and words, as Debian's Kannel 1.4.5 has them."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kannel.accounts import KannelAccount, KannelAccounts
from gateway.kannel.parameters import Refused, Wanted, parse_query, read_wanted
from gateway.settings.kannel import parse_networks

pytestmark = pytest.mark.unit


def read(query: str | bytes) -> Wanted:
    octets = query if isinstance(query, bytes) else query.encode()
    return read_wanted(parse_query(octets), charset="windows-1252")


REFUSED = {
    "text=hi": "Missing receiver number, rejected",
    "to=&text=hi": "Empty receiver number not allowed, rejected",
    "to=%20&text=hi": "Number(s) has/have been denied by white- and/or black-lists.",
    "to=1&udh=%05": "UDH field misformed, rejected",
    "to=1&udh=%8d" + "a" * 141: "UDH field is too long, rejected",
    "to=1&dlr-url=ftp://x/": "DLR-URL field misformed, rejected",
    "to=1&dlr-url=x": "DLR-URL field misformed, rejected",
    "to=1&dlr-url=http:///nohost": "DLR-URL field misformed, rejected",
    "to=1&dlr-url=http://[/": "DLR-URL field misformed, rejected",
    "to=1&dlr-url=http://:80/": "DLR-URL field misformed, rejected",
    "to=1&dlr-url=http://h:99999/": "DLR-URL field misformed, rejected",
    "to=1&dlr-url=http://h/%0d%0aX:1": "DLR-URL field misformed, rejected",
    "to=1&dlr-mask=67": "DLR-Mask field misformed, rejected",
    "to=1&mclass=4": "MClass field misformed, rejected",
    "to=1&pid=256": "PID field misformed, rejected",
    "to=1&rpi=3": "RPI field misformed, rejected",
    "to=1&alt-dcs=2": "Alt-DCS field misformed, rejected",
    "to=1&mwi=8": "MWI field misformed, rejected",
    "to=1&coding=3": "Coding field misformed, rejected",
    "to=1&compress=2": "Compress field misformed, rejected",
    "to=1&validity=-2": "Validity field misformed, rejected",
    "to=1&deferred=-2": "Deferred field misformed, rejected",
    "to=1&priority=4": "Priority field misformed, rejected",
    "to=1&text=hi&charset=nonsense": "Charset or body misformed, rejected",
    "to=1&text=hi&charset=unicode_escape": "Charset or body misformed, rejected",
    "to=1&text=%FF&charset=utf-8": "Charset or body misformed, rejected",
    "to=1&text=abc&coding=2": "Charset or body misformed, rejected",
    "to=1&account=a%5Bb": "Account field misformed or too long, rejected",
    "to=1&account=" + "a" * 65: "Account field misformed or too long, rejected",
    # What we can't do, said in the same manner.
    "to=1&mwi=0": "MWI field not supported, rejected",
    "to=1&pid=127": "PID field not supported, rejected",
    "to=1&compress=1": "Compress field not supported, rejected",
}


@pytest.mark.parametrize("query", REFUSED)
def test_what_is_wrong_is_said_in_kannels_words(query: str):
    with pytest.raises(Refused) as refused:
        read(query)
    assert (refused.value.status, refused.value.words) == (400, REFUSED[query])


@pytest.mark.parametrize(
    ("query", "text"),
    [
        (b"text=%E4%BD%A0%E5%A5%BD", "你好"),
        ("text=你好".encode(), "你好"),
        (b"text=caf%E9", "café"),  # no UTF-8: what old clients send
        (b"text=caf%E9&charset=iso-8859-1", "café"),
        (b"text=%80&charset=WINDOWS-1252", "€"),
        (b"text=%C4%E3&charset=gb2312", "你"),
        (b"coding=2&text=%4F%60%59%7D", "你好"),
        (b"coding=2&text=%FE%FF%4F%60", "你"),
        (b"coding=2&text=%FF%FE%60%4F", "你"),
        (b"coding=2&charset=UTF-16&text=%FF%FE%60%4F", "你"),
        (b"coding=2&charset=UTF-8&text=%E4%BD%A0", "你"),
        (b"coding=2&charset=UCS-2&text=%4F%60", "你"),
        (b"text=a%2Bb+c%20d", "a+b c d"),
        (b"text=one&text=two", "one"),
        (b"", ""),
    ],
)
def test_texts_are_read_by_their_charset(query: bytes, text: str):
    assert read(b"to=1&" + query).text == text


@pytest.mark.parametrize(
    ("query", "data", "udh"),
    [
        ("coding=1&text=%00%FF", b"\x00\xff", b""),
        ("udh=%02%01%00&text=hi", b"hi", b"\x02\x01\x00"),  # a header makes it binary where nothing is said
        ("udh=&text=hi", None, b""),
        ("udh=%02%01%00&coding=2&text=%00h", None, b"\x02\x01\x00"),
    ],
)
def test_binary(query: str, data: bytes | None, udh: bytes):
    wanted = read(f"to=1&{query}")
    assert (wanted.data, wanted.udh) == (data, udh)


def test_everything_is_read():
    wanted = read(
        "to=123+%2B456+123&from=ABC&text=x&coding=0&mclass=1&validity=10&deferred=5&priority=3&dlr-mask=31"
        "&dlr-url=https://app/x%3Fa%3D%25d&smsc=a&account=acc&binfo=b&meta-data=%3Fsmpp%3Fx%3D1"
    )
    assert wanted == Wanted(
        to=("123", "+456"),
        sender="ABC",
        text="x",
        data=None,
        coding=0,
        udh=b"",
        mclass=1,
        validity_min=10,
        deferred_min=5,
        priority=3,
        dlr_mask=31,
        dlr_url="https://app/x?a=%d",
        smsc="a",
        account="acc",
        binfo="b",
        meta_data="?smpp?x=1",
    )


def test_older_names_still_work():
    wanted = read("to=1&text=x&dlrmask=3&dlrurl=http://a/&flash=1")
    assert (wanted.dlr_mask, wanted.dlr_url, wanted.mclass) == (3, "http://a/", 0)


@pytest.mark.parametrize("value", ["abc", "", "-1"])
def test_what_is_no_number_was_not_given(value: str):
    wanted = read(f"to=1&text=x&mclass={value}&coding={value}&validity={value}&priority={value}")
    assert (wanted.mclass, wanted.coding, wanted.validity_min, wanted.priority) == (None, None, None, 0)


@given(st.binary(max_size=200))
def test_any_query_is_wanted_or_refused(query: bytes):
    for octets in (query, b"to=1&" + query):
        with suppress(Refused):
            assert read_wanted(parse_query(octets), charset="windows-1252").to


# --- accounts

ACCOUNTS = KannelAccounts(
    [
        KannelAccount(username="app", password="pw", smsc={}),
        KannelAccount(
            username="near",
            password="pw",
            allowed_ips=parse_networks(["127.0.0.1", "10.0.0.0/8"]),
            group="bulk",
            groups=("bulk", "a"),
            smsc={"old": "a", "older": "b"},
        ),
    ],
    {"a": ("default",), "b": ("default", "bulk")},
)


@pytest.mark.parametrize(
    ("query", "address", "known"),
    [
        ("username=app&password=pw", "1.2.3.4", True),
        ("user=app&pass=pw", None, True),
        ("username=app&password=pw&username=near", "1.2.3.4", True),
        ("username=app&password=no", "1.2.3.4", False),
        ("username=app", "1.2.3.4", False),
        ("username=&password=", "1.2.3.4", False),
        ("", "1.2.3.4", False),
        ("username=nobody&password=", "1.2.3.4", False),
        ("username=near&password=pw", "10.1.2.3", True),
        ("username=near&password=pw", "::ffff:127.0.0.1", True),
        ("username=near&password=pw", "11.1.2.3", False),
        ("username=near&password=pw", None, False),
    ],
)
def test_who_may_call(query: str, address: str | None, known: bool):
    assert (ACCOUNTS.find(parse_query(query.encode()), address) is not None) is known


@pytest.mark.parametrize(
    ("username", "smsc", "chosen"),
    [
        ("app", None, (None, None)),
        ("app", "a", ("a", None)),
        ("app", "bulk", (None, "bulk")),
        ("app", "nowhere", (None, None)),
        ("near", None, (None, "bulk")),
        ("near", "old", ("a", None)),
        ("near", "older", (None, "bulk")),  # it may not
        ("near", "b", (None, "bulk")),
    ],
)
def test_an_smsc_is_a_wish(username: str, smsc: str | None, chosen: tuple[str | None, str | None]):
    account = ACCOUNTS.find({"username": username.encode(), "password": b"pw"}, "127.0.0.1")
    assert account is not None
    assert ACCOUNTS.choose(account, smsc) == chosen
