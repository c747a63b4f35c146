"""The opt-out list by persons: an opt-out holds for every number that its writer may have.

Nobody can say of some numbers whose they are: ``16012345678`` is a mobile in Germany and one in America. When in
doubt, nothing is sent.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import asdict

from gateway.clock import Clock, truncate_ms
from gateway.model.actor import Actor, ActorKind
from gateway.model.consent import NO_EVIDENCE, Evidence
from gateway.model.events import make_event
from gateway.model.message import Suppression
from gateway.model.msisdn import Reading, read_number
from gateway.pipeline.operator.consents import restore_consents, withdraw_consents
from gateway.store.audit import record_audit
from gateway.store.ports import Store, Tx
from gateway.store.suppressions import (
    delete_reading,
    delete_suppression,
    find_covering,
    find_suppressed,
    find_suppression,
    find_unread,
    save_readings,
    save_suppression,
)

_READ_AT_ONCE = 100
"""Reading a number takes as long as writing many rows, and others wait for the writer meanwhile."""


async def is_opted_out(tx: Tx, reading: Reading) -> bool:
    """Whether every number that may be meant is on the list already."""
    people = set(reading.people or reading.readings)
    return await find_suppressed(tx, people) == people


async def find_entry(tx: Tx, reading: Reading) -> Suppression | None:
    """The entry that stops marketing to a number: the one that bears it, else the oldest that holds for it."""
    entry = await find_suppression(tx, reading.spelling)
    if entry is None and (person := _person(reading)) is not None:
        entry = next(iter(await find_covering(tx, person)), None)
    return entry


async def opt_out(
    store: Store, clock: Clock, reading: Reading, *, by: Actor, source: str, reason: str | None = None
) -> tuple[Suppression, bool]:
    """Put a number on the opt-out list; the entry that stands there afterwards, and whether it is new."""

    async def op(tx: Tx) -> tuple[Suppression, bool]:
        before = await find_suppression(tx, reading.spelling)
        at = truncate_ms(clock.now())
        wanted = Suppression(number=reading.spelling, source=source, reason=reason, created_at=at)
        return await record_opt_out(tx, wanted, reading, by=by), before is None

    return await store.write(op)


async def record_opt_out(
    tx: Tx,
    suppression: Suppression,
    reading: Reading,
    *,
    by: Actor | None,
    evidence: Evidence = NO_EVIDENCE,
) -> Suppression:
    """`opt_out` inside another operation; an earlier entry stays. What the number agreed to is withdrawn.

    Args:
        suppression: bears the reading's spelling.
        by: who does; None for the person behind the number.
        evidence: the message by which the person said so.
    """
    wanted = Suppression(
        number=suppression.number,
        source=suppression.source,
        keyword=suppression.keyword,
        reason=suppression.reason,
        created_at=suppression.created_at,
        readings=reading.readings,
    )
    if await save_suppression(tx, wanted):
        kind, at = "subscription.opted_out", wanted.created_at
        tx.record(make_event(kind, at, wanted.number, _told(asdict(wanted), by)))
        details = {"source": wanted.source, "keyword": wanted.keyword}
        await record_audit(tx, by or _person_by(wanted.source), kind, wanted.number, details, at=at)
    await withdraw_consents(tx, reading, source=wanted.source, at=wanted.created_at, by=by, evidence=evidence)
    return await find_suppression(tx, wanted.number) or wanted


async def opt_in(store: Store, clock: Clock, reading: Reading, *, by: Actor, source: str) -> bool:
    """Take a number off the opt-out list; False when it was not there."""
    return await store.write(lambda tx: record_opt_in(tx, clock, reading, source, by=by))


async def record_opt_in(
    tx: Tx,
    clock: Clock,
    reading: Reading,
    source: str,
    *,
    by: Actor | None,
    evidence: Evidence = NO_EVIDENCE,
) -> bool:
    """`opt_in` inside another operation; False when it changed nothing.

    It undoes what an opt-out in the same spelling did. Entries in other spellings let go of the person, where it is
    clear who that is, and go on to hold for others. The person's own word is a consent, too, to what was asked or
    taken back; that somebody else takes a number off the list is none.

    Args:
        evidence: the message by which the person said so.
    """
    removed = await delete_suppression(tx, reading.spelling)
    if (person := _person(reading)) is not None:
        mine = {person, *reading.aliases}
        for entry in await find_covering(tx, person):
            if mine.issuperset(entry.readings):
                await delete_suppression(tx, entry.number)
            else:
                for one in mine:
                    await delete_reading(tx, one, entry.number)
            removed = True
    if removed:
        kind, now = "subscription.opted_in", clock.now()
        data = _told({"number": reading.spelling, "source": source}, by)
        tx.record(make_event(kind, now, reading.spelling, data))
        who = by or _person_by(source)
        await record_audit(tx, who, kind, reading.spelling, {"source": source}, at=now)
    if by is None:
        at = truncate_ms(clock.now())
        n_given = await restore_consents(
            tx, reading, source=source, at=at, evidence=evidence, opted_out=removed
        )
        return removed or n_given > 0
    return removed


async def read_older_entries(store: Store, region: str) -> None:
    """Let entries of older versions hold for every reading of their numbers, too."""

    async def op(tx: Tx) -> int:
        numbers = await find_unread(tx, _READ_AT_ONCE)
        await save_readings(tx, {number: read_number(number, region).readings for number in numbers})
        return len(numbers)

    while await store.write(op):
        pass


def _person_by(source: str) -> Actor:
    """The person behind the number."""
    return Actor(ActorKind.PERSON, origin=source)


def _told(data: dict[str, Any], by: Actor | None) -> dict[str, Any]:
    return data if by is None else {**data, "by": str(by)}


def _person(reading: Reading) -> str | None:
    """Whose number it is, where that is clear."""
    return reading.number or (reading.people[0] if len(reading.people) == 1 else None)
