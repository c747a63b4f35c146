"""Watch over the queue: messages wait, a channel has room, and nothing moves. If that ever happens, it is told.

The watch asks the store, and believes nothing that the scheduler believes. It is the slow poll behind the store's word
that something is claimable: where that word got lost, the queue is looked at again some seconds later. If that does not
help, it is an alarm.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from functools import partial
from typing import NamedTuple

from gateway.clock import Clock, do_every
from gateway.model.alarm import AlarmKind
from gateway.pipeline.alarms import clear_alarm, raise_alarm
from gateway.pipeline.sending.lane import Lane
from gateway.pipeline.sending.schedule import Scheduler
from gateway.store.alarms import find_subjects
from gateway.store.ports import Store, Tx
from gateway.telemetry.metrics import Metrics, labeled

_log = logging.getLogger(__name__)

LOOK_S = 5.0
STANDSTILL_S = 10.0
"""The scheduler needs milliseconds, or as long as a commit takes."""


class _Idle(NamedTuple):
    """A channel that was seen with room, and messages for it.

    Args:
        n_begun: what it had begun then.
        since: monotonic seconds.
    """

    n_begun: int
    since: float


class StandstillWatch:
    """Looks every few seconds.

    Args:
        scheduler: asked what could go, and woken.
        lanes: every channel; asked again each time.
    """

    def __init__(
        self, scheduler: Scheduler, lanes: Collection[Lane], store: Store, clock: Clock, metrics: Metrics
    ) -> None:
        self._scheduler = scheduler
        self._lanes = lanes
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._idle: dict[str, _Idle] = {}
        self._alarmed: set[str] = set()
        """Channels of which an alarm is open, also one from before the last start."""
        self._is_first = True

    async def run(self) -> None:
        """Look until cancelled. Cancel: nothing is left half done."""
        await do_every(
            LOOK_S,
            self.look,
            partial(_log.warning, "nobody looked whether messages stand still: %s"),
            at_once=False,
        )

    async def look(self) -> None:
        """Look once: raise the alarm for what stands still, and have the scheduler look again."""
        if self._is_first:
            self._alarmed, self._is_first = (
                await self._store.read(lambda tx: find_subjects(tx, AlarmKind.STANDSTILL)),
                False,
            )
        lanes = list(self._lanes)
        begun = {lane.name: lane.n_begun for lane in lanes}
        claimable = await self._scheduler.find_claimable()
        now = self._clock.monotonic()
        for lane in lanes:
            waiting, idle = claimable[lane.name], self._idle.get(lane.name)
            if not waiting or idle is None or idle.n_begun != lane.n_begun:
                if lane.name in self._alarmed:
                    await self._clear_alarm(lane)
                self._idle.pop(lane.name, None)
                if waiting:
                    self._idle[lane.name] = _Idle(begun[lane.name], now)
                    self._scheduler.wake()  # a word of the store's may have been lost; under load it is nothing new
            elif now - idle.since >= STANDSTILL_S:
                self._scheduler.wake()
                await self._raise_alarm(lane, waiting, now - idle.since)

    async def _raise_alarm(self, lane: Lane, n_waiting: int, for_s: float) -> None:
        if lane.stands_still is None:
            labeled(self._metrics.channel_standstills, lane.name).inc()
        lane.stands_still = (
            f"standstill: It has room, messages wait for it, and nothing has moved for {for_s:.0f} s"
        )
        detail = (
            f"The channel has room, {n_waiting} messages could go at once, and none has for {for_s:.0f} s."
            " The queue is looked at again and again; if this stays, restart hongyan and report it with its log."
        )

        async def op(tx: Tx) -> None:
            await raise_alarm(tx, self._clock, AlarmKind.STANDSTILL, lane.name, detail)

        await self._store.write(op)
        self._alarmed.add(lane.name)

    async def _clear_alarm(self, lane: Lane) -> None:
        lane.stands_still = None

        async def op(tx: Tx) -> None:
            await clear_alarm(tx, self._clock, AlarmKind.STANDSTILL, lane.name)

        await self._store.write(op)
        self._alarmed.discard(lane.name)
