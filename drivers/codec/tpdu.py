"""SMS-SUBMIT, SMS-DELIVER and SMS-STATUS-REPORT: octets to values and back, both directions.

A TPDU here has no service centre address before it (see `drivers.codec.address.split_sca`). Payloads are
as in `drivers.base.Encoding`: GSM 7-bit text is unpacked here, text is neither cut nor joined.

What a decoder does not keep: TP-RP and TP-LP, message classes other than 0, the type of national
numbers, absolute validity periods, and whatever follows the last known field.

Spec: 3GPP TS 23.040 9.2.2, 9.2.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from drivers.base import Concat, Encoding
from drivers.codec import times
from drivers.codec.address import decode_address, encode_address
from drivers.codec.dcs import decode_dcs, encode_dcs
from drivers.codec.udh import decode_udh
from drivers.codec.user_data import decode_user_data, encode_user_data
from drivers.errors import DecodeError, EncodeError

# First octet. TP-MTI is bits 1..0; 0b11 is reserved, and a receiver takes it for SMS-DELIVER (9.2.3.1).
_MTI_MASK: Final = 0b11
_MTI_DELIVER: Final = 0b00
_MTI_SUBMIT: Final = 0b01
_MTI_STATUS_REPORT: Final = 0b10
_MTI_RESERVED: Final = 0b11
_TP_RD: Final = 0x04
_TP_MMS: Final = 0x04
_TP_SRR: Final = 0x20
_TP_SRI: Final = 0x20
_TP_UDHI: Final = 0x40

# TP-VPF, bits 4..3 of the first octet of SMS-SUBMIT (9.2.3.3).
_VPF_MASK: Final = 0x18
_VPF_ENHANCED: Final = 0x08
_VPF_RELATIVE: Final = 0x10
_VPF_OCTETS: Final = {0x00: 0, _VPF_ENHANCED: 7, _VPF_RELATIVE: 1, 0x18: 7}

_NO_SCTS: Final = bytes(times.SCTS_OCTETS)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsSubmit:
    """SMS-SUBMIT, mobile to service centre (9.2.2.2).

    Args:
        tp_mr: message reference, 0..255; most modems put in their own and report it.
        tp_da: destination, see `drivers.codec.address`.
        encoding: of ``payload``.
        payload: codes or octets, without header.
        udh: user data header with its leading length octet; empty for none.
        flash: message class 0.
        tp_srr: ask for a status report.
        tp_rd: the service centre shall reject duplicates.
        tp_pid: protocol identifier, 0 for plain text to a person.
        valid_for_s: relative validity period; None to leave it to the service centre. Decoding an
            absolute period gives None: only a clock could make seconds of it.
    """

    tp_mr: int = 0
    tp_da: str
    encoding: Encoding
    payload: bytes
    udh: bytes = b""
    flash: bool = False
    tp_srr: bool = False
    tp_rd: bool = False
    tp_pid: int = 0
    valid_for_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsDeliver:
    """SMS-DELIVER, service centre to mobile (9.2.2.1).

    Args:
        tp_oa: originating address, see `drivers.codec.address`.
        tp_scts: when the service centre got it; None if unreadable (encoded as zeros).
        encoding: of ``payload``.
        payload: codes or octets, without header.
        udh: user data header with its leading length octet; empty for none.
        concat: what ``udh`` says about concatenation; set by the decoder, not read by the encoder.
        flash: message class 0.
        tp_mms: no more messages wait in the service centre (the bit means *no* more).
        tp_sri: the sender asked for a status report.
        tp_pid: protocol identifier.
    """

    tp_oa: str
    tp_scts: datetime | None
    encoding: Encoding
    payload: bytes
    udh: bytes = b""
    concat: Concat | None = None
    flash: bool = False
    tp_mms: bool = True
    tp_sri: bool = False
    tp_pid: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsStatusReport:
    """SMS-STATUS-REPORT, service centre to mobile (9.2.2.3).

    Args:
        tp_mr: reference of the SMS-SUBMIT it is about, 0..255.
        tp_ra: recipient of that message.
        tp_scts: when the service centre got that message; None if unreadable.
        tp_dt: when it was delivered, or last tried; None if unreadable.
        tp_st: status, 0..255; see `drivers.codec.status`.
    """

    tp_mr: int
    tp_ra: str
    tp_scts: datetime | None
    tp_dt: datetime | None
    tp_st: int


def encode_submit(pdu: SmsSubmit) -> bytes:
    """Encode an SMS-SUBMIT; the validity period, if any, in the relative format.

    Raises:
        EncodeError: a field is out of its range, or header and payload exceed 140 octets once packed.

    Spec: 3GPP TS 23.040 9.2.2.2.

    >>> encode_submit(SmsSubmit(tp_da="+46708251358", encoding=Encoding.GSM7, payload=b"hellohello",
    ...                         valid_for_s=4 * 86_400)).hex()
    '11000b916407281553f80000aa0ae8329bfd4697d9ec37'
    """
    first = _MTI_SUBMIT | (_TP_SRR if pdu.tp_srr else 0) | (_TP_RD if pdu.tp_rd else 0)
    vp = b""
    if pdu.valid_for_s is not None:
        first |= _VPF_RELATIVE
        vp = bytes((times.encode_relative_vp(pdu.valid_for_s),))
    if pdu.udh:
        first |= _TP_UDHI
    return b"".join(
        (
            bytes((first,)),
            _encode_octet(pdu.tp_mr, "tp_mr"),
            _encode_address(pdu.tp_da, "tp_da"),
            _encode_octet(pdu.tp_pid, "tp_pid"),
            bytes((encode_dcs(pdu.encoding, flash=pdu.flash),)),
            vp,
            encode_user_data(pdu.encoding, pdu.payload, pdu.udh),
        )
    )


def decode_submit(octets: bytes) -> SmsSubmit:
    """Decode an SMS-SUBMIT.

    Args:
        octets: the TPDU; octets after the user data are ignored.

    Raises:
        DecodeError: another kind of TPDU, or it ends too early.

    Spec: 3GPP TS 23.040 9.2.2.2.

    >>> decode_submit(bytes.fromhex("11000b916407281553f80000aa0ae8329bfd4697d9ec37")).payload
    b'hellohello'
    """
    first = _read_first(octets, _MTI_SUBMIT)
    tp_mr = _read_octet(octets, 1, "tp_mr")
    tp_da, at = _read_address(octets, 2, "tp_da")
    tp_pid = _read_octet(octets, at, "tp_pid")
    dcs = decode_dcs(_read_octet(octets, at + 1, "tp_dcs"))
    vpf = first & _VPF_MASK
    vp = _read_octets(octets, at + 2, _VPF_OCTETS[vpf], "tp_vp")
    udh, payload = decode_user_data(octets, at + 2 + len(vp), dcs.encoding, udhi=bool(first & _TP_UDHI))
    return SmsSubmit(
        tp_mr=tp_mr,
        tp_da=tp_da,
        encoding=dcs.encoding,
        payload=payload,
        udh=udh,
        flash=dcs.flash,
        tp_srr=bool(first & _TP_SRR),
        tp_rd=bool(first & _TP_RD),
        tp_pid=tp_pid,
        valid_for_s=_decode_vp(vpf, vp),
    )


def encode_deliver(pdu: SmsDeliver) -> bytes:
    """Encode an SMS-DELIVER, as a service centre does.

    Raises:
        EncodeError: a field is out of its range, or header and payload exceed 140 octets once packed.

    Spec: 3GPP TS 23.040 9.2.2.1.
    """
    first = _MTI_DELIVER | (_TP_MMS if pdu.tp_mms else 0) | (_TP_SRI if pdu.tp_sri else 0)
    if pdu.udh:
        first |= _TP_UDHI
    return b"".join(
        (
            bytes((first,)),
            _encode_address(pdu.tp_oa, "tp_oa"),
            _encode_octet(pdu.tp_pid, "tp_pid"),
            bytes((encode_dcs(pdu.encoding, flash=pdu.flash),)),
            _encode_time(pdu.tp_scts),
            encode_user_data(pdu.encoding, pdu.payload, pdu.udh),
        )
    )


def decode_deliver(octets: bytes) -> SmsDeliver:
    """Decode an SMS-DELIVER.

    A user data header whose elements don't fit it is skipped, kept in ``udh``, and says nothing
    about concatenation.

    Args:
        octets: the TPDU; octets after the user data are ignored. The reserved TP-MTI 3 is accepted.

    Raises:
        DecodeError: another kind of TPDU, or it ends too early.

    Spec: 3GPP TS 23.040 9.2.2.1, 9.2.3.1, 9.2.3.24.

    >>> decode_deliver(bytes.fromhex("040bc87238880900f10000993092516195800ae8329bfd4697d9ec37")).payload
    b'hellohello'
    """
    first = _read_first(octets, _MTI_DELIVER, _MTI_RESERVED)
    tp_oa, at = _read_address(octets, 1, "tp_oa")
    tp_pid = _read_octet(octets, at, "tp_pid")
    dcs = decode_dcs(_read_octet(octets, at + 1, "tp_dcs"))
    scts = _read_octets(octets, at + 2, times.SCTS_OCTETS, "tp_scts")
    udh, payload = decode_user_data(octets, at + 9, dcs.encoding, udhi=bool(first & _TP_UDHI))
    return SmsDeliver(
        tp_oa=tp_oa,
        tp_scts=times.decode_scts(scts),
        encoding=dcs.encoding,
        payload=payload,
        udh=udh,
        concat=_find_concat(udh),
        flash=dcs.flash,
        tp_mms=bool(first & _TP_MMS),
        tp_sri=bool(first & _TP_SRI),
        tp_pid=tp_pid,
    )


def encode_status_report(pdu: SmsStatusReport) -> bytes:
    """Encode an SMS-STATUS-REPORT on an SMS-SUBMIT, with no optional field.

    Raises:
        EncodeError: a field is out of its range.

    Spec: 3GPP TS 23.040 9.2.2.3.
    """
    return b"".join(
        (
            bytes((_MTI_STATUS_REPORT | _TP_MMS,)),
            _encode_octet(pdu.tp_mr, "tp_mr"),
            _encode_address(pdu.tp_ra, "tp_ra"),
            _encode_time(pdu.tp_scts),
            _encode_time(pdu.tp_dt),
            _encode_octet(pdu.tp_st, "tp_st"),
        )
    )


def decode_status_report(octets: bytes) -> SmsStatusReport:
    """Decode an SMS-STATUS-REPORT.

    Args:
        octets: the TPDU; TP-PI and the optional fields behind it are ignored, whole or not.

    Raises:
        DecodeError: another kind of TPDU, or it ends before TP-ST.

    Spec: 3GPP TS 23.040 9.2.2.3.

    >>> decode_status_report(bytes.fromhex("06a9098180909090f0115020519025001150205190 2500 00")).tp_mr
    169
    """
    _read_first(octets, _MTI_STATUS_REPORT)
    tp_mr = _read_octet(octets, 1, "tp_mr")
    tp_ra, at = _read_address(octets, 2, "tp_ra")
    scts = _read_octets(octets, at, times.SCTS_OCTETS, "tp_scts")
    done = _read_octets(octets, at + 7, times.SCTS_OCTETS, "tp_dt")
    return SmsStatusReport(
        tp_mr=tp_mr,
        tp_ra=tp_ra,
        tp_scts=times.decode_scts(scts),
        tp_dt=times.decode_scts(done),
        tp_st=_read_octet(octets, at + 14, "tp_st"),
    )


def decode_incoming(octets: bytes) -> SmsDeliver | SmsStatusReport:
    """Decode what a service centre sent, by its TP-MTI: a SIM's storage mixes both kinds.

    Raises:
        DecodeError: an SMS-SUBMIT (a draft in storage), or it ends too early.

    Spec: 3GPP TS 23.040 9.2.3.1.
    """
    if octets and octets[0] & _MTI_MASK == _MTI_STATUS_REPORT:
        return decode_status_report(octets)
    return decode_deliver(octets)


def _encode_octet(value: int, field: str) -> bytes:
    if not 0 <= value <= 0xFF:
        raise EncodeError(field, "must be 0..255")
    return bytes((value,))


def _encode_address(number: str, field: str) -> bytes:
    try:
        return encode_address(number)
    except EncodeError as error:
        raise EncodeError(field, error.reason) from None


def _encode_time(at: datetime | None) -> bytes:
    return _NO_SCTS if at is None else times.encode_scts(at)


def _read_first(octets: bytes, *expected: int) -> int:
    first = _read_octet(octets, 0, "tp_mti")
    if first & _MTI_MASK not in expected:
        raise DecodeError("tp_mti", 0, f"is {first & _MTI_MASK}, expected {expected[0]}")
    return first


def _read_octet(octets: bytes, at: int, field: str) -> int:
    if at >= len(octets):
        raise DecodeError(field, len(octets), "is missing")
    return octets[at]


def _read_octets(octets: bytes, at: int, n_octets: int, field: str) -> bytes:
    if at + n_octets > len(octets):
        raise DecodeError(
            field, min(at, len(octets)), f"needs {n_octets} octets, {max(0, len(octets) - at)} are there"
        )
    return octets[at : at + n_octets]


def _read_address(octets: bytes, at: int, field: str) -> tuple[str, int]:
    try:
        return decode_address(octets, at)
    except DecodeError as error:
        raise error.nested(field, 0) from None


def _find_concat(udh: bytes) -> Concat | None:
    if not udh:
        return None
    try:
        return decode_udh(udh).concat
    except DecodeError:  # "the whole User Data Header shall be ignored" (9.2.3.24)
        return None


def _decode_vp(vpf: int, vp: bytes) -> int | None:
    if vpf == _VPF_RELATIVE:
        return times.decode_relative_vp(vp[0])
    if vpf == _VPF_ENHANCED:
        return times.decode_enhanced_vp(vp)
    return None
