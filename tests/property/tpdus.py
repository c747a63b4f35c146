"""Strategies: any TPDU that can be written, and its fields."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from drivers.base import Concat, Encoding
from drivers.codec.command import SmsCommand
from drivers.codec.dcs import decode_dcs
from drivers.codec.gsm7 import encode_gsm7
from drivers.codec.gsm7_tables import DEFAULT_ALPHABET, EXTENSION
from drivers.codec.reports import SmsDeliverReport, SmsStatusReport, SmsSubmitReport
from drivers.codec.times import decode_enhanced_vp, decode_relative_vp, encode_enhanced_vp
from drivers.codec.tpdu import SmsDeliver, SmsSubmit
from drivers.codec.udh import decode_udh, encode_concat_udh, encode_udh

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


VALIDITY: st.SearchStrategy[dict[str, Any]] = st.one_of(
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
