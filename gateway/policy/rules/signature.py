"""Signature: texts say in front who speaks: 【…】, once, and as the carriers know it. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from gateway.model.message import Category
from gateway.policy.decision import ALLOW, Decision, Refuse, Rewrite, Warn
from gateway.policy.signatures import FilingState, Signature, read_opening, same_signature, sign_text
from gateway.policy.subject import Facts, Need, Subject

CarrierOf = Callable[[str, tuple[str, str] | None], str | None]
"""The carrier of a number, given what the store knows of it (`Facts.carrier`); None where nothing tells."""

_OTHER: Final = Refuse(
    "other_signature", "The text begins with a signature that is none of this brand and key."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureInFront:
    """Puts the signature in front of texts that come without.

    Args:
        signatures: of those that meet a message the first is put in front, and all may come with the text.
    """

    signatures: tuple[Signature, ...]
    name: ClassVar[str] = "signature"
    fixed: ClassVar[bool] = False

    def concerns(self, category: Category) -> bool:
        """Those that some signature is for."""
        return _concern(self.signatures, category)

    def decide(self, subject: Subject) -> Decision:
        """See `gateway.policy.chain.TextRule`."""
        text = subject.text
        if not text:
            return ALLOW  # octets have no place for it
        mine = [one for one in self.signatures if one.meets(subject)]
        if not mine:
            return ALLOW
        there = read_opening(text).signature
        meant = mine[0]
        if there is not None:
            known = next((one for one in mine if same_signature(one.text, there)), None)
            if known is None:
                return ALLOW if meant.keeps_others else _OTHER
            meant = known
        if there == meant.text and text[0] == "【" and text.find("【", 1) < 0:
            return ALLOW
        signed = sign_text(text, meant.text)
        if signed == text:
            return ALLOW
        detail = "The signature was put in front of the text." if there is None else _AS_FILED
        return Rewrite(signed, "signature_added", detail)


_AS_FILED: Final = "The signature in front of the text is written once, as the config has it."


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureFiled:
    """Looks whether the recipient's carrier has filed the signature in front.

    Args:
        signatures: those with filings.
        carrier_of: whose a number is.
    """

    signatures: tuple[Signature, ...]
    carrier_of: CarrierOf
    name: ClassVar[str] = "signature_filed"
    fixed: ClassVar[bool] = False
    needs: ClassVar[frozenset[Need]] = frozenset({Need.CARRIER})
    again: ClassVar[bool] = False

    def concerns(self, category: Category) -> bool:
        """Those that some signature is for."""
        return _concern(self.signatures, category)

    def decide(self, subject: Subject, facts: Facts, now: datetime) -> Decision:
        """See `gateway.policy.chain.PersonRule`."""
        there = read_opening(subject.text).signature if subject.text else None
        if there is None:
            return ALLOW
        found = next((one for one in self.signatures if one.text == there and one.meets(subject)), None)
        carrier = None if found is None else self.carrier_of(subject.recipient, facts.carrier)
        if found is None or carrier is None:
            return ALLOW  # a number abroad has no carrier that files signatures
        state = found.state_with(carrier, max(now, subject.at).date())
        if state in {None, FilingState.FILED}:
            return ALLOW
        kind = Refuse if found.refuses_unfiled else Warn
        return kind("signature_not_filed", f"With the carrier {carrier} the signature is {state}, not filed.")


def _concern(signatures: tuple[Signature, ...], category: Category) -> bool:
    return any(not one.category or category in one.category for one in signatures)
