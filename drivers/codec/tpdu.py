"""SMS-SUBMIT and SMS-DELIVER: octets to values and back, both directions.

A TPDU here has no service centre address before it (see `drivers.codec.address.split_sca`). Payloads are
as in `drivers.base.Encoding`: GSM 7-bit text is unpacked here, text is neither cut nor joined. Reports are in
`drivers.codec.reports`, SMS-COMMAND in `drivers.codec.command`; `drivers.codec.direction` tells them apart.

What a decoder does not keep: a time stamp that is none, and whatever follows the last known field.

Spec: 3GPP TS 23.040 9.2.2, 9.2.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from drivers.base import Concat, Encoding
from drivers.codec import fields as f
from drivers.codec import times
from drivers.codec.dcs import decode_dcs
from drivers.codec.reports import SmsStatusReport, decode_status_report, encode_status_report
from drivers.codec.user_data import decode_user_data, encode_user_data
from drivers.errors import EncodeError

# The status report was part of this module once, and is still asked for here.
__all__ = [
    "SmsDeliver",
    "SmsStatusReport",
    "SmsSubmit",
    "decode_deliver",
    "decode_incoming",
    "decode_status_report",
    "decode_submit",
    "encode_deliver",
    "encode_status_report",
    "encode_submit",
]

# TP-VPF, bits 4..3 of the first octet of SMS-SUBMIT (9.2.3.3).
_VPF_MASK: Final = 0x18
_VPF_ENHANCED: Final = 0x08
_VPF_RELATIVE: Final = 0x10
_VPF_ABSOLUTE: Final = 0x18
_VPF_OCTETS: Final = {0x00: 0, _VPF_ENHANCED: 7, _VPF_RELATIVE: 1, _VPF_ABSOLUTE: 7}


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsSubmit(f.TextMixin):
    """SMS-SUBMIT, mobile to service centre (9.2.2.2).

    Args:
        tp_mr: message reference, 0..255; most modems put in their own and report it.
        tp_da: destination, see `drivers.codec.address`.
        tp_da_toa: its type-of-address octet; None for `drivers.codec.address.default_toa`.
        encoding: of ``payload``.
        payload: codes or octets, without header.
        udh: user data header with its leading length octet; empty for none.
        udh_fault: what is wrong with the header; set by the decoder, see `drivers.codec.user_data.UserData`.
        flash: message class 0.
        tp_dcs: data coding octet; None for the plain one of ``encoding`` and ``flash``, which it overrules.
        tp_srr: ask for a status report.
        tp_rd: the service centre shall reject duplicates.
        tp_rp: a reply path is set.
        tp_pid: protocol identifier, 0 for plain text to a person.
        valid_for_s: validity period, written in the relative format; None to leave it to the service centre.
        valid_until: end of validity instead, written in the absolute format.
        enhanced_vp: validity period in the enhanced format, seven octets, which overrules both; empty for
            none. See `drivers.codec.times.encode_enhanced_vp`. Decoding one sets ``valid_for_s`` too.
    """

    tp_mr: int = 0
    tp_da: str
    tp_da_toa: int | None = None
    encoding: Encoding
    payload: bytes
    udh: bytes = b""
    udh_fault: str = ""
    flash: bool = False
    tp_dcs: int | None = None
    tp_srr: bool = False
    tp_rd: bool = False
    tp_rp: bool = False
    tp_pid: int = 0
    valid_for_s: float | None = None
    valid_until: datetime | None = None
    enhanced_vp: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsDeliver(f.TextMixin):
    """SMS-DELIVER, service centre to mobile (9.2.2.1).

    Args:
        tp_oa: originating address, see `drivers.codec.address`.
        tp_oa_toa: its type-of-address octet; None for `drivers.codec.address.default_toa`.
        tp_scts: when the service centre got it; None if unreadable (encoded as zeros).
        encoding: of ``payload``.
        payload: codes or octets, without header.
        udh: user data header with its leading length octet; empty for none.
        udh_fault: what is wrong with the header; set by the decoder, see `drivers.codec.user_data.UserData`.
        concat: what ``udh`` says about concatenation; set by the decoder, not read by the encoder.
        flash: message class 0.
        tp_dcs: data coding octet; None for the plain one of ``encoding`` and ``flash``, which it overrules.
        tp_mms: no more messages wait in the service centre (the bit means *no* more).
        tp_lp: loop prevention: the message was forwarded, and is not to be again.
        tp_sri: the sender asked for a status report.
        tp_rp: a reply path is set.
        tp_pid: protocol identifier.
    """

    tp_oa: str
    tp_oa_toa: int | None = None
    tp_scts: datetime | None
    encoding: Encoding
    payload: bytes
    udh: bytes = b""
    udh_fault: str = ""
    concat: Concat | None = None
    flash: bool = False
    tp_dcs: int | None = None
    tp_mms: bool = True
    tp_lp: bool = False
    tp_sri: bool = False
    tp_rp: bool = False
    tp_pid: int = 0


def encode_submit(pdu: SmsSubmit) -> bytes:
    """Encode an SMS-SUBMIT.

    Raises:
        EncodeError: a field is out of its range or contradicts another, or header and payload exceed 140
            octets once packed.

    Spec: 3GPP TS 23.040 9.2.2.2.

    >>> encode_submit(SmsSubmit(tp_da="+46708251358", encoding=Encoding.GSM7, payload=b"hellohello",
    ...                         valid_for_s=4 * 86_400)).hex()
    '11000b916407281553f80000aa0ae8329bfd4697d9ec37'
    """
    vpf, vp = _encode_vp(pdu)
    first = (
        f.MTI_SUBMIT
        | vpf
        | (f.TP_RD if pdu.tp_rd else 0)
        | (f.TP_SRR if pdu.tp_srr else 0)
        | (f.TP_UDHI if pdu.udh else 0)
        | (f.TP_RP if pdu.tp_rp else 0)
    )
    return b"".join(
        (
            bytes((first,)),
            f.encode_octet(pdu.tp_mr, "tp_mr"),
            f.write_address(pdu.tp_da, pdu.tp_da_toa, "tp_da"),
            f.encode_octet(pdu.tp_pid, "tp_pid"),
            bytes((f.encode_plain_dcs(pdu.encoding, pdu.tp_dcs, flash=pdu.flash),)),
            vp,
            encode_user_data(pdu.encoding, pdu.payload, pdu.udh),
        )
    )


def _encode_vp(pdu: SmsSubmit) -> tuple[int, bytes]:
    """TP-VPF and TP-VP."""
    if pdu.enhanced_vp:
        if len(pdu.enhanced_vp) != times.ENHANCED_VP_OCTETS:
            raise EncodeError("tp_vp", f"has {len(pdu.enhanced_vp)} octets, 7 are needed")
        return _VPF_ENHANCED, pdu.enhanced_vp
    if pdu.valid_until is not None:
        if pdu.valid_for_s is not None:
            raise EncodeError("tp_vp", "is both a period and an instant")
        return _VPF_ABSOLUTE, f.encode_time(pdu.valid_until, "tp_vp")
    if pdu.valid_for_s is not None:
        return _VPF_RELATIVE, bytes((times.encode_relative_vp(pdu.valid_for_s),))
    return 0, b""


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
    first = f.read_first(octets, f.MTI_SUBMIT)
    tp_mr = f.read_octet(octets, 1, "tp_mr")
    tp_da, toa, at = f.read_address(octets, 2, "tp_da")
    tp_pid = f.read_octet(octets, at, "tp_pid")
    tp_dcs = f.read_octet(octets, at + 1, "tp_dcs")
    dcs = decode_dcs(tp_dcs)
    vpf = first & _VPF_MASK
    vp = f.read_octets(octets, at + 2, _VPF_OCTETS[vpf], "tp_vp")
    data = decode_user_data(octets, at + 2 + len(vp), dcs.encoding, udhi=bool(first & f.TP_UDHI))
    return SmsSubmit(
        tp_mr=tp_mr,
        tp_da=tp_da,
        tp_da_toa=toa,
        encoding=dcs.encoding,
        payload=data.payload,
        udh=data.udh,
        udh_fault=data.fault,
        flash=dcs.flash,
        tp_dcs=f.unusual_dcs(tp_dcs),
        tp_srr=bool(first & f.TP_SRR),
        tp_rd=bool(first & f.TP_RD),
        tp_rp=bool(first & f.TP_RP),
        tp_pid=tp_pid,
        valid_for_s=_decode_period(vpf, vp),
        valid_until=times.decode_scts(vp) if vpf == _VPF_ABSOLUTE else None,
        enhanced_vp=vp if vpf == _VPF_ENHANCED else b"",
    )


def _decode_period(vpf: int, vp: bytes) -> int | None:
    if vpf == _VPF_RELATIVE:
        return times.decode_relative_vp(vp[0])
    if vpf == _VPF_ENHANCED:
        return times.decode_enhanced_vp(vp)
    return None


def encode_deliver(pdu: SmsDeliver) -> bytes:
    """Encode an SMS-DELIVER, as a service centre does.

    Raises:
        EncodeError: a field is out of its range or contradicts another, or header and payload exceed 140
            octets once packed.

    Spec: 3GPP TS 23.040 9.2.2.1.
    """
    first = (
        f.MTI_DELIVER
        | (f.TP_MMS if pdu.tp_mms else 0)
        | (f.TP_LP if pdu.tp_lp else 0)
        | (f.TP_SRI if pdu.tp_sri else 0)
        | (f.TP_UDHI if pdu.udh else 0)
        | (f.TP_RP if pdu.tp_rp else 0)
    )
    return b"".join(
        (
            bytes((first,)),
            f.write_address(pdu.tp_oa, pdu.tp_oa_toa, "tp_oa"),
            f.encode_octet(pdu.tp_pid, "tp_pid"),
            bytes((f.encode_plain_dcs(pdu.encoding, pdu.tp_dcs, flash=pdu.flash),)),
            f.encode_time(pdu.tp_scts, "tp_scts"),
            encode_user_data(pdu.encoding, pdu.payload, pdu.udh),
        )
    )


def decode_deliver(octets: bytes) -> SmsDeliver:
    """Decode an SMS-DELIVER.

    A user data header whose elements don't fit it is skipped, kept in ``udh``, and says nothing
    about concatenation; ``udh_fault`` tells.

    Args:
        octets: the TPDU; octets after the user data are ignored. The reserved TP-MTI 3 is accepted.

    Raises:
        DecodeError: another kind of TPDU, or it ends too early.

    Spec: 3GPP TS 23.040 9.2.2.1, 9.2.3.1, 9.2.3.24.

    >>> decode_deliver(bytes.fromhex("040bc87238880900f10000993092516195800ae8329bfd4697d9ec37")).payload
    b'hellohello'
    """
    first = f.read_first(octets, f.MTI_DELIVER, f.MTI_RESERVED)
    tp_oa, toa, at = f.read_address(octets, 1, "tp_oa")
    tp_pid = f.read_octet(octets, at, "tp_pid")
    tp_dcs = f.read_octet(octets, at + 1, "tp_dcs")
    dcs = decode_dcs(tp_dcs)
    scts = f.read_octets(octets, at + 2, times.SCTS_OCTETS, "tp_scts")
    data = decode_user_data(octets, at + 9, dcs.encoding, udhi=bool(first & f.TP_UDHI))
    return SmsDeliver(
        tp_oa=tp_oa,
        tp_oa_toa=toa,
        tp_scts=times.decode_scts(scts),
        encoding=dcs.encoding,
        payload=data.payload,
        udh=data.udh,
        udh_fault=data.fault,
        concat=None if data.header is None else data.header.concat,
        flash=dcs.flash,
        tp_dcs=f.unusual_dcs(tp_dcs),
        tp_mms=bool(first & f.TP_MMS),
        tp_lp=bool(first & f.TP_LP),
        tp_sri=bool(first & f.TP_SRI),
        tp_rp=bool(first & f.TP_RP),
        tp_pid=tp_pid,
    )


def decode_incoming(octets: bytes) -> SmsDeliver | SmsStatusReport:
    """Decode what a service centre sent, by its TP-MTI: a SIM's storage mixes both kinds.

    Raises:
        DecodeError: an SMS-SUBMIT (a draft in storage), or it ends too early.

    Spec: 3GPP TS 23.040 9.2.3.1.
    """
    if octets and octets[0] & f.MTI_MASK == f.MTI_STATUS_REPORT:
        return decode_status_report(octets)
    return decode_deliver(octets)
