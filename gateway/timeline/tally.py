"""Counts what happens, by the hour, for the charts of the console.

It reads the timeline, so the way of a message knows nothing of it; every few seconds it writes what it has counted and
its place in one transaction, so that each event counts once, whenever the daemon stops.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from typing import Final

from gateway.clock import Clock, do_every
from gateway.store.events import load_lines
from gateway.store.ports import Store, Tx
from gateway.store.readers import open_reader, save_place
from gateway.store.tallies import Hour, add_tallies

LOOK_S: Final = 5.0
READER: Final = "tally"
CHUNK: Final = 1_000
MOST_AT_ONCE: Final = 50_000
"""Events of one transaction."""
_COUNTED: Final = re.compile(
    rb'^\{"seq":\d+,"at":"([^"]{13})[^"]*","type":"'
    rb'(message\.(?:sent|delivered|undelivered|failed|expired|blocked|uncertain)|inbound\.received)"',
    re.MULTILINE,
)

_log = logging.getLogger(__name__)


class Tally:
    """Follows the timeline, some seconds behind it."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._seq: int | None = None

    async def run(self) -> None:
        """Count for ever. Cancel: goes on from the place that was committed last."""
        await do_every(LOOK_S, self.look, partial(_log.warning, "nothing is counted for the charts: %s"))

    async def look(self) -> None:
        """Count what has happened since the last look.

        Raises:
            StoreError: the store can't do it now; nothing is counted twice, or left out, at the next look.
        """
        begun, now = self._seq, self._clock.now()
        if begun is None:
            begun = self._seq = await self._store.write(lambda tx: open_reader(tx, READER, now))
        while True:
            counted, seq = await self._count(begun)
            if seq == begun:
                return
            self._seq = None  # until the commit is known, the store's word holds
            await self._store.write(partial(self._save, counted=counted, read_from=begun, seq=seq, now=now))
            self._seq = begun = seq

    async def _count(self, after: int) -> tuple[Counter[Hour], int]:
        counted: Counter[Hour] = Counter()
        last = after
        while last - after < MOST_AT_ONCE:
            lines = await self._store.read(partial(load_lines, after_seq=last, limit=CHUNK))
            if lines is None:
                break
            last = lines.last_seq
            alike = Counter(_COUNTED.findall(lines.octets))
            for (hour, kind), n in alike.items():
                at = datetime.strptime(hour.decode(), "%Y-%m-%dT%H").replace(tzinfo=UTC)
                counted[Hour(at, kind.decode())] += n
        return counted, last

    async def _save(self, tx: Tx, *, counted: Counter[Hour], read_from: int, seq: int, now: datetime) -> None:
        await add_tallies(tx, counted, now)
        await save_place(tx, READER, read_from=read_from, seq=seq, now=now)
