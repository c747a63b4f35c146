"""Numbers as people write them."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.model.msisdn import InvalidNumber, parse_address, parse_number, read_number, spell_own
from gateway.model.number_plan import Grade, is_plain, read_international

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
        "8613800138000",
        "+86 (0)138 0013 8000",
        "+0086 13800138000",
        "0138 0013 8000",
        "+86\u00a0138\u00a00013\u00a08000",
        "\u202a+86\u2011138\u20130013\u22128000\u202c",
        "138\u200b0013\u200d8000\ufeff",
        "+86　138　0013　8000",
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
        # without plus, with the country code of another country
        ("447911123456", "CN", "+447911123456"),
        ("33612345678", "CN", "+33612345678"),
        ("919876543210", "CN", "+919876543210"),
        ("12025550123", "CN", "+12025550123"),
        ("8613800138000", "US", MOBILE),
        ("8613800138000", "GB", MOBILE),
        ("447911123456", "US", "+447911123456"),
        # as people of the region write their own
        ("2025550123", "US", "+12025550123"),
        ("1 (202) 555-0123", "US", "+12025550123"),
        ("07911 123456", "GB", "+447911123456"),
        ("07700 900123", "GB", "+447700900123"),
        ("447700900123", "GB", "+447700900123"),
        ("7911123456", "GB", "+447911123456"),
        ("01511 2345678", "DE", "+4915112345678"),
        ("4915112345678", "DE", "+4915112345678"),
        ("0612345678", "IT", "+390612345678"),
        ("390612345678", "IT", "+390612345678"),
        ("333 123 4567", "IT", "+393331234567"),
        ("393331234567", "IT", "+393331234567"),
        ("(11) 98765-4321", "BR", "+5511987654321"),
        ("5511987654321", "BR", "+5511987654321"),
        ("0 15 11 98765-4321", "BR", "+5511987654321"),
        ("49 98765-4321", "BR", "+5549987654321"),
        ("98765 43210", "IN", "+919876543210"),
        ("098765 43210", "IN", "+919876543210"),
        ("919876543210", "IN", "+919876543210"),
        ("9123 4567", "HK", "+85291234567"),
        ("85291234567", "HK", "+85291234567"),
        ("55 1234 5678", "MX", "+525512345678"),
        ("525512345678", "MX", "+525512345678"),
        ("+52 1 55 1234 5678", "CN", "+525512345678"),
        ("6562345678", "US", "+16562345678"),
        ("8 912 345-67-89", "RU", "+79123456789"),
        # with the region's prefix for calls abroad
        ("001 86 13800138000", "HK", MOBILE),
        ("00 852 9123 4567", "HK", "+85291234567"),
        ("011 86 13800138000", "US", MOBILE),
        ("0011 86 13800138000", "AU", MOBILE),
    ],
)
def test_other_countries(text: str, region: str, number: str):
    assert parse_number(text, region) == number


@pytest.mark.parametrize(
    "code",
    [
        "10086",
        "10690000",
        "106900001234567890",
        "12306",
        "12345",
        "95588",
        "100",
        "10010",
        "9558801",
        "95588123456",
        "123061",
        "12110755",
        "12520138001380",
        "116114",
        "96110",
    ],
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


CHINESE_OWN_RANGES = [
    *(f"1{prefix}12345678" for prefix in range(30, 100)),
    *("1400123456789", "1441012345678", "144012345678"),  # things
    *("01062345678", "075512345678", "0377 1234567", "4001234567", "8001234567"),
]


@pytest.mark.parametrize("number", CHINESE_OWN_RANGES)
def test_no_chinese_number_is_refused_for_a_range_that_the_plan_does_not_know(number: str):
    national = number.replace(" ", "").removeprefix("0")
    for spelling in (number, f"+86{national}", f"0086{national}", f"86{national}"):
        assert parse_number(spelling, "CN") == f"+86{national}"


@pytest.mark.parametrize("area", ["555", "656", "235", "983", "470"])
def test_ten_digits_are_a_number_of_ones_own_in_north_america(area: str):
    for region in ("US", "CA"):
        for spelling in (f"{area}2345678", f"({area}) 234-5678", f"1{area}2345678", f"+1{area}2345678"):
            assert parse_number(spelling, region) == f"+1{area}2345678"


@pytest.mark.parametrize(
    ("text", "region", "people", "says"),
    [
        # valid in two countries, and not how people of the region write
        ("16012345678", "DE", {"+4916012345678", "+16012345678"}, "+1 or +49"),
        ("6562345678", "IN", {"+916562345678", "+6562345678"}, "+65 or +91"),
        ("37121234567", "CN", {"+8637121234567", "+37121234567"}, "+371 or +86"),
        # valid in none
        ("447700900123", "CN", {"+447700900123"}, "no number of region CN"),
        ("447700900123", "US", {"+447700900123"}, "no number of region US"),
        # a plus before a national number, or before a short code: the label contradicts the digits
        ("+13800138000", "CN", {MOBILE, "+13800138000"}, "write +86 in front"),
        ("+2025550123", "US", {"+12025550123", "+2025550123"}, "write +1 in front"),
        ("+10086", "CN", {"10086"}, "without it"),
        ("+10690001234", "CN", {"10690001234", "+10690001234"}, "without it"),
    ],
)
def test_doubtful_numbers_are_refused_and_kept_as_they_came(
    text: str, region: str, people: set[str], says: str
):
    with pytest.raises(InvalidNumber, match=says.replace("+", r"\+")) as refusal:
        parse_number(text, region)
    assert "write" in str(refusal.value)
    assert text.lstrip("+") not in str(refusal.value)
    assert parse_address(text, region) == text
    assert set(read_number(text, region).people) == people


@pytest.mark.parametrize(
    "text", ["138001380001", "62345678", "13800138000.0", "13800138000x2001", "+8613800138000;ext=1"]
)
def test_what_is_nobodys_number_means_nobody(text: str):
    with pytest.raises(InvalidNumber, match=r"\w"):
        parse_number(text, "CN")
    assert read_number(text, "CN").people == ()
    assert read_number(text, "CN").readings == (read_number(text, "CN").spelling,)


def test_a_plus_settles_what_would_be_doubtful():
    assert parse_number("+13802345678", "CN") == "+13802345678"
    assert parse_number("13802345678", "CN") == "+8613802345678", "as people there write it"
    assert set(read_number("13802345678", "CN").readings) == {"+8613802345678", "+13802345678"}
    assert parse_number("+447700900123", "CN") == "+447700900123"


@pytest.mark.parametrize(
    ("number", "alias"),
    [
        ("+447700900123", "+86447700900123"),  # what versions before 0.2 made of 447700900123
        ("+86447700900123", "+447700900123"),
        ("+5491123456789", "+541123456789"),
        ("+541123456789", "+5491123456789"),
        ("+5511987654321", "+551187654321"),
        ("+551187654321", "+5511987654321"),
    ],
)
def test_other_spellings_of_the_same_person_are_known(number: str, alias: str):
    assert alias in read_number(number, "CN").readings
    assert parse_number(number, "CN") == number


def test_an_address_of_ours_may_be_configured_in_every_usual_way():
    assert {MOBILE, "8613800138000", "13800138000"} <= spell_own(MOBILE)
    assert {"+447911123456", "447911123456", "07911123456"} <= spell_own("+447911123456")
    assert spell_own("10690000") == {"10690000", "+10690000"}


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


_CODES = st.sampled_from(sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE))


@given(
    _CODES, st.text("0123456789", min_size=3, max_size=13), st.sampled_from(["CN", "US", "GB", "DE", "HK"])
)
@example(43, "1000", "CN")
@example(1, "0681234567", "CN")
def test_the_short_way_for_full_numbers_agrees_with_the_number_plan(code: int, rest: str, region: str):
    number = f"+{code}{rest}"
    if is_plain(number):
        found = read_international(number[1:])
        assert (found.number, found.grade > Grade.NONE) == (number, True)
        reading = read_number(number, region)
        try:
            assert parse_number(number, region) == reading.number
        except InvalidNumber:
            assert reading.number is None


@given(st.text(max_size=30), st.sampled_from(["CN", "US", "GB", "DE", "IT", "BR", "IN", "HK", "MX"]))
def test_reading_is_total_and_what_it_makes_of_a_number_stays_so(text: str, region: str):
    reading = read_number(text, region)
    assert (reading.number is None) == bool(reading.fault)
    if reading.number is not None:
        assert reading.people[0] == reading.number
        assert parse_number(reading.number, region) == reading.number
    assert parse_address(text, region) == (reading.number or text)
