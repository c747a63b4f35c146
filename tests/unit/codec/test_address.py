"""Addresses: types of number, limits, and fields that end too early."""

from __future__ import annotations

import pytest

from drivers.codec.address import decode_address, encode_address, encode_sca, split_sca
from drivers.errors import DecodeError, EncodeError

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("number", "octets"),
    [
        ("+8613800138000", "0d91683108108300f0"),  # odd, international
        ("10690000", "088101960000"),  # even, type unknown
        ("10086", "05810180f6"),
        ("*100#", "05811a00fb"),
        ("", "0081"),
        ("+", "0091"),
        ("12345678901234567890", "148121436587092143658709"),  # as many as there can be
    ],
)
def test_dialable_numbers(number: str, octets: str) -> None:
    assert encode_address(number) == bytes.fromhex(octets)
    assert decode_address(bytes.fromhex(octets)) == (number.rstrip("+"), len(bytes.fromhex(octets)))


@pytest.mark.parametrize("toa", [0x80, 0x81, 0xA1, 0xB1, 0xC1, 0xE1, 0xF1, 0x01])
def test_all_other_types_of_number_are_plain_digits(toa: int) -> None:
    assert decode_address(bytes([4, toa, 0x21, 0x43])) == ("1234", 4)


@pytest.mark.parametrize(
    ("number", "toa", "octets"),
    [
        ("13800138000", 0xA1, "0ba13108108300f0"),  # national
        ("1380", 0xC8, "04c83108"),  # subscriber, national plan
        ("10086", 0x91, "05910180f6"),  # international, though without its plus
        ("+10086", 0x91, "05910180f6"),
        ("10086", 0xD0, "09d031180c6703"),  # a name that is all digits
        ("12c", 0x81, "038121fe"),
        ("*#ab", 0x81, "0481badc"),
    ],
)
def test_any_type_of_number_can_be_asked_for(number: str, toa: int, octets: str) -> None:
    assert encode_address(number, toa) == bytes.fromhex(octets)


@pytest.mark.parametrize(("number", "toa"), [("Tele2", 0x91), ("1", 256), ("1", -1), ("1+2", 0x81)])
def test_types_that_do_not_fit_the_number(number: str, toa: int) -> None:
    with pytest.raises(EncodeError):
        encode_address(number, toa)


def test_more_digits_than_the_standard_has_are_read_and_never_written() -> None:
    octets = bytes.fromhex("1681 2143658709 2143658709 21")
    assert decode_address(octets) == ("1234567890123456789012", 13)
    with pytest.raises(EncodeError):
        encode_address("1234567890123456789012")


def test_every_semi_octet_has_a_meaning() -> None:
    assert decode_address(bytes.fromhex("0f811032547698badcfe")) == ("0123456789*#abc", 10)


def test_a_filler_ends_the_number_wherever_it_stands() -> None:
    assert decode_address(bytes.fromhex("06812143ff")) == ("1234", 5)
    assert decode_address(bytes.fromhex("0681f12143")) == ("1", 5)


def test_the_offset_is_honoured() -> None:
    assert decode_address(b"\x00\x00" + bytes.fromhex("05810180f6") + b"rest", 2) == ("10086", 7)


@pytest.mark.parametrize("name", ["hongyan", "Tele2", "A", "Grüße €", "12 34", "1234567890A", "@"])
def test_alphanumeric_names(name: str) -> None:
    octets = encode_address(name)
    assert octets[1] == 0xD0
    assert decode_address(octets) == (name, len(octets))


def test_padding_of_seven_letters_is_no_eighth() -> None:
    thirteen = encode_address("hongyan")
    assert thirteen[0] == 13
    assert decode_address(b"\x0e" + thirteen[1:]) == ("hongyan", 9)


@pytest.mark.parametrize(
    "number", ["+123456789012345678901", "123456789012345678901", "ABCDEFGHIJKL", "鸿雁", "€€€€€€"]
)
def test_what_does_not_fit_an_address(number: str) -> None:
    with pytest.raises(EncodeError) as caught:
        encode_address(number)
    assert number not in str(caught.value)


@pytest.mark.parametrize(
    ("octets", "offset", "field", "at"),
    [
        ("", 0, "n_digits", 0),
        ("0581", 9, "n_digits", 9),
        ("168121436587092143658709", 0, "digits", 12),  # 22 digits announced, 20 there
        ("05", 0, "digits", 1),
        ("05810180", 0, "digits", 4),
    ],
)
def test_fields_that_end_too_early(octets: str, offset: int, field: str, at: int) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_address(bytes.fromhex(octets), offset)
    assert (caught.value.field, caught.value.offset) == (field, at)


def test_no_service_centre() -> None:
    assert encode_sca(None) == encode_sca("") == b"\x00"
    assert split_sca(b"\x00\x11") == (None, b"\x11")
    assert split_sca(b"\x01\x91\x11") == (None, b"\x11")


def test_service_centre_without_plus() -> None:
    assert encode_sca("10086") == bytes.fromhex("04810180f6")
    assert split_sca(bytes.fromhex("04810180f6")) == ("10086", b"")


@pytest.mark.parametrize("octets", [b"", b"\x07\x91\x72"])
def test_service_centre_that_ends_too_early(octets: bytes) -> None:
    with pytest.raises(DecodeError):
        split_sca(octets)


@pytest.mark.parametrize("number", ["Tele2", "+123456789012345678901"])
def test_what_is_no_service_centre(number: str) -> None:
    with pytest.raises(EncodeError):
        encode_sca(number)
