"""What holds for any input: decoders are total, what is encoded comes back, plans lose nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.base import Concat, Encoding
from drivers.codec.address import decode_address, encode_address, encode_sca, split_sca
from drivers.codec.dcs import decode_dcs
from drivers.codec.gsm7 import decode_gsm7, encode_gsm7, is_gsm7, pack_septets, unpack_septets
from drivers.codec.gsm7_tables import DEFAULT_ALPHABET, EXTENSION
from drivers.codec.segment import decode_payload
from drivers.codec.times import decode_enhanced_vp, decode_relative_vp, decode_scts, encode_scts
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

pytestmark = pytest.mark.property

# The machine may be busy; time is not what is tested here.
relaxed = settings(deadline=None, max_examples=200)

OCTET = st.integers(0, 255)
GSM7_TEXT = st.text(DEFAULT_ALPHABET.replace("\x1b", "") + "".join(EXTENSION.values()), max_size=40)
NUMBERS = st.from_regex(r"\+[0-9]{1,20}|[0-9*#]{0,20}", fullmatch=True)
NAMES = GSM7_TEXT.filter(
    # digits alone are a number, and a trailing @ of eight septets is taken for padding
    lambda name: (
        0 < len(encode_gsm7(name)) <= 11 and not set(name) <= set("+0123456789*#") and name[-1] != "@"
    )
)
ADDRESSES = NUMBERS | NAMES
TIMES = st.datetimes(datetime(1990, 1, 2), datetime(2089, 12, 30)).map(  # noqa: DTZ001 - made aware here
    lambda at: at.replace(microsecond=0, tzinfo=UTC)
)


@st.composite
def concats(draw: st.DrawFn) -> Concat:
    width = draw(st.sampled_from([8, 16]))
    total = draw(st.integers(1, 255))
    reference = draw(st.integers(0, (1 << width) - 1))
    return Concat(reference=reference, total=total, part=draw(st.integers(1, total)), width=width)


HEADERS = (
    st.just(b"")
    | concats().map(encode_concat_udh)
    | st.lists(st.tuples(OCTET, st.binary(max_size=20)), max_size=5).map(encode_udh)
)


@st.composite
def user_data(draw: st.DrawFn) -> dict[str, Any]:
    """``encoding``, ``payload``, ``udh`` that fit one segment."""
    udh = draw(HEADERS)
    encoding = draw(st.sampled_from(Encoding))
    n_octets = 140 - len(udh)
    if encoding is Encoding.GSM7:
        payload = bytes(draw(st.lists(st.integers(0, 127), max_size=8 * n_octets // 7 - (1 if udh else 0))))
    else:
        payload = draw(st.binary(max_size=n_octets))
    return {"encoding": encoding, "payload": payload, "udh": udh, "flash": draw(st.booleans())}


@st.composite
def submits(draw: st.DrawFn) -> SmsSubmit:
    valid_for_s = draw(st.none() | OCTET.map(decode_relative_vp))
    return SmsSubmit(
        tp_mr=draw(OCTET),
        tp_da=draw(ADDRESSES),
        tp_srr=draw(st.booleans()),
        tp_rd=draw(st.booleans()),
        tp_pid=draw(OCTET),
        valid_for_s=valid_for_s,
        **draw(user_data()),
    )


@st.composite
def delivers(draw: st.DrawFn) -> SmsDeliver:
    data = draw(user_data())
    return SmsDeliver(
        tp_oa=draw(ADDRESSES),
        tp_scts=draw(st.none() | TIMES),
        concat=decode_udh(data["udh"]).concat if data["udh"] else None,
        tp_mms=draw(st.booleans()),
        tp_sri=draw(st.booleans()),
        tp_pid=draw(OCTET),
        **data,
    )


REPORTS = st.builds(
    SmsStatusReport,
    tp_mr=OCTET,
    tp_ra=ADDRESSES,
    tp_scts=st.none() | TIMES,
    tp_dt=st.none() | TIMES,
    tp_st=OCTET,
)


@relaxed
@given(submits())
def test_submit_comes_back(pdu: SmsSubmit) -> None:
    assert decode_submit(encode_submit(pdu)) == pdu


@relaxed
@given(delivers())
def test_deliver_comes_back(pdu: SmsDeliver) -> None:
    assert decode_deliver(encode_deliver(pdu)) == pdu


@relaxed
@given(REPORTS, st.binary(max_size=20))
def test_status_report_comes_back_whatever_follows(pdu: SmsStatusReport, tail: bytes) -> None:
    report = decode_status_report(encode_status_report(pdu) + tail)
    no_options = {"tp_pid": None, "tp_dcs": None, "payload": None, "udh": b"", "udh_fault": ""}
    assert replace(report, **no_options) == pdu


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
        decode_udh,
        decode_address,
        split_sca,
    ],
)
@relaxed
@given(octets=st.binary(max_size=180))
def test_decoders_give_a_value_or_a_decode_error(decode: Callable[[bytes], object], octets: bytes) -> None:
    assert_total(decode, octets)


@relaxed
@given(pdu=submits().map(encode_submit) | delivers().map(encode_deliver), at=st.integers(0, 400), octet=OCTET)
def test_one_wrong_octet_is_survived(pdu: bytes, at: int, octet: int) -> None:
    at %= len(pdu)
    broken = pdu[:at] + bytes((octet,)) + pdu[at + 1 :]
    assert_total(decode_submit, broken)
    assert_total(decode_incoming, broken)


@relaxed
@given(st.binary(max_size=200))
def test_total_decoders_never_raise(octets: bytes) -> None:
    assert len(decode_gsm7(octets)) <= len(octets)
    for encoding in Encoding:
        decode_payload(encoding, octets).encode()  # text that can be stored: no lone surrogates
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
