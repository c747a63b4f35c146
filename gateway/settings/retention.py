"""``[retention]``: how long what is over is kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated

import msgspec

from gateway.settings.forms import BadValue, Form, parse_duration, show
from gateway.settings.kinds.sim import SimSettings

DAY_S = 86_400.0
FOR_EVER_S = 0.0
"""How "never" is kept: nothing of the kind is deleted."""
_FOR_EVER = ("never", "off")
_OR_FOR_EVER = ', or "never" to keep it for ever'


def parse_keep(value: object) -> float:
    """``"180d"``, or ``"never"`` (also ``"off"``) for what is not deleted by age; in seconds."""
    if value in _FOR_EVER:
        return FOR_EVER_S
    if not isinstance(value, bool) and str(value).isdecimal() and (days := int(str(value))):
        raise BadValue(f'{show(value)} has no unit; write "{days}d" for days{_OR_FOR_EVER}')
    try:
        seconds = parse_duration(value)
    except BadValue:
        raise BadValue(f'{show(value)} will not do; write days, "1d" to "36500d"{_OR_FOR_EVER}') from None
    if seconds < DAY_S:
        raise BadValue(f'{show(value)} is less than a day; write "1d" or more{_OR_FOR_EVER}')
    return seconds


Keep = Annotated[float, Form(parse_keep)]


class RetentionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[retention]``: how long each kind of record is kept after it is over; 0 is for ever.

    Args:
        texts: texts and payloads of messages that ended; the message itself stays.
        messages: messages that ended, with all that belongs to them.
        events: the timeline: what messages show as ``events``, and what streams can go back to.
        inbound: messages that came in.
        receipts: delivery reports that found no message.
        audit: the trail of who did what. Never less than `LEAST_AUDIT_S`.
    """

    texts: Keep = 180 * DAY_S
    messages: Keep = 365 * DAY_S
    events: Keep = 90 * DAY_S
    inbound: Keep = 365 * DAY_S
    receipts: Keep = 14 * DAY_S
    audit: Keep = 1826 * DAY_S


_MONTH_S = 32 * DAY_S
LEAST_AUDIT_S = 180 * DAY_S
"""Half a year, for which China's Cybersecurity Law (article 21) has logs of a network kept."""


def retention_faults(kept: RetentionSettings, sims: Iterable[SimSettings]) -> Iterator[tuple[str, str]]:
    """What a SIM has used in a month is counted from the messages, also after a restart; a trail of a day is none."""
    if FOR_EVER_S < kept.audit < LEAST_AUDIT_S:
        yield (
            "retention.audit",
            'is shorter than half a year; write "180d" or more, or "never" to keep it for ever',
        )
    monthly = any(sim.quota_month is not None or sim.recipients_per_month is not None for sim in sims)
    if monthly and FOR_EVER_S < kept.messages < _MONTH_S:
        yield (
            "retention.messages",
            'is shorter than a month, and a SIM has a budget for the month; write "32d" or more',
        )
