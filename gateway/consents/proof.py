"""The proof that people agreed: of a set of messages or numbers, as an archive for whoever asks for it.

A message is covered when, at the moment when it went out, the last word of its recipient to its brand was a consent
that had not expired. A number is covered when that is so now. The store is read in pages beside the writers, and pages
are written down in a thread.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import msgspec

from gateway.clock import Clock, truncate_ms
from gateway.consents.pack import Pack
from gateway.consents.signing import make_proof_key
from gateway.errors import Conflict, NotFound
from gateway.model.actor import Actor
from gateway.model.consent import MARKETING, Consent, ConsentState
from gateway.model.message import DEFAULT_BRAND, Category, Message
from gateway.model.msisdn import read_number
from gateway.model.opt_out import EVERYTHING, brand_scope
from gateway.store.audit import record_audit
from gateway.store.consent_keys import ProofKey, find_proof_key, keep_proof_key
from gateway.store.consents import AT_ONCE, load_files, load_history, load_wordings
from gateway.store.messages import MessageFilter, list_whole
from gateway.store.ports import Store, Tx
from gateway.store.suppressions import find_opt_outs

MOST_RECORDS: Final = 500_000
"""In one proof."""
COLUMNS: Final = (
    "number", "brand", "purpose", "covered", "reason", "message", "category", "message_at", "consent", "state",
    "source", "said_at", "recorded_at", "wording_hash", "evidence", "expires_at", "by", "file", "line",
)  # fmt: skip
_encode = msgspec.json.Encoder().encode


class Wanted(NamedTuple):
    """Of what there is to be proof: numbers, or the messages of a batch or with a tag.

    Args:
        brand: of numbers; messages have their own.
    """

    numbers: Sequence[str] = ()
    batch: str | None = None
    tag: str | None = None
    brand: str = DEFAULT_BRAND
    purpose: str = MARKETING

    def describe(self) -> dict[str, Any]:
        """For the manifest."""
        if self.batch is not None:
            return {"batch": self.batch, "purpose": self.purpose}
        if self.tag is not None:
            return {"tag": self.tag, "purpose": self.purpose}
        return {"numbers": len(self.numbers), "brand": self.brand, "purpose": self.purpose}


class _Subject(NamedTuple):
    """One that has to be covered."""

    number: str
    brand: str
    at: datetime
    message: Message | None = None
    fault: str = ""
    opted_out: bool = False


class Prover:
    """Makes proofs, one at a time.

    Args:
        region: how national numbers are read.
    """

    def __init__(self, store: Store, clock: Clock, region: str) -> None:
        self._store = store
        self._clock = clock
        self._region = region
        self._busy = False

    async def load_key(self) -> ProofKey:
        """What proofs of this installation are signed with; it is made when somebody first asks for it."""
        key = await self._store.read(find_proof_key)
        if key is None:
            fresh = make_proof_key(truncate_ms(self._clock.now()))
            key = await self._store.write(lambda tx: keep_proof_key(tx, fresh))
        return key

    @asynccontextmanager
    async def prove(self, wanted: Wanted, by: Actor) -> AsyncIterator[Path]:
        """An archive, which is there until the end of the block; that it was made is on record.

        Raises:
            Conflict: another proof is being made, or it would be too large.
            NotFound: there are no such messages.
        """
        if self._busy:
            raise Conflict("another proof is being made; ask again when it is done")
        self._busy = True
        try:
            with TemporaryDirectory(prefix="hongyan-proof-") as folder:
                with Pack(Path(folder), COLUMNS) as pack:
                    archive = await self._make(Path(folder), pack, wanted)
                await self._store.write(lambda tx: self._note(tx, wanted, pack.n_records, by))
                yield archive
        finally:
            self._busy = False

    async def _note(self, tx: Tx, wanted: Wanted, n_records: int, by: Actor) -> None:
        details = {**wanted.describe(), "records": n_records}
        await record_audit(tx, by, "consent.proved", details=details, at=self._clock.now())

    async def _make(self, folder: Path, pack: Pack, wanted: Wanted) -> Path:
        now = truncate_ms(self._clock.now())
        key = await self.load_key()
        seen: set[str] = set()
        wordings: set[str] = set()
        files: set[str] = set()
        sums: Counter[str] = Counter()
        async for page in self._pages(wanted, now):
            if pack.n_records + len(page) > MOST_RECORDS:
                raise Conflict(
                    f"one proof has {MOST_RECORDS} records at most; ask for fewer messages or numbers"
                )
            numbers = {subject.number for subject in page if not subject.fault}
            history = await self._store.read(lambda tx, some=frozenset(numbers): load_history(tx, some))  # type: ignore[misc]
            new = numbers - seen
            seen |= numbers
            wordings |= {event.wording for event in history if event.wording is not None}
            files |= {event.file for event in history if event.file is not None}
            sums += await asyncio.to_thread(_add_page, pack, page, history, new, wanted.purpose)
        if not pack.n_records:
            raise NotFound("there are no such messages")
        for some in _chunks(sorted(wordings)):
            pack.add_wordings(await self._store.read(lambda tx, some=some: load_wordings(tx, some)))  # type: ignore[misc]
        for some in _chunks(sorted(files)):
            notes = await self._store.read(lambda tx, some=some: load_files(tx, some))  # type: ignore[misc]
            pack.add_files([msgspec.to_builtins(note) for note in notes])
        to = folder / "proof.zip"
        what = {"selection": wanted.describe(), "sums": dict(sums)}
        await asyncio.to_thread(pack.seal, to, key, now, what)
        return to

    async def _pages(self, wanted: Wanted, now: datetime) -> AsyncIterator[list[_Subject]]:
        if wanted.batch is None and wanted.tag is None:
            for some in _chunks(wanted.numbers):
                read = await asyncio.to_thread(self._read_numbers, some, wanted.brand, now)
                yield await self._store.read(partial(_mark_opted_out, page=read))
            return
        query = MessageFilter(batch=wanted.batch, tag=wanted.tag)
        before = None
        while True:

            async def page(tx: Tx, before: str | None = before) -> list[Message]:
                return [one.message for one in await list_whole(tx, query, limit=AT_ONCE, before=before)]

            messages = await self._store.read(page)
            if messages:
                yield [_Subject(m.recipient, m.brand, m.sent_at or m.created_at, m) for m in messages]
            if len(messages) < AT_ONCE:
                return
            before = messages[-1].id

    def _read_numbers(self, numbers: Sequence[str], brand: str, now: datetime) -> list[_Subject]:
        found = []
        for text in numbers:
            reading = read_number(text, self._region)
            fault = (
                ""
                if reading.number is not None
                else "doubtful_number"
                if reading.people
                else "invalid_number"
            )
            found.append(_Subject(reading.number or text, brand, now, fault=fault))
        return found


async def _mark_opted_out(tx: Tx, page: Sequence[_Subject]) -> list[_Subject]:
    """Whoever is on the opt-out list is covered by nothing now, whatever consent was brought later."""
    scopes = await find_opt_outs(tx, {subject.number for subject in page if not subject.fault})
    return [
        subject._replace(opted_out=True)
        if not {EVERYTHING, brand_scope(subject.brand)}.isdisjoint(scopes.get(subject.number, ()))
        else subject
        for subject in page
    ]


def _add_page(
    pack: Pack, page: Sequence[_Subject], history: Sequence[Consent], new: set[str], purpose: str
) -> Counter[str]:
    """Write one page down; its sums."""
    by_key: dict[tuple[str, str, str], list[Consent]] = {}
    told: dict[str, dict[str, Any]] = {}
    for event in history:
        by_key.setdefault(event.key, []).append(event)
        told[event.id] = _event(event)
    sums: Counter[str] = Counter()
    records = []
    for subject in page:
        held = _last_before(by_key.get((subject.number, subject.brand, purpose), ()), subject.at)
        reason = subject.fault or ("opted_out" if subject.opted_out else _find_reason(held, subject.at))
        covered = "yes" if not reason else "no"
        if reason and subject.message is not None and subject.message.category is not Category.MARKETING:
            covered = "not needed"
        sums["records"] += 1
        sums[covered.replace(" ", "_")] += 1
        records.append(_record(subject, purpose, None if held is None else told[held.id], covered, reason))
    pack.add_records(records, [told[event.id] for event in history if event.number in new])
    return sums


def _last_before(events: Sequence[Consent], at: datetime) -> Consent | None:
    """The one that held at an instant; they are in the order in which they were said."""
    place = bisect_right(events, at, key=lambda event: event.at)
    return events[place - 1] if place else None


def _find_reason(held: Consent | None, at: datetime) -> str:
    """Why it does not cover, as the rule says it; empty where it does."""
    if held is None or held.state is ConsentState.PENDING:
        return "no_consent"
    if held.state is not ConsentState.GIVEN:
        return "consent_withdrawn"
    return "consent_expired" if held.expires_at is not None and held.expires_at <= at else ""


def _record(
    subject: _Subject, purpose: str, held: dict[str, Any] | None, covered: str, reason: str
) -> dict[str, object]:
    message = subject.message
    record: dict[str, object] = dict.fromkeys(COLUMNS, "")
    if held is not None:
        record |= held
        record["evidence"] = _encode(held["evidence"]).decode()
    record |= {
        "number": subject.number,
        "brand": subject.brand,
        "purpose": purpose,
        "covered": covered,
        "reason": reason,
    }
    if message is not None:
        record |= {
            "message": message.id,
            "category": message.category.value,
            "message_at": subject.at.isoformat(),
        }
    return record


def _event(event: Consent) -> dict[str, Any]:
    return {
        "consent": event.id,
        "number": event.number,
        "brand": event.brand,
        "purpose": event.purpose,
        "state": event.state.value,
        "source": event.source,
        "said_at": event.at.isoformat(),
        "recorded_at": event.recorded_at.isoformat(),
        "wording_hash": event.wording or "",
        "evidence": msgspec.to_builtins(event.evidence),
        "expires_at": "" if event.expires_at is None else event.expires_at.isoformat(),
        "by": event.by or "",
        "file": event.file or "",
        "line": "" if event.row is None else event.row,
    }


def _chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), AT_ONCE):
        yield values[start : start + AT_ONCE]
