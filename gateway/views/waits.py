"""How many messages wait for what: counts from the store, and reasons from the channels as they are now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from gateway.routing.channel import Standing
from gateway.routing.waiting import WaitKind, explain_queue
from gateway.store.waits import Waits


def sum_waits(waits: Waits, standings: Sequence[Standing], now: datetime) -> dict[str, int]:
    """Messages by what they wait for, kinds without any included.

    All that may be claimed from one queue count as what an ordinary one of them waits for: that of the channel which
    is nearest to taking it.
    """
    sums = dict.fromkeys((kind.value for kind in WaitKind), 0)
    sums[WaitKind.SCHEDULE] += waits.scheduled
    sums[WaitKind.RETRY] += waits.paused
    sums[WaitKind.ORDER] += waits.held
    sums[WaitKind.REVIEW] += waits.in_review
    for queue, n in waits.ready.items():
        sums[explain_queue(queue, standings, now)] += n
    return sums
