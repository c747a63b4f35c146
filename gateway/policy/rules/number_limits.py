"""Number limits: so many messages to numbers that begin alike, in so much time: against toll fraud. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final, NamedTuple

from gateway.model.message import Category
from gateway.policy.chain import Chain
from gateway.policy.decision import ALLOW, Decision, Refuse
from gateway.policy.subject import Facts, Need, Subject

_TIMES: Final[Mapping[int, str]] = {1: "s", 60: "min", 3600: "h", 86400: "day"}


class NumberLimit(NamedTuple):
    """One limit.

    Args:
        prefix: with which the numbers begin: ``+`` and digits, or digits of short codes.
        most: messages.
        per_s: in so many seconds, whole numbers of them.
        beside: numbers that begin so are under other limits, or none.
    """

    prefix: str
    most: int
    per_s: int
    beside: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """By which its messages are counted."""
        return f"{self.prefix}/{self.per_s}"

    def meets(self, number: str) -> bool:
        """Whether a number is under it."""
        return number.startswith(self.prefix) and not (self.beside and number.startswith(self.beside))


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberLimits:
    """All limits; a number may be under several.

    Args:
        limits: none twice.
    """

    limits: tuple[NumberLimit, ...]
    name: ClassVar[str] = "number_limits"
    fixed: ClassVar[bool] = False
    needs: ClassVar[frozenset[Need]] = frozenset({Need.NUMBER_COUNTS})
    again: ClassVar[bool] = False

    def concerns(self, category: Category) -> bool:
        """All."""
        return True

    def decide(self, subject: Subject, facts: Facts, now: datetime) -> Decision:
        """See `gateway.policy.chain.PersonRule`."""
        if not facts.number_counts:
            return ALLOW
        for limit in limits_of(subject.recipient, self.limits):
            if facts.number_counts.get(limit.name, 0) >= limit.most:
                time = _TIMES.get(limit.per_s, f"{limit.per_s} s")
                detail = f"As many messages as [[number_limits]] allows went to {limit.prefix}: {limit.most}/{time}."
                return Refuse("number_limit", detail)
        return ALLOW


def limits_in(chain: Chain) -> tuple[NumberLimit, ...]:
    """The limits of a chain of rules."""
    return next((rule.limits for rule in chain.persons if isinstance(rule, NumberLimits)), ())


def limits_of(number: str, limits: Sequence[NumberLimit]) -> list[NumberLimit]:
    """The limits that a number is under."""
    return [limit for limit in limits if limit.meets(number)]
