"""Who gets which alarm: tables of the config, asked in their order for what an alarm's labels say. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gateway.model.message import Category
from gateway.routing.periods import ActiveHours

_MATCHER = re.compile(r"\s*([a-zA-Z_][a-zA-Z0-9_./-]*)\s*(=~|!~|!=|=)\s*(.*?)\s*", re.DOTALL)


class BadMatcher(ValueError):
    """A matcher is written wrongly; the sentence says how."""


class Matcher(NamedTuple):
    """What one label must be; a label that is missing is empty, as for Alertmanager.

    Args:
        fits: whether a value is what is written.
        wanted: whether it has to be.
    """

    label: str
    fits: Callable[[str], bool]
    wanted: bool

    def takes(self, labels: Mapping[str, str]) -> bool:
        """Whether an alarm's labels are so."""
        return self.fits(labels.get(self.label, "")) is self.wanted


def parse_matcher(text: str) -> Matcher:
    """A matcher as Alertmanager writes it: ``severity="critical"``, ``job=~"db|web"``, ``env!=test``, ``x!~"a.*"``.

    Raises:
        BadMatcher: it is none.
    """
    parts = _MATCHER.fullmatch(text)
    if parts is None:
        raise BadMatcher('is no matcher; write such as severity="critical" or job=~"db|web"')
    label, sign, value = parts.groups()
    if len(value) >= 2 and value[0] == value[-1] == '"':
        value = value[1:-1]
    if not sign.endswith("~"):
        return Matcher(label, value.__eq__, wanted=sign == "=")
    try:
        pattern = re.compile(value, re.DOTALL)
    except (re.error, RecursionError, OverflowError) as error:
        raise BadMatcher(f"holds no regular expression: {error}") from None
    return Matcher(label, lambda given: pattern.fullmatch(given) is not None, wanted=sign == "=~")


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """One table ``[[alerts]]``.

    Args:
        name: unique.
        matchers: all must fit; none fits every alarm.
        goes_on: ask the tables behind it for the same alarm, too.
        recipients: who gets its texts.
        sender: the channel group that sends them; None for any.
        template: of one alarm's line.
        firing, resolved: the words that stand before.
        tells_resolved: whether the end of an alarm gets a text.
        max_segments: of one text.
        repeat_after_s: an alarm that goes on firing gets no other text before.
        most_texts, per_s: so many texts each recipient gets in so many seconds; what is above is told in one.
        active_hours: outside of them alarms are held and told in one text when they begin; None for always.
    """

    name: str
    matchers: tuple[Matcher, ...]
    goes_on: bool
    recipients: tuple[str, ...]
    category: Category
    sender: str | None
    template: str
    firing: str
    resolved: str
    tells_resolved: bool
    max_segments: int
    repeat_after_s: float
    most_texts: int
    per_s: float
    active_hours: ActiveHours | None


def find_receivers(receivers: Sequence[Receiver], labels: Mapping[str, str]) -> list[Receiver]:
    """The first that takes an alarm with these labels, and those behind it while they say so; none may."""
    found = []
    for receiver in receivers:
        if all(matcher.takes(labels) for matcher in receiver.matchers):
            found.append(receiver)
            if not receiver.goes_on:
                break
    return found
