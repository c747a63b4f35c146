"""Frequency: a number gets no more messages of a kind in any so long stretch of time than the config allows. Pure.

Where a message is accepted all count that went out, and all that are to, at the time for which they are expected. Right
before the wire those count that went out, at their real times: no stretch ever holds too many.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Final, NamedTuple

from gateway.model.message import Category
from gateway.policy.decision import ALLOW, Decision, Later, Refuse
from gateway.policy.subject import Facts, Need, Subject, Touch

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_KINDS: Final = 10_000
CODE: Final = "frequency_capped"


class Limit(NamedTuple):
    """So many in any stretch of so long.

    Args:
        written: as the config has it.
    """

    most: int
    per_ms: int
    written: str


class Per(StrEnum):
    """What is counted together."""

    NUMBER = "number"
    BRAND = "brand"
    TEMPLATE = "template"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """Limits of one kind of messages. Empty conditions are met by all.

    Args:
        limits: all hold.
        per: whether each brand, or each template, has a count of its own.
        waits: what is too much waits until it is not; else it is refused.
    """

    limits: tuple[Limit, ...]
    category: frozenset[Category]
    brand: frozenset[str] = frozenset()
    template: frozenset[str] = frozenset()
    per: Per = Per.NUMBER
    waits: bool = False

    def meets(self, one: Subject | Touch) -> bool:
        """Whether it holds for a message."""
        return (
            one.category in self.category
            and (not self.brand or one.brand in self.brand)
            and (not self.template or one.template in self.template)
        )

    def times(self, subject: Subject, touches: Iterable[Touch], now_ms: int) -> list[int]:
        """When messages went that count beside another one, or may go at the earliest; in order."""
        found = []
        for touch in touches:
            message_id, at_ms, is_out, _, brand, template, _ = touch
            if not self.meets(touch) or message_id == subject.message_id:
                continue
            if (self.per is Per.BRAND and brand != subject.brand) or (
                self.per is Per.TEMPLATE and template != subject.template
            ):
                continue
            found.append(at_ms if is_out or at_ms > now_ms else now_ms)
        found.sort()
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Frequency:
    """See the module.

    Args:
        caps: all that a message meets hold.
    """

    caps: tuple[Cap, ...]
    _kinds: dict[tuple[object, ...], tuple[Cap, ...]] = field(default_factory=dict, repr=False, compare=False)

    name: ClassVar[str] = "frequency"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.TOUCHES})
    again: ClassVar[bool] = True
    fixed: ClassVar[bool] = False

    def concerns(self, category: Category) -> bool:
        """Categories that have caps."""
        return any(category in cap.category for cap in self.caps)

    def decide(self, subject: Subject, facts: Facts, now: datetime) -> Decision:
        """See `gateway.policy.chain.PersonRule`."""
        if not facts.touches or not (caps := self._caps_of(subject)):
            return ALLOW
        now_ms = _ms(now)
        at_ms = _ms(subject.at) if subject.at > now else now_ms
        counted = [(cap, cap.times(subject, facts.touches, now_ms)) for cap in caps]
        passed = [
            (cap, limit)
            for cap, times in counted
            for limit in cap.limits
            if len(times) >= limit.most and not _fits(times, at_ms, limit)
        ]
        if not passed:
            return ALLOW
        if not facts.claiming and (refusing := next((lim for cap, lim in passed if not cap.waits), None)):
            return Refuse(CODE, _sentence(refusing))
        return _wait(subject, counted, at_ms, passed[0][1])

    def _caps_of(self, subject: Subject) -> tuple[Cap, ...]:
        kind = (subject.category, subject.brand, subject.template)
        found = self._kinds.get(kind)
        if found is None:
            if len(self._kinds) >= _MOST_KINDS:
                self._kinds.clear()
            found = self._kinds[kind] = tuple(cap for cap in self.caps if cap.meets(subject))
        return found


def _wait(
    subject: Subject, counted: Sequence[tuple[Cap, Sequence[int]]], at_ms: int, limit: Limit
) -> Later | Refuse:
    """Until the first instant at which no limit is passed; there is one, behind the last that counts."""
    ends = sorted(
        {
            time + one.per_ms
            for cap, times in counted
            for one in cap.limits
            for time in times
            if time + one.per_ms > at_ms
        }
    )
    until_ms = next(
        end for end in ends if all(_fits(times, end, one) for cap, times in counted for one in cap.limits)
    )
    until = _EPOCH + timedelta(milliseconds=until_ms)
    if subject.expires_at is not None and until >= subject.expires_at:
        return Refuse(CODE, f"{_sentence(limit)} Its time is over before it may go.")
    return Later(until, CODE, _sentence(limit))


def _sentence(limit: Limit) -> str:
    return f"The recipient has had, or is to get, as many such messages as [[caps]] allows: {limit.written}."


def _fits(times: Sequence[int], at_ms: int, limit: Limit) -> bool:
    """Whether one more at an instant leaves no stretch with too many, before or behind it.

    A stretch with its beginning and without its end: two that are exactly so far apart are in two stretches.
    """
    most, place = limit.most, bisect_left(times, at_ms)
    for first in range(max(0, place - most), min(place, len(times) - most) + 1):
        # With `most` others, from here on, it would be one too many.
        if max(times[first + most - 1], at_ms) - min(times[first], at_ms) < limit.per_ms:
            return False
    return True


def _ms(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(milliseconds=1)
