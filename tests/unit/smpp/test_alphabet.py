"""Texts as each carrier wants them, and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import Concat, Encoding, OutboundSegment, SegmentId
from drivers.codec.gsm7 import decode_gsm7, encode_gsm7
from drivers.codec.septets import pack_septets, unpack_septets
from drivers.codec.udh import encode_concat_udh, encode_udh
from drivers.errors import EncodeError
from drivers.smpp.alphabet import Alphabet, TextPlan, decode_default, encode_content
from drivers.smpp.client.inbound import decode_part
from drivers.smpp.text import AddressPlan, decode_content, encode_segment
from drivers.smpp.wire.pdus import DeliverSm

pytestmark = pytest.mark.unit

CONCAT = encode_concat_udh(Concat(reference=7, total=2, part=1))
PACKED = TextPlan(alphabet=Alphabet.GSM7_PACKED)


def encode(text: str, plan: TextPlan, *, udh: bytes = b"", flash: bool = False) -> tuple[int, bytes]:
    return encode_content(Encoding.GSM7, encode_gsm7(text), udh, plan, flash=flash)


def test_each_alphabet_has_its_octets_and_its_number() -> None:
    assert encode("@$éa", TextPlan()) == (0, bytes.fromhex("00020561"))
    assert encode("@$éa", TextPlan(alphabet=Alphabet.LATIN_1)) == (3, b"@$\xe9a")
    data_coding, octets = encode("@$éa", PACKED)
    assert (data_coding, len(octets), unpack_septets(octets, 4)) == (0, 4, bytes.fromhex("00020561"))


def test_ascii_has_its_own_number_and_the_carrier_may_want_another() -> None:
    assert encode("hello", TextPlan(alphabet=Alphabet.ASCII)) == (1, b"hello")
    plan = TextPlan(alphabet=Alphabet.LATIN_1, data_coding=0, ucs2_data_coding=0x18, binary_data_coding=0xF5)
    assert encode("hé", plan) == (0, b"h\xe9")
    assert encode_content(Encoding.UCS2, b"\0A", b"", plan) == (0x18, b"\0A")
    assert encode_content(Encoding.BINARY, b"x", b"", plan) == (0xF5, b"x")
    for data_coding, content, read in (
        (0, b"h\xe9", (Encoding.UCS2, "hé".encode("utf-16-be"))),
        (0x18, b"\0A", (Encoding.UCS2, b"\0A")),
        (0xF5, b"x", (Encoding.BINARY, b"x")),
    ):
        assert decode_content(data_coding, content, plan)[:2] == read


def test_what_the_carriers_alphabet_has_not_goes_as_ucs2_if_it_fits() -> None:
    assert encode("5 €", TextPlan(alphabet=Alphabet.LATIN_1)) == (8, "5 €".encode("utf-16-be"))
    with pytest.raises(EncodeError, match=r"character 70, U\+20AC EURO SIGN, is not in latin-1"):
        encode("x" * 70 + "€", TextPlan(alphabet=Alphabet.LATIN_1))
    with pytest.raises(EncodeError, match="too long"):
        encode("é" * 68, TextPlan(alphabet=Alphabet.ASCII), udh=CONCAT)


def test_national_tables_need_a_gsm_alphabet() -> None:
    udh = encode_udh([(0x25, b"\x01")])
    assert encode("x", TextPlan(), udh=udh) == (0, udh + b"x")
    assert encode("x", PACKED, udh=udh)[1].startswith(udh)
    with pytest.raises(EncodeError, match="gsm7"):
        encode("x", TextPlan(alphabet=Alphabet.LATIN_1), udh=udh)


def test_a_flash_message_is_in_the_gsm_alphabet_whatever_was_agreed() -> None:
    assert encode("@", TextPlan(alphabet=Alphabet.LATIN_1), flash=True) == (0x10, b"\0")


@pytest.mark.parametrize("n", range(1, 18))
@pytest.mark.parametrize(
    "udh", [b"", CONCAT, encode_udh([(0x24, b"\x03"), (0x00, b"\x07\x02\x01")])], ids=len
)
def test_packed_texts_read_back_at_every_length(n: int, udh: bytes) -> None:
    _, octets = encode_content(Encoding.GSM7, encode_gsm7("h" * n), udh, PACKED)
    assert decode_default(octets[len(udh) :], udh, PACKED) == (Encoding.GSM7, encode_gsm7("h" * n))


def test_160_characters_are_140_octets_when_packed() -> None:
    assert len(encode("h" * 160, PACKED)[1]) == 140
    assert len(encode("h" * 153, PACKED, udh=CONCAT)[1]) == 140


@pytest.mark.parametrize("filler", [b"\x00", b"\x0d"])
def test_seven_spare_bits_are_no_character(filler: bytes) -> None:
    octets = pack_septets(b"1234567" + filler)
    assert decode_default(octets, b"", PACKED) == (Encoding.GSM7, b"1234567")


@given(st.binary(max_size=160), st.sampled_from(Alphabet), st.binary(max_size=20))
def test_reading_is_total(content: bytes, alphabet: Alphabet, udh: bytes) -> None:
    encoding, payload = decode_default(content, udh, TextPlan(alphabet=alphabet))
    if encoding is Encoding.GSM7:
        decode_gsm7(payload)
    else:
        payload.decode("utf-16-be")


def test_the_plan_is_followed_both_ways() -> None:
    segment = OutboundSegment(
        segment_id=SegmentId("s"),
        recipient="+8613800138000",
        encoding=Encoding.GSM7,
        payload=b"hello",
        udh=CONCAT,
    )
    body = encode_segment(segment, "", AddressPlan(), PACKED)
    assert (body.esm_class, len(body.short_message)) == (0x40, 6 + 5)
    part = decode_part(DeliverSm(esm_class=0x40, short_message=body.short_message), PACKED)
    assert (part.encoding, part.payload) == (Encoding.GSM7, b"hello")
    assert part.concat == Concat(reference=7, total=2, part=1)


def test_a_part_under_national_tables_reads_as_what_it_is() -> None:
    udh = encode_udh([(0x25, b"\x01")])
    part = decode_part(DeliverSm(esm_class=0x40, short_message=udh + b"\x07"))
    assert (part.encoding, part.payload) == (Encoding.UCS2, "ı".encode("utf-16-be"))
