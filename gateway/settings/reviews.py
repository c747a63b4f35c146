"""``[reviews]``: messages that wait for a person's decision."""

from __future__ import annotations

from typing import Annotated

import msgspec

from gateway.settings.forms import Form, parse_duration

FOUR_HOURS_S = 14_400.0


class ReviewSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[reviews]``.

    Args:
        alarm_s: how long a message may wait for a decision before an alarm says so.
    """

    alarm_s: Annotated[float, Form(parse_duration)] = msgspec.field(default=FOUR_HOURS_S, name="alarm_after")
