"""Opt-out: a number that opted out gets no marketing (INTERFACE section 5). No setting changes that. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from gateway.model.message import Category
from gateway.policy.decision import ALLOW, Decision, Refuse
from gateway.policy.subject import Facts, Need, Subject

EVERYTHING: Final = ""
"""The scope of an opt-out from all marketing, whoever sends it."""

OPTED_OUT: Final = Refuse("opted_out", "The recipient opted out of marketing messages.")


@dataclass(frozen=True, slots=True)
class OptOut:
    """See the module."""

    name: ClassVar[str] = "opt_out"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.OPT_OUTS})
    again: ClassVar[bool] = True
    fixed: ClassVar[bool] = True

    def concerns(self, category: Category) -> bool:
        """Marketing alone."""
        return category is Category.MARKETING

    def decide(self, subject: Subject, facts: Facts, now: datetime) -> Decision:
        """See `gateway.policy.chain.PersonRule`."""
        return OPTED_OUT if EVERYTHING in facts.opt_outs else ALLOW
