"""Following the timeline: batches of events after a place, in order of commit, for as long as the store is open.

The store is what is followed, by ``seq``; nothing is handed over in memory. A reader that stops, or falls behind, goes
on where it was. What the store can't do now (a full disk) is tried again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import NamedTuple

from drivers.broken import INTERNAL_ERROR, where_broke
from gateway.clock import Clock
from gateway.errors import StaleWrite, StoreError, StoreUnavailable
from gateway.model.events import Event
from gateway.model.message import MessageError
from gateway.pipeline.sending.poison import raise_internal
from gateway.store.events import Lines, load_lines
from gateway.store.ports import Operation, Store, Tx
from gateway.store.readers import open_reader, save_place

BATCH = 500
GATHER_S = 0.02
"""What is committed within so short a time is read at once: under load that is a tenth of the reads."""
STORE_RETRY_S = 1.0
SAVE_EVERY = 5_000
"""Events that concern a reader in nothing, after which its place is saved all the same."""
SAVE_S = 5.0
"""Seconds after which its place is saved all the same."""
SEEN_S = 600.0
"""How often a reader says that it is there, while nothing happens."""

_log = logging.getLogger(__name__)


async def follow_events(
    store: Store, after_seq: int, *, idle_s: Callable[[], float | None] = lambda: None
) -> AsyncIterator[Lines | None]:
    """Batches of events after ``after_seq``, in order of commit, for ever; ends when the store closes.

    Args:
        idle_s: asked before each wait: after so many seconds without an event a None comes; None for never.
    """
    while True:
        try:
            async with asyncio.timeout(idle_s()):
                await store.wait_events(after_seq)
        except TimeoutError:
            yield None
            continue
        except StoreUnavailable:
            return
        await asyncio.sleep(GATHER_S)
        while lines := await store.read(lambda tx, after=after_seq: load_lines(tx, after, BATCH)):  # type: ignore[misc]
            yield lines
            after_seq = lines.last_seq
            if lines.last_seq - lines.first_seq + 1 < BATCH:
                break  # all of them


async def hand_events(
    store: Store,
    place: Callable[[], int],
    take: Callable[[Lines | None], Awaitable[None]],
    reader: str,
    *,
    idle_s: Callable[[], float | None] = lambda: None,
) -> None:
    """Hand all events to one who takes them, until the store closes.

    What the store can't do now is done again: a batch whose ``take`` fails with a StoreError comes again.

    Args:
        place: after which ``seq`` to go on; asked at the start, and after each failure.
        take: given each batch, and None for each ``idle_s`` without an event.
        reader: for the log.

    Cancel: the batch at hand may be taken or not.
    """
    while True:
        after_seq = place()
        try:
            async for lines in follow_events(store, after_seq, idle_s=idle_s):
                if lines is not None:
                    _tell_missed(reader, lines.first_seq - after_seq - 1)
                    after_seq = lines.last_seq
                await take(lines)
        except StoreError as exc:
            _log.warning("%s waits for the store: %s", reader, exc)
            await asyncio.sleep(STORE_RETRY_S)
        else:
            return


class Taken(NamedTuple):
    """What a reader makes of a batch.

    Args:
        save: writes it; the reader's place is saved in the same transaction.
        then: called when that is committed.
    """

    save: Operation[None]
    then: Callable[[], None] = lambda: None


Take = Callable[[Sequence[Event]], Awaitable[Taken | None]]
"""Reads a batch; None when nothing in it concerns the reader. It may be asked again with the same batch."""


class TimelineReader:
    """Turns events into rows of its own, each exactly once: what it makes of them and its place commit together.

    Args:
        name: of its row in the table of readers; short, as it is a label of metrics.
        take: see `Take`.
    """

    def __init__(self, store: Store, clock: Clock, name: str, take: Take) -> None:
        self._store = store
        self._clock = clock
        self._name = name
        self._take = take
        self._seq = 0
        self._saved = 0
        self._saved_at = 0.0

    async def open(self) -> None:
        """Find the place to go on from; the first time it is the present."""
        await self._find_place(None)

    async def run(self) -> None:
        """Follow the timeline until the store closes. Cancel: goes on from the place that was committed last."""
        await hand_events(self._store, lambda: self._seq, self._read, self._name, idle_s=self._idle_s)

    async def _find_place(self, begin_at: int | None) -> None:
        now = self._clock.now()
        self._seq = await self._store.write(lambda tx: open_reader(tx, self._name, now, begin_at))
        self._note_saved(self._seq)

    def _idle_s(self) -> float:
        return SAVE_S if self._seq > self._saved else SEEN_S

    async def _read(self, lines: Lines | None) -> None:
        taken = await self._take_all(lines.events) if lines is not None else None
        seq = lines.last_seq if lines is not None else self._seq
        if taken is not None or lines is None or self._is_time_to_save(seq):
            await self._save(seq, taken.save if taken else None)
        self._seq = seq
        if taken is not None:
            taken.then()

    async def _take_all(self, events: Sequence[Event]) -> Taken | None:
        """What the reader makes of a batch. An event on which our own code fails is left out, with an alarm."""
        try:
            return await self._take(events)
        except StoreError:
            raise
        except Exception as exc:  # noqa: BLE001 - a supervisor: it would break on the same event after each start
            where = where_broke(exc)
        if len(events) > 1:
            return _join([taken for event in events if (taken := await self._take_all([event])) is not None])
        (event,) = events
        what = event.subject if event.type.startswith("message.") else f"event {event.seq}"
        _log.error("%s: nobody is told of a %s of %s: %s", self._name, event.type, what, where)
        error = MessageError(code=INTERNAL_ERROR, detail=f"Nobody is told of its {event.type}: {where}.")
        return Taken(lambda tx: raise_internal(tx, self._clock, self._name, what, error))

    def _is_time_to_save(self, seq: int) -> bool:
        return seq - self._saved >= SAVE_EVERY or self._now() - self._saved_at >= SAVE_S

    async def _save(self, seq: int, save: Operation[None] | None) -> None:
        saved, now = self._saved, self._clock.now()

        async def op(tx: Tx) -> None:
            if save is not None:
                await save(tx)
            await save_place(tx, self._name, read_from=saved, seq=seq, now=now)

        try:
            await self._store.write(op)
        except StaleWrite:
            _log.error("the timeline's reader %s is not where it was; going on from where it is", self._name)
            await self._find_place(saved)
            raise
        self._note_saved(seq)

    def _note_saved(self, seq: int) -> None:
        self._saved, self._saved_at = seq, self._now()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def _join(parts: Sequence[Taken]) -> Taken | None:
    """All of them as one, in their order."""

    async def save(tx: Tx) -> None:
        for part in parts:
            await part.save(tx)

    def then() -> None:
        for part in parts:
            part.then()

    return Taken(save, then) if parts else None


def _tell_missed(reader: str, n: int) -> None:
    if n > 0:
        _log.error("%s missed %d events: they were deleted before it had read them", reader, n)
