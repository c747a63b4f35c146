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
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from gateway.clock import Clock
from gateway.errors import StoreError
from gateway.store.outbox import (
    Busy,
    Lane,
    Owed,
    bury,
    find_companions,
    find_due,
    put_off,
    rest_lane,
    take_off,
)
from gateway.store.ports import Operation, Store, Tx

_STORE_PAUSE_S = 1.0
_SHORTEST_PAUSE_S = 0.05

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AtOnce:
    """How much is under way at the same time.

    Args:
        all: of one door.
        of_owner: whoever asks for calls to a thousand hosts that hang holds up his own, not those of others.
        of_host: a receiver that hangs holds up what goes there, not what goes elsewhere.
    """

    all: int = 64
    of_owner: int = 8
    of_host: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How failures are borne.

    Args:
        first_s: pause after the first failure; each further one doubles it.
        longest_s: of these pauses.
        spread: each pause is multiplied by something between these two.
        longest_asked_s: of the pauses that a receiver asks for.
        rest_after: failures in series after which a receiver rests.
        rest_first_s: how long it rests until the first trial; each one that fails doubles it.
        rest_longest_s: of these rests.
    """

    first_s: float = 5.0
    longest_s: float = 1_800.0
    spread: tuple[float, float] = (0.5, 1.0)
    longest_asked_s: float = 3_600.0
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


def _nothing() -> None:
    """What most outcomes are followed by."""


class Taken(NamedTuple):
    """The receiver has it.

    Args:
        save: what is written in the transaction in which it is forgotten.
        then: called when that is committed.
    """

    save: Operation[object] | None = None
    then: Callable[[], None] = _nothing


class Missed(NamedTuple):
    """The receiver does not have it.

    Args:
        fault: why, in words that may be logged and shown.
        asked_s: how long the receiver asks us to leave it alone; 0 when it does not.
        is_final: it is not tried again.
        save: what is written in the same transaction as the fault.
        then: called when that is committed.
    """

    fault: str
    asked_s: float = 0.0
    is_final: bool = False
    save: Operation[object] | None = None
    then: Callable[[], None] = _nothing


Make = Callable[[Sequence[Owed]], Awaitable[Taken | Missed]]
"""Tries what goes together: rows of one lane, of different subjects; bounded in time."""


class Deliverer:
    """Makes what one door owes.

    Args:
        door: whose rows it makes.
        make: see `Make`.
        most: how many rows of a lane go together.
        rng: spreads repeats.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        door: str,
        make: Make,
        *,
        most: Callable[[Lane], int] = lambda _lane: 1,
        at_once: AtOnce | None = None,
        patience: Patience | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._door = door
        self._make = make
        self._most = most
        self._at_once = at_once or AtOnce()
        self._patience = patience or Patience()
        self._rng = rng or random.Random()
        self._wake = asyncio.Event()
        self._running: dict[asyncio.Task[None], Sequence[Owed]] = {}
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
        while (free := self._at_once.all - len(self._running)) > 0:
            now = self._clock.now()
            find = partial(
                find_due,
                door=self._door,
                now=now,
                busy=self._busy(),
                limit=free,
                of_owner=self._at_once.of_owner,
                of_host=self._at_once.of_host,
                after=self._served,
            )
            due = await self._store.read(find)
            self._served = due.rows[-1].lane.owner if due.rows else self._served
            n_started = await self._start_all(due.rows, now)
            if not n_started:
                if due.next_at is None:
                    return None
                return max((due.next_at - now).total_seconds(), _SHORTEST_PAUSE_S)
        return None

    def _busy(self) -> Busy:
        ids: dict[Lane, list[str]] = {}
        for together in self._running.values():
            ids.setdefault(together[0].lane, []).extend(owed.id for owed in together)
        calls = Counter(together[0].lane for together in self._running.values())
        hosts, owners = Counter[str](), Counter[str]()
        for lane, n in calls.items():
            hosts[lane.host] += n
            owners[lane.owner] += n
        return Busy(
            ids,
            [host for host, n in hosts.items() if n >= self._at_once.of_host],
            [owner for owner, n in owners.items() if n >= self._at_once.of_owner],
            calls,
        )

    async def _start_all(self, rows: Sequence[Owed], now: datetime) -> int:
        hosts = Counter(together[0].lane.host for together in self._running.values())
        lanes: set[Lane] = set()
        n_started = 0
        for owed in rows:
            lane, together = owed.lane, [owed]
            if hosts[lane.host] >= self._at_once.of_host:  # two owners may have named the same host
                continue
            if (most := self._most(lane)) > 1:
                if lane in lanes:
                    continue  # it may have gone with the first of them
                ids = [one.id for others in self._running.values() for one in others if one.lane == lane]
                together = await self._store.read(
                    partial(find_companions, owed=owed, now=now, busy=ids, limit=most)
                )
            lanes.add(lane)
            hosts[lane.host] += 1
            self._start(together, self._try(together))
            n_started += 1
        return n_started

    def _start(self, together: Sequence[Owed], job: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(job, name=f"{self._door} outbox")
        self._running[task] = together
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        together = self._running.pop(task)
        error = None if task.cancelled() else task.exception()
        if error is None:
            self._wake.set()
            return
        _log.error("a call to an application could not be settled: %s", type(error).__name__)
        if isinstance(error, StoreError):
            # The row stays: it is made again, after a pause of ours since nothing was written down.
            asyncio.get_running_loop().call_later(_STORE_PAUSE_S, self._wake.set)
        else:  # a bug of ours, met by an answer that nobody foresaw: the same one is not asked for without end
            self._start(together, self._put_off(together, Missed(type(error).__name__)))

    async def _try(self, together: Sequence[Owed]) -> None:
        outcome = await self._make(together)
        if isinstance(outcome, Missed):
            await self._put_off(together, outcome)
            return

        async def op(tx: Tx) -> None:
            await take_off(tx, together)
            if outcome.save is not None:
                await outcome.save(tx)

        await self._store.write(op)
        outcome.then()

    async def _put_off(self, together: Sequence[Owed], missed: Missed) -> None:
        now = self._clock.now()
        asked_s = min(missed.asked_s, self._patience.longest_asked_s)
        put_offs = [(owed, now + timedelta(seconds=max(asked_s, self._pause(owed)))) for owed in together]
        given_up = [owed for owed, due_at in put_offs if missed.is_final or due_at > owed.give_up_at]
        lane = together[0].lane

        async def op(tx: Tx) -> tuple[int, float, int]:
            failures = await put_off(tx, put_offs, missed.fault, now)
            for owed in given_up:
                await bury(tx, owed, missed.fault, now)
            rest_s = max(asked_s, self._patience.rest(failures))
            n_buried = 0
            if rest_s:
                n_buried = await rest_lane(tx, lane, now + timedelta(seconds=rest_s), now)
            if missed.save is not None:
                await missed.save(tx)
            return failures, rest_s, n_buried

        failures, rest_s, n_buried = await self._store.write(op)
        missed.then()
        pause_s = (min(due_at for _, due_at in put_offs) - now).total_seconds()
        self._tell(together, missed.fault, n_given_up=len(given_up), pause_s=pause_s)
        if failures == self._patience.rest_after:
            _log.warning(
                "%s fails again and again (%s): it is tried in %.0f s, and what else goes there waits",
                lane.host,
                missed.fault,
                rest_s,
            )
        if n_buried:
            _log.error("gave up %d calls to %s that were too old: %s", n_buried, lane.host, missed.fault)

    def _pause(self, owed: Owed) -> float:
        return self._patience.pause(owed.attempts) * self._rng.uniform(*self._patience.spread)

    def _tell(self, together: Sequence[Owed], fault: str, *, n_given_up: int, pause_s: float) -> None:
        host, attempts = together[0].lane.host, max(owed.attempts for owed in together)
        if n_given_up:
            _log.error("gave up %d after %d attempts to call %s: %s", n_given_up, attempts + 1, host, fault)
        if n_given_up < len(together):
            level = logging.DEBUG if attempts else logging.WARNING
            _log.log(level, "a call to %s failed, trying again in %.0f s: %s", host, pause_s, fault)
