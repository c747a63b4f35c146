"""Links and contact details in texts: as handsets read them, and whatever a text does to hide them."""

from __future__ import annotations

import re
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.links import (
    _PHONE,
    _dotted_runs,
    _find_phones,
    count_contacts,
    find_links,
    fold_text,
    is_listed,
    narrow_text,
    read_host,
)

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("详情点击t.cn/abc查看", ["t.cn"]),
        ("详情 https://shop.example.cn/a?b=evil.com#c 好", ["shop.example.cn"]),
        ("HTTP://T.CN/X", ["t.cn"]),
        ("见ｔ．ｃｎ／ａ", ["t.cn"]),
        ("见 example。com 好", ["example.com"]),
        ("见t\u200b.c\u00adn", ["t.cn"]),
        ("https://good.cn@evil.com/x", ["evil.com"]),
        ("https://good.cn\\@evil.com/x", ["good.cn"]),
        ("https://good.cn:443@evil.com:80/x", ["evil.com"]),
        ("https://t.cn看这里", ["t.cn"]),
        ("详情：例子.中国欢迎", ["例子.中国"]),
        ("http://xn--fsqu00a.xn--fiqs8s/x", ["例子.中国"]),
        ("аpple.com", ["pple.com"]),
        ("weixin://dl/business", ["dl"]),
        ("http://1.2.3.4/x", ["1.2.3.4"]),
        ("1.2.3.4/x", ["1.2.3.4"]),
        ("www.foo.co.uk.", ["foo.co.uk", "www.foo.co.uk"][1:]),
        ("x.com:8080/y", ["x.com"]),
        ("http://[::1]/a", ["[::1]"]),
        ("a.cn和b.com，还有c.top/1。", ["a.cn", "b.com", "c.top"]),
        ("t.cn点t.cn", ["t.cn", "t.cn"]),
        ("欢迎光临。t.cn。欢迎", ["t.cn"]),
    ],
)
def test_links_are_found(text, hosts):
    assert [link.host for link in find_links(text)] == hosts


@pytest.mark.parametrize(
    "text",
    [
        "1.手机 2.网络 3.商城",
        "上午9.30到10.30",
        "at 9.am or 10.pm",
        "版本1.2.3",
        "3.5折起",
        "e.g. this, i.e. that",
        "Mr.Smith",
        "写信到a@b.cn",
        "等等...好",
        "价格¥1,299.00",
        "http:// 空",
        "",
    ],
)
def test_what_is_no_link(text):
    assert list(find_links(text)) == []


@pytest.mark.parametrize(
    ("host", "listed"),
    [
        ("a.cn", True),
        ("x.a.cn", False),
        ("b.cn", False),
        ("x.b.cn", True),
        ("y.x.b.cn", True),
        ("xb.cn", False),
    ],
)
def test_a_host_is_listed_or_under_a_star(host, listed):
    assert is_listed(host, frozenset({"a.cn", "*.b.cn"})) is listed


def test_hosts_are_compared_in_one_form():
    assert read_host("XN--FSQU00A.xn--fiqs8s.") == read_host("例子．中国") == "例子.中国"


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("详询13800138000", 1),
        ("详询138 0013 8000或+8613800138000", 1),
        ("详询400-800-1234、010-62345678", 2),
        ("加微信：shop_2026，QQ:12345678", 2),
        ("微信号13800138000，电话13800138000", 1),
        ("a@b.cn, c@d.com", 2),
        ("单号202612010001234，金额1299", 0),
        ("https://t.cn/13800138000", 0),
        ("客服95588", 1),
        ("好", 0),
    ],
)
def test_contact_details_are_counted_once_each(text, n):
    assert count_contacts(text) == n


HOSTILE = [
    *(
        "." * 39_000,
        "a." * 19_500,
        "a" * 39_000,
        "://" * 13_000,
        "a://" * 9_750,
        "@" * 39_000,
        "中." * 19_500,
    ),
    *(
        "a@" * 19_500,
        "1-" * 19_500,
        "1 (" * 13_000,
        "a.cn/" * 7_800,
        "微信" * 19_500,
        "http://" + "a" * 39_000,
    ),
    *(
        "a.cn。" * 7_800,
        "-." * 19_500,
        "http://中" * 4_800,
        "1.1.1.1." * 4_800,
        "xn--." * 7_800,
        "\ufdfa." * 19_500,
    ),
    *("x" * 20_000 + "." + "y" * 19_000, "0" * 39_000, "+1" * 19_500, "微信 " * 13_000, "a.b@" * 9_700),
]


@pytest.mark.parametrize("text", HOSTILE, ids=[text[:6] for text in HOSTILE])
def test_a_hostile_text_takes_time_in_proportion_to_its_length(text):
    def measure(part: str) -> float:
        began = time.process_time()
        find_links(part)
        count_contacts(part)
        return time.process_time() - began

    whole = min(measure(text) for _ in range(2))
    eighth = min(measure(text[: len(text) // 8]) for _ in range(3))
    assert whole < max(24 * eighth, 0.05), "an eighth takes an eighth, or both are too short to tell"


@given(
    st.text(alphabet=st.sampled_from("ab1.:/@-。．中国cn xn--+\u200b[]微信"), max_size=80)
    | st.text(max_size=60)
)
def test_any_text_can_be_read(text):
    folded = fold_text(text)
    end = 0
    for link in find_links(text):
        assert end <= link.start < link.end <= len(folded)
        assert link.host
        end = link.end
    assert count_contacts(text) >= 0


_MARKS = st.text(
    st.sampled_from("，：！？；（）。．１a1é\u0301が\u3099ｶﾞ①ﬁ한\u1100\u1161 \u200b"), max_size=30
)


@given(_MARKS)
def test_a_narrow_text_is_what_nfkc_makes_of_it(text):
    assert narrow_text(text) == unicodedata.normalize("NFKC", text)


@given(st.text(st.sampled_from("a1-_.。见 /@é"), max_size=40), st.integers(0, 10), st.integers(20, 40))
def test_runs_with_a_dot_are_all_found(text, start, end):
    every = re.compile(r"[\w.\-]+").finditer(text, start, end)

    assert list(_dotted_runs(text, start, end)) == [(run.start(), run[0]) for run in every if "." in run[0]]


@given(st.text(st.sampled_from("0123456789+ ()-a"), max_size=40), st.integers(0, 10), st.integers(20, 40))
def test_telephone_numbers_are_all_found(text, start, end):
    assert [m.span() for m in _find_phones(text, start, end)] == [
        m.span() for m in _PHONE.finditer(text, start, end)
    ]


def test_what_follows_an_address_counts_each_time():
    assert [link.host for link in find_links("见10.0.0.1/a")] == ["10.0.0.1"]
    assert not find_links("见10.0.0.1 a")
    assert [link.start for link in find_links("再见：见10.0.0.1/a")] == [4]
