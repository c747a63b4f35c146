"""What the overview counts: once in a while for all who look, however many do."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final, NamedTuple

from gateway.http.product import Product
from gateway.model.alarm import Alarm
from gateway.store.alarms import list_alarms
from gateway.store.backlog import Backlog, count_backlog
from gateway.store.tallies import Hour, list_tallies
from gateway.views.waits import sum_waits

REMEMBERED_S: Final = 3.0
CHARTS_S: Final = 15.0
MOST_ALARMS: Final = 20


class Counted(NamedTuple):
    """The state of things.

    Args:
        waits: messages by what they wait for, see `gateway.routing.waiting.WaitKind`.
        alarms: the newest that are open.
    """

    backlog: Backlog
    waits: Mapping[str, int]
    alarms: Sequence[Alarm]


class Glance:
    """Counts, and remembers for a moment."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._lock = asyncio.Lock()
        self._counted: Counted | None = None
        self._good_until = 0.0
        self._tallies: dict[datetime, tuple[float, dict[Hour, int]]] = {}

    async def look_back(self, since: datetime) -> dict[Hour, int]:
        """How often what happened since an instant, by the hour; some seconds old at most.

        Raises:
            StoreError: the store can't say.
        """
        product = self._product
        async with self._lock:
            now, known = product.clock.monotonic(), self._tallies.get(since)
            if known is None or now >= known[0]:
                tallies = await product.store.read(partial(list_tallies, since=since))
                for old in [one for one, (until, _) in self._tallies.items() if now >= until]:
                    del self._tallies[old]
                known = self._tallies[since] = (now + CHARTS_S, tallies)
            return known[1]

    async def look(self) -> Counted:
        """The state of things, some seconds old at most.

        Raises:
            StoreError: the store can't say.
        """
        product = self._product
        async with self._lock:
            now = product.clock.monotonic()
            if self._counted is None or now >= self._good_until:
                backlog = await product.store.read(count_backlog)
                alarms = await product.store.read(partial(list_alarms, limit=MOST_ALARMS))
                waits = sum_waits(backlog.waits, product.channels.standings(), product.clock.now())
                self._counted = Counted(backlog, waits, alarms)
                self._good_until = now + REMEMBERED_S
            return self._counted
