"""Due: what takers could take, as the store has it, and who of them gets what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from gateway.routing.balancer import Taker, choose_channels, wanted_per_queue
from gateway.store.ports import Tx
from gateway.store.queue import Due, find_due

LOOK_AHEAD = 1_000
"""How far behind messages that a budget refuses others are looked for that it admits."""


async def find_for(
    tx: Tx, takers: Sequence[Taker], now: datetime, *, behind: bool = False, to_claim: bool = False
) -> tuple[dict[str, Due], bool]:
    """What the takers could take, by id, and whether more of it may wait; further back, too, if asked.

    What all of those that look further back avoid is passed over then, however much of it there is.
    What is urgent is then looked for on behalf of all: it may use the reserve, however many others wait before it.
    """
    due: dict[str, Due] = {}
    more = False
    without = frozenset.intersection(*(t.avoids | t.bars for t in takers)) if behind else frozenset[str]()
    for urgent_only in (False, True):
        wanted = wanted_per_queue(
            t for t in takers if t.urgent_only is urgent_only or (behind and urgent_only)
        )
        if behind:
            wanted = dict.fromkeys(wanted, LOOK_AHEAD)
        found = await find_due(tx, wanted, now, urgent_only=urgent_only, without=without, to_claim=to_claim)
        n_found = Counter(d.candidate.queue for d in found)
        more = more or any(n == wanted[queue] for queue, n in n_found.items())
        due |= {d.message_id: d for d in found}
    return due, more


def choose_for(
    due: Mapping[str, Due],
    ended: Collection[str],
    takers: Sequence[Taker],
    now: datetime,
    *,
    may_avoid: bool = False,
) -> dict[str, str]:
    """Message id -> channel, of those that were found; see `choose_channels`.

    Args:
        ended: ids of those that are not to go.
    """
    waiting = (d.candidate for d in due.values() if d.message_id not in ended)
    return choose_channels(waiting, takers, now, may_avoid=may_avoid)
