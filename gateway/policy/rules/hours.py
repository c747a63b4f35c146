"""Hours: messages go in the hours that the config gives their kind, by the recipient's clock. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import ClassVar, Final
from zlib import crc32

from gateway.model.message import Category
from gateway.policy.decision import ALLOW, Decision, Later, Refuse
from gateway.policy.opening import Opening
from gateway.policy.subject import Facts, Need, Subject
from gateway.policy.zones import Zones

_OUTSIDE: Final = "It is outside the hours in which such messages go."
_NEVER: Final = Refuse(
    "outside_hours",
    "No hour of the next 14 days is allowed in all time zones that the recipient may be in.",
)
_TOO_LATE: Final = Refuse(
    "expires_before_hours",
    "It is outside the hours in which such messages go, and its time is over before the next begin.",
)
EXEMPT: Final = frozenset({Category.OTP, Category.EMERGENCY})
"""Not concerned by hours that name no category."""
_MARGIN_S: Final = 60
"""So long before its end a message goes at the latest that waits for its hours."""
_MOST_KINDS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class HoursOf:
    """The hours of one kind of messages. Empty conditions are met by all.

    Args:
        category: empty for all but `EXEMPT`.
        opening: when they may go.
        zone: whose clock counts; None for the recipient's.
        refuses: what comes outside is refused; else it waits.
        spread_s: what waited is released over so long a time from the beginning of the hours.
    """

    opening: Opening
    category: frozenset[Category] = frozenset()
    key: frozenset[str] = frozenset()
    brand: frozenset[str] = frozenset()
    zone: tzinfo | None = None
    refuses: bool = False
    spread_s: float = 0.0

    def concerns(self, category: Category) -> bool:
        """Whether they are for a category."""
        return category in self.category if self.category else category not in EXEMPT

    def meets(self, subject: Subject) -> bool:
        """Whether they are a message's."""
        return (
            self.concerns(subject.category)
            and (not self.key or not self.key.isdisjoint(subject.key))
            and (not self.brand or subject.brand in self.brand)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HoursRule:
    """See the module.

    Args:
        hours: the first that a message meets are its own.
        zones: where recipients are.
    """

    hours: tuple[HoursOf, ...]
    zones: Zones
    _kinds: dict[tuple[object, ...], HoursOf | None] = field(default_factory=dict, repr=False, compare=False)

    name: ClassVar[str] = "hours"
    needs: ClassVar[frozenset[Need]] = frozenset()
    again: ClassVar[bool] = True
    fixed: ClassVar[bool] = False

    def concerns(self, category: Category) -> bool:
        """Categories that have hours."""
        return any(hours.concerns(category) for hours in self.hours)

    def decide(self, subject: Subject, facts: Facts, now: datetime) -> Decision:
        """See `gateway.policy.chain.PersonRule`."""
        hours = self._hours_of(subject)
        if hours is None:
            return ALLOW
        at_s = int(max(now, subject.at).timestamp())
        zones = self.zones.of(subject.recipient) if hours.zone is None else (hours.zone,)
        span = hours.opening.next_span(at_s, zones, subject.recipient)
        if span is not None and span[0] <= at_s:
            return ALLOW
        if hours.refuses:
            return Refuse("outside_hours", _OUTSIDE)
        if span is None:
            return _NEVER
        return _wait(subject, span, hours.spread_s)

    def _hours_of(self, subject: Subject) -> HoursOf | None:
        kind = (subject.category, subject.brand, subject.key)
        if kind not in self._kinds:
            if len(self._kinds) >= _MOST_KINDS:
                self._kinds.clear()
            self._kinds[kind] = next((hours for hours in self.hours if hours.meets(subject)), None)
        return self._kinds[kind]


def _wait(subject: Subject, span: tuple[int, int], spread_s: float) -> Later | Refuse:
    """Until a message's own place in the spread, which lies in its hours and in its time."""
    start, end = span
    room_s = min(spread_s, end - start)
    if subject.expires_at is not None:
        left_s = subject.expires_at.timestamp() - start
        if left_s <= 0:
            return _TOO_LATE
        room_s = min(room_s, max(left_s - _MARGIN_S, 0.0))
    until = datetime.fromtimestamp(start, UTC) + timedelta(
        milliseconds=int(room_s * 1000 * share_of(subject.message_id))
    )
    return Later(until, "outside_hours", _OUTSIDE)


def share_of(message_id: str) -> float:
    """A message's own place in a spread, always the same: from 0, less than 1.

    >>> share_of("") < share_of("a") < 1
    True
    """
    return crc32(message_id.encode()) / 2**32
