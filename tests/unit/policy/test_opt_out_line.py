"""The line that says how to opt out: at the end of texts of marketing, once."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.message import Category
from gateway.policy.decision import ALLOW, Rewrite
from gateway.policy.rules.opt_out_line import (
    OptOutLine,
    OptOutLineAtEnd,
    Script,
    add_line,
    find_script,
    has_way_out,
)
from gateway.policy.subject import Subject

pytestmark = pytest.mark.unit

HAN = OptOutLine("，回T退订", script=Script.HAN, accepted=("不想收请回0",))
LATIN = OptOutLine(" Reply STOP to opt out", script=Script.LATIN)


def said(text: str | None, *lines: OptOutLine, brand: str = "acme"):
    subject = Subject("+8613800138000", Category.MARKETING, datetime(2026, 12, 1, tzinfo=UTC), text, brand)
    return OptOutLineAtEnd(lines=lines or (HAN, LATIN)).decide(subject)


@pytest.mark.parametrize(
    ("text", "goes"),
    [
        ("周末满减", "周末满减，回T退订"),
        ("周末满减 \n", "周末满减，回T退订"),
        ("Sale ends Sunday", "Sale ends Sunday Reply STOP to opt out"),
        ("周末满减 https://shop.example.cn/a/b/c", "周末满减 https://shop.example.cn/a/b/c，回T退订"),
        ("订单 T 已退订成功", "订单 T 已退订成功，回T退订"),
    ],
)
def test_the_line_of_the_texts_script_is_added(text, goes):
    decision = said(text)
    assert isinstance(decision, Rewrite)
    assert (decision.text, decision.code) == (goes, "opt_out_line_added")
    assert said(decision.text) == ALLOW


@pytest.mark.parametrize(
    "text",
    [
        "周末满减，回T退订",
        "周末满减 回 Ｔ 退订",
        "周末满减 拒收请回复R",
        "周末满减 退订回TD",
        "周末满减 回复TD退订",
        "周末满减 不想收，请回0",
        "Sale! Reply STOP to opt out",
        "Sale! Text STOP to 12345 to unsubscribe",
        "Sale! STOP to end",
        "",
        None,
    ],
)
def test_a_text_that_says_it_already_gets_no_other(text):
    assert said(text) == ALLOW


def test_a_link_does_not_grow_into_the_line():
    assert add_line("见 https://a.cn/x", "回T退订") == "见 https://a.cn/x 回T退订"
    assert add_line("见文", "，回T退订") == "见文，回T退订"


def test_a_line_is_for_its_brand_and_script():
    assert said("周末满减", HAN._replace(brand="beta")) == ALLOW
    assert said("Распродажа", HAN, LATIN) == ALLOW
    assert not OptOutLineAtEnd(lines=(HAN,)).concerns(Category.TRANSACTIONAL)


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("周末满减 shop.example.com", Script.HAN),
        ("本日セール", Script.KANA),
        ("Распродажа", Script.CYRILLIC),
        ("Sale", Script.LATIN),
        ("123", None),
    ],
)
def test_the_script_of_a_text(text, script):
    assert find_script(text) is script


@given(st.text(max_size=80))
def test_the_line_is_never_added_twice(text):
    for line in (HAN.text, LATIN.text):
        assert has_way_out(add_line(text, line), (line,))
