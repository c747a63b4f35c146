"""Leases: a channel is run by the one instance that holds its lease in the store, and only while it holds it.

On a store that is ours alone for good nobody can take a lease away, and it need not be renewed. Elsewhere a lease that
could not be renewed in time counts as lost, before others may take it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from gateway.errors import StoreError
from gateway.pipeline.sending.lane import Lane
from gateway.store.leases import Lease, find_lease, release_leases, renew_leases, take_lease
from gateway.store.ports import Store, Tx

_log = logging.getLogger(__name__)

LEASE_S: Final = 30.0
"""How long others must wait after the last sign of an instance."""
RENEW_S: Final = 5.0
MARGIN_S: Final = 8.0
"""So long before its end a lease that was not renewed counts as lost: for the wire to be closed by then."""
ASK_S: Final = 1.0
"""How often it is asked for a lease that another holds."""


@dataclass(slots=True, eq=False)
class _Held:
    """A lease that we hold.

    Args:
        lane: of the channel.
        end: of our trust in it, if it is not renewed; None where nobody can take it away.
        tell: called when it is lost.
    """

    lane: Lane
    epoch: int
    end: asyncio.TimerHandle | None = None
    tell: Callable[[], None] | None = None

    def trust_until(self, end: asyncio.TimerHandle | None) -> None:
        """Move the end."""
        if self.end is not None:
            self.end.cancel()
        self.end = end


class Leases:
    """What an instance holds.

    Args:
        instance: its id.
    """

    def __init__(self, store: Store, instance: str) -> None:
        self._store = store
        self._instance = instance
        self._held: dict[str, _Held] = {}

    async def take(self, lane: Lane) -> Lease | None:
        """Try once to get a channel's lease; None when it is ours now, else who has it.

        Raises:
            StoreError: nobody knows.
        """
        name, began = lane.name, _now()

        async def op(tx: Tx) -> int | Lease | None:
            return await take_lease(tx, name, self._instance, LEASE_S) or await find_lease(tx, name)

        got = await self._store.write(op)
        if not isinstance(got, int):
            return got
        self._held[name] = held = _Held(lane, got)
        lane.lease = got
        self._prolong(held, began)
        return None

    async def give_up(self, lane: Lane) -> None:
        """Let others have a channel at once; nothing of it is on our wire any more."""
        held = self._held.get(lane.name)
        if held is None or held.lane is not lane:
            return
        held.trust_until(None)
        del self._held[lane.name]
        lane.lease = None
        try:
            await self._store.write(lambda tx: release_leases(tx, self._instance, lane.name))
        except StoreError as exc:
            _log.warning("the lease of channel %s could not be released: %s", lane.name, exc)

    @contextmanager
    def call_when_lost(self, lane: Lane, tell: Callable[[], None]) -> Iterator[None]:
        """Have ``tell`` called when the lease of a channel, is lost before the block ends, or was."""
        held = self._held.get(lane.name)
        if held is None:  # a moment ago
            tell()
            yield
            return
        held.tell = tell
        try:
            yield
        finally:
            held.tell = None

    async def run(self) -> None:
        """Renew what is held until cancelled. Cancel: leases run out by themselves, or are released."""
        while True:
            await asyncio.sleep(RENEW_S)
            if not self._store.stays_exclusive:  # else a commit every few seconds would bring nothing
                await self.renew()

    async def renew(self) -> None:
        """Renew once; what is another's by now is lost."""
        epochs, began = {name: held.epoch for name, held in self._held.items()}, _now()
        if not epochs:
            return
        try:
            kept = await self._store.write(lambda tx: renew_leases(tx, self._instance, epochs, LEASE_S))
        except StoreError as exc:
            _log.warning("the leases of channels could not be renewed: %s", exc)
            return
        for name, epoch in epochs.items():
            held = self._held.get(name)
            if held is None or held.epoch != epoch:
                continue  # lost meanwhile
            if name in kept:
                self._prolong(held, began)
            else:
                self._lose(held, "is held by another instance now")

    async def release(self) -> None:
        """Let others have everything at once; nothing of ours is on a wire any more."""
        for held in self._held.values():
            held.trust_until(None)
            held.lane.lease = None
        self._held.clear()
        try:
            await self._store.write(lambda tx: release_leases(tx, self._instance))
        except StoreError as exc:
            _log.warning("the leases of channels could not be released, and run out by themselves: %s", exc)

    def _prolong(self, held: _Held, began: float) -> None:
        if not self._store.stays_exclusive:
            loop, at = asyncio.get_running_loop(), began + LEASE_S - MARGIN_S
            held.trust_until(loop.call_at(at, self._lose, held, "could not be renewed in time"))

    def _lose(self, held: _Held, why: str) -> None:
        _log.error("the lease of channel %s %s; its wire is closed", held.lane.name, why)
        held.trust_until(None)
        self._held.pop(held.lane.name, None)
        held.lane.lease = None
        if held.tell is not None:
            held.tell()


def _now() -> float:
    return asyncio.get_running_loop().time()
