"""Times in SMPP's text form: absolute with an offset from UTC, or a span from now.

Spec: SMPP 3.4 7.1.1.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Final

_OCTETS: Final = 16
_MONTH_DAYS: Final = 30
_YEAR_DAYS: Final = 365
_MAX_QUARTERS: Final = 48


def parse_time(text: str, now: datetime) -> datetime | None:
    """The instant that a schedule or a validity period names.

    Args:
        text: ``YYMMDDhhmmsstnnp``: tenths of a second, quarters of an hour from UTC, and ``+``, ``-`` or
            ``R`` for a span. A month of a span counts 30 days, a year 365.
        now: aware; what a span starts from.

    Returns:
        None when ``text`` is empty: the receiver's default.

    Raises:
        ValueError: it is no time.

    Spec: SMPP 3.4 7.1.1.

    >>> parse_time("000000000130000R", datetime(2026, 1, 1, tzinfo=UTC))
    datetime.datetime(2026, 1, 1, 0, 1, 30, tzinfo=datetime.timezone.utc)
    """
    if not text:
        return None
    digits, kind = text[: _OCTETS - 1], text[_OCTETS - 1 :]
    if len(text) != _OCTETS or not (digits.isascii() and digits.isdecimal()):
        raise ValueError("a time has 15 digits and one of + - R")
    year, month, day, hour, minute, second = (int(digits[i : i + 2]) for i in range(0, 12, 2))
    if kind == "R":
        days = year * _YEAR_DAYS + month * _MONTH_DAYS + day
        return now + timedelta(days=days, hours=hour, minutes=minute, seconds=second)
    quarters = int(digits[13:])
    if kind not in {"+", "-"} or quarters > _MAX_QUARTERS:
        raise ValueError("a time ends in its offset, + - or R")
    offset = timedelta(minutes=15 * (quarters if kind == "+" else -quarters))
    tenths = int(digits[12])
    at = datetime(2000 + year, month, day, hour, minute, second, tenths * 100_000, tzinfo=timezone(offset))
    return at.astimezone(UTC)


def format_time(at: datetime) -> str:
    """An instant in the absolute form, in UTC.

    >>> format_time(datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC))
    '260314092653000+'
    """
    return f"{at.astimezone(UTC):%y%m%d%H%M%S}000+"


def format_receipt_date(at: datetime) -> str:
    """The ten digits of a receipt's dates, in UTC. Spec: SMPP 3.4 appendix B."""
    return f"{at.astimezone(UTC):%y%m%d%H%M}"
