"""To which numbers anything goes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import phonenumbers
import pytest

from gateway.model.dead_numbers import says_no_such_number
from gateway.model.message import Category
from gateway.model.number_plan import NumberKind, is_premium, kind_of, region_of
from gateway.policy.decision import ALLOW, Refuse, Warn
from gateway.policy.rules.number_limits import NumberLimit, NumberLimits
from gateway.policy.rules.numbers import BlockList, DeadNumbers, Numbers, Sandbox, Treatment
from gateway.policy.subject import NO_FACTS, Facts, Failures, Subject

pytestmark = pytest.mark.unit

NOW = datetime(2026, 12, 1, tzinfo=UTC)
EVERYTHING = Numbers(not_mobile=Treatment.REFUSE, unknown=Treatment.REFUSE)


def subject(number: str, *key: str) -> Subject:
    return Subject(number, Category.TRANSACTIONAL, NOW, "hi", key=key or ("shop",))


def code(rule, number: str, *key: str, facts: Facts = NO_FACTS) -> str | None:
    decision = rule.decide(subject(number, *key), facts, NOW)
    assert decision == ALLOW or isinstance(decision, Refuse | Warn)
    return None if decision == ALLOW else decision.code


@pytest.mark.parametrize(
    ("number", "region", "kind", "refused"),
    [
        ("+8613800138000", "CN", NumberKind.MOBILE, None),
        ("+8617912345678", "CN", NumberKind.MOBILE, None),
        ("+861440123456789", "CN", NumberKind.MOBILE, None),
        ("+862162345678", "CN", NumberKind.OTHER, "not_mobile"),
        ("+8616812345", "CN", NumberKind.OTHER, "premium_number"),
        ("+85291234567", "HK", NumberKind.MOBILE, None),
        ("+85221234567", "HK", NumberKind.OTHER, "not_mobile"),
        ("+85366123456", "MO", NumberKind.MOBILE, None),
        ("+886912345678", "TW", NumberKind.MOBILE, None),
        ("+12125551234", "US", NumberKind.MOBILE, None),
        ("+14165551234", "CA", NumberKind.MOBILE, None),
        ("+18005551234", "US", NumberKind.OTHER, "not_mobile"),
        ("+19005551234", "US", NumberKind.OTHER, "premium_number"),
        ("+18765551234", "JM", NumberKind.MOBILE, None),
        ("+447400123456", "GB", NumberKind.MOBILE, None),
        ("+442071838750", "GB", NumberKind.OTHER, "not_mobile"),
        ("+449098790123", "GB", NumberKind.OTHER, "premium_number"),
        ("+447700900123", "GB", NumberKind.UNKNOWN, "unknown_number"),
        ("+4915123456789", "DE", NumberKind.MOBILE, None),
        ("+493012345678", "DE", NumberKind.OTHER, "not_mobile"),
        ("+49900123456", "DE", NumberKind.UNKNOWN, "unknown_number"),
        ("+33612345678", "FR", NumberKind.MOBILE, None),
        ("+33899123456", "FR", NumberKind.OTHER, "premium_number"),
        ("+390612345678", "IT", NumberKind.OTHER, "not_mobile"),
        ("+393123456789", "IT", NumberKind.MOBILE, None),
        ("+77011234567", "KZ", NumberKind.MOBILE, None),
        ("+79161234567", "RU", NumberKind.MOBILE, None),
        ("+979123456789", None, NumberKind.OTHER, "premium_number"),
        ("10086", None, NumberKind.UNKNOWN, None),
        ("1069000012345", None, NumberKind.UNKNOWN, None),
    ],
)
def test_what_a_number_is(number, region, kind, refused):
    assert (region_of(number), kind_of(number)) == (region, kind)
    assert code(EVERYTHING, number) == refused


def test_the_plan_and_the_quick_look_agree_on_what_is_premium():
    wrong = []
    for region in phonenumbers.SUPPORTED_REGIONS:
        for kind in range(11):
            example = phonenumbers.example_number_for_type(region, kind)
            if example is not None:
                number = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
                premium = phonenumbers.number_type(example) == phonenumbers.PhoneNumberType.PREMIUM_RATE
                if is_premium(number) is not premium:
                    wrong.append(number)
    assert wrong == []


def test_countries_that_are_not_listed_get_nothing_and_short_codes_do():
    rule = Numbers(countries=frozenset({"CN", "HK"}))
    assert code(rule, "+8613800138000") is None
    assert code(rule, "+85291234567") is None
    assert code(rule, "10086") is None
    for abroad in ("+447400123456", "+881612345678", "+979123456789", "+12125551234"):
        assert code(rule, abroad) == "country_not_allowed"


def test_a_kind_is_refused_warned_of_or_let_through():
    premium = "+19005551234"
    for treatment, kind in (
        (Treatment.ALLOW, type(ALLOW)),
        (Treatment.WARN, Warn),
        (Treatment.REFUSE, Refuse),
    ):
        assert isinstance(Numbers(premium=treatment).decide(subject(premium), NO_FACTS, NOW), kind)


def test_a_block_list_has_numbers_and_beginnings():
    blocked = BlockList(frozenset({"+8613800138000", "10086"}), frozenset({"+4470", "106"}))
    rule = Numbers(blocked=blocked)
    for number in ("+8613800138000", "10086", "+447000000000", "10690001"):
        assert code(rule, number) == "blocked_number"
    assert code(rule, "+8613800138001") is None
    assert blocked == BlockList(frozenset({"10086", "+8613800138000"}), frozenset({"106", "+4470"}))
    assert len(blocked) == 4


def test_a_sandbox_key_sends_to_its_own_numbers_alone():
    rule = Sandbox(numbers={"demo": frozenset({"+8613800138000"})})
    assert code(rule, "+8613800138000", "id-1", "demo") is None
    assert code(rule, "+8613800138001", "id-1", "demo") == "not_a_test_number"
    assert code(rule, "+8613800138001", "id-2", "shop") is None


@pytest.mark.parametrize(
    ("failures", "refused"),
    [
        (None, None),
        (Failures(2, NOW), None),
        (Failures(3, NOW - timedelta(days=29)), "dead_number"),
        (Failures(3, NOW - timedelta(days=30)), None),
    ],
)
def test_a_dead_number_is_left_alone_for_a_while(failures, refused):
    rule = DeadNumbers(after=3, retry_after=timedelta(days=30))
    assert code(rule, "+8613800138000", facts=Facts(failures=failures)) == refused


@pytest.mark.parametrize(
    ("answer", "word", "means"),
    [
        ("cms_1", "", True),
        ("cms_195", "", True),
        ("smpp_0x0b", "", True),
        ("tp_st_0x43", "", True),
        ("network:3:1", "", True),
        ("", "MK:0001", True),
        ("err:077", "", True),
        ("err:001", "", False),
        ("cms_38", "", False),
        ("cms_196", "", False),
        ("smpp_0x45", "", False),
        ("tp_st_0x46", "", False),
        ("network:3:27", "", False),
        ("", "MK:0013", False),
        ("", "UNDELIV", False),
        ("", "", False),
    ],
)
def test_few_answers_mean_that_nobody_has_the_number(answer, word, means):
    assert says_no_such_number(answer, word, more={"err:077"}) is means


def test_a_limit_is_for_numbers_that_begin_alike():
    limit = NumberLimit("+44", 100, 3_600)
    rule = NumberLimits(limits=(limit, NumberLimit("+", 10, 60, beside=("+86",))))
    assert code(rule, "+447400123456", facts=Facts(number_counts={limit.name: 99})) is None
    assert code(rule, "+447400123456", facts=Facts(number_counts={limit.name: 100})) == "number_limit"
    assert code(rule, "+447400123456", facts=Facts(number_counts={"+/60": 10})) == "number_limit"
    assert code(rule, "+8613800138000", facts=Facts(number_counts={"+/60": 10})) is None
