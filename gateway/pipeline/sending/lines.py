"""The lines of `gateway.routing.shares` on record: found at the start, written now and then, seen by others."""

from __future__ import annotations

import logging
from functools import partial
from typing import Final

from gateway.clock import do_every
from gateway.routing.shares import Place, Shares
from gateway.store.ports import Store, Tx
from gateway.store.shares import find_heads, find_last_hidden, load_places, save_places

_log = logging.getLogger(__name__)

SAVE_S: Final = 10.0
"""After a crash a line may stand where it stood so long before: its owner goes before others by so much, once."""


class Lines:
    """Keeps the lines on record."""

    def __init__(self, store: Store, shares: Shares) -> None:
        self._store = store
        self._shares = shares
        self._saved: dict[tuple[str, int, str], Place] = {}

    async def open(self) -> None:
        """Take up the lines of those who have something waiting. Raises StoreError.

        Where all that waits is hidden still, nobody may go before it for ever: lines begin behind it.
        """
        for hidden in await self._store.read(find_last_hidden):
            self._shares.note_served(*hidden)
        heads = {(h.queue, h.band): h.tag for h in await self._store.read(find_heads)}
        for (queue, band), tag in heads.items():
            self._shares.begin_at(queue, band, tag)
        places = await self._store.read(load_places)
        self._shares.restore(place for place in places if (place.queue, place.band) in heads)
        self._saved = {place[:3]: place for place in places}

    async def run(self) -> None:
        """Keep them until cancelled. Cancel: what was written last is on record."""
        await do_every(
            SAVE_S, self.save, partial(_log.warning, "shares: not written down: %s"), at_once=False
        )

    async def save(self) -> None:
        """Look at what waits and at other instances' lines, and write down our own."""
        heads = await self._store.read(find_heads)
        places = await self._store.read(load_places)
        for head in heads:
            self._shares.note_served(*head)
        self._shares.restore(places)
        self._shares.note_idle({(head.queue, head.band) for head in heads})
        ahead = {place[:3]: place for place in self._shares.ahead()}
        known = {place[:3]: place for place in places}
        moved = [place for name, place in ahead.items() if self._saved.get(name) != place]
        gone = [place for name, place in known.items() if name not in ahead]
        if moved or gone:

            async def op(tx: Tx) -> None:
                await save_places(tx, moved, gone)

            await self._store.write(op)
        self._saved = ahead
