"""Opt-out: a number that opted out gets no marketing (INTERFACE section 5). No setting changes that. Pure.

An opt-out may be from everything, from one brand, or from one number of ours. Which number a message will come from is
not certain before its turn, so it is stopped where it may come from that one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Final

from gateway.model.message import Category
from gateway.model.opt_out import EVERYTHING, brand_scope, is_sender_scope, sender_scope
from gateway.policy.decision import ALLOW, Decision, Refuse
from gateway.policy.subject import Facts, Need, Subject

OPTED_OUT: Final = Refuse("opted_out", "The recipient opted out of marketing messages.")


@dataclass(frozen=True, slots=True)
class OptOut:
    """See the module.

    Args:
        numbers: channel group -> the numbers of its channels. A message of another group, or that names none, may come
            from any.
    """

    numbers: Mapping[str, frozenset[str]] = field(default_factory=dict, hash=False)

    name: ClassVar[str] = "opt_out"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.OPT_OUTS})
    again: ClassVar[bool] = True
    fixed: ClassVar[bool] = True

    def concerns(self, category: Category) -> bool:
        """Marketing alone."""
        return category is Category.MARKETING

    def decide(self, subject: Subject, facts: Facts, now: datetime) -> Decision:
        """See `gateway.policy.chain.PersonRule`."""
        scopes = facts.opt_outs
        if not scopes:
            return ALLOW
        if EVERYTHING in scopes or brand_scope(subject.brand) in scopes:
            return OPTED_OUT
        return OPTED_OUT if self._may_come_from(scopes, subject.sender) else ALLOW

    def _may_come_from(self, scopes: frozenset[str], group: str | None) -> bool:
        numbers = self.numbers.get(group or "")
        if numbers is None:
            return any(is_sender_scope(scope) for scope in scopes)
        return any(sender_scope(number) in scopes for number in numbers)


EVERYBODY: Final = OptOut()
"""Where nothing is known of numbers of ours: an opt-out from one holds for all."""
