"""Where consents are brought: read one by one, so that a bad one never spoils the others, recorded together.

A consent that is to be confirmed is kept as pending, and the person is asked by a message in the same transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import msgspec

from gateway.clock import Clock, truncate_ms
from gateway.consents.proof import Prover
from gateway.errors import InvalidRequest
from gateway.model.actor import Actor
from gateway.model.audit import Details
from gateway.model.consent import (
    MARKETING,
    NO,
    Consent,
    ConsentFile,
    ConsentState,
    Evidence,
    hash_wording,
)
from gateway.model.msisdn import Reading, read_number
from gateway.pipeline.intake.accept import Intake
from gateway.pipeline.intake.drafts import Draft, save_drafts
from gateway.pipeline.operator.consents import numbers_of
from gateway.store.audit import record_audit
from gateway.store.consents import Brought, Recorded, load_holding, record_consents, save_file
from gateway.store.ports import Store, Tx
from gateway.store.suppressions import find_suppressed
from gateway.views.consents import (
    ConsentFileRequest,
    ConsentRejectedOut,
    ConsentRequest,
    ConsentResultOut,
    ConsentsOut,
)

_CLOCKS_DIFFER: Final = timedelta(minutes=5)
"""What is said to have been said later than that from now was not said yet."""


_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(9998, 12, 31, tzinfo=UTC)
"""What is outside can't be told in every zone, and could not be read back."""


class Terms(NamedTuple):
    """What the config says of consents that are brought; see `gateway.settings.consent`.

    Args:
        brands: to which somebody can agree; empty for any.
    """

    purpose: str = MARKETING
    double_opt_in: bool = False
    question: str = ""
    valid_for: timedelta | None = None
    brands: frozenset[str] = frozenset()


class Rejected(NamedTuple):
    """One that can't be taken."""

    code: str
    detail: str


class _Read(NamedTuple):
    """One that can.

    Args:
        place: in the request.
        asks: the person is asked first.
    """

    place: int
    brought: Brought
    asks: bool


class Prepared(NamedTuple):
    """Consents that are ready to be recorded, in a transaction of the caller's.

    Args:
        questions: by the place in ``read``.
        by: who brings them.
    """

    read: Sequence[_Read]
    rejected: Sequence[ConsentRejectedOut]
    wordings: frozenset[str]
    questions: Mapping[int, Draft]
    file: ConsentFile | None
    by: Actor
    at: datetime

    async def record(self, tx: Tx) -> ConsentsOut:
        """Record them, and ask those who are to be asked."""
        if self.file is not None:
            await save_file(tx, self.file)
        results = await record_consents(tx, [one.brought for one in self.read], wordings=self.wordings)
        asked = [draft for place, draft in self.questions.items() if _is_recorded(results[place])]
        if asked:
            await save_drafts(tx, asked)
        done = self._out(results, dry_run=False)
        if done.recorded:
            # One entry for a call: each consent is on record itself, with who brought it.
            file = self.file.sha256 if self.file is not None else ""
            about = self.read[0].brought.consent.number if len(self.read) == 1 else file
            details: Details = {"recorded": done.recorded, "rejected": len(done.rejected), "file": file}
            await record_audit(tx, self.by, "consent.recorded", about, details, at=self.at)
        return done

    async def rehearse(self, tx: Tx) -> ConsentsOut:
        """What would become of them."""
        return self._out(
            await record_consents(tx, [one.brought for one in self.read], dry_run=True), dry_run=True
        )

    def _out(self, results: Sequence[Recorded], *, dry_run: bool) -> ConsentsOut:
        return ConsentsOut(
            dry_run=dry_run,
            recorded=sum(map(_is_recorded, results)),
            results=[
                ConsentResultOut(
                    index=one.place,
                    number=result.consent.number,
                    verdict=result.verdict,
                    state=result.consent.state,
                )
                for one, result in zip(self.read, results, strict=True)
            ],
            rejected=list(self.rejected),
        )


class ConsentDesk:
    """See the module.

    Args:
        region: how national numbers are read.

    Attributes:
        terms: that hold now.
        prover: makes proofs of what is on record.
    """

    def __init__(self, store: Store, clock: Clock, intake: Intake, region: str, terms: Terms) -> None:
        self._store = store
        self._clock = clock
        self._intake = intake
        self._region = region
        self.terms = terms
        self.prover = Prover(store, clock, region)

    def adopt(self, terms: Terms) -> None:
        """Go by other terms from now on."""
        self.terms = terms

    async def prepare(
        self,
        wanted: Iterable[ConsentRequest | Rejected],
        file: ConsentFileRequest | None,
        by: Actor,
    ) -> Prepared:
        """Read consents, and write the questions that some of them need; nothing is recorded yet."""
        now = truncate_ms(self._clock.now())
        read: list[_Read] = []
        rejected: list[ConsentRejectedOut] = []
        wordings: set[str] = set()
        for index, request in enumerate(wanted):
            try:
                if isinstance(request, Rejected):
                    raise _Fault(request)
                read += self._read(index, request, file, by, now)
            except _Fault as fault:
                why = fault.why
                rejected.append(ConsentRejectedOut(index=index, code=why.code, detail=why.detail))
            else:
                if request.wording is not None:
                    wordings.add(request.wording)
        read, questions = await self._ask(read, rejected)
        noted = None
        if file is not None:
            noted = ConsentFile(
                sha256=file.sha256, name=file.name, statement=file.statement, created_at=now, by=str(by)
            )
        rejected.sort(key=lambda one: one.index)
        return Prepared(read, rejected, frozenset(wordings), questions, noted, by, now)

    def _read(
        self, index: int, request: ConsentRequest, file: ConsentFileRequest | None, by: Actor, now: datetime
    ) -> list[_Read]:
        reading = read_number(request.number, self._region)
        if not reading.people:
            raise _Fault(Rejected("invalid_number", reading.fault))
        if self.terms.brands and request.brand not in self.terms.brands and request.state not in NO:
            raise _Fault(Rejected("unknown_brand", "no [[brands]] table has this name"))
        at = _read_time(request, now)
        state, asks = request.state, False
        if state is ConsentState.GIVEN or state is ConsentState.PENDING:
            asks = request.ask if request.ask is not None else self.terms.double_opt_in
        if asks:
            state, at = ConsentState.PENDING, now
        numbers = numbers_of(reading, state)
        if not numbers:
            raise _Fault(Rejected("doubtful_number", reading.fault))
        if file is not None and request.line is None:
            raise _Fault(Rejected("missing_line", "write the line of the file that it stands in"))
        expires_at = None if request.expires_at is None else truncate_ms(request.expires_at)
        if expires_at is None and state is ConsentState.GIVEN and self.terms.valid_for is not None:
            expires_at = at + self.terms.valid_for
        consent = Consent(
            number="",
            brand=request.brand,
            purpose=request.purpose or self.terms.purpose,
            state=state,
            source=request.source or ("api" if file is None else "import"),
            at=at,
            recorded_at=now,
            wording=None if request.wording is None else hash_wording(request.wording),
            evidence=Evidence(**msgspec.structs.asdict(request.evidence)),
            expires_at=expires_at,
            by=str(by),
            file=None if file is None else file.sha256,
            row=None if file is None else request.line,
        )
        dated = request.at is not None and not asks
        return [_Read(index, Brought(_of(consent, number, reading), dated), asks) for number in numbers]

    async def _ask(
        self, read: list[_Read], rejected: list[ConsentRejectedOut]
    ) -> tuple[list[_Read], dict[int, Draft]]:
        """Write the questions; who said no is not asked."""
        numbers = {one.brought.consent.number for one in read if one.asks}
        if not numbers:
            return read, {}
        said_no = await self._store.read(lambda tx: _find_no(tx, numbers))
        kept: list[_Read] = []
        questions: dict[int, Draft] = {}
        for one in read:
            consent = one.brought.consent
            if not one.asks:
                kept.append(one)
                continue
            if (consent.number, consent.brand) in said_no or (consent.number, "") in said_no:
                why = "the person said no; only an opt-in word of their own takes that back"
                rejected.append(ConsentRejectedOut(index=one.place, code="opted_out", detail=why))
                continue
            try:
                draft = self._intake.draft_own(consent.number, self.terms.question, channel=None)
            except InvalidRequest as error:
                fault = error.errors[0]
                rejected.append(
                    ConsentRejectedOut(
                        index=one.place, code=fault.code, detail=f"can't be asked: {fault.detail}"
                    )
                )
                continue
            evidence = msgspec.structs.replace(consent.evidence, asked_by=draft.message.id)
            consent = msgspec.structs.replace(consent, evidence=evidence)
            questions[len(kept)] = draft
            kept.append(one._replace(brought=Brought(consent, dated=False)))
        return kept, questions


class _Fault(Exception):
    """Why a consent can't be taken."""

    def __init__(self, why: Rejected) -> None:
        super().__init__(why.code)
        self.why = why


async def _find_no(tx: Tx, numbers: set[str]) -> set[tuple[str, str]]:
    """Who said no, and to which brand; "" for all of them."""
    found = {(number, "") for number in await find_suppressed(tx, numbers)}
    return found | {(one.number, one.brand) for one in await load_holding(tx, numbers) if one.state in NO}


def _read_time(request: ConsentRequest, now: datetime) -> datetime:
    for one in (request.at, request.expires_at):
        if one is not None and not _FIRST <= one <= _LAST:
            raise _Fault(Rejected("out_of_range", "write a time between 1970 and 9998"))
    at = truncate_ms(request.at) if request.at is not None else now
    if at > now + _CLOCKS_DIFFER:
        raise _Fault(Rejected("in_the_future", "write when the person said so; that is over"))
    if request.expires_at is not None and request.expires_at <= at:
        raise _Fault(Rejected("expires_first", "write an expiry that is later than the consent"))
    return at


def _of(consent: Consent, number: str, reading: Reading) -> Consent:
    evidence = consent.evidence
    if number != reading.spelling:
        evidence = msgspec.structs.replace(evidence, spelling=reading.spelling)
    return msgspec.structs.replace(consent, number=number, evidence=evidence)


def _is_recorded(result: Recorded) -> bool:
    return result.verdict.is_recorded
