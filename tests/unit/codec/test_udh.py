"""Headers: concatenation, its nonsense, and elements we don't know."""

from __future__ import annotations

import pytest

from drivers.base import Concat
from drivers.codec.udh import decode_udh, encode_concat_udh, encode_udh
from drivers.errors import DecodeError, EncodeError

pytestmark = pytest.mark.unit


def test_unknown_elements_are_kept_in_order_beside_concatenation() -> None:
    elements = ((0x05, bytes.fromhex("158a0000")), (0x00, bytes.fromhex("aa0302")), (0x70, b""))
    udh = decode_udh(bytes.fromhex("0d0504158a00000003aa03027000"))
    assert udh.elements == elements
    assert udh.concat == Concat(reference=0xAA, total=3, part=2)
    assert encode_udh(elements) == bytes.fromhex("0d0504158a00000003aa03027000")


def test_what_follows_the_header_is_not_its_business() -> None:
    assert decode_udh(bytes.fromhex("050003aa0302") + b"text").concat == Concat(
        reference=0xAA, total=3, part=2
    )


def test_empty_header() -> None:
    assert decode_udh(b"\x00").elements == ()
    assert encode_udh([]) == b""


@pytest.mark.parametrize(
    "octets",
    [
        "050003aa0001",  # no parts at all
        "050003aa0300",  # part 0
        "050003aa0304",  # part 4 of 3
        "060004aa030101",  # an octet too many
        "0508030a0301",  # an octet too few
    ],
)
def test_nonsense_about_concatenation_is_ignored(octets: str) -> None:
    udh = decode_udh(bytes.fromhex(octets))
    assert udh.concat is None
    assert len(udh.elements) == 1


def test_the_last_valid_word_on_concatenation_counts() -> None:
    both = encode_udh([(0x00, bytes([1, 2, 1])), (0x08, bytes([0, 9, 3, 2])), (0x00, bytes([1, 0, 0]))])
    assert decode_udh(both).concat == Concat(reference=9, total=3, part=2, width=16)


@pytest.mark.parametrize(
    ("octets", "field", "offset"),
    [
        ("", "udhl", 0),
        ("05", "udhl", 0),
        ("050003aa03", "udhl", 0),
        ("0100", "ie", 1),
        ("050004aa0302", "ie", 1),
        ("070003aa03020501", "ie", 6),
    ],
)
def test_headers_that_do_not_fit(octets: str, field: str, offset: int) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_udh(bytes.fromhex(octets))
    assert (caught.value.field, caught.value.offset) == (field, offset)


@pytest.mark.parametrize(
    "concat",
    [
        Concat(reference=256, total=2, part=1),
        Concat(reference=-1, total=2, part=1),
        Concat(reference=65536, total=2, part=1, width=16),
        Concat(reference=1, total=256, part=1),
        Concat(reference=1, total=2, part=3),
        Concat(reference=1, total=2, part=0),
        Concat(reference=1, total=2, part=1, width=12),
    ],
)
def test_concatenation_out_of_range(concat: Concat) -> None:
    with pytest.raises(EncodeError):
        encode_concat_udh(concat)


def test_a_header_can_not_outgrow_the_message() -> None:
    assert len(encode_udh([(0x70, bytes(137))])) == 140
    with pytest.raises(EncodeError):
        encode_udh([(0x70, bytes(138))])
    with pytest.raises(EncodeError):
        encode_udh([(0x100, b"")])
