"""Who may get marketing by what they agreed to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.model.consent import ConsentState, Standing
from gateway.model.message import Category
from gateway.policy.chain import Chain
from gateway.policy.decision import Allow
from gateway.policy.rules.consent import Consent
from gateway.policy.rules.first_message import FirstMessage
from gateway.policy.subject import NO_FACTS, Facts, Subject
from gateway.runtime.rules import make_chain
from gateway.settings.config import Settings, load_settings
from tests.support.settings import write

pytestmark = pytest.mark.unit

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def ask(
    *held: Standing,
    brand: str = "default",
    category: Category = Category.MARKETING,
    at: datetime = NOW,
    purpose: str = "marketing",
) -> str:
    subject = Subject("+8613800138000", category, at, "sale", brand, key=("k",))
    chain = Chain(persons=[Consent(purpose=purpose)])
    verdict = chain.judge_person(subject, Facts(consents=held), NOW).verdict
    return "" if isinstance(verdict, Allow) else verdict.code


def standing(state: str, expires_at: datetime | None = None, brand: str = "default") -> Standing:
    return Standing(brand, "marketing", ConsentState(state), expires_at)


def test_marketing_needs_a_consent_that_holds():
    assert ask() == "no_consent"
    assert ask(standing("given")) == ""
    assert ask(standing("pending")) == "no_consent"
    assert ask(standing("refused")) == ask(standing("withdrawn")) == "consent_withdrawn"
    assert ask(standing("given", NOW + HOUR)) == ""
    assert ask(standing("given", NOW)) == "consent_expired"


def test_it_must_hold_until_the_message_may_go():
    assert ask(standing("given", NOW + HOUR), at=NOW + 2 * HOUR) == "consent_expired"


def test_it_is_for_one_brand_and_one_purpose():
    assert ask(standing("given", brand="other")) == "no_consent"
    assert ask(standing("withdrawn", brand="other"), standing("given")) == ""
    assert ask(standing("given"), purpose="surveys") == "no_consent"


@pytest.mark.parametrize("category", [Category.OTP, Category.TRANSACTIONAL, Category.EMERGENCY])
def test_other_messages_need_none(category):
    assert ask(category=category) == ""


def test_the_first_message_can_be_refused():
    subject = Subject("+8613800138000", Category.MARKETING, NOW, "sale", key=("k",))
    chain = Chain(persons=[FirstMessage()])
    refused = chain.judge_person(subject, NO_FACTS, NOW).findings
    assert [one.code for one in refused] == ["first_message_marketing"]
    assert chain.judge_person(subject, Facts(is_acquainted=True), NOW).findings == ()
    assert chain.judge_person(subject, NO_FACTS, NOW, again=True).findings == ()


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("", ["consent"]),
        ('[numbers]\nregion = "DE"', []),
        ('[numbers]\nregion = "DE"\n[consent]\nrequired = true', ["consent"]),
        ("[consent]\nrequired = false\nfirst_message_marketing = false", ["first_message"]),
    ],
)
def test_in_china_it_is_the_default(tmp_path, text, rules):
    settings = load_settings(write(tmp_path, text)) if text else Settings()
    asked = [rule.name for rule in make_chain(settings).persons]
    assert [name for name in asked if name in {"consent", "first_message"}] == rules


def test_settings_that_keep_too_little_are_refused(tmp_path):
    with pytest.raises(Exception, match=r"consent\.keep: is less than five months"):
        load_settings(write(tmp_path, '[consent]\nkeep = "90d"'))
    with pytest.raises(Exception, match=r"consent\.required"):
        load_settings(write(tmp_path, '[consent]\nrequired = "yes"'))
