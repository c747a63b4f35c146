"""What texts may have in them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from drivers.codec.segment import Reserve
from gateway.model.message import Category
from gateway.policy.decision import ALLOW, Refuse, Warn
from gateway.policy.rules.content import ContactDetails, ExpiryDate, Links, SegmentLimit, TemplateRequired
from gateway.policy.subject import Subject
from gateway.policy.text import DEFAULT_RULES
from gateway.settings.content import ContentSettings, SegmentLimits

pytestmark = pytest.mark.unit


def subject(text: str | None, category: Category = Category.MARKETING, **fields) -> Subject:
    at = datetime(2026, 12, 1, tzinfo=UTC)
    return Subject("+8613800138000", category, at, text, key=("shop",), **fields)


def code(decision) -> str:
    assert isinstance(decision, Refuse)
    return decision.code


def test_links_lead_to_listed_hosts_alone():
    rule = Links(hosts=frozenset({"t.cn"}))
    assert rule.decide(subject("见t.cn/a", Category.OTP)) == ALLOW
    assert code(rule.decide(subject("见evil．com", Category.OTP))) == "link_not_allowed"
    assert code(Links(hosts=frozenset()).decide(subject("见t.cn"))) == "link_not_allowed"
    assert rule.decide(subject(None)) == ALLOW


def test_marketing_has_one_link_and_others_any_number():
    rule = Links(most=1)
    assert rule.decide(subject("见t.cn")) == ALLOW
    assert code(rule.decide(subject("见t.cn或b.cn"))) == "too_many_links"
    assert rule.concerns(Category.MARKETING)
    assert not rule.concerns(Category.TRANSACTIONAL)


def test_marketing_has_two_contact_details():
    rule = ContactDetails(most=2)
    assert rule.decide(subject("电话13800138000，微信：shop_2026")) == ALLOW
    three = "电话13800138000，微信：shop_2026，邮箱a@b.cn"
    assert code(rule.decide(subject(three))) == "too_many_contacts"


@pytest.mark.parametrize(
    ("text", "warned"),
    [
        ("满100减20，先到先得", True),
        ("全场8折", True),
        ("Big sale, 20% off", True),
        ("全场8折，12月31日截止", False),
        ("全场8折，仅限今日", False),
        ("20% off until Sunday", False),
        ("您的订单已发货", False),
    ],
)
def test_an_offer_says_until_when(text, warned):
    decision = ExpiryDate().decide(subject(text))
    assert isinstance(decision, Warn) is warned
    assert not isinstance(decision, Warn) or decision.code == "no_expiry_date"


@pytest.mark.parametrize(
    ("n_chars", "most", "refused"),
    [
        (70, 1, False),
        (71, 1, True),
        (134, 2, False),
        (135, 2, True),
        (67 * 5, 5, False),
        (67 * 5 + 1, 5, True),
    ],
)
def test_segments_of_a_category_are_limited(n_chars, most, refused):
    rule = SegmentLimit(most={Category.MARKETING: most}, text=DEFAULT_RULES)
    decision = rule.decide(subject("鸿" * n_chars))
    assert decision == ALLOW or code(decision) == "too_many_segments"
    assert (decision != ALLOW) is refused
    assert not rule.concerns(Category.OTP)


def test_room_for_a_carriers_own_signature_counts():
    rules = DEFAULT_RULES._replace(reserve=Reserve(last_segment=8))
    assert code(SegmentLimit(most={Category.MARKETING: 1}, text=rules).decide(subject("鸿" * 63))) == (
        "too_many_segments"
    )


def test_some_senders_send_templates_alone():
    rule = TemplateRequired(keys=frozenset({"shop"}))
    assert code(rule.decide(subject("您好"))) == "template_required"
    assert rule.decide(subject("您好", template="welcome")) == ALLOW
    assert rule.decide(subject("您好")._replace(key=("crm",))) == ALLOW


@pytest.mark.parametrize(
    ("settings", "region", "rules"),
    [
        (ContentSettings(), "CN", []),
        (ContentSettings(hosts=("t.cn",)), "CN", ["links", "contact_details", "expiry_date"]),
        (ContentSettings(hosts=("t.cn",)), "DE", ["links"]),
        (ContentSettings(max_links=-1, max_contacts=-1, expiry_date=False), "CN", []),
        (ContentSettings(max_links=3), "DE", ["links"]),
        (
            ContentSettings(max_segments=SegmentLimits(otp=1), templates_required=("a",)),
            "DE",
            [
                "segment_limit",
                "template",
            ],
        ),
    ],
)
def test_nothing_is_asked_that_is_not_written_down(settings, region, rules):
    assert [rule.name for rule in settings.rules(region, DEFAULT_RULES)] == rules
