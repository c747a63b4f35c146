"""Numbers: to which numbers anything goes at all: countries, kinds, block list, test lists, dead ones. Pure.

A short code belongs to no country and is of no kind: it is stopped by the block list and by a test list alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Final

from gateway.model.message import Category
from gateway.policy.chain import Chain
from gateway.policy.decision import ALLOW, Decision, Refuse, Warn
from gateway.policy.subject import Facts, Failures, Need, Subject


class Treatment(StrEnum):
    """What becomes of a message to a number of a kind."""

    ALLOW = "allow"
    WARN = "warn"
    REFUSE = "refuse"


_CHINESE_MOBILE: Final = tuple(f"+861{digit}" for digit in "3456789")
_CHINESE_CHARS: Final = len("+8613800138000")
"""Most of our traffic, told at once."""
_COUNTRY: Final = Refuse(
    "country_not_allowed", "The number is of a country that [numbers] countries does not list."
)
_PREMIUM: Final = ("premium_number", "The number is one that costs more than others of its country.")
_NOT_MOBILE: Final = ("not_mobile", "The number is a fixed line, or another that takes no texts.")
_UNKNOWN: Final = ("unknown_number", "The number is in no range that is given out, as far as is known.")
_BLOCKED: Final = Refuse("blocked_number", "The number is on the block list of the config.")
_NOT_A_TEST_NUMBER: Final = Refuse(
    "not_a_test_number", "Its sender is for trying out and sends to the numbers of its [[sandbox]] alone."
)


class BlockList:
    """Numbers, and beginnings of numbers; immutable. Two are the same when they hold the same.

    Args:
        numbers: in their one spelling.
        prefixes: with ``+`` for those of E.164.
    """

    __slots__ = ("_lengths", "_numbers", "_prefixes")

    def __init__(self, numbers: frozenset[str] = frozenset(), prefixes: frozenset[str] = frozenset()) -> None:
        self._numbers = numbers
        self._prefixes = prefixes
        self._lengths = tuple(sorted({len(prefix) for prefix in prefixes}))

    def __len__(self) -> int:
        return len(self._numbers) + len(self._prefixes)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, BlockList)
            and self._numbers == other._numbers
            and self._prefixes == other._prefixes
        )

    def __hash__(self) -> int:
        return hash((self._numbers, self._prefixes))

    def __contains__(self, number: str) -> bool:
        return number in self._numbers or any(number[:length] in self._prefixes for length in self._lengths)


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """Which numbers may be written to.

    Args:
        countries: ISO 3166; None for all.
        premium, not_mobile, unknown: what becomes of messages to numbers of these kinds.
        blocked: nothing goes there.
    """

    countries: frozenset[str] | None = None
    premium: Treatment = Treatment.REFUSE
    not_mobile: Treatment = Treatment.ALLOW
    unknown: Treatment = Treatment.ALLOW
    blocked: BlockList = field(default_factory=BlockList)
    name: ClassVar[str] = "numbers"
    fixed: ClassVar[bool] = False
    needs: ClassVar[frozenset[Need]] = frozenset()

    @property
    def again(self) -> bool:
        """Where countries or numbers are listed: whoever changes a list means what waits already, too."""
        return self.countries is not None or bool(self.blocked)

    def concerns(self, category: Category) -> bool:
        """All."""
        return True

    def decide(self, subject: Subject, facts: Facts, now: datetime) -> Decision:
        """See `gateway.policy.chain.PersonRule`."""
        number = subject.recipient
        if self.blocked and number in self.blocked:
            return _BLOCKED
        if not number.startswith("+"):
            return ALLOW
        if number.startswith(_CHINESE_MOBILE) and len(number) == _CHINESE_CHARS:
            return ALLOW if self.countries is None or "CN" in self.countries else _COUNTRY
        from gateway.model import number_plan  # noqa: PLC0415 - the plan's tables take a while to load

        if self.countries is not None and number_plan.region_of(number) not in self.countries:
            return _COUNTRY
        if self.premium is not Treatment.ALLOW and number_plan.is_premium(number):
            return _treat(self.premium, _PREMIUM)
        if self.not_mobile is self.unknown is Treatment.ALLOW:
            return ALLOW
        match number_plan.kind_of(number):
            case number_plan.NumberKind.OTHER:
                return _treat(self.not_mobile, _NOT_MOBILE)
            case number_plan.NumberKind.UNKNOWN:
                return _treat(self.unknown, _UNKNOWN)
            case number_plan.NumberKind.MOBILE:
                return ALLOW


def _treat(treatment: Treatment, why: tuple[str, str]) -> Decision:
    match treatment:
        case Treatment.ALLOW:
            return ALLOW
        case Treatment.WARN:
            return Warn(*why)
        case Treatment.REFUSE:
            return Refuse(*why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """Senders that try things out write to their own numbers alone.

    Args:
        numbers: of each sender, in their one spelling; of one that two tables name, those of both.
    """

    numbers: Mapping[str, frozenset[str]] = field(hash=False)
    name: ClassVar[str] = "sandbox"
    fixed: ClassVar[bool] = True
    needs: ClassVar[frozenset[Need]] = frozenset()
    again: ClassVar[bool] = False

    def concerns(self, category: Category) -> bool:
        """All."""
        return True

    def decide(self, subject: Subject, facts: Facts, now: datetime) -> Decision:
        """See `gateway.policy.chain.PersonRule`."""
        lists = [self.numbers[key] for key in subject.key if key in self.numbers]
        if all(subject.recipient in one for one in lists):
            return ALLOW
        return _NOT_A_TEST_NUMBER


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadNumbers:
    """What nobody receives is not sent; see `gateway.model.dead_numbers`.

    Args:
        after: so many messages must have failed, without one that arrived in between.
        retry_after: so long after the last failure one message goes again, to try it.
    """

    after: int
    retry_after: timedelta
    name: ClassVar[str] = "dead_numbers"
    fixed: ClassVar[bool] = False
    needs: ClassVar[frozenset[Need]] = frozenset({Need.DEAD_NUMBER})
    again: ClassVar[bool] = False

    def concerns(self, category: Category) -> bool:
        """All."""
        return True

    def decide(self, subject: Subject, facts: Facts, now: datetime) -> Decision:
        """See `gateway.policy.chain.PersonRule`."""
        until = None if facts.failures is None else self.dead_until(facts.failures)
        if until is None or until <= now:
            return ALLOW
        return Refuse(
            "dead_number",
            f"Networks said {self.after} times or more that nobody has the number;"
            f" it is tried again after {until:%Y-%m-%d %H:%M} UTC.",
        )

    def dead_until(self, failures: Failures) -> datetime | None:
        """When a number is tried again; None for one that is not taken for dead."""
        return failures.last_at + self.retry_after if failures.n >= self.after else None


def may_be_written_to(chain: Chain, number: str, now: datetime) -> bool:
    """Whether a message of the gateway's own may go to a number: who forges a sender picks which number we pay for."""
    subject = Subject(number, Category.TRANSACTIONAL, now, None)
    rules = (rule for rule in chain.persons if isinstance(rule, Numbers))
    return not any(isinstance(rule.decide(subject, Facts(), now), Refuse) for rule in rules)


def dead_in(chain: Chain) -> DeadNumbers | None:
    """The rule of dead numbers, where it is in a chain."""
    return next((rule for rule in chain.persons if isinstance(rule, DeadNumbers)), None)
