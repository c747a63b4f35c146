"""Consents as the API takes and shows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.model.consent import Consent, ConsentState, Verdict
from gateway.model.message import DEFAULT_BRAND
from gateway.model.request import END

MOST_CONSENTS = 1_000
"""In one call."""
MOST_PROVED = 200_000
"""Numbers in one call for a proof."""

Instant = Annotated[datetime, Meta(tz=True)]
_NAME = f"^[A-Za-z0-9._-]{{1,64}}{END}"
_SHA256 = f"^[0-9a-f]{{64}}{END}"
_SOURCE = f"^[\\w.-]{{1,64}}{END}"
_Name = Annotated[str, Meta(pattern=_NAME)]
_Source = Annotated[str, Meta(pattern=_SOURCE)]
_Note = Annotated[str, Meta(max_length=500)]
_Number = Annotated[str, Meta(max_length=64)]
_Line = Annotated[int, Meta(ge=1, le=100_000_000)]
_Wording = Annotated[str, Meta(min_length=1, max_length=4_000)]
PATTERN_WORDS = {
    _NAME: "write up to 64 letters, digits, dots, dashes and underscores",
    _SOURCE: "write up to 64 letters of any script, digits, dots, dashes and underscores",
    _SHA256: "write the SHA-256 of the file, 64 hex digits in lower case",
}
"""What each pattern asks for, to people."""


class EvidenceRequest(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What shows that it is true.

    Args:
        reference: the request, order or form entry in your own records.
        form: the address of the form or page on which the person agreed.
        document: what was signed or recorded: its hash, or where it is kept.
        inbound: the id of the inbound message by which the person said so.
        note: whatever else there is to say.
    """

    reference: _Note | None = None
    form: _Note | None = None
    document: _Note | None = None
    inbound: Annotated[str, Meta(max_length=64)] | None = None
    note: _Note | None = None


class ConsentRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person said.

    Args:
        number: whose; a number that may be of several persons can't agree, and says no for all of them.
        brand: to whom.
        purpose: to what; null for the setting of the gateway.
        source: how it came about, such as `form`, `paper`, `phone`; null for `api`, or `import` of a file's line.
        at: when the person said so; null for now.
        wording: the text that the person agreed to.
        expires_at: when it holds no more; null for the setting of the gateway.
        ask: the person is asked by a message, and the consent is `pending` until the answer; null for the setting.
        line: its line in `file`.
    """

    number: _Number
    state: ConsentState = ConsentState.GIVEN
    brand: _Name = DEFAULT_BRAND
    purpose: _Name | None = None
    source: _Source | None = None
    at: Instant | None = None
    wording: _Wording | None = None
    evidence: EvidenceRequest = EvidenceRequest()
    expires_at: Instant | None = None
    ask: bool | None = None
    line: _Line | None = None


class ConsentFileRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file that the consents stand in. A line of it is recorded once, however often it comes.

    Args:
        sha256: of its octets.
        statement: where its rows come from, and that they are true, in the words of whoever answers for that.
    """

    sha256: Annotated[str, Meta(pattern=_SHA256)]
    name: Annotated[str, Meta(min_length=1, max_length=255)]
    statement: Annotated[str, Meta(min_length=1, max_length=4_000)]


class ConsentsRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Many consents.

    Args:
        file: where they stand, if they are imported.
        dry_run: say what would become of them, and record nothing.
    """

    consents: Annotated[list[ConsentRequest], Meta(min_length=1, max_length=MOST_CONSENTS)]
    file: ConsentFileRequest | None = None
    dry_run: bool = False


class ConsentResultOut(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one.

    Args:
        index: its place in the request, from 0.
        verdict: `new`, `changed`, `older` (in the history, and something later holds), `unchanged` (on record already),
            `said_no` (not recorded: the person said no, and a line without a time does not show that this came later).
        state: as it was recorded.
        number: that it was recorded for.
    """

    index: int
    number: str
    verdict: Verdict
    state: ConsentState


class ConsentRejectedOut(msgspec.Struct, frozen=True, kw_only=True):
    """One that was not taken.

    Args:
        index: its place in the request, from 0.
    """

    index: int
    code: str
    detail: str


class ConsentsOut(msgspec.Struct, frozen=True, kw_only=True):
    """What became of them.

    Args:
        recorded: events that are in the history by this call; of a dry run, that would be.
    """

    dry_run: bool
    recorded: int
    results: list[ConsentResultOut]
    rejected: list[ConsentRejectedOut]


class EvidenceOut(EvidenceRequest, frozen=True, kw_only=True, omit_defaults=True):
    """What shows that it is true.

    Args:
        keyword: the word in the inbound message.
        asked_by: the id of the message that asked the person.
        spelling: the number as it came, where it may be one of several.
    """

    keyword: str | None = None
    asked_by: str | None = None
    spelling: str | None = None


class ConsentOut(msgspec.Struct, frozen=True, kw_only=True):
    """A consent: one event of its history.

    Args:
        at: when the person said so.
        recorded_at: when the gateway wrote it down.
        wording: the text that the person agreed to.
        wording_hash: its SHA-256.
        expires_at: when it holds no more.
        by: who had it recorded; null for the person behind the number.
        file: the SHA-256 of the file that it was imported from.
        line: its line there.
    """

    id: str
    number: str
    brand: str
    purpose: str
    state: ConsentState
    source: str
    at: Instant
    recorded_at: Instant
    wording: str | None
    wording_hash: str | None
    evidence: EvidenceOut
    expires_at: Instant | None
    by: str | None
    file: str | None
    line: int | None


class ConsentPage(msgspec.Struct, frozen=True, kw_only=True):
    """What holds, by number, brand and purpose; ``next`` is the cursor of the following page."""

    items: list[ConsentOut]
    next: str | None


class ConsentHistory(msgspec.Struct, frozen=True, kw_only=True):
    """All that a number said, the first that was recorded first; ``next`` is the cursor of the following page."""

    items: list[ConsentOut]
    next: str | None


class ProofRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of what there is to be proof.

    Args:
        numbers: whose consents.
        brand: to whom.
        purpose: to what; null for the setting of the gateway.
    """

    numbers: Annotated[list[_Number], Meta(min_length=1, max_length=MOST_PROVED)]
    brand: _Name = DEFAULT_BRAND
    purpose: _Name | None = None


class ProofKeyOut(msgspec.Struct, frozen=True, kw_only=True):
    """What proofs of this installation are signed with.

    Args:
        public_key: Ed25519, its 32 octets in base 64.
        fingerprint: the SHA-256 of these octets, for comparing by eye or telephone.
    """

    algorithm: str
    public_key: str
    fingerprint: str
    created_at: Instant


def show_consents(consents: Iterable[Consent], wordings: Mapping[str, str]) -> list[ConsentOut]:
    """Consents with their wordings."""
    return [
        ConsentOut(
            id=one.id,
            number=one.number,
            brand=one.brand,
            purpose=one.purpose,
            state=one.state,
            source=one.source,
            at=one.at,
            recorded_at=one.recorded_at,
            wording=wordings.get(one.wording or ""),
            wording_hash=one.wording,
            evidence=EvidenceOut(**msgspec.structs.asdict(one.evidence)),
            expires_at=one.expires_at,
            by=one.by,
            file=one.file,
            line=one.row,
        )
        for one in consents
    ]
