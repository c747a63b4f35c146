"""What an application asks of us with submit_sm, data_sm or submit_multi, read into our own terms. Pure.

Says what is on the wire; whether the account may do that, and what it becomes, is the gateway's business.

Spec: SMPP 3.4 4.4.1, 4.5.1, 4.7.1, 5.2.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from drivers.base import Concat, Encoding
from drivers.codec.udh import decode_udh, encode_concat_udh
from drivers.errors import DecodeError
from drivers.smpp.text import decode_address, decode_content
from drivers.smpp.times import parse_time
from drivers.smpp.wire import constants as c
from drivers.smpp.wire.constants import CommandStatus, Tag
from drivers.smpp.wire.fields import DistributionList, SmeAddress, Tlv, find_int_tlv, find_tlv
from drivers.smpp.wire.pdus import DataSm, SubmitMulti, SubmitSm

Submission = SubmitSm | DataSm | SubmitMulti

_DISPLAY_SUBUNIT: Final = 1
"""``dest_addr_subunit`` of a message that is shown at once and not stored."""
_CONCAT_ELEMENTS: Final = frozenset({0x00, 0x08, 0x24, 0x25})
"""Elements that a joined text no longer needs: concatenation, national tables (TS 23.040 9.2.3.24)."""
_CONTROLS: Final = frozenset(range(0x20)) - {0x09, 0x0A, 0x0D}
"""No ASCII text holds these; npm's smpp calls the GSM alphabet ASCII, where they are letters and the escape."""
_PRIORITIES: Final = (5, 6, 8, 9)
"""Ours by ``priority_flag``."""
_MOST_URGENT: Final = 3
_VENDOR_TAGS: Final = range(0x1400, 0x4000)
"""Reserved for what SMSCs define themselves (3.4 5.3.2)."""
_MOST_VENDOR: Final = 16
_MOST_VENDOR_OCTETS: Final = 255
"""As over HTTP."""


class Refusal(Exception):
    """A submission that is answered with an error.

    Args:
        command_status: the error.
        reason: for the log; holds no text and no number.
    """

    def __init__(self, command_status: CommandStatus, reason: str) -> None:
        super().__init__(reason)
        self.command_status = command_status


class WireAddress(NamedTuple):
    """An address as it was on the wire, to be given back in receipts."""

    ton: int
    npi: int
    address: str

    @property
    def number(self) -> str:
        """In our spelling."""
        return decode_address(self.ton, self.address)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """One submission.

    Args:
        destinations: one, but for submit_multi.
        unserved: distribution lists: we know none.
        payload: see `drivers.base.Encoding`; any length.
        udh: with its leading length octet; made from ``sar_*`` where those came instead.
        concat: what ``udh`` says of concatenation.
        joinable: ``udh`` holds nothing that a joined text would miss.
        schedule_at: not before; None for now.
        expires_at: None for our default.
        priority: 0..9 as in `drivers.base.OutboundSegment`.
        registered_delivery: as on the wire.
        tlvs: parameters of the carrier's own, for the carrier.
        data_coding: the same, with the account's own meaning of 0 made plain.
    """

    source: WireAddress
    destinations: tuple[WireAddress, ...]
    unserved: tuple[DistributionList, ...] = ()
    encoding: Encoding
    payload: bytes = field(repr=False)
    udh: bytes = b""
    concat: Concat | None = None
    joinable: bool = True
    flash: bool = False
    schedule_at: datetime | None = None
    expires_at: datetime | None = None
    priority: int = 5
    registered_delivery: int = 0
    data_coding: int = 0
    tlvs: tuple[Tlv, ...] = ()


def read_submission(body: Submission, now: datetime, *, latin_1: bool = False) -> Submitted:
    """Read one.

    Args:
        body: as received.
        now: aware; what spans of time start from.
        latin_1: ``data_coding`` 0 is Latin-1 on this account, not the GSM alphabet.

    Raises:
        Refusal: with the status to answer.
    """
    content = _content(body)
    udh, content, concat, joinable = _split_header(body, content)
    data_coding = _alphabet(body.data_coding, content, latin_1=latin_1)
    encoding, payload, flash = decode_content(data_coding, content)
    if encoding is Encoding.UCS2 and len(payload) % 2 and concat is None:
        # Half of a character, or all read one octet off; parts may be cut in the middle of one.
        if payload[-1]:
            raise Refusal(CommandStatus.RINVMSGLEN, "an odd number of octets is no UCS-2")
        payload = payload[:-1]
    destinations, unserved = _destinations(body)
    schedule_at, expires_at = _times(body, now)
    return Submitted(
        source=WireAddress(body.source_addr_ton, body.source_addr_npi, body.source_addr),
        destinations=destinations,
        unserved=unserved,
        encoding=encoding,
        payload=payload,
        udh=udh,
        concat=concat,
        joinable=joinable,
        flash=flash or find_int_tlv(body.tlvs, Tag.DEST_ADDR_SUBUNIT) == _DISPLAY_SUBUNIT,
        schedule_at=schedule_at,
        expires_at=expires_at,
        priority=_priority(body),
        registered_delivery=body.registered_delivery,
        data_coding=data_coding,
        tlvs=_vendors(body.tlvs) if body.tlvs else (),
    )


def count_destinations(body: Submission) -> int:
    """How many messages a submission asks for."""
    return max(1, len(body.dest_addresses)) if isinstance(body, SubmitMulti) else 1


def find_concat(body: Submission) -> Concat | None:
    """What a submission says of concatenation; None also where that can't be read."""
    try:
        return _split_header(body, _content(body))[2]
    except Refusal:
        return None


def _vendors(tlvs: tuple[Tlv, ...]) -> tuple[Tlv, ...]:
    """Those that we pass on; a law may ask for them, so none is left out in silence."""
    own = tuple({tag: (tag, value) for tag, value in tlvs if tag in _VENDOR_TAGS}.values())
    if len(own) > _MOST_VENDOR:
        raise Refusal(CommandStatus.ROPTPARNOTALLWD, "too many parameters of the carrier's own")
    if any(len(value) > _MOST_VENDOR_OCTETS for _, value in own):
        raise Refusal(CommandStatus.RINVPARLEN, "a parameter of the carrier's own is too long")
    return own


def _alphabet(data_coding: int, content: bytes, *, latin_1: bool) -> int:
    """What ``data_coding`` means on this account, and in this text."""
    if data_coding == c.DATA_CODING_DEFAULT and latin_1:
        return c.DATA_CODING_LATIN_1
    if data_coding == c.DATA_CODING_ASCII and not _CONTROLS.isdisjoint(content):
        return c.DATA_CODING_DEFAULT
    return data_coding


def _content(body: Submission) -> bytes:
    if not isinstance(body, DataSm):
        if body.sm_default_msg_id:
            raise Refusal(CommandStatus.RINVDFTMSGID, "there are no predefined messages here")
        if body.short_message:
            return body.short_message
    return find_tlv(body.tlvs, Tag.MESSAGE_PAYLOAD) or b""


def _split_header(body: Submission, content: bytes) -> tuple[bytes, bytes, Concat | None, bool]:
    """Header, content, what the header says of concatenation, and whether a joined text may lose it."""
    if body.esm_class & c.ESM_UDHI:
        try:
            header = decode_udh(content)
        except DecodeError as error:
            raise Refusal(CommandStatus.RINVESMCLASS, f"no user data header: {error.reason}") from None
        end = content[0] + 1
        joinable = header.concat is not None and all(iei in _CONCAT_ELEMENTS for iei, _ in header.elements)
        return content[:end], content[end:], header.concat, joinable
    concat = _sar(body)
    return (encode_concat_udh(concat) if concat else b""), content, concat, True


def _sar(body: Submission) -> Concat | None:
    total = find_int_tlv(body.tlvs, Tag.SAR_TOTAL_SEGMENTS)
    if not total or total == 1:
        return None
    reference = find_int_tlv(body.tlvs, Tag.SAR_MSG_REF_NUM)
    part = find_int_tlv(body.tlvs, Tag.SAR_SEGMENT_SEQNUM)
    if reference is None or part is None:
        raise Refusal(CommandStatus.RMISSINGOPTPARAM, "sar parameters come together")
    if not 1 <= part <= total <= 0xFF:
        raise Refusal(CommandStatus.RINVOPTPARAMVAL, "sar_segment_seqnum is not within sar_total_segments")
    # Applications cut such parts to 153 septets: with a 16-bit reference the header would not fit any more.
    return Concat(reference=reference & 0xFF, total=total, part=part)


def _destinations(body: Submission) -> tuple[tuple[WireAddress, ...], tuple[DistributionList, ...]]:
    if not isinstance(body, SubmitMulti):
        if not body.destination_addr:
            raise Refusal(CommandStatus.RINVDSTADR, "no destination")
        return (WireAddress(body.dest_addr_ton, body.dest_addr_npi, body.destination_addr),), ()
    if not body.dest_addresses:
        raise Refusal(CommandStatus.RINVNUMDESTS, "no destination")
    lists = tuple(one for one in body.dest_addresses if isinstance(one, DistributionList))
    return tuple(WireAddress(*one) for one in body.dest_addresses if isinstance(one, SmeAddress)), lists


def _times(body: Submission, now: datetime) -> tuple[datetime | None, datetime | None]:
    if isinstance(body, DataSm):
        seconds = find_int_tlv(body.tlvs, Tag.QOS_TIME_TO_LIVE)
        text = "" if seconds is None else _span(seconds)
        return None, _read_time(text, now, CommandStatus.RINVEXPIRY)
    schedule_at = _read_time(body.schedule_delivery_time, now, CommandStatus.RINVSCHED)
    # A span of validity starts when the message may go.
    starts_at = max(schedule_at, now) if schedule_at else now
    expires_at = _read_time(body.validity_period, starts_at, CommandStatus.RINVEXPIRY)
    if expires_at is not None and expires_at <= starts_at:
        raise Refusal(CommandStatus.RINVEXPIRY, "it would expire before it may go")
    return schedule_at, expires_at


def _span(seconds: int) -> str:
    days, rest = divmod(min(seconds, 30 * 86_400), 86_400)
    return f"0000{days:02}{rest // 3600:02}{rest // 60 % 60:02}{rest % 60:02}000R"


def _read_time(text: str, now: datetime, refusal: CommandStatus) -> datetime | None:
    try:
        return parse_time(text, now)
    except (ValueError, OverflowError):
        raise Refusal(refusal, "not a time") from None


def _priority(body: Submission) -> int:
    if isinstance(body, DataSm):
        return _PRIORITIES[0]
    if body.priority_flag > _MOST_URGENT:
        raise Refusal(CommandStatus.RINVPRTFLG, "priority_flag is above 3")
    return _PRIORITIES[body.priority_flag]
