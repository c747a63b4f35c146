"""Between our segments and the fields of submit_sm: addresses, alphabets, validity.

Spec: SMPP 3.4 4.4.1, 5.2.5-5.2.19, 7.1.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from drivers.base import Encoding, OutboundSegment
from drivers.codec.dcs import decode_dcs
from drivers.smpp.wire import constants as c
from drivers.smpp.wire.constants import Npi, Ton
from drivers.smpp.wire.pdus import SubmitSm

TonNpi = tuple[int, int]

_DATA_CODING: Final = {
    (Encoding.GSM7, False): c.DATA_CODING_DEFAULT,
    (Encoding.UCS2, False): c.DATA_CODING_UCS2,
    (Encoding.BINARY, False): c.DATA_CODING_OCTETS,
    # With a message class it is a GSM TP-DCS: class 0 in the general group.
    (Encoding.GSM7, True): 0x10,
    (Encoding.UCS2, True): 0x18,
    (Encoding.BINARY, True): 0x14,
}
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


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressPlan:
    """Type of number and numbering plan by the form of an address, as agreed with the carrier."""

    international: TonNpi = (Ton.INTERNATIONAL, Npi.ISDN)
    digits: TonNpi = (Ton.UNKNOWN, Npi.ISDN)
    alphanumeric: TonNpi = (Ton.ALPHANUMERIC, Npi.UNKNOWN)


def encode_segment(segment: OutboundSegment, source_address: str, plan: AddressPlan) -> SubmitSm:
    """The submit_sm of one segment.

    GSM7 goes unpacked, one code an octet, under data_coding 0.

    Args:
        segment: sent exactly as it is.
        source_address: used when the segment asks for no sender.
        plan: see `AddressPlan`.
    """
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
        data_coding=_DATA_CODING[segment.encoding, segment.flash],
        short_message=segment.udh + segment.payload,
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


def decode_content(data_coding: int, content: bytes) -> tuple[Encoding, bytes, bool]:
    """Read octets under a data_coding; total.

    Returns:
        Encoding and payload as in `drivers.base`, and whether it is a flash message. Alphabets that we
        don't carry become UCS2; what can't be read in its alphabet stays BINARY.
    """
    flash = False
    if data_coding >= _FIRST_TP_DCS:
        dcs = decode_dcs(data_coding)
        encoding, flash = dcs.encoding, dcs.flash
    elif data_coding == c.DATA_CODING_DEFAULT:
        encoding = Encoding.GSM7
    elif data_coding == c.DATA_CODING_UCS2:
        encoding = Encoding.UCS2
    else:
        return *_decode_charset(_PYTHON_CODECS.get(data_coding), content), flash
    if encoding is Encoding.GSM7 and max(content, default=0) > 0x7F:
        # No GSM code is above 127: this SMSC's default alphabet is Latin-1.
        return *_decode_charset("latin-1", content), flash
    return encoding, content, flash


def format_relative_time(seconds: float) -> str:
    """A span in SMPP's relative form ``YYMMDDhhmmss000R``, rounded up; a month counts 30 days.

    Spec: SMPP 3.4 7.1.1.

    >>> format_relative_time(86_400 + 90)
    '000001000130000R'
    """
    left = max(1, math.ceil(min(seconds, _LONGEST_SPAN_S)))
    left, second = divmod(left, 60)
    left, minute = divmod(left, 60)
    left, hour = divmod(left, 24)
    left, day = divmod(left, 30)
    year, month = divmod(left, 12)
    return f"{year:02}{month:02}{day:02}{hour:02}{minute:02}{second:02}000R"


_LONGEST_SPAN_S: Final = 99 * 360 * 86_400


def _decode_charset(charset: str | None, content: bytes) -> tuple[Encoding, bytes]:
    if charset is None:
        return Encoding.BINARY, content
    try:
        return Encoding.UCS2, content.decode(charset).encode("utf-16-be")
    except UnicodeError:
        return Encoding.BINARY, content
