"""Class lock: advertising in messages that are no marketing, and service messages that only sound like it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.model.message import Category
from gateway.policy.decision import ALLOW, Allow, Refuse, Review
from gateway.policy.rules.class_lock import ClassLock
from gateway.policy.subject import Subject
from gateway.settings.class_lock import ClassLockSettings

AT = datetime(2026, 11, 30, 12, tzinfo=UTC)
LOCK = ClassLockSettings(action="review").rule() or ClassLock.of(())


def subject(text: str | None, category: Category = Category.TRANSACTIONAL) -> Subject:
    return Subject("+8613800138000", category, AT, text)


@pytest.mark.parametrize(
    "text",
    [
        "【鸿雁】您的订单已发货。双11满300减50，领券 https://t.cn/abc",
        "【鸿雁】您的验证码是123456。新品上市，全场5折",
        "【鸿雁】會員您好，優惠券限時搶，點擊 www.example.com",
        "【鸿雁】会员日，全场低至99元，回T退订",
        "【鸿雁】优 惠 券 已到账，立即抢购",
        "【鴻雁】感恩回饋，滿300減50，回覆TD退訂",
        "【鸿雁】感恩回馈，立减30元，戳 example.cn/x",
        "Your parcel has arrived. Flash sale: 30% off this week!",
        "Hurry! Special offer for you, shop now",
        "Your code is 123456. Get 20% OFF with promo code HI, reply STOP to opt out",
    ],
)
def test_advertising_waits_for_a_person(text: str) -> None:
    decision = LOCK.decide(subject(text))
    assert isinstance(decision, Review)
    assert decision.code == "advertising"


@pytest.mark.parametrize(
    "text",
    [
        "【鸿雁】您的验证码是123456，5分钟内有效，请勿告诉他人。",
        "【鸿雁】您的订单20261130已发货，顺丰单号SF123，详情 https://t.cn/abc",
        "【鸿雁】您于11月30日消费99.00元，余额1,234.56元。",
        "【鸿雁】您的预约已确认：11月30日10点，地址北京路9号，电话400-800-1234。",
        "【鸿雁】暴雨红色预警，请停止户外活动，避险地点见 www.gov.cn",
        "【鸿雁】您的活动轨迹已更新。客服免费热线 4008001234",
        "【鸿雁】您的优惠券已使用，实付¥59。",
        "【鸿雁】请到广东省123号领取，费用20元，详情 shop.example.cn",
        "Your order 1234 of $59.90 has shipped: https://example.com/t/1",
        "Feel free to call us toll-free at 800 123 4567. Your visit is on Monday.",
        "Your flight to Sale, Victoria leaves at 10:20 from gate 5.",
        "",
    ],
)
def test_what_a_service_says_goes(text: str) -> None:
    assert LOCK.decide(subject(text)) == ALLOW


def test_findings_name_signs_and_no_text() -> None:
    decision = LOCK.decide(subject("满300减50，领券 https://t.cn/abc ¥99 回T退订"))
    assert isinstance(decision, Review)
    assert decision.detail == (
        "It is transactional and looks like advertising, 8 points of 3: strong words (2), a discount (2),"
        " a line to opt out (2), a price (1), a link (1)."
    )


def test_marketing_and_other_categories_are_not_looked_at() -> None:
    otp = ClassLock.of((), category=frozenset({Category.OTP, Category.MARKETING}))
    assert [one for one in Category if otp.concerns(one)] == [Category.OTP]
    assert {one for one in Category if LOCK.concerns(one)} == set(Category) - {Category.MARKETING}
    assert LOCK.decide(subject(None)) == ALLOW


def test_the_threshold_and_what_becomes_of_it_are_settings() -> None:
    text = "全场5折"
    assert isinstance(ClassLock.of((), threshold=3).decide(subject(text)), Allow)
    assert isinstance(ClassLock.of((), threshold=2, refuses=True).decide(subject(text)), Refuse)
    assert ClassLockSettings().rule() is None
