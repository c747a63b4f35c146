"""Consents by persons: what an opt-out, an opt-in or a caller's word means for every number that may be meant.

A number of which nobody can say whose it is never gets a consent: that needs certainty. A refusal or withdrawal holds
for everybody that it may be of: when in doubt, nothing is sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from gateway.model.actor import Actor
from gateway.model.consent import (
    MARKETING,
    NO,
    NO_EVIDENCE,
    Consent,
    ConsentState,
    Evidence,
    hash_wording,
)
from gateway.model.message import DEFAULT_BRAND
from gateway.model.msisdn import Reading
from gateway.store.consents import Brought, Recorded, load_holding, record_consents
from gateway.store.ports import Tx

_OPEN = frozenset({ConsentState.PENDING, *NO})
"""What an opt-in word changes."""


def numbers_of(reading: Reading, state: ConsentState) -> tuple[str, ...]:
    """For which numbers a word holds; none where it would need to be certain and is not."""
    if state in NO:
        return reading.readings
    return () if reading.number is None else (reading.number,)


async def record_consent(
    tx: Tx,
    reading: Reading,
    state: ConsentState,
    *,
    source: str,
    at: datetime,
    by: Actor | None,
    brand: str = DEFAULT_BRAND,
    purpose: str = MARKETING,
    wording: str | None = None,
    evidence: Evidence = NO_EVIDENCE,
    expires_at: datetime | None = None,
) -> list[Recorded]:
    """Record what somebody says now, inside another operation.

    Args:
        by: who has it recorded; None for the person behind the number.
        wording: the text that the person agreed to.

    Returns:
        One for each number that it holds for; none where a doubtful number would agree.
    """
    brought = [
        Brought(
            Consent(
                number=number,
                brand=brand,
                purpose=purpose,
                state=state,
                source=source,
                at=at,
                recorded_at=at,
                wording=None if wording is None else hash_wording(wording),
                evidence=_spelt(evidence, reading, number),
                expires_at=expires_at,
                by=_name(by),
            )
        )
        for number in numbers_of(reading, state)
    ]
    return await record_consents(tx, brought, wordings=() if wording is None else (wording,))


async def withdraw_consents(
    tx: Tx,
    reading: Reading,
    *,
    source: str,
    at: datetime,
    by: Actor | None,
    evidence: Evidence = NO_EVIDENCE,
    brands: Iterable[str] | None = None,
) -> int:
    """What an opt-out says of consents: all that the number gave or was asked for is withdrawn, for whatever purpose.

    A number of which nothing is on record gets a withdrawal for the default brand, or for those that are named.

    Args:
        brands: whose consents are meant; None for everybody's.

    Returns:
        How many events were recorded.
    """
    wanted = None if brands is None else set(brands)
    held = [one for one in await load_holding(tx, reading.readings) if wanted is None or one.brand in wanted]
    keys = {one.key for one in held}
    named = wanted if wanted is not None else {DEFAULT_BRAND}
    heard_of = {(one.number, one.brand) for one in held}
    numbers = {one.number for one in held}
    keys |= {
        (number, brand, MARKETING)
        for number in reading.readings
        for brand in named
        if number not in numbers or (wanted is not None and (number, brand) not in heard_of)
    }
    events = [
        Brought(
            Consent(
                number=number,
                brand=brand,
                purpose=purpose,
                state=ConsentState.WITHDRAWN,
                source=source,
                at=at,
                recorded_at=at,
                evidence=_spelt(evidence, reading, number),
                by=_name(by),
            )
        )
        for number, brand, purpose in sorted(keys)
    ]
    no = {one.key for one in held if one.state in NO}
    fresh = [one for one in events if one.consent.key not in no]
    return _n_recorded(await record_consents(tx, fresh))


async def restore_consents(
    tx: Tx,
    reading: Reading,
    *,
    source: str,
    at: datetime,
    evidence: Evidence = NO_EVIDENCE,
    brands: Iterable[str] | None = None,
    opted_out: bool = False,
) -> int:
    """What an opt-in word of the person says of consents: yes to what was asked, and to what was taken back.

    A word of somebody who was never asked and never said no is no consent: it may be the answer to anything.

    Args:
        brands: whose consents are meant; None for everybody's.
        opted_out: the number was on the opt-out list, so the word takes that back.

    Returns:
        How many events were recorded.
    """
    person = reading.number
    if person is None:
        return 0
    wanted = None if brands is None else set(brands)
    held = [one for one in await load_holding(tx, [person]) if wanted is None or one.brand in wanted]
    events = [_given(one, source, at, evidence) for one in held if _is_for_a_word(one)]
    if not held and opted_out:
        for brand in sorted(wanted or {DEFAULT_BRAND}):
            blank = Consent(
                number=person,
                brand=brand,
                state=ConsentState.PENDING,
                source=source,
                at=at,
                recorded_at=at,
            )
            events.append(_given(blank, source, at, evidence))
    return _n_recorded(await record_consents(tx, [Brought(event) for event in events]))


def _is_for_a_word(held: Consent) -> bool:
    """Whether an opt-in word changes it; beside marketing, only what a message asked or a word took back."""
    if held.purpose == MARKETING:
        return held.state in _OPEN
    if held.state is ConsentState.PENDING:
        return held.evidence.asked_by is not None
    return held.state is ConsentState.WITHDRAWN and held.evidence.keyword is not None


def _given(before: Consent, source: str, at: datetime, evidence: Evidence) -> Consent:
    """The same, agreed to; what asked the person stays with it."""
    if before.evidence.asked_by is not None:
        evidence = msgspec.structs.replace(evidence, asked_by=before.evidence.asked_by)
    still = before.expires_at is not None and before.expires_at > at
    return msgspec.structs.replace(
        before,
        id="",
        state=ConsentState.GIVEN,
        source=source,
        at=at,
        recorded_at=at,
        evidence=evidence,
        expires_at=before.expires_at if still else None,
        by=None,
        file=None,
        row=None,
    )


def _spelt(evidence: Evidence, reading: Reading, number: str) -> Evidence:
    return (
        evidence
        if number == reading.spelling
        else msgspec.structs.replace(evidence, spelling=reading.spelling)
    )


def _name(by: Actor | None) -> str | None:
    return None if by is None else str(by)


def _n_recorded(results: Iterable[Recorded]) -> int:
    return sum(one.verdict.is_recorded for one in results)
