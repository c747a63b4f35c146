"""Opt-out words as people write them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.model.message import Category, Keyword
from gateway.model.opt_out import EVERYTHING
from gateway.policy.decision import ALLOW, Refuse
from gateway.policy.folding import fold_word
from gateway.policy.optout import Keywords, find_fault, find_keyword, find_mislabelled
from gateway.policy.rules.order import ALWAYS
from gateway.policy.subject import Facts, Subject

pytestmark = pytest.mark.unit

AT = datetime(2026, 3, 14, 9, 26, tzinfo=UTC)

WORDS = Keywords.of(["TD", "T", "退订", "STOP", "NO"], ["START", "YES"], ["HELP"])


@pytest.mark.parametrize(
    "text",
    [
        "TD",
        "td",
        "Td",
        "ＴＤ",
        "ｔｄ",
        "“TD”",
        "‘td’",
        "「TD」",
        "TD。",
        "TD.",
        "'TD.'",
        " t d ",
        "\tTD\r\n",
        "T",
        "退订",
        "退订!",
        "退订\uff01",
        "退 订",
        "\u3000退订\u3000",
        "STOP",
        "stop!!!",
        "Stop\u200b",
        "TD\ufe0f",
        "🙏TD🙏",
        "回TD",
        "回复TD",
        "回复\uff1aTD",
        "回T",
        "回T退订",
        "回T退订?",
        "“回T退订\uff1f”",
        "回复TD退订",
        "TD退订",
    ],
)
def test_is_an_opt_out(text: str):
    found = find_keyword(text, WORDS)
    assert found is not None
    assert found[0] is Keyword.OPT_OUT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "。",
        "回",
        "回复",
        "TDD",
        "ATD",
        "不要退订",
        "退订了吗",
        "please stop calling me",
        "stop it",
        "start退订",
        "T1",
        "拒收请回复R",
        "【鸿雁】您的验证码是1234,拒收请回复R",
        "【鸿雁】春季特惠全场五折,详情见官网,回T退订",
        "TD " * 20,
        "I will be there at ten, T",
    ],
)
def test_is_a_letter_to_a_person(text: str):
    assert find_keyword(text, WORDS) is None


def test_the_word_is_told_in_its_matching_form():
    assert find_keyword("回复“ＴＤ”", WORDS) == (Keyword.OPT_OUT, "td")
    assert find_keyword("start", WORDS) == (Keyword.OPT_IN, "start")
    assert find_keyword("Help?", WORDS) == (Keyword.HELP, "help")


def test_opt_out_wins_where_a_word_was_configured_twice():
    both = Keywords.of(["R"], ["R"], ["R"])
    assert find_keyword("r", both) == (Keyword.OPT_OUT, "r")


def test_a_configured_word_of_punctuation_only_matches_nothing():
    careless = Keywords.of(["TD", "!"], [" "], ["🙏"])
    for text in ("?", "", "回", "🙏"):
        assert find_keyword(text, careless) is None


@pytest.mark.parametrize("category", Category)
def test_only_marketing_is_stopped(category: Category):
    subject = Subject("+8613800138000", category, AT, "hello")
    stopped = ALWAYS.judge_person(subject, Facts(opt_outs=frozenset({EVERYTHING})), AT).verdict
    assert isinstance(stopped, Refuse) is (category is Category.MARKETING)
    assert ALWAYS.judge_person(subject, Facts(), AT).verdict == ALLOW


def test_folding_keeps_letters_and_digits():
    assert fold_word("Ｒ1 é ß") == "r1éss"


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("x" * 32, "x" * 32),
        ("x " * 32, "x" * 32),  # nobody has to write the spaces
        ("ﷺ" * 3, "ﷺ" * 3),  # few characters that fold to many
    ],
)
def test_a_word_that_a_text_can_be_has_no_fault(word: str, said: str):
    assert find_keyword(said, Keywords.of([word], [])) is not None
    assert find_fault(word) is None


@pytest.mark.parametrize("word", ["x" * 33, "🙏", "?!"])
def test_a_word_that_no_text_can_be_has_one(word: str):
    assert find_keyword(word, Keywords.of([word], [])) is None
    assert find_fault(word) is not None


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("協佐", "stop"),
        ("呄", "td"),
        ("呄\u0d0a", "td"),  # with a line feed behind it
        ("協佐⸊", "stop"),  # with a full stop, too
        ("乏", None),
        ("退订", None),
        ("你好", None),
        ("STOP", None),
        ("䡅䱐", None),
        ("", None),
    ],
)
def test_an_opt_out_holds_under_the_number_of_another_alphabet(text, word):
    found = find_mislabelled(text, WORDS)
    assert found == (None if word is None else (Keyword.OPT_OUT, word))
