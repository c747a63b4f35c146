"""Consent: marketing goes to those who agreed to it, for this brand, and as long as that holds. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from gateway.model.consent import MARKETING, ConsentState
from gateway.model.message import Category
from gateway.policy.decision import ALLOW, Decision, Refuse
from gateway.policy.subject import Facts, Need, Subject

NO_CONSENT: Final = Refuse("no_consent", "Nothing on record says that the recipient agreed to marketing.")
PENDING: Final = Refuse("no_consent", "The recipient was asked for consent, and has not answered.")
WITHDRAWN: Final = Refuse("consent_withdrawn", "The recipient said no to marketing, or took a consent back.")
EXPIRED: Final = Refuse("consent_expired", "The recipient's consent to marketing has expired.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """See the module.

    Args:
        purpose: for which marketing needs consent.
    """

    name: ClassVar[str] = "consent"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.CONSENTS})
    again: ClassVar[bool] = True
    fixed: ClassVar[bool] = False

    purpose: str = MARKETING

    def concerns(self, category: Category) -> bool:
        """Marketing alone."""
        return category is Category.MARKETING

    def decide(self, subject: Subject, facts: Facts, now: datetime) -> Decision:
        """See `gateway.policy.chain.PersonRule`."""
        for held in facts.consents:
            if held.brand == subject.brand and held.purpose == self.purpose:
                break
        else:
            return NO_CONSENT
        match held.state:
            case ConsentState.PENDING:
                return PENDING
            case ConsentState.REFUSED | ConsentState.WITHDRAWN:
                return WITHDRAWN
            case ConsentState.GIVEN:
                is_over = held.expires_at is not None and held.expires_at <= max(now, subject.at)
                return EXPIRED if is_over else ALLOW
