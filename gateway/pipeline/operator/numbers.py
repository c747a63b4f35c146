"""What operators say of numbers that networks call dead."""

from __future__ import annotations

from gateway.clock import Clock
from gateway.model.actor import Actor
from gateway.model.events import make_event
from gateway.store.audit import record_audit
from gateway.store.numbers import forget_failures
from gateway.store.ports import Store, Tx


async def clear_number(store: Store, clock: Clock, number: str, *, by: Actor) -> bool:
    """Forget that networks said that nobody has a number; whether there was something."""

    async def op(tx: Tx) -> bool:
        if not await forget_failures(tx, [number]):
            return False
        now = clock.now()
        tx.record(make_event("number.cleared", now, number, {"number": number, "by": str(by)}))
        await record_audit(tx, by, "number.cleared", number, at=now)
        return True

    return await store.write(op)
