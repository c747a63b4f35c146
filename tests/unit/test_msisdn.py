"""Numbers as people write them."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.msisdn import InvalidNumber, parse_address, parse_number

pytestmark = pytest.mark.unit

MOBILE = "+8613800138000"


def wide(text: str) -> str:
    """As an input method in full-width mode writes it."""
    return "".join(chr(ord(c) + 0xFEE0) for c in text)


@pytest.mark.parametrize(
    "text",
    [
        "+8613800138000",
        "+86 138 0013 8000",
        "+86-138-0013-8000",
        "(+86) 138.0013.8000",
        "008613800138000",
        "0086 138 0013 8000",
        "13800138000",
        "138 0013 8000",
        " 13800138000 ",
        wide("13800138000"),
        wide("+8613800138000"),
        "86 138 0013 8000",
    ],
)
def test_a_chinese_mobile_has_one_spelling(text: str):
    assert parse_number(text, "CN") == MOBILE


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [
        ("+441632960961", "CN", "+441632960961"),
        ("00441632960961", "CN", "+441632960961"),
        ("01632 960961", "GB", "+441632960961"),
        ("(202) 456-1111", "US", "+12024561111"),
        ("+8613800138000", "US", MOBILE),
    ],
)
def test_other_countries(text: str, region: str, number: str):
    assert parse_number(text, region) == number


@pytest.mark.parametrize(
    "code", ["10086", "10690000", "106900001234567890", "12306", "12345", "95588", "100", "10010"]
)
def test_short_codes_and_service_numbers_stay_as_they_are(code: str):
    assert parse_number(code, "CN") == code


def test_full_width_digits_of_a_short_code_become_plain():
    assert parse_number(wide("10086"), "CN") == "10086"
    assert parse_number(wide("10690000"), "CN") == "10690000"


def test_service_numbers_are_a_chinese_matter():
    with pytest.raises(InvalidNumber):
        parse_number("106900001234567890", "GB")


@pytest.mark.parametrize(
    "text",
    [
        *("", "   ", "+", "12", "abc", "138-0013-800O", "tel:10086", "+1", "+999123456789", "1" * 41),
        *("+8613800138000x", "138001380001234567", "+86", "++8613800138000", "10086;10010", "1" * 10_000),
        *("²²²²", "𝟙𝟘𝟘𝟠𝟞", "١٠٠٨٦"),
    ],
)
def test_garbage_is_refused_with_a_sentence_that_does_not_repeat_it(text: str):
    with pytest.raises(InvalidNumber) as refusal:
        parse_number(text, "CN")
    sentence = str(refusal.value)
    assert len(sentence) > 20
    if len(text.strip()) > 5:
        assert text not in sentence


@pytest.mark.parametrize("sender", ["HONGYAN", "Bank-1", "鸿雁", "#100#", ""])
def test_senders_that_are_no_numbers_stay_as_they_are(sender: str):
    assert parse_address(sender, "CN") == sender


def test_senders_that_are_numbers_get_their_one_spelling():
    assert parse_address("13800138000", "CN") == MOBILE
    assert parse_address("10690000", "CN") == "10690000"


@given(st.from_regex(r"\+861[3-9][0-9]{9}", fullmatch=True))
def test_the_short_way_for_chinese_mobiles_agrees_with_the_number_plan(number: str):
    parsed = phonenumbers.parse(number, "CN")
    assert phonenumbers.is_possible_number(parsed)
    assert phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) == parse_number(
        number, "CN"
    )
