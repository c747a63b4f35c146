"""Whose a single number is: what operators say, and what delivery reports tell."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from drivers.base import Receipt, ReceiptState
from gateway.clock import Clock, truncate_ms
from gateway.model.actor import Actor
from gateway.model.events import make_event
from gateway.routing.routes.carriers import Carriers
from gateway.store.audit import record_audit
from gateway.store.ports import Store, Tx
from gateway.store.routes import NumberCarrier, delete_number_carrier, save_number_carrier

MOST_REMEMBERED: Final = 10_000
"""Numbers of which it is remembered what a report last told: the same again is not written again."""


async def set_carrier(store: Store, clock: Clock, number: str, carrier: str, *, by: Actor) -> NumberCarrier:
    """Say whose a number is; it goes before all that is known otherwise.

    Args:
        number: E.164.
        carrier: one that the carrier files know.
    """
    row = NumberCarrier(number, carrier, "api", truncate_ms(clock.now()))

    async def op(tx: Tx) -> None:
        await save_number_carrier(tx, row)
        data = {"number": number, "carrier": carrier, "by": str(by)}
        tx.record(make_event("carrier.set", row.changed_at, number, data))
        await record_audit(tx, by, "carrier.set", number, {"carrier": carrier}, at=row.changed_at)

    await store.write(op)
    return row


async def unset_carrier(store: Store, clock: Clock, number: str, *, by: Actor) -> bool:
    """Forget what was said, or learned, of a number; whether there was something."""

    async def op(tx: Tx) -> bool:
        if not await delete_number_carrier(tx, number):
            return False
        now = clock.now()
        tx.record(make_event("carrier.unset", now, number, {"number": number, "by": str(by)}))
        await record_audit(tx, by, "carrier.unset", number, at=now)
        return True

    return await store.write(op)


class CarrierLearner:
    """Keeps which carrier delivery reports name, where that is another than the range of the number says.

    Args:
        carriers: their networks, and whether anything is to be learned.
    """

    def __init__(self, store: Store, clock: Clock, carriers: Carriers) -> None:
        self._store = store
        self._clock = clock
        self._carriers = carriers
        self._last: OrderedDict[str, str] = OrderedDict()

    def adopt(self, carriers: Carriers) -> None:
        """Go by other carriers from now on."""
        self._carriers = carriers

    async def learn(self, receipt: Receipt) -> None:
        """Keep what a report tells of its handset: of one that arrived, with a full number, in a known network.

        Raises:
            StoreError: nothing was written.
        """
        carrier = self._carriers.of_network(receipt.network) if self._carriers.learn else None
        number = receipt.recipient or ""
        if carrier is None or receipt.state is not ReceiptState.DELIVERED or not number.startswith("+"):
            return
        if self._last.get(number) == carrier:
            return
        row = NumberCarrier(number, carrier, "receipt", truncate_ms(self._clock.now()))
        found = self._carriers.range_of(number)
        is_as_given = found is not None and found.carrier == carrier

        async def op(tx: Tx) -> None:
            if is_as_given:
                await delete_number_carrier(tx, number, learned_only=True)
            else:
                await save_number_carrier(tx, row)

        await self._store.write(op)
        self._last[number] = carrier
        if len(self._last) > MOST_REMEMBERED:
            self._last.popitem(last=False)
