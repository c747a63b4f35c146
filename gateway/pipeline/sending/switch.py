"""Switch: which channels serve which ways now (`gateway.routing.ways`), and who is out of service.

Nothing that waits is moved. When all channels of a place are out of service, those of the next place begin to serve the
queue, too; when one is back, they stop.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from gateway.clock import Clock, do_every, truncate_ms
from gateway.errors import StoreError
from gateway.model.message import Message
from gateway.pipeline.sending.lane import Lane
from gateway.routing.routes.fitness import Fitness, find_unfitness
from gateway.routing.rules import queues_of
from gateway.routing.ways import WAY, Members, describe_queue, read_way
from gateway.store.ports import Store
from gateway.store.routes import Stuck
from gateway.store.shares import find_ready_queues

_log = logging.getLogger(__name__)

TICK_S = 1.0
"""How late a channel that has failed, or is back, may be noticed."""
FORGET_S = 60.0
"""How often ways in which nothing waits are forgotten: looking into each costs every claim a little."""


class Switch:
    """Keeps the queues of all lanes.

    Args:
        lanes: every channel, which may come and go; each serves its own queues whatever happens here.
        members: which channels are in which place.
        fitness: who is out of service.
        wake: called when a channel serves something that it did not before.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        lanes: Collection[Lane],
        members: Members,
        fitness: Fitness,
        wake: Callable[[], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._lanes = lanes
        self._served: list[Lane] = []
        self._members = members
        self._fitness = fitness
        self._wake = wake
        self._known: dict[str, float] = {}
        self._must_look = True
        self._looked_at = 0.0

    @property
    def out(self) -> frozenset[str]:
        """Channels that are out of service."""
        return self._fitness.out

    def adopt(self, members: Members) -> None:
        """Go by other places from now on."""
        self._members = members
        self._serve()
        self._wake()

    def note(self, queues: frozenset[str] | None) -> None:
        """Something may be claimed in these queues; None for any. Ways among them are served from now on."""
        if queues is None:
            self._must_look = True
            return
        new = False
        for queue in queues:
            if queue.startswith(WAY):
                new = new or queue not in self._known
                self._known[queue] = self._clock.monotonic()
        if new:
            self._serve()

    async def run(self) -> None:
        """Look at the channels until cancelled. Cancel: nothing is left half done."""
        await do_every(
            TICK_S, self.look, partial(_log.warning, "cannot look for ways in which messages wait: %s")
        )

    async def look(self) -> None:
        """Find who is out of service; from time to time, in which ways something waits."""
        now = self._clock.monotonic()
        if self._must_look or (self._known and now - self._looked_at >= FORGET_S):
            await self._find_ways(now)
        was_out = self.out
        changed = self._fitness.note({lane.name: self._is_fit(lane) for lane in self._lanes}, now)
        if not changed and self._served == list(self._lanes):
            return
        for name in self.out - was_out:
            _log.warning("channel %s is out of service: messages go by the next place of their way", name)
        for name in was_out - self.out:
            _log.info("channel %s is in service again", name)
        self._serve()
        self._wake()

    def _is_fit(self, lane: Lane) -> bool:
        """Whether it can be counted on. Of a channel that another instance runs, that one knows."""
        return lane.lease is None or find_unfitness(lane.standing(), self._clock.now()) is None

    async def _find_ways(self, now: float) -> None:
        self._must_look = False
        try:
            found = await self._store.read(find_ready_queues)
        except StoreError:
            self._must_look = True
            raise
        self._looked_at = now
        ways = dict.fromkeys((queue for queue in found if queue.startswith(WAY)), now)
        # What was noted while the store was being read may be of later.
        self._known = {queue: at for queue, at in self._known.items() if at >= now} | ways
        for queue in ways:
            if all(not self._members.of(place) for place in _places(queue)):
                _log.warning(
                    "messages wait for %s, and the config has no such channel", describe_queue(queue)
                )
        self._serve()
        if ways:
            self._wake()

    def _serve(self) -> None:
        serving = self._members.serving(self._known, self.out)
        self._served = list(self._lanes)
        for lane in self._served:
            lane.queues = (*queues_of(lane.name, lane.groups), *serving.get(lane.name, ()))
            lane.out = lane.name in self.out


def _places(queue: str) -> Sequence[str]:
    way = read_way(queue)
    return () if way is None else way.places


def find_stuck(messages: Iterable[Message], sticky: Mapping[str, float], now: datetime) -> list[Stuck]:
    """Which recipients stay with the channels that have just taken their messages.

    Args:
        sticky: rule -> seconds.
    """
    found = []
    for message in messages:
        way = read_way(message.queue)
        if way is not None and way.sticky in sticky and message.channel is not None:
            ends_at = truncate_ms(now + timedelta(seconds=sticky[way.sticky]))
            found.append(Stuck(message.recipient, way.sticky, message.channel, ends_at))
    return found
