"""What USSD answers say, in all the ways that sticks spell them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.codec.gsm7 import encode_gsm7
from drivers.codec.septets import pack_ussd
from drivers.modem.ussd_text import Said, parse_cusd, read_text

pytestmark = pytest.mark.unit


def ucs2(text: str) -> str:
    return text.encode("utf-16-be").hex().upper()


def packed(text: str) -> str:
    return pack_ussd(encode_gsm7(text)).hex().upper()


def eight_bit(text: str) -> str:
    return text.encode("latin-1").hex().upper()


LATIN = [
    "Balance 42.00 CNY", " Du har 0,00 kr och 0,99 GB surf kvar", "Sisa pulsa Rp.3000", "Guthaben: 5,00 EUR",
    "1 Balance\n2 Tariff", "Bal:100.00\r\n1. Recharge", "saldo ok",
]  # fmt: skip
OTHERS = [
    "Баланс 55р", "Ваш баланс: 100.50 руб. Спасибо!", "您的余额为88元", "余额不足", "ΔΩΡΟ ΓΙΑ ΣΑΣ 5€", "رصيدك 5 دينار",
    "שלום", "ยอดเงิน 5 บาท", "残高は500円です", "잔액 500원", "Tài khoản chính 5000đ", "नमस्ते 5 रुपये", "Bakiyeniz 5,00 ₺",
]  # fmt: skip


@pytest.mark.parametrize("text", LATIN + OTHERS)
@pytest.mark.parametrize("dcs", [15, 0, 7, None, 72])
@pytest.mark.parametrize("asked_ucs2", [True, False])
def test_ucs2_is_read_whatever_the_scheme_says(text, dcs, asked_ucs2):
    assert read_text(ucs2(text), dcs, asked_ucs2=asked_ucs2) == text


@pytest.mark.parametrize("text", LATIN + OTHERS)
@pytest.mark.parametrize("dcs", [15, 72, None])
@pytest.mark.parametrize(("mark", "order"), [("FEFF", "utf-16-be"), ("FFFE", "utf-16-le")])
def test_a_byte_order_mark_is_heeded_and_not_shown(text, dcs, mark, order):
    assert read_text(mark + text.encode(order).hex().upper(), dcs, asked_ucs2=True) == text


@pytest.mark.parametrize("text", LATIN)
@pytest.mark.parametrize("packs", [True, False])
def test_packed_septets_are_read(text, packs):
    assert read_text(packed(text), 15, packs=packs) == text


@pytest.mark.parametrize("text", [*LATIN, "Votre crédit: 3,75"])
@pytest.mark.parametrize("packs", [True, False])
def test_eight_bit_characters_are_read(text, packs):
    if "\n" not in text:
        assert read_text(eight_bit(text), 0, packs=packs) == text


@pytest.mark.parametrize("text", ["447700900123", "8613800138000", "4200", "99", "12345", "1234567890123456"])
@pytest.mark.parametrize("asked_ucs2", [True, False])
@pytest.mark.parametrize("packs", [True, False])
def test_a_number_is_a_number(text, asked_ucs2, packs):
    assert read_text(text, 15, asked_ucs2=asked_ucs2, packs=packs) == text


@pytest.mark.parametrize("spelled", [ucs2("4200"), eight_bit("5000")])
def test_a_number_in_hex_is_that_number(spelled):
    assert read_text(spelled, 15) in {"4200", "5000"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Balance 42.00 CNY", "Balance 42.00 CNY"),
        ("Votre crédit", "Votre crédit"),
        ("saldo \x02 5", "saldo $ 5"),
        ("", ""),
        ("ABC", "ABC"),
        (ucs2("Balance")[:-2], "Balanc"),
        (f"{ucs2('Balance')}\n{ucs2(' 42.00')}", "Balance 42.00"),
        ("1000\n2000", "1000\n2000"),
    ],
)
def test_a_text_as_it_is(text, expected):
    assert read_text(text, 15) == expected


def test_the_language_before_a_text_is_not_part_of_it():
    assert read_text(packed("en\rBalance 42.00"), 0x10) == "Balance 42.00"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('+CUSD: 0,"say "hi", 5 left",15', Said(0, 'say "hi", 5 left', 15)),
        ('+CUSD: 0, "Votre", 2', Said(0, "Votre", 2)),
        ('+CUSD: 1,"a\nb",15', Said(1, "a\nb", 15)),
        ('+CUSD: 0,"",15', Said(0, "", 15)),
        ("+CUSD: 2", Said(2, "", None)),
        ("+CUSD: 4,", Said(4, "", None)),
        ("+CUSD: 0,42.00,15", Said(0, "42.00", 15)),
        ("+CUSD: 0,Balance 5,00 EUR,15", Said(0, "Balance 5,00 EUR", 15)),
        ('+CUSD: 0,"cut, short', Said(0, "cut, short", None)),
        ('+CUSD: 0,"5,00 EUR","x",15', Said(0, '5,00 EUR","x', 15)),
        ("+CUSD: ?", Said(None, "", None)),
        ("+CUSD: ,", Said(None, "", None)),
    ],
)
def test_lines_are_taken_apart(line, said):
    assert parse_cusd(line) == said


@settings(deadline=None)
@given(st.text(max_size=40) | st.text("0123456789ABCDEF", max_size=40), st.none() | st.integers(0, 255))
def test_anything_is_read(text, dcs):
    parse_cusd(f"+CUSD: {text}")
    assert isinstance(read_text(text, dcs), str)
