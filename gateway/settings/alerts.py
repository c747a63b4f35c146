"""``[[alerts]]``: who gets which alarm of Alertmanager or Grafana, and the same as values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal

import msgspec

from gateway.alerts.receivers import BadMatcher, Receiver, parse_matcher
from gateway.alerts.wording import DEFAULT_TEMPLATE, find_template_fault
from gateway.model.message import Category
from gateway.settings.forms import (
    BadValue,
    Duration,
    Filled,
    Flag,
    Form,
    Hours,
    Name,
    Rate,
    list_of,
    one_of,
    parse_filled,
    parse_rate,
    show,
    whole_number,
)

MOST_RECIPIENTS = 100
MOST_TEXTS = 1_000
"""To one recipient in one period: more is no guard."""


def parse_recipients(value: object) -> tuple[str, ...]:
    """Numbers: one at least. How they are read depends on the region; `alert_faults` looks at that."""
    numbers = list_of(parse_filled)(value)
    if not 1 <= len(numbers) <= MOST_RECIPIENTS:
        raise BadValue(
            f'has {len(numbers)} numbers; write 1 to {MOST_RECIPIENTS} of them, such as ["+8613800138000"]'
        )
    return numbers


def parse_match(value: object) -> str:
    """One matcher, as Alertmanager writes it."""
    text = parse_filled(value)
    try:
        parse_matcher(text)
    except BadMatcher as error:
        raise BadValue(f"{show(text)} {error}") from None
    return text


def parse_template(value: object) -> str:
    """A text with fields in braces."""
    text = parse_filled(value)
    if fault := find_template_fault(text):
        raise BadValue(fault)
    return text


def parse_storm(value: object) -> Rate:
    """``"20/h"``."""
    rate = parse_rate(value)
    if rate.count > MOST_TEXTS:
        raise BadValue(f'{show(value)} guards nobody; write at most {MOST_TEXTS}, such as "20/h"')
    return rate


class AlertSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[[alerts]]``: who gets which alarm; the first table that fits takes an alarm.

    Args:
        name: unique.
        match: what the alarm's labels must be, as Alertmanager writes it: ``severity="critical"``; empty for any.
        goes_on: ask the tables behind this one for the same alarm, too.
        to: who gets its texts.
        category: ``transactional`` or ``emergency``.
        sender: the channel group that sends them.
        template: of one alarm.
        firing: the word before alarms that fire.
        resolved: the word before alarms that are over.
        send_resolved: whether the end of an alarm is told.
        max_segments: of one text.
        repeat_after_s: an alarm that goes on firing is told again after so long, if the tool reports it again.
        storm: so many texts each recipient gets in so much time; what is above is told in one text.
        active_hours: outside of these alarms are held, and told in one text when they begin.
    """

    name: Name
    match: Annotated[tuple[str, ...], Form(list_of(parse_match))] = ()
    goes_on: Flag = msgspec.field(default=False, name="continue")
    to: Annotated[tuple[str, ...], Form(parse_recipients)]
    category: Annotated[Literal["transactional", "emergency"], Form(one_of("transactional", "emergency"))] = (
        "transactional"
    )
    sender: Name | None = None
    template: Annotated[str, Form(parse_template)] = DEFAULT_TEMPLATE
    firing: Filled = "FIRING"
    resolved: Filled = "RESOLVED"
    send_resolved: Flag = True
    max_segments: Annotated[int, Form(whole_number(1, 10))] = 2
    repeat_after_s: Duration = msgspec.field(default=3_600.0, name="repeat_after")
    storm: Annotated[Rate, Form(parse_storm)] = Rate(20, 3_600.0)
    active_hours: Hours | None = None

    def receiver(self) -> Receiver:
        """The same as the door takes it."""
        return Receiver(
            name=self.name,
            matchers=tuple(map(parse_matcher, self.match)),
            goes_on=self.goes_on,
            recipients=self.to,
            category=Category(self.category),
            sender=self.sender,
            template=self.template,
            firing=self.firing,
            resolved=self.resolved,
            tells_resolved=self.send_resolved,
            max_segments=self.max_segments,
            repeat_after_s=self.repeat_after_s,
            most_texts=self.storm.count,
            per_s=self.storm.per_s,
            active_hours=self.active_hours,
        )


def alert_faults(
    tables: Sequence[AlertSettings], channels: Mapping[str, Sequence[str]], region: str
) -> Iterator[tuple[str, str]]:
    """What is wrong beyond single settings: names that stand twice, tables that nothing comes to, numbers, groups.

    Args:
        channels: name -> groups; without any nothing is said of groups, for they may be simulated.
    """
    if not tables:
        return
    from gateway.model.msisdn import InvalidNumber, parse_number  # noqa: PLC0415 - its tables take a while to load

    groups = {group for served in channels.values() for group in served}
    names: set[str] = set()
    takes_all = ""
    for number, table in enumerate(tables):
        path = f"alerts[{number}]"
        if table.name in names:
            yield f"{path}.name", f"{show(table.name)} stands there twice; write another"
        names.add(table.name)
        if takes_all:
            yield (
                f"{path}.match",
                f"nothing comes here: {show(takes_all)} takes every alarm; put that table last",
            )
        elif not table.match and not table.goes_on:
            takes_all = table.name
        for recipient in table.to:
            try:
                parse_number(recipient, region)
            except InvalidNumber as error:
                yield f"{path}.to", f"{show(recipient)} can't be sent to: {error}"
        if groups and table.sender is not None and table.sender not in groups:
            yield f"{path}.sender", f"no channel serves {show(table.sender)}"
