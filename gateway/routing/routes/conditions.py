"""Conditions: which messages a rule is for, and in words which condition a message does not meet. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import lru_cache
from typing import Final, NamedTuple

from gateway.model.message import Category
from gateway.routing.periods import ActiveHours

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_ENCODINGS: Final = {"gsm7": "GSM-7", "ucs2": "UCS-2", "binary": "binary"}


class Asked(NamedTuple):
    """What of a message rules may ask for.

    Args:
        number: the recipient, as stored.
        at: when the message may go: now, or its schedule; aware.
        key: ids and names of who sends it: of an API key both, of an account ``smpp:NAME`` or ``kannel:NAME``.
        sender: the channel group, or the name, that the client asked for.
        channel: the channel it is pinned to.
        encoding: ``gsm7``, ``ucs2`` or ``binary``: what was decided.
        n_segments: of the message.
    """

    number: str
    at: datetime
    category: Category = Category.TRANSACTIONAL
    key: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    sender: str | None = None
    channel: str | None = None
    encoding: str = "gsm7"
    n_segments: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """All that one rule asks for; empty is whatever there is. Each must be met; of several values one is enough.

    Args:
        prefix: beginnings of numbers, with ``+``.
        sender: a rule without one is not for messages that name a sender.
        hours: parts of the day, none overlapping.
        weekdays: 0 for Monday; the day on which the message may go, also after midnight.
        zone: whose clock counts; None for this machine's.
    """

    prefix: tuple[str, ...] = ()
    carrier: frozenset[str] = frozenset()
    category: frozenset[Category] = frozenset()
    key: frozenset[str] = frozenset()
    tag: frozenset[str] = frozenset()
    sender: frozenset[str] = frozenset()
    encoding: frozenset[str] = frozenset()
    hours: tuple[ActiveHours, ...] = ()
    weekdays: frozenset[int] = frozenset()
    zone: tzinfo | None = None

    def missed(self, asked: Asked, carrier: str | None) -> str | None:
        """The first condition that a message does not meet, by its key in the config; None when it meets all.

        Args:
            carrier: of the number, as far as it is known.
        """
        if asked.sender is not None and asked.sender not in self.sender:
            return "sender"
        if self.sender and asked.sender is None:
            return "sender"
        if self.prefix and not asked.number.startswith(self.prefix):
            return "prefix"
        if self.carrier and carrier not in self.carrier:
            return "carrier"
        if self.category and asked.category not in self.category:
            return "category"
        if self.key and self.key.isdisjoint(asked.key):
            return "key"
        if self.tag and self.tag.isdisjoint(asked.tags):
            return "tag"
        if self.encoding and asked.encoding not in self.encoding:
            return "encoding"
        return self.missed_time(asked.at)

    @property
    def is_timed(self) -> bool:
        """Whether it depends on when a message may go."""
        return bool(self.weekdays or self.hours)

    def missed_time(self, at: datetime) -> str | None:
        """`missed` of the conditions on time alone."""
        if not self.is_timed:
            return None
        weekday, minute = _local(at, self.zone)
        if self.weekdays and weekday not in self.weekdays:
            return "weekdays"
        if self.hours and not any(hours.holds_minute(minute) for hours in self.hours):
            return "hours"
        return None

    def tell_missed(self, key: str, asked: Asked, carrier: str | None) -> str:
        """One sentence on a condition that `missed` named: what it wants, and what is there."""
        match key:
            case "sender" if not self.sender:
                return f"The message names the sender {asked.sender}, and the rule has none."
            case "sender":
                has = "names none" if asked.sender is None else f"names {asked.sender}"
                return f"The rule is for the sender {_one_of(self.sender)}, and the message {has}."
            case "prefix":
                return f"The number does not begin with {_one_of(self.prefix)}."
            case "carrier":
                has = "not known" if carrier is None else carrier
                return f"The rule is for the carrier {_one_of(self.carrier)}, and the number's is {has}."
            case "category":
                return f"The rule is for {_one_of(self.category)}, and the message is {asked.category.value}."
            case "key":
                has = f"by {asked.key[-1]}" if asked.key else "the gateway's own"
                return f"The rule is for messages by {_one_of(self.key)}, and this one is {has}."
            case "tag":
                has = f"has {', '.join(asked.tags)}" if asked.tags else "has none"
                return f"The rule is for the tag {_one_of(self.tag)}, and the message {has}."
            case "encoding":
                wanted = _one_of([_ENCODINGS[one] for one in sorted(self.encoding)])
                return f"The rule is for {wanted}, and the message is {_ENCODINGS[asked.encoding]}."
            case "weekdays":
                days = [WEEKDAYS[day] for day in sorted(self.weekdays)]
                return f"The rule is for {', '.join(days)}, and it is {self._local(asked.at)}."
            case _:
                wanted = " and ".join(str(hours) for hours in self.hours)
                return f"The rule is for {wanted}, and it is {self._local(asked.at)}."

    def tell_met(self) -> str:
        """One sentence on a rule whose conditions a message meets."""
        asked = [key for key in KEYS if getattr(self, key)]
        return f"It meets {_and(asked)}." if asked else "The rule asks for nothing: it takes all."

    def _local(self, at: datetime) -> str:
        local = at.astimezone(self.zone)
        zone = "" if self.zone is None else f" in {self.zone}"
        return f"{WEEKDAYS[local.weekday()]} {local:%H:%M}{zone}"

    def covers(self, other: Conditions) -> bool:
        """Whether every message that meets ``other`` meets this, too; False where that can't be said for certain."""
        if bool(self.sender) is not bool(other.sender) or self._unasked(other):
            return False
        if self.prefix and not all(one.startswith(self.prefix) for one in other.prefix):
            return False
        for key in ("carrier", "category", "key", "tag", "sender", "encoding"):
            mine, others = getattr(self, key), getattr(other, key)
            if mine and not others <= mine:
                return False
        if not (self.hours or self.weekdays):
            return True
        return str(self.zone) == str(other.zone) and _minutes(other.hours, other.weekdays) <= _minutes(
            self.hours, self.weekdays
        )

    def _unasked(self, other: Conditions) -> bool:
        """Whether this asks for something that ``other`` leaves open, times aside."""
        return any(getattr(self, key) and not getattr(other, key) for key in KEYS[:7])


KEYS: Final = ("prefix", "carrier", "category", "key", "tag", "sender", "encoding", "weekdays", "hours")
"""Of conditions, as the config calls them."""


@lru_cache(maxsize=100)
def _local(at: datetime, zone: tzinfo | None) -> tuple[int, int]:
    """Weekday and minute of the day; many rules ask for those of one message."""
    local = at.astimezone(zone)
    return local.weekday(), local.hour * 60 + local.minute


@lru_cache(maxsize=2_000)
def _minutes(hours: tuple[ActiveHours, ...], weekdays: frozenset[int]) -> frozenset[int]:
    """Minutes of the week that hours and days leave; at most 10,080."""
    of_day = {minute for one in hours for minute in minutes_of(one)} or set(range(1_440))
    return frozenset(day * 1_440 + minute for day in weekdays or range(7) for minute in of_day)


def minutes_of(hours: ActiveHours) -> Collection[int]:
    """The minutes of the day that lie in some hours."""
    if hours.start_min < hours.end_min:
        return range(hours.start_min, hours.end_min)
    return {*range(hours.start_min, 1_440), *range(hours.end_min)}


def _one_of(values: Collection[str]) -> str:
    """Values for people, the first few of them.

    >>> _one_of(["a", "b", "c"])
    'a, b or c'
    """
    listed = list(values) if isinstance(values, list | tuple) else sorted(values)
    if len(listed) > 5:
        return f"{', '.join(listed[:5])} or {len(listed) - 5} others"
    return " or ".join(part for part in (", ".join(listed[:-1]), listed[-1]) if part)


def _and(words: list[str]) -> str:
    return " and ".join(part for part in (", ".join(words[:-1]), words[-1]) if part)
