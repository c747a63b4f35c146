"""Headers: concatenation, its nonsense, and elements we don't know."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.base import Concat
from drivers.codec.national_tables import Language
from drivers.codec.udh import (
    Indication,
    Ports,
    decode_udh,
    encode_concat_udh,
    encode_udh,
    indication_element,
    ports_element,
)
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


@pytest.mark.parametrize(
    ("octets", "ports"),
    [
        ("0605040b8423f0", Ports(destination=2948, source=9200)),  # oFono 1.31 unit/test-sms.c: WAP push
        ("040402f0f1", Ports(destination=0xF0, source=0xF1, width=8)),
        ("0705050b8423f000", None),  # an octet too many
    ],
)
def test_application_ports(octets: str, ports: Ports | None) -> None:
    assert decode_udh(bytes.fromhex(octets)).ports == ports
    if ports is not None:
        assert encode_udh([ports_element(ports)]) == bytes.fromhex(octets)


def test_national_shifts() -> None:
    udh = decode_udh(bytes.fromhex("0624010d250106"))
    assert (udh.single_shift, udh.locking) == (Language.URDU, Language.HINDI)


@pytest.mark.parametrize("octets", ["03240100", "0324010e", "022400", "0424020101"])
def test_languages_that_nobody_knows_are_the_default(octets: str) -> None:
    assert decode_udh(bytes.fromhex(octets)).single_shift is None


def test_special_message_indications_may_be_repeated() -> None:
    udh = decode_udh(bytes.fromhex("080102800301024702"))
    assert udh.indications == (
        Indication(kind=0, count=3, store=True),
        Indication(kind=7, count=2, profile=2),
    )
    assert encode_udh(map(indication_element, udh.indications)) == bytes.fromhex("080102800301024702")


def test_other_elements_are_kept_raw_and_repeated_ones_too() -> None:
    octets = bytes.fromhex("0c" + "2104000a0003" + "220411223344")
    udh = decode_udh(octets)  # hyperlink, reply address
    assert udh.elements == ((0x21, bytes.fromhex("000a0003")), (0x22, bytes.fromhex("11223344")))
    assert encode_udh(udh.elements) == octets
    assert decode_udh(bytes.fromhex("0470007000")).elements == ((0x70, b""), (0x70, b""))


@pytest.mark.parametrize(
    "ports", [Ports(destination=65536), Ports(destination=1, source=-1), Ports(destination=256, width=8)]
)
def test_ports_out_of_range(ports: Ports) -> None:
    with pytest.raises(EncodeError):
        ports_element(ports)


@pytest.mark.parametrize("change", [{"kind": 32}, {"count": 256}, {"profile": 4}, {"kind": -1}])
def test_indications_out_of_range(change: dict[str, Any]) -> None:
    with pytest.raises(EncodeError):
        indication_element(Indication(**({"kind": 0, "count": 0} | change)))
