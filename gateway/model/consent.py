"""Consent: who agreed to what, when, by which words, and what shows it. Pure.

A record is an event that is never changed. What holds of a number, a brand and a purpose is what the event with the
latest ``at`` says; of two with the same, the one with the greater id.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Final, NamedTuple

import msgspec

from gateway.model.message import DEFAULT_BRAND

MARKETING: Final = "marketing"
"""The purpose that is meant where none is named."""


class ConsentState(StrEnum):
    """What a person said."""

    GIVEN = "given"
    REFUSED = "refused"
    """Was asked, and said no."""
    WITHDRAWN = "withdrawn"
    """Took back what was given, or opted out."""
    PENDING = "pending"
    """Was asked, and has not answered."""


NO: Final = frozenset({ConsentState.REFUSED, ConsentState.WITHDRAWN})
"""What is said in doubt of all that may be meant, and what nothing without a time undoes."""


class Standing(NamedTuple):
    """What holds of a number for one brand and purpose, as far as a rule asks."""

    brand: str
    purpose: str
    state: ConsentState
    expires_at: datetime | None = None


class Evidence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What shows that it is true. Every part may be missing.

    Args:
        reference: the request, order or form entry in the application's own records.
        form: address of the form or page on which the person agreed.
        document: what was signed or recorded: its hash, or where it is kept.
        inbound: id of the message by which the person said so; its text may be gone by now.
        keyword: the word in it.
        asked_by: id of the message that asked the person.
        spelling: the number as it came, where it may be one of several.
        note: whatever else there is to say.
    """

    reference: str | None = None
    form: str | None = None
    document: str | None = None
    inbound: str | None = None
    keyword: str | None = None
    asked_by: str | None = None
    spelling: str | None = None
    note: str | None = None


NO_EVIDENCE: Final = Evidence()


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """One event of the history.

    Args:
        id: greater than those recorded before by the same process; empty until it is recorded.
        number: E.164 with ``+``, or what else a network calls a sender.
        source: how it came about: ``inbound``, ``api``, ``import``, ``form``, ``paper``, ``phone`` ...
        at: when the person said so.
        recorded_at: when the gateway wrote it down.
        wording: hash of the text that the person agreed to.
        expires_at: when it holds no more.
        by: who had it recorded; None for the person behind the number.
        file: SHA-256 of the file that it was imported from.
        row: its line there.
    """

    id: str = ""
    number: str
    brand: str = DEFAULT_BRAND
    purpose: str = MARKETING
    state: ConsentState
    source: str
    at: datetime
    recorded_at: datetime
    wording: str | None = None
    evidence: Evidence = NO_EVIDENCE
    expires_at: datetime | None = None
    by: str | None = None
    file: str | None = None
    row: int | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """Of what it is an event."""
        return self.number, self.brand, self.purpose

    def said(self) -> tuple[object, ...]:
        """All that the person's word is made of, without its time."""
        return self.state, self.source, self.wording, self.evidence, self.expires_at, self.file, self.row


class Verdict(StrEnum):
    """What became of a record that somebody brought."""

    NEW = "new"
    """The first of its number, brand and purpose."""
    CHANGED = "changed"
    """It holds now, in place of another."""
    OLDER = "older"
    """It is in the history, and something later holds."""
    UNCHANGED = "unchanged"
    """It is on record already."""
    SAID_NO = "said_no"
    """Not recorded: the person said no, and a line of a file without a time does not show that they agreed later."""

    @property
    def is_recorded(self) -> bool:
        """It is in the history by being brought."""
        return self not in {Verdict.UNCHANGED, Verdict.SAID_NO}


class ConsentFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that consents were imported from.

    Args:
        sha256: of its octets, in hexadecimal.
        statement: by whoever brought it: where its rows come from, and that they are true.
        by: who brought it.
    """

    sha256: str
    name: str
    statement: str
    created_at: datetime
    by: str


def hash_wording(text: str) -> str:
    """By what a wording is known.

    >>> hash_wording("yes")[:16]
    '8a798890fe93817f'
    """
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
