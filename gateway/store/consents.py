"""Consents: events that are only ever added (``consent_events``), and what holds by them (``consents``)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import msgspec

from gateway.clock import format_ms, parse_instant, parse_ms
from gateway.ids import make_id
from gateway.model.consent import (
    NO,
    Consent,
    ConsentFile,
    ConsentState,
    Evidence,
    Standing,
    Verdict,
    hash_wording,
)
from gateway.store.ports import Row, Tx, placeholders

AT_ONCE: Final = 500
"""Numbers that one query asks for."""
ASK_AGAIN: Final = timedelta(days=1)
"""Nobody is asked for the same twice within so long."""
_COLUMNS = (
    "id, number, brand, purpose, state, source, at, recorded_at, wording, evidence, expires_at, actor, file,"
    " line"
)
_OF_EVENT = ", ".join(f"e.{column}" for column in _COLUMNS.split(", "))
_UPSERT = (
    "INSERT INTO consents (number, brand, purpose, state, at, expires_at, event_id) VALUES (?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (number, brand, purpose) DO UPDATE SET state = excluded.state, at = excluded.at,"
    " expires_at = excluded.expires_at, event_id = excluded.event_id"
    " WHERE (excluded.at, excluded.event_id) > (consents.at, consents.event_id)"
)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Evidence).decode
_MILLISECOND = timedelta(milliseconds=1)
Key = tuple[str, str, str]
Line = tuple[str | None, int | None, str]
"""A file, a line in it, and a number that stands there."""


class Brought(NamedTuple):
    """A consent that somebody brings.

    Args:
        consent: as it is to be recorded.
        dated: the time in it is the person's; else it is the present, and the consent holds from now on.
    """

    consent: Consent
    dated: bool = False


class Recorded(NamedTuple):
    """What became of one: it, or, where nothing was recorded, the one that was on record."""

    verdict: Verdict
    consent: Consent


async def record_consents(
    tx: Tx, brought: Sequence[Brought], *, wordings: Collection[str] = (), dry_run: bool = False
) -> list[Recorded]:
    """Add events to the history, and let what holds follow from them.

    A line of a file is recorded once, however often its file is brought. One without a time takes no no back: nobody
    can tell which of the two was said later. What is on record already, word for word, is not repeated, nor is a
    question to somebody who has agreed.

    Args:
        wordings: the texts that the consents name by their hash, as far as they may be new.
        dry_run: say what would become of them, and record nothing.
    """
    lines = await _find_lines(tx, [one.consent for one in brought])
    holding = await _load_holding(tx, {one.consent.key for one in brought}, lock=not dry_run)
    results, events, changed = [], [], {}
    for one in brought:
        consent = one.consent
        known = lines.get(_line(consent))
        before = holding.get(consent.key)
        result = Recorded(Verdict.UNCHANGED, known) if known else _judge(one, before)
        results.append(result)
        if not result.verdict.is_recorded:
            continue
        if consent.file is not None:
            lines[_line(consent)] = result.consent
        events.append(result.consent)
        if result.verdict is not Verdict.OLDER:
            holding[consent.key] = changed[consent.key] = result.consent
    if events and not dry_run:
        await _save_wordings(tx, wordings, events[0].recorded_at)
        await tx.insert(f"INSERT INTO consent_events ({_COLUMNS})", [_row(event) for event in events])
        await tx.execute_many(_UPSERT, [_holds(changed[key]) for key in sorted(changed)])
    return results


def _judge(brought: Brought, before: Consent | None) -> Recorded:
    """What becomes of a consent where ``before`` holds."""
    consent = msgspec.structs.replace(brought.consent, id=make_id())
    if before is None:
        return Recorded(Verdict.NEW, consent)
    if consent.said() == before.said() and (not brought.dated or consent.at == before.at):
        return Recorded(Verdict.UNCHANGED, before)
    if consent.state is ConsentState.PENDING and (
        _is_good(before, consent.at) or _is_asked(before, consent.at)
    ):
        return Recorded(Verdict.UNCHANGED, before)
    if consent.file is not None and not brought.dated and before.state in NO and consent.state not in NO:
        return Recorded(Verdict.SAID_NO, before)
    if not brought.dated and consent.at <= before.at:
        # What is said now comes after all that was said, whatever the clocks of those who wrote it down.
        consent = msgspec.structs.replace(consent, at=before.at + _MILLISECOND)
    later = (consent.at, consent.id) > (before.at, before.id)
    return Recorded(Verdict.CHANGED if later else Verdict.OLDER, consent)


def _is_good(consent: Consent, at: datetime) -> bool:
    return consent.state is ConsentState.GIVEN and (consent.expires_at is None or consent.expires_at > at)


def _is_asked(consent: Consent, at: datetime) -> bool:
    return consent.state is ConsentState.PENDING and at - consent.at < ASK_AGAIN


async def find_standings(tx: Tx, numbers: Collection[str]) -> dict[str, tuple[Standing, ...]]:
    """What holds of those of some numbers of which anything does."""
    found: dict[str, list[Standing]] = {}
    for chunk in _chunks(numbers):
        for number, brand, purpose, state, expires_at in await tx.fetch(
            "SELECT number, brand, purpose, state, expires_at FROM consents"
            f" WHERE number IN ({placeholders(chunk)})",
            chunk,
        ):
            standing = Standing(brand, purpose, ConsentState(state), parse_ms(expires_at))
            found.setdefault(number, []).append(standing)
    return {number: tuple(standings) for number, standings in found.items()}


async def load_holding(tx: Tx, numbers: Collection[str]) -> list[Consent]:
    """The events that hold of some numbers, of every brand and purpose, in that order."""
    found = []
    for chunk in _chunks(numbers):
        found += [
            _consent(row)
            for row in await tx.fetch(
                f"SELECT {_OF_EVENT} FROM consents c JOIN consent_events e ON e.id = c.event_id"
                f" WHERE c.number IN ({placeholders(chunk)})",
                chunk,
            )
        ]
    return sorted(found, key=lambda consent: consent.key)


async def load_history(tx: Tx, numbers: Collection[str]) -> list[Consent]:
    """All events of some numbers: number by number, brand by brand, purpose by purpose, the earliest first."""
    found = []
    for chunk in _chunks(numbers):
        rows = await tx.fetch(
            f"SELECT {_COLUMNS} FROM consent_events WHERE number IN ({placeholders(chunk)})"
            f" ORDER BY number, brand, purpose, at, id",
            chunk,
        )
        found += [_consent(row) for row in rows]
    return found


async def list_history(tx: Tx, numbers: Collection[str], *, limit: int, after: str) -> list[Consent]:
    """Events of a few numbers, in the order in which they were recorded, those with a greater id than ``after``."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM consent_events WHERE number IN ({placeholders(numbers)}) AND id > ?"
        " ORDER BY id LIMIT ?",
        (*numbers, after, limit),
    )
    return [_consent(row) for row in rows]


class ConsentFilter(NamedTuple):
    """Which consents; None for any."""

    numbers: Collection[str] | None = None
    brand: str | None = None
    purpose: str | None = None
    state: ConsentState | None = None


async def list_consents(tx: Tx, wanted: ConsentFilter, *, limit: int, after: Key | None) -> list[Consent]:
    """The events that hold, by number, brand and purpose, those behind ``after``."""
    conditions, params = ["1 = 1"], []
    if after is not None:
        conditions.append("(c.number, c.brand, c.purpose) > (?, ?, ?)")
        params += list(after)
    if wanted.numbers is not None:
        conditions.append(f"c.number IN ({placeholders(wanted.numbers)})")
        params += list(wanted.numbers)
    for column in ("brand", "purpose", "state"):
        if (value := getattr(wanted, column)) is not None:
            conditions.append(f"c.{column} = ?")
            params.append(str(value))
    rows = await tx.fetch(
        f"SELECT {_OF_EVENT} FROM consents c JOIN consent_events e ON e.id = c.event_id"
        f" WHERE {' AND '.join(conditions)} ORDER BY c.number, c.brand, c.purpose LIMIT ?",
        (*params, limit),
    )
    return [_consent(row) for row in rows]


async def load_wordings(tx: Tx, hashes: Collection[str]) -> dict[str, str]:
    """The texts of some hashes."""
    found: dict[str, str] = {}
    for chunk in _chunks(hashes):
        rows = await tx.fetch(
            f"SELECT hash, text FROM consent_wordings WHERE hash IN ({placeholders(chunk)})", chunk
        )
        found |= {row[0]: row[1] for row in rows}
    return found


async def save_file(tx: Tx, file: ConsentFile) -> None:
    """Note a file before its rows are recorded; the first note of it stays."""
    await tx.execute(
        "INSERT INTO consent_files (sha256, name, statement, created_at, actor) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (sha256) DO NOTHING",
        (file.sha256, file.name, file.statement, format_ms(file.created_at), file.by),
    )


async def load_files(tx: Tx, hashes: Collection[str]) -> list[ConsentFile]:
    """The notes of some files, in the order of their hashes."""
    found = []
    for chunk in _chunks(hashes):
        found += [
            ConsentFile(
                sha256=row[0], name=row[1], statement=row[2], created_at=parse_instant(row[3]), by=row[4]
            )
            for row in await tx.fetch(
                "SELECT sha256, name, statement, created_at, actor FROM consent_files"
                f" WHERE sha256 IN ({placeholders(chunk)})",
                chunk,
            )
        ]
    return sorted(found, key=lambda file: file.sha256)


async def forget_consents(tx: Tx, before: datetime, after: str, limit: int) -> tuple[int, str | None]:
    """Drop what another event took the place of before ``before``, out of ``limit`` events behind ``after``.

    What holds stays, however old it is, and so does what held until later than that.

    Returns:
        How many went, and the last that was looked at; None at the end.
    """
    rows = await tx.fetch(
        "SELECT e.id, CASE WHEN EXISTS (SELECT 1 FROM consent_events f WHERE f.number = e.number"
        " AND f.brand = e.brand AND f.purpose = e.purpose AND f.at < ? AND (f.at, f.id) > (e.at, e.id))"
        " THEN 1 ELSE 0 END FROM consent_events e WHERE e.id > ? AND e.recorded_at < ? ORDER BY e.id LIMIT ?",
        (format_ms(before), after, format_ms(before), limit),
    )
    gone = [row[0] for row in rows if row[1]]
    await tx.execute_many("DELETE FROM consent_events WHERE id = ?", [(event_id,) for event_id in gone])
    return len(gone), rows[-1][0] if len(rows) == limit else None


def _line(consent: Consent) -> Line:
    return consent.file, consent.row, consent.number


async def _find_lines(tx: Tx, consents: Sequence[Consent]) -> dict[Line, Consent]:
    found: dict[Line, Consent] = {}
    for file in {consent.file for consent in consents if consent.file is not None}:
        lines = [consent.row for consent in consents if consent.file == file and consent.row is not None]
        for start in range(0, len(lines), AT_ONCE):
            chunk = lines[start : start + AT_ONCE]
            for row in await tx.fetch(
                f"SELECT {_COLUMNS} FROM consent_events WHERE file = ? AND line IN ({placeholders(chunk)})",
                (file, *chunk),
            ):
                consent = _consent(row)
                found[_line(consent)] = consent
    return found


async def _load_holding(tx: Tx, keys: Collection[Key], *, lock: bool) -> dict[Key, Consent]:
    numbers = sorted({number for number, _, _ in keys})
    if lock and tx.for_update:
        for chunk in _chunks(numbers):
            await tx.fetch(
                f"SELECT 1 FROM consents WHERE number IN ({placeholders(chunk)})"
                f" ORDER BY number, brand, purpose{tx.for_update}",
                chunk,
            )
    return {one.key: one for one in await load_holding(tx, numbers) if one.key in keys}


async def _save_wordings(tx: Tx, texts: Collection[str], at: datetime) -> None:
    await tx.execute_many(
        "INSERT INTO consent_wordings (hash, text, created_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        [(hash_wording(text), text, format_ms(at)) for text in sorted(texts)],
    )


def _chunks(values: Collection[str]) -> Iterator[list[str]]:
    wanted = list(values)
    for start in range(0, len(wanted), AT_ONCE):
        yield wanted[start : start + AT_ONCE]


def _holds(consent: Consent) -> Row:
    c = consent
    return c.number, c.brand, c.purpose, c.state.value, format_ms(c.at), format_ms(c.expires_at), c.id


def _row(consent: Consent) -> Row:
    c = consent
    times = format_ms(c.at), format_ms(c.recorded_at)
    what = c.id, c.number, c.brand, c.purpose, c.state.value, c.source
    evidence = _encode(c.evidence).decode()
    return *what, *times, c.wording, evidence, format_ms(c.expires_at), c.by, c.file, c.row


def _consent(row: Row) -> Consent:
    return Consent(
        id=row[0],
        number=row[1],
        brand=row[2],
        purpose=row[3],
        state=ConsentState(row[4]),
        source=row[5],
        at=parse_instant(row[6]),
        recorded_at=parse_instant(row[7]),
        wording=row[8],
        evidence=_decode(row[9]),
        expires_at=parse_ms(row[10]),
        by=row[11],
        file=row[12],
        row=row[13],
    )
