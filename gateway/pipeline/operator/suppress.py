"""The opt-out list by persons: an opt-out holds for every number that its writer may have.

Nobody can say of some numbers whose they are: ``16012345678`` is a mobile in Germany and one in America. When in
doubt, nothing is sent.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from msgspec.structs import asdict

from gateway.clock import Clock, truncate_ms
from gateway.model.actor import Actor, ActorKind
from gateway.model.consent import NO_EVIDENCE, Evidence
from gateway.model.events import make_event
from gateway.model.message import Suppression
from gateway.model.msisdn import Reading, read_number
from gateway.model.opt_out import EVERYTHING, brand_of
from gateway.pipeline.operator.consents import restore_consents, withdraw_consents
from gateway.pipeline.sending.waiting_for import Seek, block_waiting
from gateway.policy.rules.opt_out import OptOut
from gateway.store.audit import record_audit
from gateway.store.ports import Store, Tx
from gateway.store.suppressions import (
    delete_reading,
    delete_suppression,
    find_bearing,
    find_covering,
    find_opt_outs,
    find_suppression,
    find_unread,
    save_readings,
    save_suppression,
)

_READ_AT_ONCE = 100
"""Reading a number takes as long as writing many rows, and others wait for the writer meanwhile."""


class OptedOut(NamedTuple):
    """An entry of the list that was just made, or was there.

    Args:
        entry: as it stands there.
        is_new: whether it was not there before.
        left: where to look on for messages that wait and must not go (`block_left`); None when all are blocked.
    """

    entry: Suppression
    is_new: bool
    left: Seek | None


async def is_opted_out(tx: Tx, reading: Reading, scope: str = EVERYTHING) -> bool:
    """Whether every number that may be meant is on the list already, in this scope or a wider one."""
    people = set(reading.people or reading.readings)
    found = await find_opt_outs(tx, people)
    return all(not found.get(one, frozenset()).isdisjoint({scope, EVERYTHING}) for one in people)


async def find_entry(tx: Tx, reading: Reading, scope: str | None = None) -> Suppression | None:
    """The entry that stops marketing to a number: the one that bears it, else the oldest that holds for it.

    Args:
        scope: that the entry must have; None for any.
    """
    found = await find_bearing(tx, reading.spelling)
    if (person := _person(reading)) is not None:
        found += await find_covering(tx, person)
    return next((entry for entry in found if scope in {None, entry.scope}), None)


async def opt_out(
    store: Store,
    clock: Clock,
    reading: Reading,
    *,
    by: Actor,
    source: str,
    reason: str | None = None,
    scope: str = EVERYTHING,
    rule: OptOut,
) -> tuple[Suppression, bool]:
    """Put a number on the opt-out list; the entry that stands there afterwards, and whether it is new.

    All that waits for the number and must not go by ``rule`` is blocked when this returns.
    """

    async def op(tx: Tx) -> OptedOut:
        at = truncate_ms(clock.now())
        wanted = Suppression(
            number=reading.spelling, scope=scope, source=source, reason=reason, created_at=at
        )
        return await record_opt_out(tx, clock, wanted, reading, by=by, rule=rule)

    done = await store.write(op)
    await block_left(store, clock, done.left, rule)
    return done.entry, done.is_new


async def record_opt_out(
    tx: Tx,
    clock: Clock,
    wanted: Suppression,
    reading: Reading,
    *,
    by: Actor | None,
    rule: OptOut,
    evidence: Evidence = NO_EVIDENCE,
) -> OptedOut:
    """`opt_out` inside another operation; an earlier entry stays. What the number agreed to is withdrawn.

    What waits for the number is blocked here as far as that is little; the caller goes on with `block_left`.

    Args:
        wanted: bears the reading's spelling.
        by: who does; None for the person behind the number.
        rule: says which messages the entry stops.
        evidence: the message by which the person said so.
    """
    wanted = Suppression(
        number=wanted.number,
        scope=wanted.scope,
        source=wanted.source,
        keyword=wanted.keyword,
        reason=wanted.reason,
        created_at=wanted.created_at,
        readings=reading.readings,
    )
    await tx.stop(reading.spellings)
    before = await find_suppression(tx, wanted.number, wanted.scope)
    if await save_suppression(tx, wanted):
        kind, at = "subscription.opted_out", wanted.created_at
        tx.record(make_event(kind, at, wanted.number, _told(asdict(wanted), by)))
        details = {"source": wanted.source, "keyword": wanted.keyword, "scope": wanted.scope}
        await record_audit(tx, by or _person_by(wanted.source), kind, wanted.number, details, at=at)
    brands = _brands(wanted.scope)
    await withdraw_consents(
        tx, reading, source=wanted.source, at=wanted.created_at, by=by, evidence=evidence, brands=brands
    )
    entry = await find_suppression(tx, wanted.number, wanted.scope) or wanted
    left = await block_waiting(tx, clock, Seek(wanted.scope, reading.readings), rule)
    return OptedOut(entry, before is None, left)


async def block_left(store: Store, clock: Clock, left: Seek | None, rule: OptOut) -> None:
    """Block the rest of what an opt-out stops, some hundred messages at a time. Cancel: at their turn they are."""
    while (seek := left) is not None:

        async def op(tx: Tx, seek: Seek = seek) -> Seek | None:
            return await block_waiting(tx, clock, seek, rule)

        left = await store.write(op)


async def opt_in(
    store: Store, clock: Clock, reading: Reading, *, by: Actor, source: str, scope: str | None = None
) -> bool:
    """Take a number off the opt-out list; False when it was not there.

    Args:
        scope: whose entry is taken away; None for all.
    """
    return await store.write(lambda tx: record_opt_in(tx, clock, reading, source, by=by, scope=scope))


async def record_opt_in(
    tx: Tx,
    clock: Clock,
    reading: Reading,
    source: str,
    *,
    by: Actor | None,
    scope: str | None = None,
    evidence: Evidence = NO_EVIDENCE,
) -> bool:
    """`opt_in` inside another operation; False when it changed nothing.

    It undoes what an opt-out in the same spelling did. Entries in other spellings let go of the person, where it is
    clear who that is, and go on to hold for others. The person's own word is a consent, too, to what was asked or
    taken back; that somebody else takes a number off the list is none.

    Args:
        evidence: the message by which the person said so.
    """
    removed: set[str] = set()
    for entry in _of_scope(await find_bearing(tx, reading.spelling), scope):
        await delete_suppression(tx, entry.number, entry.scope)
        removed.add(entry.scope)
    if (person := _person(reading)) is not None:
        mine = {person, *reading.aliases}
        for entry in _of_scope(await find_covering(tx, person), scope):
            if mine.issuperset(entry.readings):
                await delete_suppression(tx, entry.number, entry.scope)
            else:
                for one in mine:
                    await delete_reading(tx, one, entry.number, entry.scope)
            removed.add(entry.scope)
    kind, now = "subscription.opted_in", clock.now()
    for one in sorted(removed):
        details = {"source": source, "scope": one}
        tx.record(make_event(kind, now, reading.spelling, _told({"number": reading.spelling, **details}, by)))
        await record_audit(tx, by or _person_by(source), kind, reading.spelling, details, at=now)
    brands = None if scope is None else _brands(scope)
    if by is None and brands != ():
        at = truncate_ms(clock.now())
        n_given = await restore_consents(
            tx, reading, source=source, at=at, evidence=evidence, brands=brands, opted_out=bool(removed)
        )
        return bool(removed) or n_given > 0
    return bool(removed)


def _brands(scope: str) -> tuple[str, ...] | None:
    """Whose consents are meant; None for everybody's. A consent is not for a number of ours."""
    if scope == EVERYTHING:
        return None
    brand = brand_of(scope)
    return () if brand is None else (brand,)


def _of_scope(entries: Collection[Suppression], scope: str | None) -> list[Suppression]:
    return [entry for entry in entries if scope in {None, entry.scope}]


async def read_older_entries(store: Store, region: str) -> None:
    """Let entries of older versions hold for every reading of their numbers, too."""

    async def op(tx: Tx) -> int:
        entries = await find_unread(tx, _READ_AT_ONCE)
        await save_readings(tx, {entry: read_number(entry[0], region).readings for entry in entries})
        return len(entries)

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
