"""What text costs, and what becomes of codes that nobody should send."""

from __future__ import annotations

import pytest

from drivers.codec.gsm7 import decode_gsm7, encode_gsm7, is_gsm7, pack_septets, unpack_septets
from drivers.codec.gsm7_tables import DEFAULT_ALPHABET, EXTENSION
from drivers.codec.septets import pack_ussd, unpack_ussd
from drivers.errors import DecodeError, EncodeError

pytestmark = pytest.mark.unit


def test_tables_are_whole() -> None:
    assert len(DEFAULT_ALPHABET) == len(set(DEFAULT_ALPHABET)) == 128
    assert len(set(EXTENSION.values())) == 10
    assert not set(EXTENSION.values()) & set(DEFAULT_ALPHABET)


def test_every_character_survives() -> None:
    text = DEFAULT_ALPHABET.replace("\x1b", "") + "".join(EXTENSION.values())
    assert is_gsm7(text)
    assert decode_gsm7(encode_gsm7(text)) == text


@pytest.mark.parametrize("char", sorted(EXTENSION.values()))
def test_extension_characters_count_two(char: str) -> None:
    assert len(encode_gsm7(char)) == 2


@pytest.mark.parametrize("char", ["ç", "á", "`", "\t", "\x1b", "’", "中", "😀", "\ud800", "\u00a0"])
def test_characters_outside_are_refused_by_position(char: str) -> None:
    assert not is_gsm7(char)
    with pytest.raises(EncodeError) as caught:
        encode_gsm7("secret" + char)
    assert "6" in caught.value.reason
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("codes", "text"),
    [
        (b"", ""),
        (b"\x1b", " "),  # an escape before nothing
        (b"a\x1b\x1bb", "a b"),  # reserved for another table
        (b"\x1ba\x1b\x0d", "a\r"),  # undefined: read in the default table
        (b"\x1be\x1b\x0a", "€\f"),
        (b"\x1b\x80", "\ufffd"),
        (bytes([0x80, 0xFF]), "\ufffd\ufffd"),
    ],
)
def test_odd_codes_become_something_readable(codes: bytes, text: str) -> None:
    assert decode_gsm7(codes) == text


def test_eight_septets_fill_seven_octets_and_seven_leave_spare_bits() -> None:
    assert len(pack_septets(b"1234567")) == len(pack_septets(b"12345678")) == 7
    packed = pack_septets(b"1234567")
    assert unpack_septets(packed, 7) == b"1234567"
    assert unpack_septets(packed, 8) == b"1234567\x00"  # the trailing @ of those who don't keep the count


@pytest.mark.parametrize(("septets", "fill_bits"), [(b"\x80", 0), (b"a\xff", 3), (b"a", 7), (b"a", -1)])
def test_what_can_not_be_packed(septets: bytes, fill_bits: int) -> None:
    with pytest.raises(EncodeError):
        pack_septets(septets, fill_bits)


@pytest.mark.parametrize(
    ("octets", "n_septets", "fill_bits"), [(b"", 1, 0), (b"a", 2, 0), (b"a", 1, 2), (b"a", -1, 0)]
)
def test_what_can_not_be_unpacked(octets: bytes, n_septets: int, fill_bits: int) -> None:
    with pytest.raises(DecodeError):
        unpack_septets(octets, n_septets, fill_bits)


def test_no_septets_need_no_octets_but_for_fill_bits() -> None:
    assert pack_septets(b"") == b""
    assert pack_septets(b"", 3) == b"\x00"
    assert unpack_septets(b"", 0, 3) == b""


@pytest.mark.parametrize("fill_bits", range(7))
def test_bits_behind_the_last_septet_are_not_read(fill_bits: int) -> None:
    for n_septets in range(300):
        n_octets = (7 * n_septets + fill_bits + 7) // 8
        assert unpack_septets(b"\xff" * n_octets, n_septets, fill_bits) == b"\x7f" * n_septets


def test_more_septets_than_any_message_has() -> None:
    for n_septets in (255, 256, 257, 511, 513, 1000):
        codes = bytes(n % 128 for n in range(n_septets))
        for fill_bits in (0, 3):
            assert unpack_septets(pack_septets(codes, fill_bits), n_septets, fill_bits) == codes


@pytest.mark.parametrize(
    ("codes", "packed"),
    [
        (b"", ""),
        (b"1234567", "31d98c56b3dd1a"),  # PyPI smspdudecoder 2.2.0, GSM.encode with padding
        (b"*115*5#", "aa58aca6aa8d1a"),  # the same
        (b"12345678", "31d98c56b3dd70"),
        (b"1234567\r", "31d98c56b3dd1a0d"),  # a carriage return that is meant gets a second one
        (b"123456", "31d98c56b301"),
    ],
)
def test_seven_spare_bits_of_a_ussd_string_hold_a_carriage_return(codes: bytes, packed: str) -> None:
    assert pack_ussd(codes) == bytes.fromhex(packed)
    assert unpack_ussd(bytes.fromhex(packed)).rstrip(b"\r") == codes.rstrip(b"\r")


def test_the_at_sign_of_careless_senders_is_left_out() -> None:
    assert unpack_ussd(bytes.fromhex("31d98c56b3dd00")) == b"1234567"
