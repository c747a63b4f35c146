"""SMS-COMMAND: a mobile asks a service centre about a message that it sent, or to delete it.

Spec: 3GPP TS 23.040 9.2.2.4, 9.2.3.19 (TP-CT), 9.2.3.20 (TP-CDL), 9.2.3.21 (TP-CD).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from drivers.codec import fields as f
from drivers.errors import EncodeError

MAX_CD_OCTETS: Final = 157
"""Fits a TPDU of 164 octets with a destination of no digits; a longer one leaves less."""


class CommandType(IntEnum):
    """What is asked (9.2.3.19); all other values are reserved, or specific to a service centre (0xE0..)."""

    ENQUIRE = 0
    CANCEL_STATUS_REPORT = 1
    DELETE = 2
    ENABLE_STATUS_REPORT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsCommand:
    """SMS-COMMAND, mobile to service centre (9.2.2.4).

    Args:
        tp_mr: reference of this command, 0..255.
        tp_ct: what is asked, 0..255; see `CommandType`.
        tp_mn: TP-MR of the SMS-SUBMIT that it is about.
        tp_da: destination of that message, see `drivers.codec.address`.
        tp_da_toa: its type-of-address octet; None for `drivers.codec.address.default_toa`.
        tp_cd: command data, a header included if ``tp_udhi`` says so.
        tp_pid: protocol identifier.
        tp_srr: ask for a status report on the command.
        tp_udhi: the command data start with a user data header.
    """

    tp_mr: int = 0
    tp_ct: int
    tp_mn: int
    tp_da: str
    tp_da_toa: int | None = None
    tp_cd: bytes = b""
    tp_pid: int = 0
    tp_srr: bool = False
    tp_udhi: bool = False


def encode_command(pdu: SmsCommand) -> bytes:
    """Encode an SMS-COMMAND.

    Raises:
        EncodeError: a field is out of its range.

    Spec: 3GPP TS 23.040 9.2.2.4.

    >>> encode_command(SmsCommand(tp_mr=7, tp_ct=CommandType.DELETE, tp_mn=6, tp_da="10086")).hex()
    '020700020605810180f600'
    """
    if len(pdu.tp_cd) > MAX_CD_OCTETS:
        raise EncodeError("tp_cd", f"{len(pdu.tp_cd)} octets, {MAX_CD_OCTETS} are possible")
    first = f.MTI_COMMAND | (f.TP_SRR if pdu.tp_srr else 0) | (f.TP_UDHI if pdu.tp_udhi else 0)
    return b"".join(
        (
            bytes((first,)),
            f.encode_octet(pdu.tp_mr, "tp_mr"),
            f.encode_octet(pdu.tp_pid, "tp_pid"),
            f.encode_octet(pdu.tp_ct, "tp_ct"),
            f.encode_octet(pdu.tp_mn, "tp_mn"),
            f.write_address(pdu.tp_da, pdu.tp_da_toa, "tp_da"),
            bytes((len(pdu.tp_cd),)),
            pdu.tp_cd,
        )
    )


def decode_command(octets: bytes) -> SmsCommand:
    """Decode an SMS-COMMAND.

    Args:
        octets: the TPDU; octets after the command data are ignored.

    Raises:
        DecodeError: another kind of TPDU, or it ends too early.

    Spec: 3GPP TS 23.040 9.2.2.4.

    >>> decode_command(bytes.fromhex("020700020605810180f600")).tp_da
    '10086'
    """
    first = f.read_first(octets, f.MTI_COMMAND)
    tp_mr, tp_pid, tp_ct, tp_mn = (
        f.read_octet(octets, at, field) for at, field in enumerate(("tp_mr", "tp_pid", "tp_ct", "tp_mn"), 1)
    )
    tp_da, toa, at = f.read_address(octets, 5, "tp_da")
    tp_cdl = f.read_octet(octets, at, "tp_cdl")
    return SmsCommand(
        tp_mr=tp_mr,
        tp_ct=tp_ct,
        tp_mn=tp_mn,
        tp_da=tp_da,
        tp_da_toa=toa,
        tp_cd=f.read_octets(octets, at + 1, tp_cdl, "tp_cd"),
        tp_pid=tp_pid,
        tp_srr=bool(first & f.TP_SRR),
        tp_udhi=bool(first & f.TP_UDHI),
    )
