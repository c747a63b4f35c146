"""Repeats: the same text does not go to the same number twice in a short time. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final

from gateway.model.message import Category
from gateway.policy.decision import ALLOW, Decision, Refuse, Warn
from gateway.policy.subject import Facts, Need, Subject, hash_text

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
CODE: Final = "repeated_text"


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatsOf:
    """What a repeat is of one kind of messages. Empty conditions are met by all.

    Args:
        window_ms: two of the same text that are less apart.
        warns: a repeat goes all the same, and says so.
    """

    window_ms: int
    category: frozenset[Category] = frozenset()
    brand: frozenset[str] = frozenset()
    warns: bool = False

    def concerns(self, category: Category) -> bool:
        """Whether it is for a category."""
        return not self.category or category in self.category

    def meets(self, subject: Subject) -> bool:
        """Whether it is for a message."""
        return self.concerns(subject.category) and (not self.brand or subject.brand in self.brand)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """See the module.

    Args:
        kinds: the first that a message meets is its own.
    """

    kinds: tuple[RepeatsOf, ...]

    name: ClassVar[str] = "repeats"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.TOUCHES})
    again: ClassVar[bool] = True
    """Only so that it is known when the first went out; nothing is said again."""
    fixed: ClassVar[bool] = False

    def concerns(self, category: Category) -> bool:
        """Categories of which repeats are looked for."""
        return any(kind.concerns(category) for kind in self.kinds)

    def decide(self, subject: Subject, facts: Facts, now: datetime) -> Decision:
        """See `gateway.policy.chain.PersonRule`."""
        if facts.claiming or not facts.touches:
            return ALLOW
        kind = next((kind for kind in self.kinds if kind.meets(subject)), None)
        if kind is None or subject.text is None:
            return ALLOW
        now_ms = _ms(now)
        at_ms = _ms(subject.at) if subject.at > now else now_ms
        text = None
        for touch in facts.touches:
            other_ms = touch.at_ms if touch.is_out else max(touch.at_ms, now_ms)
            if abs(at_ms - other_ms) >= kind.window_ms or touch.message_id == subject.message_id:
                continue
            text = text or hash_text(subject.text)
            if touch.text_hash == text:
                said = Warn if kind.warns else Refuse
                return said(
                    CODE, f"The recipient has had, or is to get, the same text in message {touch.message_id}."
                )
        return ALLOW


def _ms(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(milliseconds=1)
