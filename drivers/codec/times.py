"""Times on the wire: service centre time stamps and validity periods.

Nothing here knows the present: absolute validity periods stay time stamps.

Spec: 3GPP TS 23.040 9.2.3.11 (TP-SCTS), 9.2.3.12 (TP-VP), 9.2.3.13 (TP-DT).
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Final

from drivers.errors import DecodeError, EncodeError

SCTS_OCTETS: Final = 7
ENHANCED_VP_OCTETS: Final = 7

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_WEEK: Final = 7 * _DAY
_QUARTER: Final = timedelta(minutes=15)
_MAX_QUARTERS: Final = 79  # seven BCD bits beside the sign
_ZONE_SIGN: Final = 0x08  # of the octet as it stands: the first digit is in the low half
_LONGEST_HMS: Final = 99 * _HOUR + 59 * _MINUTE + 59

# Functionality indicator of the enhanced format.
_VP_EXTENDED: Final = 0x80
_VP_SINGLE_SHOT: Final = 0x40
_VP_FORMAT: Final = 0b111
_VP_NONE: Final = 0b000
_VP_RELATIVE: Final = 0b001
_VP_SECONDS: Final = 0b010
_VP_HMS: Final = 0b011

_FIRST_YEAR: Final = 1990  # two digits: SMS is younger than this, so 90..99 are the nineties


def encode_scts(at: datetime) -> bytes:
    """Encode a time stamp, in the time zone of ``at``.

    Args:
        at: aware, 1990..2089; fractions of a second are dropped. A zone that is no multiple of
            15 minutes is replaced by UTC.

    Returns:
        7 octets: year, month, day, hour, minute, second, zone; swapped semi-octets.

    Raises:
        EncodeError: ``at`` is naive or its year has no two-digit form.

    Spec: 3GPP TS 23.040 9.2.3.11.

    >>> from datetime import timezone
    >>> encode_scts(datetime(1999, 3, 29, 15, 16, 59, tzinfo=timezone(timedelta(hours=-7)))).hex()
    '9930925161958a'
    """
    offset = at.utcoffset()
    if offset is None:
        raise EncodeError("scts", "time has no zone")
    if offset % _QUARTER or abs(offset) > _MAX_QUARTERS * _QUARTER:
        at, offset = at.astimezone(UTC), timedelta()
    if not _FIRST_YEAR <= at.year < _FIRST_YEAR + 100:
        raise EncodeError("scts", f"year must be {_FIRST_YEAR}..{_FIRST_YEAR + 99}")
    fields = (at.year % 100, at.month, at.day, at.hour, at.minute, at.second, abs(offset) // _QUARTER)
    octets = bytearray(map(_encode_digits, fields))
    if offset < timedelta():
        octets[-1] |= _ZONE_SIGN
    return bytes(octets)


def _encode_digits(number: int) -> int:
    return number % 10 << 4 | number // 10


def decode_scts(octets: bytes) -> datetime | None:
    """Decode a time stamp; total.

    Args:
        octets: at least 7; what follows is ignored.

    Returns:
        The instant, aware, in UTC. None when the octets are too few or no date: some networks send zeros.

    Spec: 3GPP TS 23.040 9.2.3.11.

    >>> decode_scts(bytes.fromhex("9930925161958a")).isoformat()
    '1999-03-29T22:16:59+00:00'
    >>> decode_scts(bytes(7)) is None
    True
    """
    if len(octets) < SCTS_OCTETS:
        return None
    year, month, day, hour, minute, second, zone = octets[:SCTS_OCTETS]
    offset = _OFFSETS[zone]
    if offset is None:
        return None
    try:
        # What is no digit is -1 in the table, which no field of a date can be.
        local = datetime(
            _YEARS[year],
            _DIGITS[month],
            _DIGITS[day],
            _DIGITS[hour],
            _DIGITS[minute],
            _DIGITS[second],
            tzinfo=UTC,
        )
    except ValueError:
        return None
    return local - offset


def _decode_digits(octet: int) -> int:
    """Two decimal digits in swapped semi-octets; -1 when one is no digit."""
    tens, units = octet & 0xF, octet >> 4
    return 10 * tens + units if tens < 10 and units < 10 else -1


def _decode_year(octet: int) -> int:
    year = _DIGITS[octet]
    return -1 if year < 0 else year + (1900 if year >= _FIRST_YEAR % 100 else 2000)


def _decode_zone(octet: int) -> timedelta | None:
    quarters = _DIGITS[octet & ~_ZONE_SIGN]
    if quarters < 0:
        return None
    return quarters * (-_QUARTER if octet & _ZONE_SIGN else _QUARTER)


_DIGITS: Final = tuple(map(_decode_digits, range(0x100)))
_YEARS: Final = tuple(map(_decode_year, range(0x100)))
_OFFSETS: Final = tuple(map(_decode_zone, range(0x100)))


def encode_relative_vp(seconds: float) -> int:
    """The shortest relative validity period that is not shorter than asked.

    Args:
        seconds: below 5 minutes gives 5 minutes, above 63 weeks gives 63 weeks.

    Returns:
        0..255.

    Spec: 3GPP TS 23.040 9.2.3.12.1.

    >>> [encode_relative_vp(hours * 3600) for hours in (0.1, 1, 24, 72)]
    [1, 11, 167, 169]
    """
    if not seconds <= 63 * _WEEK:  # infinity too
        return 255
    if seconds <= 12 * _HOUR:
        return max(0, math.ceil(seconds / (5 * _MINUTE)) - 1)
    if seconds <= _DAY:
        return 143 + math.ceil((seconds - 12 * _HOUR) / (30 * _MINUTE))
    if seconds <= 30 * _DAY:
        return 166 + math.ceil(seconds / _DAY)
    return 192 + math.ceil(seconds / _WEEK)  # more than 30 days are at least 5 weeks


def decode_relative_vp(tp_vp: int) -> int:
    """Seconds of a relative validity period.

    Args:
        tp_vp: 0..255.

    Raises:
        DecodeError: not an octet.

    Spec: 3GPP TS 23.040 9.2.3.12.1.

    >>> decode_relative_vp(0xAA) // 86_400
    4
    """
    if not 0 <= tp_vp <= 255:
        raise DecodeError("tp_vp", 0, "is not an octet")
    if tp_vp <= 143:
        return (tp_vp + 1) * 5 * _MINUTE
    if tp_vp <= 167:
        return 12 * _HOUR + (tp_vp - 143) * 30 * _MINUTE
    if tp_vp <= 196:
        return (tp_vp - 166) * _DAY
    return (tp_vp - 192) * _WEEK


def encode_enhanced_vp(seconds: float | None, *, single_shot: bool = False) -> bytes:
    """Encode a validity period in the enhanced format.

    Args:
        seconds: rounded up; whole seconds up to 255, hours, minutes and seconds below 100 hours, and the
            steps of the relative format above. None for no period.
        single_shot: at most one attempt at delivery.

    Returns:
        7 octets, the functionality indicator first, zero padded.

    Spec: 3GPP TS 23.040 9.2.3.12.3.

    >>> encode_enhanced_vp(90, single_shot=True).hex(), encode_enhanced_vp(45_296).hex()
    ('425a0000000000', '03214365000000')
    """
    if seconds is None:
        indicator, value = _VP_NONE, b""
    elif seconds <= 0xFF:
        indicator, value = _VP_SECONDS, bytes((max(1, math.ceil(seconds)),))
    elif seconds <= _LONGEST_HMS:
        minutes, second = divmod(math.ceil(seconds), 60)
        hour, minute = divmod(minutes, 60)
        indicator, value = _VP_HMS, bytes(map(_encode_digits, (hour, minute, second)))
    else:
        indicator, value = _VP_RELATIVE, bytes((encode_relative_vp(seconds),))
    head = bytes((indicator | (_VP_SINGLE_SHOT if single_shot else 0),))
    return (head + value).ljust(ENHANCED_VP_OCTETS, b"\0")


def is_single_shot(octets: bytes) -> bool:
    """Whether a validity period in the enhanced format allows one attempt only; total.

    Spec: 3GPP TS 23.040 9.2.3.12.3.
    """
    return bool(octets and octets[0] & _VP_SINGLE_SHOT)


def decode_enhanced_vp(octets: bytes) -> int | None:
    """Seconds of a validity period in the enhanced format; total.

    Args:
        octets: 7, the functionality indicator first.

    Returns:
        None when no period is given, or in a reserved or unreadable format.

    Spec: 3GPP TS 23.040 9.2.3.12.3.

    >>> decode_enhanced_vp(bytes.fromhex("032143650000 00"))
    45296
    """
    if len(octets) < ENHANCED_VP_OCTETS or octets[0] & _VP_EXTENDED:
        return None  # an extension octet changes what follows
    match octets[0] & _VP_FORMAT:
        case 0b001:
            return decode_relative_vp(octets[1])
        case 0b010:
            return octets[1]
        case 0b011:
            hours, minutes, seconds = (_DIGITS[octet] for octet in octets[1:4])
            if min(hours, minutes, seconds) < 0:
                return None
            return hours * _HOUR + minutes * _MINUTE + seconds
        case _:
            return None
