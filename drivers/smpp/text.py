"""Between our segments and the fields of submit_sm: addresses, alphabets, validity.

Spec: SMPP 3.4 4.4.1, 5.2.5-5.2.19, 7.1.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from drivers.base import Encoding, OutboundSegment
from drivers.codec.dcs import decode_dcs
from drivers.codec.text import to_plain
from drivers.codec.ucs2 import BIG, find_plain_ascii, tidy_ucs2
from drivers.smpp.alphabet import PLAIN, TextPlan, decode_default, encode_content
from drivers.smpp.wire import constants as c
from drivers.smpp.wire.constants import Npi, Ton
from drivers.smpp.wire.pdus import SubmitSm

TonNpi = tuple[int, int]

_FIRST_TP_DCS: Final = 0x10
"""From here on data_coding is read as TP-DCS; below are SMPP's own numbers."""

_PYTHON_CODECS: Final = {
    c.DATA_CODING_ASCII: "latin-1",  # total where peers say ASCII and send more
    c.DATA_CODING_LATIN_1: "latin-1",
    c.DATA_CODING_JIS: "shift_jis",
    c.DATA_CODING_CYRILLIC: "iso8859-5",
    c.DATA_CODING_HEBREW: "iso8859-8",
    c.DATA_CODING_ISO_2022_JP: "iso2022-jp",
    c.DATA_CODING_KS_C_5601: "euc-kr",
}
_PRIORITY_FLAG: Final = (0, 0, 0, 0, 0, 0, 1, 1, 2, 3)
"""By our priority 0..9; the ordinary 5 is the network's ordinary 0."""


MAX_ADDRESS_CHARS: Final = 20
"""Of submit_sm and deliver_sm; data_sm may bring longer ones, and some applications do so in submit_sm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressPlan:
    """Type of number and numbering plan by the form of an address, as agreed with the carrier."""

    international: TonNpi = (Ton.INTERNATIONAL, Npi.ISDN)
    digits: TonNpi = (Ton.UNKNOWN, Npi.ISDN)
    alphanumeric: TonNpi = (Ton.ALPHANUMERIC, Npi.UNKNOWN)


def encode_segment(
    segment: OutboundSegment, source_address: str, plan: AddressPlan, texts: TextPlan = PLAIN
) -> SubmitSm:
    """The submit_sm of one segment.

    Args:
        segment: sent exactly as it is.
        source_address: used when the segment asks for no sender.
        plan: see `AddressPlan`.
        texts: see `TextPlan`.

    Raises:
        EncodeError: the carrier's alphabet can't hold the segment.
    """
    data_coding, short_message = encode_content(
        segment.encoding, segment.payload, segment.udh, texts, flash=segment.flash
    )
    source_ton, source_npi, source_addr = encode_address(segment.sender or source_address, plan)
    dest_ton, dest_npi, destination_addr = encode_address(segment.recipient, plan)
    valid_for_s = segment.valid_for_s
    return SubmitSm(
        source_addr_ton=source_ton,
        source_addr_npi=source_npi,
        source_addr=source_addr,
        dest_addr_ton=dest_ton,
        dest_addr_npi=dest_npi,
        destination_addr=destination_addr,
        esm_class=c.ESM_UDHI if segment.udh else 0,
        priority_flag=_PRIORITY_FLAG[min(max(segment.priority, 0), 9)],
        validity_period="" if valid_for_s is None else format_relative_time(valid_for_s),
        registered_delivery=c.REGISTERED_FINAL if segment.report else c.REGISTERED_NONE,
        data_coding=data_coding,
        short_message=short_message,
    )


def encode_address(number: str, plan: AddressPlan) -> tuple[int, int, str]:
    """TON, NPI and the address: ``+`` is international, digits may be a short code, the rest is a name."""
    if not number:
        return Ton.UNKNOWN, Npi.UNKNOWN, ""
    if number[0] == "+":
        return *plan.international, number[1:]
    if number.isascii() and number.isdecimal():
        return *plan.digits, number
    return *plan.alphanumeric, number


def decode_address(ton: int, address: str) -> str:
    """Our spelling of an address: E.164 with ``+`` where the wire says international, else as it came."""
    if ton == Ton.INTERNATIONAL and address.isascii() and address.isdecimal():
        return f"+{address}"
    return address


def decode_content(
    data_coding: int, content: bytes, texts: TextPlan = PLAIN, udh: bytes = b"", *, whole: bool = True
) -> tuple[Encoding, bytes, bool]:
    """Read octets under a data_coding; total.

    Args:
        content: without header.
        texts: see `TextPlan`.
        udh: the header: a packed text begins on a septet boundary behind it, and it may announce national tables.
        whole: it is no part of a longer text. Of one in UCS-2 the octets stay as they came, byte order mark included:
            they are read together with the other parts.

    Returns:
        Encoding and payload as in `drivers.base`, and whether it is a flash message. Alphabets that we
        don't carry become UCS2; what can't be read in its alphabet stays BINARY.
    """
    flash = False
    encoding = texts.encoding_of(data_coding)
    if encoding is None:
        if data_coding < _FIRST_TP_DCS:
            return *_decode_charset(_PYTHON_CODECS.get(data_coding), content), flash
        dcs = decode_dcs(data_coding)
        encoding, flash = dcs.encoding, dcs.flash
    if encoding is Encoding.GSM7:
        encoding, content = decode_default(content, udh, texts)
        encoding, content = to_plain(encoding, content, udh)
    elif encoding is Encoding.UCS2 and whole:
        plain = find_plain_ascii(content)
        content = tidy_ucs2(content) if plain is None else plain.encode(BIG)
    return encoding, content, flash


def format_relative_time(seconds: float) -> str:
    """A span in SMPP's relative form ``YYMMDDhhmmss000R``, rounded up; a month counts 30 days, a year 365.

    There are never twelve months, which some would read as a year. Spec: SMPP 3.4 7.1.1.

    >>> format_relative_time(86_400 + 90)
    '000001000130000R'
    """
    left = max(1, math.ceil(min(seconds, _LONGEST_SPAN_S)))
    left, second = divmod(left, 60)
    left, minute = divmod(left, 60)
    left, hour = divmod(left, 24)
    year, left = divmod(left, _YEAR_DAYS)
    month = min(left // _MONTH_DAYS, _MOST_MONTHS)
    day = left - month * _MONTH_DAYS
    return f"{year:02}{month:02}{day:02}{hour:02}{minute:02}{second:02}000R"


_YEAR_DAYS: Final = 365
_MONTH_DAYS: Final = 30
_MOST_MONTHS: Final = 11
_LONGEST_SPAN_S: Final = 99 * _YEAR_DAYS * 86_400


def _decode_charset(charset: str | None, content: bytes) -> tuple[Encoding, bytes]:
    if charset is None:
        return Encoding.BINARY, content
    try:
        return Encoding.UCS2, content.decode(charset).encode("utf-16-be")
    except UnicodeError:
        return Encoding.BINARY, content
