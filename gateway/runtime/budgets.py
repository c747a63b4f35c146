"""From a SIM's settings to its budget, and what of it was used before this start."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from gateway.clock import Clock
from gateway.pipeline.lane import Lane
from gateway.routing.budgets import Budget, Quota, RecipientCap
from gateway.routing.periods import Period
from gateway.runtime.sim_settings import SimSettings
from gateway.store.ports import Store
from gateway.store.usage import load_usage

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


async def restore_budgets(store: Store, clock: Clock, lanes: Iterable[Lane]) -> None:
    """Take off every budget what went out in its current periods, by the store. Raises StoreError."""
    now = clock.now()
    for lane in lanes:
        for period in sorted(lane.budget.periods()) if lane.budget is not None else ():
            assert lane.budget is not None
            since = lane.budget.starts_at(period, now)
            usage = await store.read(partial(load_usage, channel=lane.name, since=since))
            lane.budget = lane.budget.restored(period, usage.n_segments, usage.recipients, now)
