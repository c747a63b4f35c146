"""Who takes what of the messages that are due. Pure.

Each channel takes work as fast as it can: capacity that is free now is all that counts, so a slow modem
gets little and a fast bind much, without weights to tune.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple


class Candidate(NamedTuple):
    """A message that is due.

    Args:
        message_id: sorts by time.
        priority: 0..9, 9 first.
        queue: where it waits.
    """

    message_id: str
    priority: int
    queue: str


class Taker(NamedTuple):
    """A channel with room.

    Args:
        name: the channel.
        queues: the queues it serves.
        free: messages it can take now, at least 1.
    """

    name: str
    queues: Sequence[str]
    free: int


def choose_channels(candidates: Iterable[Candidate], takers: Sequence[Taker]) -> dict[str, str]:
    """Give each message a channel: high priority first, then the oldest, each to the taker with the most room.

    Returns:
        message id -> channel name, in the order of assignment; messages that found no room are absent.
    """
    room = {taker.name: taker.free for taker in takers}
    serving: dict[str, list[str]] = {}
    for taker in takers:
        for queue in taker.queues:
            serving.setdefault(queue, []).append(taker.name)
    chosen: dict[str, str] = {}
    for candidate in sorted(candidates, key=lambda c: (-c.priority, c.message_id)):
        names = serving.get(candidate.queue, ())
        best = max(names, key=room.__getitem__, default=None)
        if best is not None and room[best] > 0:
            chosen[candidate.message_id] = best
            room[best] -= 1
    return chosen


def wanted_per_queue(takers: Iterable[Taker]) -> Mapping[str, int]:
    """How many due messages of each queue could be placed at most."""
    wanted: dict[str, int] = {}
    for taker in takers:
        for queue in taker.queues:
            wanted[queue] = wanted.get(queue, 0) + taker.free
    return wanted
