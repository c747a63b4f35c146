"""What holds for any input: decoders are total, what is encoded comes back, plans lose nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, tzinfo
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.base import Concat, Encoding
from drivers.codec.address import decode_address, encode_address, encode_sca, split_sca
from drivers.codec.dcs import decode_dcs
from drivers.codec.direction import FromMobile, ToMobile, decode_from_mobile, decode_to_mobile, encode_tpdu
from drivers.codec.gsm7 import alphabet, decode_gsm7, encode_gsm7, is_gsm7, pack_septets, unpack_septets
from drivers.codec.national_tables import LOCKING, Language
from drivers.codec.segment import decode_payload
from drivers.codec.septets import pack_ussd, unpack_ussd
from drivers.codec.shifts import ShiftOption, shift_options
from drivers.codec.text import decode_text
from drivers.codec.times import (
    decode_enhanced_vp,
    decode_scts,
    encode_scts,
)
from drivers.codec.tpdu import (
    SmsDeliver,
    SmsStatusReport,
    SmsSubmit,
    decode_deliver,
    decode_incoming,
    decode_status_report,
    decode_submit,
    encode_deliver,
    encode_status_report,
    encode_submit,
)
from drivers.codec.udh import decode_udh, encode_concat_udh, encode_udh
from drivers.errors import DecodeError, EncodeError
from tests.property.tpdus import (
    ADDRESSES,
    FROM_MOBILE,
    GSM7_TEXT,
    NUMBERS,
    OCTET,
    TIMES,
    TO_MOBILE,
    concats,
    delivers,
    status_reports,
    submits,
)
from tests.support.vectors import load_vectors

pytestmark = pytest.mark.property

# The machine may be busy; time is not what is tested here.
relaxed = settings(deadline=None, max_examples=200)


@relaxed
@given(FROM_MOBILE)
def test_what_a_mobile_sends_comes_back(pdu: FromMobile) -> None:
    octets = encode_tpdu(pdu)
    assert len(octets) <= 164
    assert decode_from_mobile(octets) == pdu


@relaxed
@given(TO_MOBILE)
def test_what_a_mobile_gets_comes_back(pdu: ToMobile) -> None:
    octets = encode_tpdu(pdu)
    assert len(octets) <= 164
    assert decode_to_mobile(octets) == pdu


@relaxed
@given(submits())
def test_submit_comes_back(pdu: SmsSubmit) -> None:
    assert decode_submit(encode_submit(pdu)) == pdu


@relaxed
@given(delivers())
def test_deliver_comes_back(pdu: SmsDeliver) -> None:
    assert decode_deliver(encode_deliver(pdu)) == pdu


@relaxed
@given(status_reports(), st.binary(max_size=20))
def test_status_report_comes_back_whatever_follows(pdu: SmsStatusReport, tail: bytes) -> None:
    no_options: dict[str, Any] = {
        "tp_pid": None,
        "tp_dcs": None,
        "payload": None,
        "udh": b"",
        "udh_fault": "",
    }
    plain = replace(pdu, **no_options)
    report = decode_status_report(encode_status_report(plain) + tail)
    assert replace(report, **no_options) == plain


def assert_total(decode: Callable[[bytes], object], octets: bytes) -> None:
    """A value, or a `DecodeError` that points into the octets."""
    fault: DecodeError | None = None
    try:
        decode(octets)
    except DecodeError as error:
        fault = error
    assert fault is None or (fault.field and 0 <= fault.offset <= len(octets))


@pytest.mark.parametrize(
    "decode",
    [
        decode_submit,
        decode_deliver,
        decode_status_report,
        decode_incoming,
        decode_from_mobile,
        decode_to_mobile,
        decode_udh,
        decode_address,
        split_sca,
    ],
)
@relaxed
@given(octets=st.binary(max_size=180))
def test_decoders_give_a_value_or_a_decode_error(decode: Callable[[bytes], object], octets: bytes) -> None:
    assert_total(decode, octets)


PUBLISHED = [
    split_sca(bytes.fromhex(vector["pdu"]))[1]
    for table in ("deliver", "submit", "status_report")
    for vector in load_vectors("tpdus", table)
]


@settings(deadline=None, max_examples=1000)
@given(
    pdu=st.sampled_from(PUBLISHED) | (FROM_MOBILE | TO_MOBILE).map(encode_tpdu),
    changes=st.lists(st.tuples(st.integers(0, 400), OCTET), min_size=1, max_size=4),
    end=st.none() | st.integers(0, 180),
)
def test_real_tpdus_with_wrong_octets_or_cut_off_are_survived(
    pdu: bytes, changes: list[tuple[int, int]], end: int | None
) -> None:
    broken = bytearray(pdu)
    for at, octet in changes:
        broken[at % len(broken)] = octet
    for decode in (decode_from_mobile, decode_to_mobile, decode_incoming, decode_submit):
        assert_total(decode, bytes(broken[:end]))


@relaxed
@given(st.binary(max_size=200))
def test_total_decoders_never_raise(octets: bytes) -> None:
    assert len(decode_gsm7(octets)) <= len(octets)
    for encoding in Encoding:
        decode_payload(encoding, octets).encode()  # text that can be stored: no lone surrogates
        decode_text(encoding, octets[10:], octets[:10]).encode()
    unpack_ussd(octets)
    decode_scts(octets)
    decode_enhanced_vp(octets)


@relaxed
@given(st.integers(-1, 256))
def test_dcs_is_total(tp_dcs: int) -> None:
    assert decode_dcs(tp_dcs).encoding in Encoding


@relaxed
@given(GSM7_TEXT)
def test_gsm7_text_comes_back(text: str) -> None:
    assert is_gsm7(text)
    assert decode_gsm7(encode_gsm7(text)) == text


@relaxed
@given(st.text(st.characters(exclude_categories=())))
def test_is_gsm7_says_what_encode_does(text: str) -> None:
    try:
        encode_gsm7(text)
    except EncodeError:
        assert not is_gsm7(text)
    else:
        assert is_gsm7(text)


@relaxed
@given(st.lists(st.integers(0, 127), max_size=200).map(bytes), st.integers(0, 6), st.binary(max_size=3))
def test_septets_come_back(septets: bytes, fill_bits: int, tail: bytes) -> None:
    packed = pack_septets(septets, fill_bits)
    assert len(packed) == (7 * len(septets) + fill_bits + 7) // 8
    assert unpack_septets(packed + tail, len(septets), fill_bits) == septets


@relaxed
@given(st.sampled_from([None, *LOCKING]), st.sampled_from([None, *Language]), st.data())
def test_text_under_national_tables_comes_back(
    locking: Language | None, single_shift: Language | None, data: st.DataObject
) -> None:
    chars = sorted(alphabet(locking, single_shift))
    text = data.draw(st.text(chars, max_size=60))
    codes = encode_gsm7(text, locking=locking, single_shift=single_shift)
    assert decode_gsm7(codes, locking=locking, single_shift=single_shift) == text
    option = ShiftOption(locking, single_shift, len(codes))
    wanted = [language for language in (locking, single_shift) if language is not None]
    assert option in shift_options(text, wanted)
    assert decode_text(Encoding.GSM7, codes, encode_udh(option.elements)) == text


@relaxed
@given(st.lists(st.integers(0, 127), max_size=180).map(bytes))
def test_ussd_strings_come_back_but_for_an_end_that_looks_like_padding(codes: bytes) -> None:
    read = unpack_ussd(pack_ussd(codes))
    if len(codes) % 8 == 0 and codes.endswith(b"\x00"):
        assert read == codes[:-1]
    elif len(codes) % 8 == 0 and codes.endswith(b"\r"):
        assert read == codes + b"\r"  # which a terminal shows in the same way
    else:
        assert read == codes


@relaxed
@given(ADDRESSES, st.binary(max_size=5), st.binary(max_size=5))
def test_addresses_come_back(address: str, before: bytes, after: bytes) -> None:
    octets = encode_address(address)
    assert len(octets) <= 12
    assert decode_address(before + octets + after, len(before)) == (address, len(before + octets))


@relaxed
@given(NUMBERS, st.binary(max_size=5))
def test_service_centres_come_back(number: str, tpdu: bytes) -> None:
    assert split_sca(encode_sca(number) + tpdu) == (number or None, tpdu)


@relaxed
@given(concats())
def test_concatenation_comes_back(concat: Concat) -> None:
    assert decode_udh(encode_concat_udh(concat)).concat == concat


@relaxed
@given(st.lists(st.tuples(OCTET, st.binary(max_size=25)), min_size=1, max_size=5))
def test_header_elements_come_back(elements: list[tuple[int, bytes]]) -> None:
    assert decode_udh(encode_udh(elements)).elements == tuple(elements)


@relaxed
@given(TIMES, st.timezones())
def test_times_come_back_from_any_zone(at: datetime, zone: tzinfo) -> None:
    assert decode_scts(encode_scts(at.astimezone(zone))) == at
