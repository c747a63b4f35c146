"""What a person may ask of their data: all that is kept of a number, and that it is erased.

What the law wants kept is kept: that the person wants to be left alone, and what they once agreed to.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Final, NamedTuple

from gateway.clock import Clock, truncate_ms
from gateway.model.actor import Actor
from gateway.model.audit import Details
from gateway.model.msisdn import Reading
from gateway.store.audit import erase_audit_subject, record_audit
from gateway.store.consents import list_history, load_wordings
from gateway.store.events import erase_events
from gateway.store.inbound import list_inbound
from gateway.store.messages import MessageFilter, list_whole
from gateway.store.old_messages import Ages, drop_messages
from gateway.store.personal import (
    Held,
    count_open_to,
    count_touches,
    delete_inbound,
    delete_small,
    drop_dead_calls,
    find_held,
)
from gateway.store.ports import Store, Tx
from gateway.store.readers import lowest_place
from gateway.store.suppressions import find_covering
from gateway.views.consents import show_consents
from gateway.views.shapes import MessageOut, show_inbound, show_message
from gateway.views.subjects import ErasedOut, KeptOut, SubjectOut

MOST: Final = 10_000
"""Of messages, inbound messages and consents each that are shown of one number."""
_AT_ONCE: Final = 100
_PAGE: Final = 500


async def export_subject(store: Store, clock: Clock, reading: Reading, by: Actor) -> SubjectOut:
    """All that is kept of a number, the newest messages first; that it was asked for is on record."""
    numbers = tuple(reading.spellings)
    now = truncate_ms(clock.now())
    await store.write(
        lambda tx: record_audit(tx, by, "subject.exported", reading.spelling, at=now),
    )
    messages: list[MessageOut] = []
    before = None
    query = MessageFilter(to=numbers)
    while len(messages) < MOST:
        page = await store.read(lambda tx, before=before: list_whole(tx, query, limit=_PAGE, before=before))  # type: ignore[misc]
        messages += [show_message(one.message, one.segments) for one in page]
        if len(page) < _PAGE:
            break
        before = page[-1].message.id
    inbound = await store.read(lambda tx: list_inbound(tx, senders=numbers, limit=MOST))
    history = await store.read(lambda tx: list_history(tx, numbers, limit=MOST, after=""))
    hashes = {one.wording for one in history if one.wording is not None}
    wordings = await store.read(lambda tx: load_wordings(tx, hashes))

    async def entries(tx: Tx) -> list[object]:
        found = {entry.number: entry for number in numbers for entry in await find_covering(tx, number)}
        return [found[number] for number in sorted(found)]

    return SubjectOut(
        number=reading.spelling,
        made_at=now,
        messages=messages,
        inbound=[show_inbound(one) for one in inbound],
        suppressions=await store.read(entries),  # type: ignore[arg-type]
        consents=show_consents(history, wordings),
        truncated=max(len(messages), len(inbound), len(history)) >= MOST,
    )


class _Gone(NamedTuple):
    """What a step erased."""

    messages: int = 0
    inbound: int = 0
    events: int = 0
    unread: int = 0
    calls: int = 0

    def plus(self, other: _Gone) -> _Gone:
        return _Gone(*(one + more for one, more in zip(self, other, strict=True)))


async def erase_subject(store: Store, clock: Clock, reading: Reading, by: Actor) -> ErasedOut:
    """Delete what is kept of a number but needs not be; that it was done is on record without the number."""
    numbers = list(reading.spellings)
    now = truncate_ms(clock.now())
    gone, after = _Gone(), ""
    while True:
        held = await store.read(partial(find_held, numbers=numbers, limit=_AT_ONCE, after=after))
        if not held.messages and not held.inbound:
            break
        after = held.messages[-1] if held.messages else after
        step = partial(_erase_some, held=held, now=truncate_ms(clock.now()))
        gone = gone.plus(await store.write(step, n_rows=4 * _AT_ONCE))

    async def rest(tx: Tx) -> ErasedOut:
        n_events, unread = await erase_events(tx, numbers, await lowest_place(tx))
        n_other = gone.calls + await delete_small(tx, numbers)
        for number in numbers:
            n_other += await erase_audit_subject(tx, number)
        kept = await _find_kept(tx, numbers, gone.unread + unread)
        sums = {"messages": gone.messages, "inbound": gone.inbound, "events": gone.events + n_events}
        details: Details = {**sums, "other": n_other, "kept": [one.what for one in kept]}
        await record_audit(tx, by, "subject.erased", details=details, at=now)
        return ErasedOut(**sums, other=n_other, kept=kept)

    return await store.write(rest)


async def _erase_some(tx: Tx, held: Held, now: datetime) -> _Gone:
    read_to = await lowest_place(tx)
    n_events, unread = await erase_events(tx, [*held.messages, *held.inbound], read_to)
    n_messages = await drop_messages(tx, held.messages, _any_age(now, read_to)) if held.messages else 0
    n_calls = await drop_dead_calls(tx, [*held.messages, *held.inbound])
    return _Gone(n_messages, await delete_inbound(tx, held.inbound), n_events, unread, n_calls)


def _any_age(now: datetime, read_to: int) -> Ages:
    at = now + timedelta(milliseconds=1)  # what ended this very moment counts as old, too
    return Ages(at, at, read_to)


async def _find_kept(tx: Tx, numbers: list[str], n_unread: int) -> list[KeptOut]:
    """What stays, and why."""
    entries = {entry.number for number in numbers for entry in await find_covering(tx, number)}
    history = await list_history(tx, numbers, limit=MOST, after="")
    held = await find_held(tx, numbers, limit=MOST)
    counts = (
        (
            "suppressions",
            len(entries),
            "the person stays on the opt-out list, so that nobody writes to them again",
        ),
        ("consents", len(history), "it proves what was sent by it, and that it was taken back"),
        (
            "open_messages",
            await count_open_to(tx, numbers),
            "they are on their way; cancel them, or erase again later",
        ),
        (
            "messages",
            len(held.messages),
            "who follows the timeline has still to read of them; erase again later",
        ),
        (
            "touches",
            await count_touches(tx, numbers),
            "they count for the limits of how often the person is written to, and go when they count no more",
        ),
        ("events", n_unread, "who follows the timeline has still to read them; erase again later"),
    )
    return [KeptOut(what=what, count=n, why=why) for what, n, why in counts if n]
