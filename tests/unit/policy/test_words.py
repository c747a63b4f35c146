"""Lists of words: what is found in a text, what is not, and what becomes of it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.model.message import Category
from gateway.policy.chain import Action, Chain, Switch
from gateway.policy.decision import ALLOW, Allow, Decision, Refuse, Review, Warn
from gateway.policy.lexicon import EXCEPTION, MAX_WORD_CHARS, Lexicon, compile_lexicons, find_fault
from gateway.policy.rules.punctuation import Punctuation
from gateway.policy.rules.words import Level, WordList, Words
from gateway.policy.subject import Subject

AT = datetime(2026, 11, 30, 12, tzinfo=UTC)


def subject(text: str | None, category: Category = Category.MARKETING, brand: str = "default") -> Subject:
    return Subject("+8613800138000", category, AT, text, brand, ("shop",))


def words(text: str, *listed: str, exceptions: tuple[str, ...] = (), digits: bool = False) -> bool:
    """Whether a list of these words finds anything."""
    entries = (*((word, "review") for word in listed), *((word, EXCEPTION) for word in exceptions))
    return bool(compile_lexicons((Lexicon("list", entries, digits),)).find(text))


@pytest.mark.parametrize(
    ("text", "listed"),
    [
        ("全国最佳的产品", "最佳"),
        ("全国最\u200b佳", "最佳"),
        ("最-佳", "最佳"),
        ("最 佳", "最佳"),
        ("「最」「佳」", "最佳"),
        ("國家級品牌", "国家级"),
        ("国家级品牌", "國家級"),
        ("Ｆｒｅｅ gift", "free"),
        ("FRЕЕ now", "free"),
        ("f r e e now", "free"),
        ("f.r.e.e now", "free"),
        ("get fr\u00adee now", "free"),
        ("get free!", "free"),
        ("5折起", "5折"),
        ("全场5折", "5折"),
        ("全场５折", "5折"),
        ("best price", "best price"),
        ("best  PRICE", "best price"),
        ("best-price", "best price"),
        ("bestprice", "best price"),
        ("the best\nprice", "best-price"),
        ("100%free", "free"),
        ("VIP 会员", "VIP会员"),
        ("discounts", "discount*"),
        ("discount", "discount*"),
        ("megasale", "*sale"),
        ("ПОДАРОК за покупку", "подарок"),
        ("무료로 드립니다", "무료"),
        ("がイド", "がイド"),
        ("か\u3099イド", "がイド"),
        ("😀最佳😀", "最佳"),
    ],
)
def test_a_listed_word_is_found_however_it_is_dressed(text: str, listed: str) -> None:
    assert words(text, listed)


@pytest.mark.parametrize(
    ("text", "listed"),
    [
        ("Essex", "sex"),
        ("mass exodus", "sex"),
        ("Es\u200bsex", "sex"),
        ("freedom", "free"),
        ("carefree", "free"),
        ("care\u00adfree", "free"),
        ("an other", "another"),
        ("全场15折", "5折"),
        ("discounts", "discount"),
        ("ﬁt", "it"),
        ("最大", "最佳"),
        ("最", "最佳"),
        ("", "最佳"),
        ("fr33", "free"),
    ],
)
def test_a_part_of_another_word_is_not_the_listed_one(text: str, listed: str) -> None:
    assert not words(text, listed)


def test_an_exception_excuses_only_what_is_inside_it() -> None:
    listed, exceptions = "最佳", ("最佳西方酒店", "best western")
    assert not words("欢迎入住最佳西方酒店", listed, exceptions=exceptions)
    assert not words("歡迎入住最佳 西方酒店", listed, exceptions=exceptions)
    assert words("最佳西方酒店是最佳选择", listed, exceptions=exceptions)
    assert not words("Best Western, Beijing", "best", exceptions=exceptions)
    assert words("the best westerns", "best", exceptions=exceptions)


def test_an_exception_is_that_of_its_own_list() -> None:
    lists = (
        Lexicon("one", (("最佳", "review"), ("最佳西方", EXCEPTION))),
        Lexicon("two", (("最佳", "warn"),)),
    )
    assert [hit.number for hit in compile_lexicons(lists).find("最佳西方")] == [1]


def test_digits_stand_for_letters_only_where_a_list_says_so() -> None:
    assert words("fr33 c@5ino", "casino", digits=True)
    assert words("FR33", "free", digits=True)
    assert words("m1lli0n", "million", digits=True)
    assert not words("c@5ino", "casino")
    assert not words("c@5ino5", "casino", digits=True)
    mixed = (Lexicon("a", (("free", "warn"),), True), Lexicon("b", (("gratis", "warn"),)))
    assert {hit.number for hit in compile_lexicons(mixed).find("fr33 gratis")} == {0, 1}
    assert not compile_lexicons(mixed).find("gr4tis")


@pytest.mark.parametrize("word", ["！！！", "", "a", "5", "*", "x" * (MAX_WORD_CHARS + 1)])
def test_what_can_be_no_word_is_told(word: str) -> None:
    assert find_fault(word)


@pytest.mark.parametrize("word", ["最", "5折", "free*", "TD", "x" * MAX_WORD_CHARS])
def test_what_is_a_word(word: str) -> None:
    assert find_fault(word) is None


LISTS = (
    WordList(lexicon=Lexicon("ads", (("最佳", "review"), ("首选", "warn"), ("特供", "refuse")))),
    WordList(
        lexicon=Lexicon("shop", (("免费", "warn"), ("最佳", "refuse"))),
        category=frozenset({Category.MARKETING}),
        brand=frozenset({"acme"}),
    ),
)


@pytest.mark.parametrize(
    ("asked", "kind", "named"),
    [
        (subject("您好"), Allow, ""),
        (subject(None), Allow, ""),
        (subject("首选"), Warn, '"ads" (warn)'),
        (subject("首选最佳"), Review, '"ads" (review)'),
        (subject("最佳特供"), Refuse, '"ads" (refuse)'),
        (subject("免费"), Allow, ""),
        (subject("免费", brand="acme"), Warn, '"shop" (warn)'),
        (subject("最佳", brand="acme"), Refuse, '"ads" (review), "shop" (refuse)'),
        (subject("最佳", Category.OTP, "acme"), Review, '"ads" (review)'),
    ],
)
def test_the_gravest_level_counts_and_findings_name_lists(asked: Subject, kind: type, named: str) -> None:
    decision: Decision = Words.of(LISTS).decide(asked)
    assert isinstance(decision, kind)
    if not isinstance(decision, Allow):
        assert decision.code == "listed_word"
        assert decision.detail == f"The text has a word of the list {named}."
        assert not any(word in decision.detail for word in ("最佳", "免费", "首选", "特供"))


def test_a_rule_for_some_categories_is_not_asked_about_others() -> None:
    only = Words.of([LISTS[1]])
    assert only.concerns(Category.MARKETING)
    assert not only.concerns(Category.OTP)
    assert Words.of(LISTS).concerns(Category.OTP)


def test_a_policy_table_makes_less_of_an_objection() -> None:
    chain = Chain(texts=[Words.of(LISTS)], switches=[Switch(rule="words", action=Action.WARN)])
    judged = chain.judge_text(subject("特供"))
    assert isinstance(judged.verdict, Allow)
    assert [finding.code for finding in judged.findings] == ["listed_word"]


def test_levels_are_what_files_have() -> None:
    assert [level.value for level in Level] == ["refuse", "review", "warn"]


@pytest.mark.parametrize(
    ("text", "shouts"),
    [
        ("快来抢购！！！", True),
        ("快来抢购! ! !", True),
        ("win $$$ now", True),
        ("真的吗？！？", True),
        ("❗️❗️❗️", True),
        ("★★★★★", True),
        ("！\u200b！\u200b！", True),
        ("真的吗?!", False),
        ("好！真的！很好！", False),
        ("尾号****1234", False),
        ("等等......", False),
        ("$5 and $6", False),
        ("您好", False),
    ],
)
def test_signs_in_rows_shout(text: str, *, shouts: bool) -> None:
    rule = Punctuation(action=Action.WARN, most=2)
    decision = rule.decide(subject(text))
    assert isinstance(decision, Warn) is shouts
    assert isinstance(decision, Allow) is not shouts


def test_how_many_signs_and_what_becomes_of_them_are_settings() -> None:
    rule = Punctuation(action=Action.REFUSE, most=3, category=frozenset({Category.MARKETING}))
    assert rule.decide(subject("好！！！")) == ALLOW
    decision = rule.decide(subject("好！！！！"))
    assert isinstance(decision, Refuse)
    assert decision.code == "exaggerated_punctuation"
    assert not rule.concerns(Category.OTP)
    assert rule.decide(subject(None)) == ALLOW
