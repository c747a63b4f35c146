"""Retention: what is over and old enough is deleted, or emptied, a few rows at a time beside all other work.

Each kind of record is a `Chore`. A round gives every chore one step after the other, in turn, until none has anything
left to do. A step is one short transaction, and the pause behind it is several times as long as it took: where the
store is busy the steps take longer to be done, and so become fewer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, NamedTuple

from gateway.clock import Clock, do_every
from gateway.errors import StoreError
from gateway.store.ports import Store
from gateway.store.retention import Note, last_sign_of_life, load_notes, save_note
from gateway.telemetry.metrics import Metrics, labeled

_log = logging.getLogger(__name__)

ROUND_S: Final = 3_600.0
"""From the end of a round to the next one."""
LEISURE: Final = 4.0
"""The pause after a step, in times that it took."""
SHORTEST_PAUSE_S: Final = 0.01
LONGEST_PAUSE_S: Final = 1.0
NOTE_EVERY: Final = 100
"""Steps after which it is written down how far a chore has come."""
FROM_THE_START: Final = timedelta(days=7)
"""After so long a chore that goes on where it was begins at the oldest record again: some were not over before."""
STRANGE_JUMP: Final = timedelta(days=7)
"""A clock that says that the store was out of use for longer than this is not believed at once."""
DISBELIEF_S: Final = 3_600.0
_DISBELIEF_TICK_S: Final = 10.0


class Step(NamedTuple):
    """What a step has done.

    Args:
        n_rows: deleted or emptied.
        after: the last record that was looked at; None when there is nothing more to look at.
        overdue_s: for how long the oldest record that the step was due to remove has been due; 0 when none was.
    """

    n_rows: int
    after: str | None = None
    overdue_s: float = 0.0


class Chore(NamedTuple):
    """How one kind of record is removed.

    Args:
        kind: its name in ``hongyan db check`` and in the metrics.
        step: removes a few: the store, the instant of the round, and the record behind which to look.
        goes_on: a round begins where the last one ended, see `FROM_THE_START`.
    """

    kind: str
    step: Callable[[Store, datetime, str], Awaitable[Step]]
    goes_on: bool = False


class _Work:
    """A chore in a round."""

    def __init__(self, chore: Chore, known: Note | None, now: datetime) -> None:
        fresh = (
            known is None or not chore.goes_on or not known.place or now - known.began_at >= FROM_THE_START
        )
        self.chore = chore
        self.place = "" if fresh or known is None else known.place
        self.began_at = now if fresh or known is None else known.began_at
        self.n_rows = self.n_rows_before = 0 if known is None else known.n_rows
        self.n_steps = 0

    def note(self, now: datetime) -> Note:
        """What is to be remembered of it."""
        return Note(self.place if self.chore.goes_on else "", self.began_at, now, self.n_rows)


class Retention:
    """Does the chores.

    Args:
        chores: in the order in which they take turns.
    """

    def __init__(self, store: Store, clock: Clock, chores: Sequence[Chore], metrics: Metrics) -> None:
        self._store = store
        self._clock = clock
        self._chores = list(chores)
        self._metrics = metrics
        self._overdue = dict.fromkeys((chore.kind for chore in chores), 0.0)
        metrics.watch(
            "hongyan_retention_backlog_seconds",
            "For how long the oldest record that is to be deleted has been due.",
            "kind",
            lambda: self._overdue,
        )

    def adopt(self, chores: Sequence[Chore]) -> None:
        """Do other chores, from the next round on."""
        self._chores = list(chores)
        self._overdue = {chore.kind: self._overdue.get(chore.kind, 0.0) for chore in chores}

    async def run(self) -> None:
        """Round after round until cancelled. Cancel: what was committed is done, the rest comes again."""
        await self._believe_the_clock()
        await do_every(ROUND_S, self.round, partial(_log.warning, "retention: put off: %s"))

    async def round(self) -> int:
        """Do all that is due now; how many rows that were."""
        now = self._clock.now()
        notes = await self._store.read(load_notes)
        works = [_Work(chore, notes.get(chore.kind), now) for chore in self._chores]
        at_work = works
        while at_work:
            at_work = [work for work in at_work if await self._step(work, now)]
        if done := {work.chore.kind: n for work in works if (n := work.n_rows - work.n_rows_before)}:
            _log.info("retention: %s", ", ".join(f"{kind} {n}" for kind, n in done.items()))
        return sum(done.values())

    async def _step(self, work: _Work, now: datetime) -> bool:
        """One step of a chore; whether it has more to do."""
        kind = work.chore.kind
        began = self._clock.monotonic()
        step = await work.chore.step(self._store, now, work.place)
        took_s = self._clock.monotonic() - began
        work.n_rows += step.n_rows
        work.n_steps += 1
        work.place = work.place if step.after is None else step.after
        self._overdue[kind] = step.overdue_s if step.after is not None else 0.0
        labeled(self._metrics.retention, kind).inc(step.n_rows)
        if step.after is None or work.n_steps % NOTE_EVERY == 0:
            note = work.note(self._clock.now())
            await self._store.write(lambda tx: save_note(tx, kind, note))
        if step.after is None:
            return False
        await asyncio.sleep(min(max(SHORTEST_PAUSE_S, LEISURE * took_s), LONGEST_PAUSE_S))
        return True

    async def _believe_the_clock(self) -> None:
        """Wait a while when the clock may be far ahead: by such a one everything would be old.

        A machine without a clock of its own has a wrong one until it has asked somebody for the time.
        """
        since = self._clock.monotonic()
        warned = False
        while self._clock.monotonic() - since < DISBELIEF_S:
            try:
                last = await self._store.read(last_sign_of_life)
            except StoreError:
                last = datetime.max.replace(tzinfo=UTC)
            if last is None or self._clock.now() - last < STRANGE_JUMP:
                return
            if not warned:
                warned = True
                _log.warning(
                    "by this machine's clock the store was not in use for %d days; nothing old is deleted for an hour",
                    (self._clock.now() - last).days,
                )
            await asyncio.sleep(_DISBELIEF_TICK_S)
