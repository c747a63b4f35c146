"""Opt-outs and opt-ins as an operator's, of numbers in their one spelling."""

from __future__ import annotations

from gateway.clock import Clock
from gateway.model.message import Suppression
from gateway.model.msisdn import read_number
from gateway.model.opt_out import EVERYTHING
from gateway.pipeline.operator import suppress
from gateway.policy.rules.opt_out import OptOut
from gateway.store.ports import Store
from tests.support.people import OPERATOR


async def opt_out(
    store: Store,
    clock: Clock,
    number: str,
    *,
    source: str,
    reason: str | None = None,
    region: str = "CN",
    scope: str = EVERYTHING,
) -> Suppression:
    """Put a number on the list; its entry."""
    reading = read_number(number, region)
    entry, _ = await suppress.opt_out(
        store, clock, reading, by=OPERATOR, source=source, reason=reason, scope=scope, rule=OptOut()
    )
    return entry


async def opt_in(store: Store, clock: Clock, number: str, *, source: str, region: str = "CN") -> bool:
    """Take a number off the list; whether it was there."""
    return await suppress.opt_in(store, clock, read_number(number, region), by=OPERATOR, source=source)
