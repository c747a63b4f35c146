"""Received PDUs as the gateway gets them; of those that can't be read, operators learn once."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from drivers.base import Encoding, InboundPart, Receipt
from drivers.codec.address import split_sca
from drivers.codec.dcs import decode_dcs
from drivers.codec.status import classify_tp_st
from drivers.codec.text import to_plain
from drivers.codec.tpdu import SmsDeliver, SmsStatusReport, decode_incoming
from drivers.codec.ucs2 import tidy_ucs2
from drivers.codec.udh import decode_udh
from drivers.errors import DecodeError
from drivers.inbound_kind import InboundKind
from drivers.paced_log import PacedLog

if TYPE_CHECKING:
    from drivers.modem.report import Report

logger = PacedLog(__name__, most=100)

MAX_REPORTED = 1024
"""Unreadable messages that are remembered, so that each is reported once and not at every sweep."""
_TYPE_0, _RETURN_CALL = 0x40, 0x5F
"""TP-PID of silent messages, and of the older way to tell of a voicemail."""
UNREADABLE = "unreadable"
"""The sender under which the octets of such a message go to the gateway."""


class PduReader:
    """Reads the received PDUs of one session."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._reported: set[str] = set()

    def read_quietly(self, pdu: bytes | None, n_octets: int) -> InboundPart | Receipt | None:
        """As `read`, and nobody is told of what can't be read."""
        try:
            return _read(pdu, n_octets)
        except DecodeError:
            return None

    async def read(
        self, pdu: bytes | None, n_octets: int, where: str, *, is_confirmed: bool = False
    ) -> InboundPart | Receipt | None:
        """What the gateway is to know of a PDU; None when it can't be read.

        Args:
            pdu: with the service centre's address in front or without; None when it was not in hex.
            n_octets: how long the stick says that it is, without that address; what is not as long can't be read.
            where: for the notice, such as ``is left in SM 3``.
            is_confirmed: the stick said the same twice, so that its length is not that of a broken line.

        Cancel: the notice may not have been told.
        """
        try:
            return _read(pdu, n_octets, is_confirmed=is_confirmed)
        except DecodeError as error:
            await self.tell_unreadable(pdu, where, str(error))
            return None

    async def tell_unreadable(self, pdu: bytes | None, where: str, why: str) -> None:
        """Tell operators, once, of what is not to be had from a PDU; arguments and Cancel as `read`."""
        digest = hashlib.sha256(pdu or b"").hexdigest()
        if digest not in self._reported and len(self._reported) < MAX_REPORTED:
            self._reported.add(digest)
            await self._report.notice("unreadable", f"An unreadable message {where}: {why}.")
            await self._report.tell(unreadable=len(self._reported))


def is_as_announced(pdu: bytes, n_octets: int) -> bool:
    """Whether a PDU is as long as the stick says; where octets were lost, two can become one that reads well."""
    try:
        return len(_strip_sca(pdu, n_octets)) == n_octets
    except DecodeError:
        return False


def _read(pdu: bytes | None, n_octets: int, *, is_confirmed: bool = False) -> InboundPart | Receipt:
    if pdu is None:
        raise DecodeError("pdu", 0, "not in hex")
    tpdu = _strip_sca(pdu, n_octets)
    if len(tpdu) != n_octets and not is_confirmed:
        raise DecodeError("pdu", len(pdu), f"has {len(tpdu)} octets, and {n_octets} were announced")
    return event_of(tpdu)


def unreadable_part(pdu: bytes) -> InboundPart:
    """What can't be read, as it is: there somebody may find out what it was."""
    return InboundPart(
        sender=UNREADABLE,
        encoding=Encoding.BINARY,
        payload=pdu,
        dedupe_key=hashlib.sha256(pdu).hexdigest(),
    )


def event_of(tpdu: bytes) -> InboundPart | Receipt:
    """What the gateway is to know of a received TPDU. Raises DecodeError."""
    match decode_incoming(tpdu):
        case SmsDeliver() as pdu:
            if pdu.udh_fault:
                logger.warning("a message came with a broken header, which is ignored: %s", pdu.udh_fault)
            encoding, payload = to_plain(pdu.encoding, pdu.payload, pdu.udh)
            if encoding is Encoding.UCS2 and pdu.concat is None:  # a part may need what the first one says
                payload = tidy_ucs2(payload)
            return InboundPart(
                sender=pdu.tp_oa,
                encoding=encoding,
                payload=payload,
                concat=pdu.concat,
                flash=pdu.flash,
                network_time=pdu.tp_scts,
                kind=_kind_of(pdu),
                dedupe_key=hashlib.sha256(tpdu).hexdigest(),
            )
        case SmsStatusReport() as pdu:
            state, code = classify_tp_st(pdu.tp_st)
            return Receipt(
                references=(str(pdu.tp_mr),),
                recipient=pdu.tp_ra or None,
                state=state,
                code=code,
                done_at=pdu.tp_dt,
                accepted_at=pdu.tp_scts,
            )


def _kind_of(pdu: SmsDeliver) -> InboundKind | None:
    """Whether it is something else than a message of a person (3GPP TS 23.040 9.2.3.9, 23.038 4)."""
    if pdu.tp_pid == _TYPE_0:
        return InboundKind.SILENT
    if (pdu.tp_dcs is not None and decode_dcs(pdu.tp_dcs).waiting is not None) or _has_indication(pdu):
        return InboundKind.MESSAGE_WAITING
    return InboundKind.MESSAGE_WAITING if pdu.tp_pid == _RETURN_CALL else None


def _has_indication(pdu: SmsDeliver) -> bool:
    try:
        return bool(pdu.udh) and not pdu.udh_fault and bool(decode_udh(pdu.udh).indications)
    except DecodeError:
        return False


def _strip_sca(pdu: bytes, n_octets: int) -> bytes:
    # The length never counts the service centre; some sticks leave that out altogether.
    return pdu if len(pdu) == n_octets else split_sca(pdu)[1]
