"""``[queue]``: how hard we try, how long something may wait, and who is helped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec

from gateway.settings.forms import BadValue, Duration, Form, one_of, parse_duration, show, whole_number
from gateway.settings.limits import NEVER_S, MostAge, MostMegabytes, MostMessages


def parse_ramp(value: object) -> float:
    """``"2m"``, or ``"off"`` for none; in seconds."""
    if value == "off":
        return 0.0
    try:
        return parse_duration(value)
    except BadValue:
        raise BadValue(
            f'{show(value)} will not do; write a duration, such as "2m", or "off" for no ramp'
        ) from None


class QueueSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[queue]``: how hard we try.

    Args:
        on_uncertain: what becomes of a segment that may or may not have gone out: ``hold`` keeps it for a
            receipt or an operator, ``retry`` sends it again, ``fail`` gives it up.
        max_attempts: how often one segment is tried.
        valid_for_s: how long a message may wait when it has no ``valid_for`` of its own.
        otp_valid_for_s: the same for codes (``otp``); never longer than ``valid_for``.
        retry_first_s: the pause after the first failed attempt; each later pause is twice the one before.
        retry_cap_s: the longest pause between two attempts.
        ramp_s: so long the rate of a channel grows to its full one after an outage; 0 for no ramp (``off``).
        ramp_after_s: a channel that could not send for so long had an outage.
        help_after_s: a message that more urgent ones go before is helped when it has waited for so long.
        help_one_of: one of so many places of its queue goes to messages that are helped.
        max_messages: that may wait for the network, in all.
        max_megabytes: that these may take in the store.
        max_age_s: while one has waited longer, nothing more is taken; `NEVER_S` for no limit.
    """

    on_uncertain: Annotated[Literal["hold", "retry", "fail"], Form(one_of("hold", "retry", "fail"))] = "hold"
    max_attempts: Annotated[int, Form(whole_number(1, 100))] = 5
    valid_for_s: Duration = msgspec.field(default=72 * 3600.0, name="valid_for")
    otp_valid_for_s: Duration = msgspec.field(default=600.0, name="otp_valid_for")
    retry_first_s: Duration = msgspec.field(default=15.0, name="retry_first")
    retry_cap_s: Duration = msgspec.field(default=1800.0, name="retry_cap")
    ramp_s: Annotated[float, Form(parse_ramp)] = msgspec.field(default=120.0, name="ramp")
    ramp_after_s: Duration = msgspec.field(default=60.0, name="ramp_after")
    help_after_s: Duration = msgspec.field(default=60.0, name="help_after")
    help_one_of: Annotated[int, Form(whole_number(2, 1_000))] = 10
    max_messages: MostMessages = 5_000_000
    max_megabytes: MostMegabytes = 10_000
    max_age_s: MostAge = msgspec.field(default=NEVER_S, name="max_age")

    def faults(self) -> Iterator[tuple[str, str]]:
        """The first pause is not longer than the longest."""
        if self.retry_first_s > self.retry_cap_s:
            yield "retry_first", "is longer than retry_cap; write a shorter one"
