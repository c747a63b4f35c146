"""First message: a person who never heard of us hears something else before marketing. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from gateway.model.message import Category
from gateway.policy.decision import ALLOW, Decision, Refuse
from gateway.policy.subject import Facts, Need, Subject

FIRST: Final = Refuse("first_message_marketing", "Marketing can't be the first message to a new contact.")


@dataclass(frozen=True, slots=True)
class FirstMessage:
    """See the module. Asked once: right before the wire the message itself is one of those to the contact."""

    name: ClassVar[str] = "first_message"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.ACQUAINTED})
    again: ClassVar[bool] = False
    fixed: ClassVar[bool] = False

    def concerns(self, category: Category) -> bool:
        """Marketing alone."""
        return category is Category.MARKETING

    def decide(self, subject: Subject, facts: Facts, now: datetime) -> Decision:
        """See `gateway.policy.chain.PersonRule`."""
        return ALLOW if facts.is_acquainted else FIRST
