"""Caps and repeats: what counts, what is refused, and until when a message waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.model.message import Category
from gateway.policy.decision import Allow, Later, Refuse, Warn
from gateway.policy.rules.frequency import Cap, Frequency, Per
from gateway.policy.rules.repeats import Repeats, RepeatsOf
from gateway.policy.subject import Facts, Subject, Touch, hash_text
from gateway.settings.caps import parse_limit

pytestmark = pytest.mark.unit

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
MARKETING = frozenset({Category.MARKETING})
TO = "+8613800138000"


def before(
    *ages_s: float, is_out: bool = True, brand: str = "default", template: str | None = None, text: str = "x"
):
    return tuple(
        Touch(
            f"m{age_s}",
            int((NOW.timestamp() - age_s) * 1000),
            is_out,
            Category.MARKETING,
            brand,
            template,
            hash_text(text),
        )
        for age_s in ages_s
    )


def ask(touches, *, limits=("2/7d",), at=NOW, claiming=False, fields=None, expires_at=None, **cap):
    limits = tuple(map(parse_limit, limits))
    rule = Frequency(caps=(Cap(**{"limits": limits, "category": MARKETING, **cap}),))
    subject = Subject(
        TO, Category.MARKETING, at, "x", message_id="new", **(fields or {}), expires_at=expires_at
    )
    return rule.decide(subject, Facts(touches=touches, claiming=claiming), NOW)


DAY = 86_400


def test_too_many_in_a_stretch_are_refused_and_the_stretch_rolls():
    assert isinstance(ask(before(DAY)), Allow)
    refused = ask(before(DAY, 6 * DAY))
    assert isinstance(refused, Refuse)
    assert refused.code == "frequency_capped"
    assert "2/7d" in refused.detail
    assert isinstance(ask(before(DAY, 7 * DAY)), Allow)


def test_what_is_too_much_may_wait_until_the_oldest_is_out_of_the_stretch():
    waits = ask(before(DAY, 6 * DAY), waits=True)
    assert isinstance(waits, Later)
    assert waits.until == NOW + timedelta(days=1)
    refused = ask(before(DAY, 6 * DAY), waits=True, expires_at=NOW + timedelta(hours=3))
    assert isinstance(refused, Refuse)
    assert "Its time is over" in refused.detail


def test_several_limits_hold_together():
    codes = ("1/min", "5/h", "10/day")
    assert isinstance(ask(before(59), limits=codes), Refuse)
    assert isinstance(ask(before(60), limits=codes), Allow)
    assert isinstance(ask(before(*range(100, 600, 100)), limits=codes), Refuse)
    waits = ask(before(*range(100, 600, 100)), limits=codes, waits=True)
    assert isinstance(waits, Later)
    assert waits.until == NOW + timedelta(seconds=3_100)


def test_one_that_is_to_go_later_counts_too_where_it_is_to_go():
    tomorrow = before(-DAY, -2 * DAY, is_out=False)
    assert isinstance(ask(tomorrow), Refuse)
    assert isinstance(ask(tomorrow, at=NOW + timedelta(days=8, hours=1)), Allow)


def test_one_whose_time_has_come_and_that_still_waits_counts_from_now_on():
    assert isinstance(ask(before(8 * DAY, is_out=False), limits=("1/7d",)), Refuse)
    assert isinstance(ask(before(8 * DAY, is_out=True), limits=("1/7d",)), Allow)


def test_brands_and_templates_have_a_count_of_their_own_where_the_cap_says_so():
    two = before(60, 120, brand="acme", template="sale")
    assert isinstance(ask(two), Refuse)
    assert isinstance(ask(two, per=Per.BRAND), Allow)
    assert isinstance(ask(two, per=Per.BRAND, fields={"brand": "acme"}), Refuse)
    assert isinstance(ask(two, per=Per.TEMPLATE, fields={"template": "news"}), Allow)
    assert isinstance(ask(two, per=Per.TEMPLATE, fields={"template": "sale"}), Refuse)
    assert isinstance(ask(two, brand=frozenset({"acme"})), Allow)
    assert isinstance(ask(two, template=frozenset({"sale"}), fields={"template": "sale"}), Refuse)


def test_right_before_the_wire_what_is_too_much_waits_even_where_it_would_be_refused_at_the_door():
    waits = ask(before(20), limits=("1/min",), claiming=True)
    assert isinstance(waits, Later)
    assert waits.until == NOW + timedelta(seconds=40)


def test_a_message_does_not_count_against_itself():
    touch = before(10)[0]._replace(message_id="new")
    assert isinstance(ask((touch,), limits=("1/min",)), Allow)


def repeat(touches, text="x", **kind):
    rule = Repeats(kinds=(RepeatsOf(**{"window_ms": 600_000, **kind}),))
    subject = Subject(TO, Category.MARKETING, NOW, text, message_id="new")
    return rule.decide(subject, Facts(touches=touches), NOW)


def test_the_same_text_within_the_window_is_a_repeat_that_names_the_first():
    refused = repeat(before(599))
    assert isinstance(refused, Refuse)
    assert refused.code == "repeated_text"
    assert "m599" in refused.detail
    assert isinstance(repeat(before(600)), Allow)
    assert isinstance(repeat(before(10, text="y")), Allow)
    assert isinstance(repeat(before(10), text=None), Allow)
    assert isinstance(repeat(before(10), warns=True), Warn)
    assert isinstance(repeat(before(10), category=frozenset({Category.OTP})), Allow)
    assert isinstance(repeat(before(10), brand=frozenset({"acme"})), Allow)
