"""Signatures: in front, once, as the carriers know them; and what a text then costs."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.message import Category
from gateway.policy.decision import ALLOW, Allow, Refuse, Rewrite, Warn
from gateway.policy.rules.signature import SignatureFiled, SignatureInFront
from gateway.policy.signatures import (
    Filing,
    FilingState,
    Signature,
    find_signature_fault,
    read_opening,
    sign_text,
)
from gateway.policy.subject import NO_FACTS, Facts, Subject
from gateway.policy.text import DEFAULT_RULES, plan_text

pytestmark = pytest.mark.unit

NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)
SHOP = Signature("好店", brand="acme")


def subject(text: str | None, **fields) -> Subject:
    return Subject("+8613800138000", Category.MARKETING, NOW, text, "acme", ("shop",))._replace(**fields)


def said(text: str | None, *signatures: Signature, **fields):
    return SignatureInFront(signatures=signatures or (SHOP,)).decide(subject(text, **fields))


@pytest.mark.parametrize(
    "text",
    [
        "您好",
        "【好店】【好店】您好",
        "您好【好店】",
        "【好店】您好 【好店】 ",
        " \u200b\ufeff【好店】您好",
        "\u3000" * 100 + "【好店】您好",
        "【 好店 】您好",
        "  您好",
    ],
)
def test_a_text_goes_out_with_its_signature_in_front_once(text):
    decision = said(text)
    assert isinstance(decision, Rewrite)
    assert (decision.text, decision.code) == ("【好店】您好", "signature_added")
    assert said(decision.text) == ALLOW


def test_a_signature_is_spelled_as_it_is_filed():
    decision = said("【ａｃｍｅ】hi", Signature("Acme"))
    assert isinstance(decision, Rewrite)
    assert decision.text == "【Acme】hi"


def test_another_signature_is_refused_or_kept():
    assert said("【别家】您好").code == "other_signature"
    assert said("【别家】您好", SHOP._replace(keeps_others=True)) == ALLOW


def test_a_brand_may_have_several_signatures_of_which_the_first_is_added():
    both = (SHOP, Signature("好店会员", brand="acme"))
    assert said("【好店会员】您好", *both) == ALLOW
    assert said("您好", *both).text.startswith("【好店】")


@pytest.mark.parametrize(
    ("fields", "signature"),
    [
        ({"brand": "beta"}, SHOP),
        ({}, Signature("好店", key="crm")),
        ({}, Signature("好店", category=frozenset({Category.OTP}))),
    ],
)
def test_a_signature_is_for_its_brand_key_and_category(fields, signature):
    assert said("您好", signature, **fields) == ALLOW
    assert said(None) == ALLOW, "octets have no place for it"


@given(st.text(alphabet="【】好店a \n\u200b", max_size=60), st.sampled_from(["好店", "ab"]))
def test_a_signed_text_is_never_signed_again(text, signature):
    once = sign_text(text, signature)
    assert sign_text(once, signature) == once
    opening = read_opening(once)
    assert once.startswith(f"【{signature}】")
    assert opening.signature == signature
    assert read_opening(opening.rest).signature != signature


@pytest.mark.parametrize(("n_chars", "n_segments"), [(68, 1), (70, 1), (71, 2), (134, 2), (135, 3)])
def test_the_signature_is_counted_and_billed(n_chars, n_segments):
    """Huawei's examples: 68 characters are one, 134 two, 135 three, signature and way out included."""
    text = sign_text("鸿" * (n_chars - 4), "好店")
    assert len(text) == n_chars
    assert len(plan_text(text, "auto", DEFAULT_RULES).segments) == n_segments


@pytest.mark.parametrize("text", ["好店", "好店12", "Acme", "一" * 18])
def test_a_signature_that_carriers_file(text):
    assert find_signature_fault(text) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("店", "has 1 characters"),
        ("一" * 19, "has 19 characters"),
        ("好店!", "a sign"),
        ("好 店", "a space"),
        ("【好店】", "brackets"),
        ("温馨提示", "names nobody"),
        ("验证码", "names nobody"),
        ("123456", "is a number"),
    ],
)
def test_a_signature_that_carriers_refuse(text, words):
    assert words in (find_signature_fault(text) or "")


FILED = SHOP._replace(
    filings=(
        Filing("cmcc", FilingState.FILED, date(2026, 1, 1), date(2026, 12, 31)),
        Filing("unicom", FilingState.REJECTED),
        Filing("*", FilingState.SUBMITTED),
    )
)


@pytest.mark.parametrize(
    ("carrier", "at", "state"),
    [
        ("cmcc", NOW, None),
        ("cmcc", datetime(2027, 1, 1, tzinfo=UTC), "expired"),
        ("cmcc", datetime(2025, 12, 31, tzinfo=UTC), "submitted"),
        ("unicom", NOW, "rejected"),
        ("telecom", NOW, "submitted"),
        (None, NOW, None),
    ],
)
def test_a_signature_is_filed_with_the_recipients_carrier_or_people_hear_of_it(carrier, at, state):
    for refuses, kind in ((False, Warn), (True, Refuse)):
        rule = SignatureFiled(
            signatures=(FILED._replace(refuses_unfiled=refuses),), carrier_of=lambda number, known: carrier
        )
        decision = rule.decide(subject("【好店】您好", at=at), NO_FACTS, at)
        if state is None:
            assert isinstance(decision, Allow)
        else:
            assert isinstance(decision, kind)
            assert decision.code == "signature_not_filed"
            assert state in decision.detail


def test_what_the_store_knows_of_the_carrier_is_asked_for():
    rule = SignatureFiled(signatures=(FILED,), carrier_of=lambda number, known: known and known[0])
    assert isinstance(rule.decide(subject("【好店】您好"), Facts(carrier=("unicom", "api")), NOW), Warn)
    assert rule.decide(subject("【好店】您好"), Facts(carrier=("cmcc", "api")), NOW) == ALLOW
    assert rule.decide(subject("您好"), Facts(carrier=("unicom", "api")), NOW) == ALLOW, (
        "no signature, no filing"
    )
    nobody = SignatureFiled(signatures=(SHOP._replace(filings=()),), carrier_of=lambda number, known: "cmcc")
    assert nobody.decide(subject("【好店】您好"), NO_FACTS, NOW) == ALLOW, "nobody watches over filings"
