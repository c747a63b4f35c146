"""Makes what is owed, until it was taken or is too old: in order for each subject, a share for each owner.

A receiver that fails again and again rests: all that goes there waits, and one of it is tried now and then, until one
is taken. It holds up nobody else. What is given up is kept with its last fault, and may be owed again.

What is under way is on record as owed all the same: a crash in between makes it once more, under the same id.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, NamedTuple

from gateway.clock import Clock
from gateway.errors import StoreError
from gateway.store.outbox import Busy, Lane, Owed, bury, find_due, put_off, rest_lane, take_off
from gateway.store.ports import Operation, Store, Tx

MAX_AT_ONCE = 64
MAX_PER_OWNER = 8
"""Whoever asks for calls to a thousand hosts that hang holds up his own, not those of other accounts and routes."""
MAX_PER_HOST = 4
"""A receiver that hangs holds up what goes there, not what goes elsewhere."""
_STORE_PAUSE_S = 1.0
_SHORTEST_PAUSE_S = 0.05

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How failures are borne.

    Args:
        first_s: pause after the first failure; each further one doubles it.
        longest_s: of these pauses.
        rest_after: failures in series after which a receiver rests.
        rest_first_s: how long it rests until the first trial; each one that fails doubles it.
        rest_longest_s: of these rests.
    """

    first_s: float = 5.0
    longest_s: float = 1_800.0
    rest_after: int = 10
    rest_first_s: float = 15.0
    rest_longest_s: float = 600.0

    def pause(self, attempts: int) -> float:
        """After so many attempts that failed before this one."""
        return min(self.longest_s, self.first_s * 2.0 ** min(attempts, 20))

    def rest(self, failures: int) -> float:
        """After so many failures in series; 0 while there are few."""
        beyond = failures - self.rest_after
        return 0.0 if beyond < 0 else min(self.rest_longest_s, self.rest_first_s * 2.0 ** min(beyond, 20))


class Taken(NamedTuple):
    """The receiver has it.

    Args:
        save: what is written in the transaction in which it is forgotten.
    """

    save: Operation[object] | None = None


class Missed(NamedTuple):
    """The receiver does not have it.

    Args:
        fault: why, in words that may be logged and shown.
    """

    fault: str


Make = Callable[[Owed], Awaitable[Taken | Missed]]


class Deliverer:
    """Makes what one door owes.

    Args:
        door: whose rows it makes.
        make: tries one; bounded in time.
        rng: spreads repeats.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        door: str,
        make: Make,
        *,
        patience: Patience | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._door = door
        self._make = make
        self._patience = patience or Patience()
        self._rng = rng or random.Random()
        self._wake = asyncio.Event()
        self._running: dict[asyncio.Task[None], Owed] = {}
        self._served = ""

    def wake(self) -> None:
        """More is owed, or time has passed."""
        self._wake.set()

    async def run(self) -> None:
        """Deliver for ever. Cancel: what is under way is made again at the next start."""
        try:
            while True:
                self._wake.clear()
                try:
                    pause_s = await self._start_due()
                except StoreError:
                    pause_s = _STORE_PAUSE_S
                try:
                    async with asyncio.timeout(pause_s):
                        await self._wake.wait()
                except TimeoutError:
                    pass
        finally:
            for task in list(self._running):
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    async def _start_due(self) -> float | None:
        """Start what may be started; seconds until there can be more, None for when something wakes us."""
        while (free := MAX_AT_ONCE - len(self._running)) > 0:
            now = self._clock.now()
            find = partial(
                find_due,
                door=self._door,
                now=now,
                busy=self._busy(),
                limit=free,
                of_owner=MAX_PER_OWNER,
                of_host=MAX_PER_HOST,
                after=self._served,
            )
            due = await self._store.read(find)
            self._served = due.rows[-1].lane.owner if due.rows else self._served
            n_started = self._start_all(due.rows)
            if not n_started:
                if due.next_at is None:
                    return None
                return max((due.next_at - now).total_seconds(), _SHORTEST_PAUSE_S)
        return None

    def _busy(self) -> Busy:
        ids: dict[Lane, list[str]] = {}
        for owed in self._running.values():
            ids.setdefault(owed.lane, []).append(owed.id)
        hosts = Counter(owed.lane.host for owed in self._running.values())
        owners = Counter(owed.lane.owner for owed in self._running.values())
        return Busy(
            ids,
            [host for host, n in hosts.items() if n >= MAX_PER_HOST],
            [owner for owner, n in owners.items() if n >= MAX_PER_OWNER],
        )

    def _start_all(self, rows: list[Owed]) -> int:
        hosts = Counter(owed.lane.host for owed in self._running.values())
        n_started = 0
        for owed in rows:
            if hosts[owed.lane.host] < MAX_PER_HOST:  # two owners may have named the same host
                hosts[owed.lane.host] += 1
                self._start(owed, self._try(owed))
                n_started += 1
        return n_started

    def _start(self, owed: Owed, job: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(job, name=f"{self._door} outbox")
        self._running[task] = owed
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        owed = self._running.pop(task)
        error = None if task.cancelled() else task.exception()
        if error is None:
            self._wake.set()
            return
        _log.error("a call to an application could not be settled: %s", type(error).__name__)
        if isinstance(error, StoreError):
            # The row stays: it is made again, after a pause of ours since nothing was written down.
            asyncio.get_running_loop().call_later(_STORE_PAUSE_S, self._wake.set)
        else:  # a bug of ours, met by an answer that nobody foresaw: the same one is not asked for without end
            self._start(owed, self._put_off(owed, type(error).__name__))

    async def _try(self, owed: Owed) -> None:
        outcome = await self._make(owed)
        if isinstance(outcome, Missed):
            await self._put_off(owed, outcome.fault)
            return

        async def op(tx: Tx) -> None:
            await take_off(tx, owed)
            if outcome.save is not None:
                await outcome.save(tx)

        await self._store.write(op)

    async def _put_off(self, owed: Owed, fault: str) -> None:
        now = self._clock.now()
        pause_s = self._patience.pause(owed.attempts)
        due_at = now + timedelta(seconds=pause_s * self._rng.uniform(0.5, 1.0))
        gives_up = due_at > owed.give_up_at

        async def op(tx: Tx) -> tuple[int, float, int]:
            failures = await put_off(tx, owed, fault, due_at, now)
            if gives_up:
                await bury(tx, owed, fault, now)
            rest_s = self._patience.rest(failures)
            n_buried = 0
            if rest_s:
                n_buried = await rest_lane(tx, owed.lane, now + timedelta(seconds=rest_s), now)
            return failures, rest_s, n_buried

        failures, rest_s, n_buried = await self._store.write(op)
        self._tell(owed, fault, gives_up=gives_up, pause_s=pause_s)
        if failures == self._patience.rest_after:
            _log.warning(
                "%s fails again and again (%s): it is tried in %.0f s, and what else goes there waits",
                owed.lane.host,
                fault,
                rest_s,
            )
        if n_buried:
            _log.error("gave up %d calls to %s that were too old: %s", n_buried, owed.lane.host, fault)

    def _tell(self, owed: Owed, fault: str, *, gives_up: bool, pause_s: float) -> None:
        host = owed.lane.host
        if gives_up:
            _log.error("gave up a call to %s after %d attempts: %s", host, owed.attempts + 1, fault)
            return
        level = logging.DEBUG if owed.attempts else logging.WARNING
        _log.log(level, "a call to %s failed, trying again in %.0f s: %s", host, pause_s, fault)
