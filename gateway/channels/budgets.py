"""From a SIM's settings to its budget, and what of it was used before this start."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable
from functools import partial

from gateway.clock import STEP_S, Clock, ahead_s
from gateway.errors import StoreError
from gateway.pipeline.sending.lane import Lane
from gateway.routing.budgets import Budget, Quota, RecipientCap
from gateway.routing.periods import Period
from gateway.settings.kinds.sim import SimSettings
from gateway.store.ports import Store
from gateway.store.usage import load_stays, load_usage, note_sim

_log = logging.getLogger(__name__)

LOOK_S = 10.0

_PERIODS = {
    1.0: Period.SECOND,
    60.0: Period.MINUTE,
    3_600.0: Period.HOUR,
    86_400.0: Period.DAY,
}


def make_budget(sim: SimSettings) -> Budget | None:
    """The budget that the settings describe; None when they limit nothing."""
    quotas = [] if sim.quota is None else [(_PERIODS[sim.quota.per_s], sim.quota.count)]
    if sim.quota_month is not None:
        quotas.append((Period.MONTH, sim.quota_month))
    caps = ((Period.DAY, sim.recipients_per_day), (Period.MONTH, sim.recipients_per_month))
    budget = Budget(
        quotas=tuple(Quota(limit=n, period=period, reserve=sim.reserve) for period, n in quotas),
        caps=tuple(RecipientCap(limit=n, period=period) for period, n in caps if n is not None),
        hours=sim.active_hours,
    )
    return None if budget == Budget() else budget


class Budgets:
    """The budgets of SIMs that move: what a SIM has used goes with it from channel to channel."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._iccids: dict[str, str] = {}

    async def restore(self, lanes: Iterable[Lane]) -> None:
        """Take off every budget what its SIM, the last one that is known, has sent. Raises StoreError."""
        for lane in lanes:
            await self._restore(lane)

    async def run(self, lanes: Collection[Lane], wake: Callable[[], None]) -> None:
        """Count anew whenever the clock was set: of a wrong one the periods are wrong, and may end in years.

        Args:
            lanes: every channel; asked again each time.
            wake: called when there may be room again.

        Cancel: leaves nothing behind.
        """
        misdated: list[Lane] = []
        now_ahead_s = ahead_s(self._clock)
        while True:
            await asyncio.sleep(LOOK_S)
            was_ahead_s, now_ahead_s = now_ahead_s, ahead_s(self._clock)
            if abs(now_ahead_s - was_ahead_s) > STEP_S:
                misdated = [lane for lane in lanes if lane.budget is not None]
            left = [lane for lane in misdated if lane in lanes and not await self._recount(lane)]
            if len(left) < len(misdated):
                wake()
            misdated = left

    async def _recount(self, lane: Lane) -> bool:
        """Only while nothing is under way, which the store and the lane may both count, or neither."""
        before = lane.budget
        if before is None or not _is_idle(lane, before):
            return before is None
        try:
            counted = await self._count(lane, before)
        except StoreError as error:
            _log.warning("the budget of channel %s can't be counted: %s", lane.name, error)
            return False
        if not _is_idle(lane, before):
            return False
        lane.budget = counted
        return True

    async def note_sim(self, lane: Lane, iccid: str) -> None:
        """A lane's SIM is known; it is not up yet. What another one has used no longer counts."""
        if self._iccids.get(lane.name) == iccid:
            return
        try:
            await self._store.write(partial(note_sim, channel=lane.name, iccid=iccid, at=self._clock.now()))
            await self._restore(lane)
        except StoreError as error:  # the budget stays that of the SIM before
            _log.warning("the SIM of channel %s is not in the store: %s", lane.name, error)
        else:
            # Where it was before it must be looked for anew if it comes back.
            elsewhere = {name: other for name, other in self._iccids.items() if other != iccid}
            self._iccids = {**elsewhere, lane.name: iccid}

    async def _restore(self, lane: Lane) -> None:
        if lane.budget is not None:
            lane.budget = await self._count(lane, lane.budget)

    async def _count(self, lane: Lane, budget: Budget) -> Budget:
        now = self._clock.now()
        stays = await self._store.read(partial(load_stays, channel=lane.name))
        for period in sorted(budget.periods()):
            since = budget.starts_at(period, now)
            usage = await self._store.read(partial(load_usage, stays=stays, since=since))
            budget = budget.restored(period, usage.n_segments, usage.recipients, now)
        return budget


def _is_idle(lane: Lane, budget: Budget) -> bool:
    """Nothing is under way on a lane, and nothing was taken off its budget since this."""
    return not lane.in_flight and lane.budget is budget
