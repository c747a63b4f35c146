"""What the contract of a SIM allows and what it has left to spend: a part of ``[[modems]]``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec

from gateway.settings.forms import Amount, Duration, Form, Hours, Limit, Pace, Pattern, UssdCode, whole_number

Count = Annotated[int, Form(whole_number(1, 100_000_000))]


class SimSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Budget and balance of one SIM. Days and months begin at midnight of this machine's time zone.

    Args:
        rate: the most segments it sends in so much time, evenly spread.
        quota: the most segments in a day, or in whichever time is given.
        quota_month: the most segments in a calendar month.
        recipients_per_day: how many different numbers it may send to in a day.
        recipients_per_month: how many different numbers it may send to in a calendar month.
        active_hours: the hours of the day in which it sends; it sends nothing outside of them.
        reserve: so many segments of each quota are kept for otp and emergency messages.
        balance_code: the USSD code that asks for the SIM's balance.
        balance_pattern: regular expression; its first group is the amount in the network's answer.
        balance_every_s: how often the balance is asked for.
        balance_alarm: below this amount a warning is given.
    """

    rate: Pace | None = None
    quota: Limit | None = None
    quota_month: Count | None = None
    recipients_per_day: Count | None = None
    recipients_per_month: Count | None = None
    active_hours: Hours | None = None
    reserve: Annotated[int, Form(whole_number(0, 100_000_000))] = 0
    balance_code: UssdCode | None = None
    balance_pattern: Pattern = r"([0-9]+(?:[.,][0-9]+)?)"
    balance_every_s: Duration = msgspec.field(default=12 * 3600.0, name="balance_every")
    balance_alarm: Amount | None = None

    def faults(self) -> Iterator[tuple[str, str]]:
        """A reserve of something, smaller than it; an alarm on what is asked."""
        a_day = self.quota.count if self.quota is not None else None
        quotas = [n for n in (a_day, self.quota_month) if n is not None]
        if self.reserve and not quotas:
            yield "reserve", "is a part of a quota, and there is none; write quota or quota_month too"
        if quotas and self.reserve >= min(quotas):
            yield "reserve", f"leaves nothing for other messages; write less than {min(quotas)}"
        if self.balance_alarm is not None and self.balance_code is None:
            yield "balance_alarm", 'needs a balance to look at; write balance_code = "*100#" too'
