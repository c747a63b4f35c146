"""Decision: what a rule says of a message, and what is kept of that. Pure."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec


class Outcome(StrEnum):
    """What a rule says of a message, in one word; the graver come last."""

    ALLOW = "allow"
    WARN = "warn"
    REWRITE = "rewrite"
    LATER = "later"
    REVIEW = "review"
    REFUSE = "refuse"


class Allow(NamedTuple):
    """Nothing to object."""


class Warn(NamedTuple):
    """It may go, and people are to know something.

    Args:
        code: snake case, stable; a line of `docs/compliance.md`.
        detail: one sentence, without text or number of the message.
    """

    code: str
    detail: str


class Rewrite(NamedTuple):
    """It may go with another text: a signature in front, a way to opt out at the end."""

    text: str
    code: str
    detail: str


class Later(NamedTuple):
    """It may go then, if nothing is against it by then."""

    until: datetime
    code: str
    detail: str


class Review(NamedTuple):
    """A person decides."""

    code: str
    detail: str


class Refuse(NamedTuple):
    """It does not go."""

    code: str
    detail: str


Decision = Allow | Warn | Rewrite | Later | Review | Refuse
ALLOW: Final = Allow()

_OUTCOMES: Final[dict[type, Outcome]] = {
    Allow: Outcome.ALLOW,
    Warn: Outcome.WARN,
    Rewrite: Outcome.REWRITE,
    Later: Outcome.LATER,
    Review: Outcome.REVIEW,
    Refuse: Outcome.REFUSE,
}


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one rule said, as it is kept with the message and shown.

    Args:
        rule: its name, as `[[policy]]` of the config has it.
        outcome: what it said.
        code: why, in one word; empty where there is nothing to say.
        detail: why, in a sentence.
        until: when the message may go, of ``later``.
    """

    rule: str
    outcome: Outcome
    code: str = ""
    detail: str = ""
    until: datetime | None = None


def finding_of(rule: str, decision: Decision) -> Finding:
    """A decision as it is kept."""
    outcome = _OUTCOMES[type(decision)]
    if isinstance(decision, Allow):
        return Finding(rule=rule, outcome=outcome)
    until = decision.until if isinstance(decision, Later) else None
    return Finding(rule=rule, outcome=outcome, code=decision.code, detail=decision.detail, until=until)
