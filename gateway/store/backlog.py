"""What the gateway still owes or waits for, counted for the figures that somebody looks at."""

from __future__ import annotations

from typing import NamedTuple

from gateway.store.alarms import count_alarms
from gateway.store.esme_outbox import count_deliveries
from gateway.store.messages import count_open
from gateway.store.outbox_gone import Debts, count_owed
from gateway.store.ports import Tx
from gateway.store.readers import load_readers
from gateway.store.receipts import count_kept
from gateway.store.waits import Waits, count_waits


class Backlog(NamedTuple):
    """How much there is.

    Args:
        messages: that have not ended, by status.
        unmatched_receipts: that found no segment yet.
        debts: calls to others' URLs, by who makes them.
        deliveries: receipts and inbound messages that an application has not acknowledged, by its system_id.
        lags: events that a reader of the timeline has not read, by its name.
        alarms: that are open, by kind.
        waits: messages that wait, by why they can't be claimed yet or where they may be.
    """

    messages: dict[str, int]
    unmatched_receipts: int
    debts: dict[str, Debts]
    deliveries: dict[str, int]
    lags: dict[str, int]
    alarms: dict[str, int]
    waits: Waits


async def count_backlog(tx: Tx) -> Backlog:
    """Count; each by an index or out of a table that holds nothing else."""
    return Backlog(
        await count_open(tx),
        await count_kept(tx),
        await count_owed(tx),
        await count_deliveries(tx),
        {reader.name: reader.lag for reader in await load_readers(tx)},
        await count_alarms(tx),
        await count_waits(tx),
    )
