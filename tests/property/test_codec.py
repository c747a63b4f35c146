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
from drivers.codec.command import SmsCommand
from drivers.codec.dcs import decode_dcs
from drivers.codec.direction import FromMobile, ToMobile, decode_from_mobile, decode_to_mobile, encode_tpdu
from drivers.codec.gsm7 import alphabet, decode_gsm7, encode_gsm7, is_gsm7, pack_septets, unpack_septets
from drivers.codec.gsm7_tables import DEFAULT_ALPHABET, EXTENSION
from drivers.codec.national_tables import LOCKING, Language
from drivers.codec.reports import SmsDeliverReport, SmsSubmitReport
from drivers.codec.segment import decode_payload
from drivers.codec.septets import pack_ussd, unpack_ussd
from drivers.codec.shifts import ShiftOption, shift_options
from drivers.codec.text import decode_text
from drivers.codec.times import (
    decode_enhanced_vp,
    decode_relative_vp,
    decode_scts,
    encode_enhanced_vp,
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
from tests.support.vectors import load_vectors

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


UNUSUAL_DCS = {
    encoding: [
        tp_dcs
        for tp_dcs in range(256)
        if decode_dcs(tp_dcs).encoding is encoding and tp_dcs not in {0x00, 0x04, 0x08, 0x10, 0x14, 0x18}
    ]
    for encoding in Encoding
}
NUMBER_TOAS = st.sampled_from([None, 0xA1, 0xB1, 0xC8, 0xE1, 0xF1, 0x80])


@st.composite
def addresses(draw: st.DrawFn) -> tuple[str, int | None]:
    """An address and its type: any type for digits without a plus."""
    number = draw(ADDRESSES)
    return number, draw(NUMBER_TOAS) if set(number) <= set("0123456789*#") else None


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
    flash = draw(st.booleans())
    wanted = [None, *(tp_dcs for tp_dcs in UNUSUAL_DCS[encoding] if decode_dcs(tp_dcs).flash == flash)]
    tp_dcs = draw(st.sampled_from(wanted))
    return {"encoding": encoding, "payload": payload, "udh": udh, "flash": flash, "tp_dcs": tp_dcs}


VALIDITY = st.one_of(
    st.just({}),
    OCTET.map(lambda tp_vp: {"valid_for_s": decode_relative_vp(tp_vp)}),
    TIMES.map(lambda at: {"valid_until": at}),
    st.builds(
        lambda seconds, single_shot: {
            "enhanced_vp": encode_enhanced_vp(seconds, single_shot=single_shot),
            "valid_for_s": decode_enhanced_vp(encode_enhanced_vp(seconds)),
        },
        st.none() | st.floats(0, 1e9),
        st.booleans(),
    ),
)


@st.composite
def submits(draw: st.DrawFn) -> SmsSubmit:
    tp_da, toa = draw(addresses())
    return SmsSubmit(
        tp_mr=draw(OCTET),
        tp_da=tp_da,
        tp_da_toa=toa,
        tp_srr=draw(st.booleans()),
        tp_rd=draw(st.booleans()),
        tp_rp=draw(st.booleans()),
        tp_pid=draw(OCTET),
        **draw(VALIDITY),
        **draw(user_data()),
    )


@st.composite
def delivers(draw: st.DrawFn) -> SmsDeliver:
    data = draw(user_data())
    tp_oa, toa = draw(addresses())
    return SmsDeliver(
        tp_oa=tp_oa,
        tp_oa_toa=toa,
        tp_scts=draw(st.none() | TIMES),
        concat=decode_udh(data["udh"]).concat if data["udh"] else None,
        tp_mms=draw(st.booleans()),
        tp_lp=draw(st.booleans()),
        tp_sri=draw(st.booleans()),
        tp_rp=draw(st.booleans()),
        tp_pid=draw(OCTET),
        **data,
    )


@st.composite
def report_fields(draw: st.DrawFn) -> dict[str, Any]:
    """The optional fields of a report, each there or not."""
    tp_dcs = draw(st.none() | OCTET)
    payload: bytes | None = None
    udh = b""
    if draw(st.booleans()):
        udh = draw(st.just(b"") | concats().map(encode_concat_udh))
        codes = st.integers(0, 127) if decode_dcs(tp_dcs or 0).encoding is Encoding.GSM7 else OCTET
        payload = bytes(draw(st.lists(codes, max_size=110)))
    return {"tp_pid": draw(st.none() | OCTET), "tp_dcs": tp_dcs, "payload": payload, "udh": udh}


@st.composite
def status_reports(draw: st.DrawFn) -> SmsStatusReport:
    tp_ra, toa = draw(addresses())
    return SmsStatusReport(
        tp_mr=draw(OCTET),
        tp_ra=tp_ra,
        tp_ra_toa=toa,
        tp_scts=draw(st.none() | TIMES),
        tp_dt=draw(st.none() | TIMES),
        tp_st=draw(OCTET),
        tp_mms=draw(st.booleans()),
        tp_lp=draw(st.booleans()),
        tp_srq=draw(st.booleans()),
        **draw(report_fields()),
    )


@st.composite
def commands(draw: st.DrawFn) -> SmsCommand:
    tp_da, toa = draw(addresses())
    return SmsCommand(
        tp_mr=draw(OCTET),
        tp_ct=draw(OCTET),
        tp_mn=draw(OCTET),
        tp_da=tp_da,
        tp_da_toa=toa,
        tp_cd=draw(st.binary(max_size=145)),
        tp_pid=draw(OCTET),
        tp_srr=draw(st.booleans()),
        tp_udhi=draw(st.booleans()),
    )


CAUSES = st.none() | st.integers(128, 255)
DELIVER_REPORTS = st.builds(
    lambda tp_fcs, fields: SmsDeliverReport(tp_fcs=tp_fcs, **fields), CAUSES, report_fields()
)
SUBMIT_REPORTS = st.builds(
    lambda tp_fcs, at, fields: SmsSubmitReport(tp_fcs=tp_fcs, tp_scts=at, **fields),
    CAUSES,
    st.none() | TIMES,
    report_fields(),
)
FROM_MOBILE = submits() | DELIVER_REPORTS | commands()
TO_MOBILE = delivers() | SUBMIT_REPORTS | status_reports()


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
