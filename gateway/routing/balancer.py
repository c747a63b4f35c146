"""Who takes what of the messages that are due. Pure.

Each channel takes work as fast as it can: capacity that is free now is all that counts, so a slow modem
gets little and a fast bind much, without weights to tune. A budget may still refuse a message that there is room for,
and a bind that has no optional parameters one that brings some.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from gateway.routing.budgets import Budget, Need


class Candidate(NamedTuple):
    """A message that is due.

    Args:
        message_id: sorts by time.
        rank: the smallest first, see `gateway.routing.order`.
        queue: where it waits.
        need: what it takes of a budget.
        has_options: it brings options for its carrier along, which may be required by law.
    """

    message_id: str
    rank: int
    queue: str
    need: Need = Need("")
    has_options: bool = False


class Taker(NamedTuple):
    """A channel with room.

    Args:
        name: the channel.
        queues: the queues it serves.
        free: messages it can take now, at least 1.
        budget: what it may spend; None for channels without, which cost nothing here.
        urgent_only: only the reserve of its budget is left.
        takes_options: False for a bind that would have to drop options that a message brings along (SMPP 3.3).
        avoids: recipients that it takes only when it finds no others, because messages to them have just failed there.
        bars: recipients that it does not take, because another channel is to try first.
    """

    name: str
    queues: Sequence[str]
    free: int
    budget: Budget | None = None
    urgent_only: bool = False
    takes_options: bool = True
    avoids: frozenset[str] = frozenset()
    bars: frozenset[str] = frozenset()


def choose_channels(
    candidates: Iterable[Candidate],
    takers: Sequence[Taker],
    now: datetime | None = None,
    *,
    may_avoid: bool = False,
) -> dict[str, str]:
    """Give each message a channel: by rank, then the oldest first, each to the taker with the most room.

    Args:
        candidates: in any order.
        takers: equals take turns by their order.
        now: for the budgets; may be None when no taker has one.
        may_avoid: there may be more candidates: what a taker avoids it is not given at all.

    Returns:
        message id -> channel name, in the order of assignment; messages that found no room are absent.
    """
    room = {taker.name: taker.free for taker in takers}
    budgets = {taker.name: taker.budget for taker in takers if taker.budget is not None}
    plain = {taker.name for taker in takers if not taker.takes_options}
    avoids = {taker.name: taker.avoids for taker in takers if taker.avoids}
    bars = {taker.name: taker.bars for taker in takers if taker.bars}
    serving: dict[str, list[str]] = {}
    for taker in takers:
        for queue in taker.queues:
            serving.setdefault(queue, []).append(taker.name)
    chosen: dict[str, str] = {}
    waiting = sorted(candidates, key=lambda c: (c.rank, c.message_id))
    for choosy in (True, False) if avoids and not may_avoid else (bool(avoids),):
        for candidate in waiting:
            if candidate.message_id in chosen:
                continue
            names: Sequence[str] = serving.get(candidate.queue, ())
            if plain and candidate.has_options:
                names = [n for n in names if n not in plain]
            if bars:
                names = [n for n in names if candidate.need.recipient not in bars.get(n, ())]
            if choosy:
                names = [n for n in names if candidate.need.recipient not in avoids.get(n, ())]
            if budgets and now is not None:
                need = candidate.need
                names = [n for n in names if n not in budgets or budgets[n].admits(need, now)]
            best = max(names, key=room.__getitem__, default=None)
            if best is not None and room[best] > 0:
                chosen[candidate.message_id] = best
                room[best] -= 1
                if best in budgets and now is not None:
                    budgets[best] = budgets[best].take(candidate.need, now)
    return chosen


def wanted_per_queue(takers: Iterable[Taker]) -> Mapping[str, int]:
    """How many due messages of each queue could be placed at most."""
    wanted: dict[str, int] = {}
    for taker in takers:
        for queue in taker.queues:
            wanted[queue] = wanted.get(queue, 0) + taker.free
    return wanted


def unfilled(takers: Iterable[Taker], chosen: Mapping[str, str]) -> list[Taker]:
    """Takers that may have had to refuse what they were offered: with what room they have left."""
    given: dict[str, int] = {}
    for name in chosen.values():
        given[name] = given.get(name, 0) + 1
    return [
        taker._replace(free=taker.free - given.get(taker.name, 0))
        for taker in takers
        if (taker.budget is not None or not taker.takes_options or taker.avoids or taker.bars)
        and given.get(taker.name, 0) < taker.free
    ]
