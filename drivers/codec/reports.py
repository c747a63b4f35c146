"""SMS-STATUS-REPORT, SMS-DELIVER-REPORT and SMS-SUBMIT-REPORT: octets to values and back.

All three end in optional fields, announced by TP-PI. A report says more by having come than by those: where
they end too early, they are left out and the rest is kept.

Spec: 3GPP TS 23.040 9.2.2.1a, 9.2.2.2a, 9.2.2.3, 9.2.3.27 (TP-PI), 9.2.3.22 (TP-FCS).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from drivers.base import Encoding
from drivers.codec import fields as f
from drivers.codec import times
from drivers.codec.dcs import Dcs, decode_dcs
from drivers.codec.text import decode_text
from drivers.codec.user_data import UserData, decode_user_data, encode_user_data
from drivers.errors import DecodeError, EncodeError

MAX_TPDU_OCTETS: Final = 164
"""What is left of it after the other fields, a report's user data may take."""

# TP-PI; bits 6..3 are reserved and ignored, bit 7 announces another such octet.
_PI_PID: Final = 0x01
_PI_DCS: Final = 0x02
_PI_UDL: Final = 0x04
_PI_EXTENDED: Final = 0x80

_FIRST_FCS: Final = 0x80
"""Failure causes below are reserved (9.2.3.22), and TP-PI above has never been extended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFields:
    """The optional fields at the end of every report.

    Args:
        tp_pid: protocol identifier; None when absent.
        tp_dcs: data coding; None when absent, and then the user data are GSM 7-bit.
        payload: codes or octets, without header; None when there are no user data.
        udh: user data header with its leading length octet; empty for none.
        udh_fault: what is wrong with the header; set by the decoder, see `drivers.codec.user_data.UserData`.
    """

    tp_pid: int | None = None
    tp_dcs: int | None = None
    payload: bytes | None = None
    udh: bytes = b""
    udh_fault: str = ""

    @property
    def dcs(self) -> Dcs:
        """TP-DCS, taken apart."""
        return decode_dcs(self.tp_dcs or 0)

    @property
    def encoding(self) -> Encoding:
        """How ``payload`` is to be read."""
        return self.dcs.encoding

    @property
    def text(self) -> str:
        """The user data as text; empty when there are none."""
        return decode_text(self.encoding, self.payload or b"", self.udh)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsStatusReport(ReportFields):
    """SMS-STATUS-REPORT, service centre to mobile (9.2.2.3).

    Args:
        tp_mr: reference of the SMS-SUBMIT it is about, 0..255.
        tp_ra: recipient of that message.
        tp_ra_toa: its type-of-address octet; None for `drivers.codec.address.default_toa`.
        tp_scts: when the service centre got that message; None if unreadable.
        tp_dt: when it was delivered, or last tried; None if unreadable.
        tp_st: status, 0..255; see `drivers.codec.status`.
        tp_mms: no more messages wait in the service centre (the bit means *no* more).
        tp_lp: loop prevention.
        tp_srq: it is about an SMS-COMMAND, not an SMS-SUBMIT.
    """

    tp_mr: int
    tp_ra: str
    tp_ra_toa: int | None = None
    tp_scts: datetime | None
    tp_dt: datetime | None
    tp_st: int
    tp_mms: bool = True
    tp_lp: bool = False
    tp_srq: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsDeliverReport(ReportFields):
    """SMS-DELIVER-REPORT, a mobile's answer to an SMS-DELIVER or SMS-STATUS-REPORT (9.2.2.1a).

    Args:
        tp_fcs: why the message was not taken, 128..255; None when it was (an RP-ACK, not an RP-ERROR).
    """

    tp_fcs: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsSubmitReport(ReportFields):
    """SMS-SUBMIT-REPORT, a service centre's answer to an SMS-SUBMIT or SMS-COMMAND (9.2.2.2a).

    Args:
        tp_fcs: why the message was not taken, 128..255; None when it was (an RP-ACK, not an RP-ERROR).
        tp_scts: when the service centre got it; None if unreadable (encoded as zeros).
    """

    tp_fcs: int | None = None
    tp_scts: datetime | None


def encode_status_report(pdu: SmsStatusReport) -> bytes:
    """Encode an SMS-STATUS-REPORT; TP-PI is written if an optional field is.

    Raises:
        EncodeError: a field is out of its range, or the user data exceed the TPDU's 164 octets.

    Spec: 3GPP TS 23.040 9.2.2.3.
    """
    first = (
        f.MTI_STATUS_REPORT
        | (f.TP_MMS if pdu.tp_mms else 0)
        | (f.TP_LP if pdu.tp_lp else 0)
        | (f.TP_SRQ if pdu.tp_srq else 0)
        | (f.TP_UDHI if pdu.udh else 0)
    )
    head = b"".join(
        (
            bytes((first,)),
            f.encode_octet(pdu.tp_mr, "tp_mr"),
            f.write_address(pdu.tp_ra, pdu.tp_ra_toa, "tp_ra"),
            f.encode_time(pdu.tp_scts, "tp_scts"),
            f.encode_time(pdu.tp_dt, "tp_dt"),
            f.encode_octet(pdu.tp_st, "tp_st"),
        )
    )
    tp_pi, optional = _encode_optional(pdu, len(head))
    return head + bytes((tp_pi,)) + optional if tp_pi else head


def decode_status_report(octets: bytes) -> SmsStatusReport:
    """Decode an SMS-STATUS-REPORT.

    Args:
        octets: the TPDU; optional fields that end too early are left out.

    Raises:
        DecodeError: another kind of TPDU, or it ends before TP-ST.

    Spec: 3GPP TS 23.040 9.2.2.3.

    >>> decode_status_report(bytes.fromhex("06a9098180909090f0115020519025001150205190 2500 00")).tp_mr
    169
    """
    first = f.read_first(octets, f.MTI_STATUS_REPORT)
    tp_mr = f.read_octet(octets, 1, "tp_mr")
    tp_ra, toa, at = f.read_address(octets, 2, "tp_ra")
    scts = f.read_octets(octets, at, times.SCTS_OCTETS, "tp_scts")
    done = f.read_octets(octets, at + 7, times.SCTS_OCTETS, "tp_dt")
    tp_st = f.read_octet(octets, at + 14, "tp_st")
    optional = _decode_optional(octets, at + 15, first)
    return SmsStatusReport(
        tp_mr=tp_mr,
        tp_ra=tp_ra,
        tp_ra_toa=toa,
        tp_scts=times.decode_scts(scts),
        tp_dt=times.decode_scts(done),
        tp_st=tp_st,
        tp_mms=bool(first & f.TP_MMS),
        tp_lp=bool(first & f.TP_LP),
        tp_srq=bool(first & f.TP_SRQ),
        tp_pid=optional.tp_pid,
        tp_dcs=optional.tp_dcs,
        payload=optional.payload,
        udh=optional.data.udh,
        udh_fault=optional.data.fault,
    )


def encode_deliver_report(pdu: SmsDeliverReport) -> bytes:
    """Encode an SMS-DELIVER-REPORT.

    Raises:
        EncodeError: a field is out of its range, or the user data exceed the TPDU's 164 octets.

    Spec: 3GPP TS 23.040 9.2.2.1a.

    >>> encode_deliver_report(SmsDeliverReport()).hex()
    '0000'
    >>> encode_deliver_report(SmsDeliverReport(tp_fcs=0xD3, tp_pid=0)).hex()
    '00d30100'
    """
    head = bytes((f.MTI_DELIVER_REPORT | (f.TP_UDHI if pdu.udh else 0),)) + _encode_fcs(pdu.tp_fcs)
    tp_pi, optional = _encode_optional(pdu, len(head))
    return head + bytes((tp_pi,)) + optional


def decode_deliver_report(octets: bytes) -> SmsDeliverReport:
    """Decode an SMS-DELIVER-REPORT.

    Whether TP-FCS is there is for the layer below to say (RP-ERROR or RP-ACK); here it is told by its value,
    which is 128 or more where that of TP-PI never is.

    Args:
        octets: the TPDU; optional fields that end too early are left out.

    Raises:
        DecodeError: another kind of TPDU, or it ends before TP-PI.

    Spec: 3GPP TS 23.040 9.2.2.1a.
    """
    first = f.read_first(octets, f.MTI_DELIVER_REPORT)
    tp_fcs, at = _read_fcs(octets)
    f.read_octet(octets, at, "tp_pi")
    optional = _decode_optional(octets, at, first)
    return SmsDeliverReport(
        tp_fcs=tp_fcs,
        tp_pid=optional.tp_pid,
        tp_dcs=optional.tp_dcs,
        payload=optional.payload,
        udh=optional.data.udh,
        udh_fault=optional.data.fault,
    )


def encode_submit_report(pdu: SmsSubmitReport) -> bytes:
    """Encode an SMS-SUBMIT-REPORT.

    Raises:
        EncodeError: a field is out of its range, or the user data exceed the TPDU's 164 octets.

    Spec: 3GPP TS 23.040 9.2.2.2a.
    """
    head = bytes((f.MTI_SUBMIT_REPORT | (f.TP_UDHI if pdu.udh else 0),)) + _encode_fcs(pdu.tp_fcs)
    tp_pi, optional = _encode_optional(pdu, len(head) + times.SCTS_OCTETS)
    return head + bytes((tp_pi,)) + f.encode_time(pdu.tp_scts, "tp_scts") + optional


def decode_submit_report(octets: bytes) -> SmsSubmitReport:
    """Decode an SMS-SUBMIT-REPORT; TP-FCS is told as in `decode_deliver_report`.

    Args:
        octets: the TPDU; optional fields that end too early are left out.

    Raises:
        DecodeError: another kind of TPDU, or it ends before TP-SCTS does.

    Spec: 3GPP TS 23.040 9.2.2.2a.

    >>> decode_submit_report(bytes.fromhex("01d20062112102000023")).tp_fcs
    210
    """
    first = f.read_first(octets, f.MTI_SUBMIT_REPORT)
    tp_fcs, at = _read_fcs(octets)
    f.read_octet(octets, at, "tp_pi")
    scts = f.read_octets(octets, at + 1, times.SCTS_OCTETS, "tp_scts")
    # Here alone a mandatory field stands between TP-PI and what it announces.
    rest = octets[: at + 1] + octets[at + 1 + times.SCTS_OCTETS :]
    optional = _decode_optional(rest, at, first)
    return SmsSubmitReport(
        tp_fcs=tp_fcs,
        tp_scts=times.decode_scts(scts),
        tp_pid=optional.tp_pid,
        tp_dcs=optional.tp_dcs,
        payload=optional.payload,
        udh=optional.data.udh,
        udh_fault=optional.data.fault,
    )


def _encode_fcs(tp_fcs: int | None) -> bytes:
    if tp_fcs is None:
        return b""
    if not _FIRST_FCS <= tp_fcs <= 0xFF:
        raise EncodeError("tp_fcs", f"must be {_FIRST_FCS}..255")
    return bytes((tp_fcs,))


def _read_fcs(octets: bytes) -> tuple[int | None, int]:
    """TP-FCS, and where TP-PI stands."""
    octet = f.read_octet(octets, 1, "tp_pi")
    return (octet, 2) if octet >= _FIRST_FCS else (None, 1)


class _Optional(NamedTuple):
    tp_pid: int | None = None
    tp_dcs: int | None = None
    payload: bytes | None = None
    data: UserData = UserData(b"", b"")


def _encode_optional(pdu: ReportFields, n_head: int) -> tuple[int, bytes]:
    """TP-PI, and what it announces; ``n_head`` octets stand before TP-PI or behind it already."""
    tp_pi, octets = 0, b""
    if pdu.tp_pid is not None:
        tp_pi |= _PI_PID
        octets += f.encode_octet(pdu.tp_pid, "tp_pid")
    if pdu.tp_dcs is not None:
        tp_pi |= _PI_DCS
        octets += f.encode_octet(pdu.tp_dcs, "tp_dcs")
    if pdu.payload is not None:
        tp_pi |= _PI_UDL
        left = MAX_TPDU_OCTETS - n_head - len(octets) - 2  # TP-PI and TP-UDL
        octets += encode_user_data(pdu.encoding, pdu.payload, pdu.udh, max_octets=left)
    elif pdu.udh:
        raise EncodeError("tp_ud.udh", "there are no user data to head")
    return tp_pi, octets


def _decode_optional(octets: bytes, at: int, first: int) -> _Optional:
    """What TP-PI at ``at`` announces, as far as it is there."""
    optional = _Optional()
    if at >= len(octets):
        return optional
    tp_pi = octets[at]
    at += 1
    try:
        for _ in range(len(octets) if tp_pi & _PI_EXTENDED else 0):
            at += 1
            if not f.read_octet(octets, at - 1, "tp_pi") & _PI_EXTENDED:
                break
        if tp_pi & _PI_PID:
            optional = optional._replace(tp_pid=f.read_octet(octets, at, "tp_pid"))
            at += 1
        if tp_pi & _PI_DCS:
            optional = optional._replace(tp_dcs=f.read_octet(octets, at, "tp_dcs"))
            at += 1
        if tp_pi & _PI_UDL:
            encoding = decode_dcs(optional.tp_dcs or 0).encoding
            data = decode_user_data(octets, at, encoding, udhi=bool(first & f.TP_UDHI))
            optional = optional._replace(payload=data.payload, data=data)
    except DecodeError:  # what came before it is kept
        return optional
    return optional
