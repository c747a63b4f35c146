"""Ways: the places where a message may go, in order, written into the name of the queue that it waits in. Pure.

A place is a channel group, or one channel (``@NAME``). The first place of a way serves its queue at all times. Each
further place serves it, too, while all channels of all places before it are out of service. So nothing that waits has
to be moved when a group fails, and nothing when it is back.

A way of one place is the queue that this place has anyway: ``group:NAME`` or ``channel:NAME``. The others are called
``way:cmcc>backup``, or ``way:@sim-1>cmcc>backup~support`` where the rule ``support`` remembers who was sent something
by which channel.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from gateway.routing.rules import channel_queue

WAY: Final = "way:"
_CHANNEL: Final = "@"
MOST_PLACES: Final = 20
"""Of a way that a config may make; a name that somebody else made is read as long as it is."""


class Way(NamedTuple):
    """A way as its name says it.

    Args:
        places: groups, or channels as ``@NAME``; at least one.
        sticky: the rule that remembers the channel for each recipient; empty for none.
    """

    places: tuple[str, ...]
    sticky: str = ""


def one_channel(name: str) -> str:
    """The place that is one channel."""
    return _CHANNEL + name


def way_queue(places: Sequence[str], sticky: str = "") -> str:
    """The queue of messages that go this way.

    >>> way_queue(["cmcc", "backup"]), way_queue(["cmcc"]), way_queue(["@sim-1"])
    ('way:cmcc>backup', 'group:cmcc', 'channel:sim-1')
    """
    if len(places) > 1 or sticky:
        return WAY + ">".join(places) + (f"~{sticky}" if sticky else "")
    (place,) = places
    return channel_queue(place[1:]) if place.startswith(_CHANNEL) else f"group:{place}"


@lru_cache(maxsize=10_000)
def read_way(queue: str) -> Way | None:
    """The way that a queue's name tells; None for a queue of one group or channel."""
    if not queue.startswith(WAY):
        return None
    places, _, sticky = queue[len(WAY) :].partition("~")
    return Way(tuple(places.split(">")), sticky)


def describe_queue(queue: str) -> str:
    """A queue for people.

    >>> describe_queue("way:@sim-1>cmcc>backup"), describe_queue("group:cmcc")
    ('channel sim-1, then group cmcc, then group backup', 'group cmcc')
    """
    way = read_way(queue)
    if way is None:
        return " ".join(queue.split(":", 1))
    return ", then ".join(describe_place(place) for place in way.places)


def describe_place(place: str) -> str:
    """A place for people: ``group cmcc`` or ``channel sim-1``."""
    return f"channel {place[1:]}" if place.startswith(_CHANNEL) else f"group {place}"


class Members:
    """Which channels are in which place; immutable.

    Args:
        channels: name -> groups of every channel that can send, in the order of the config.
    """

    def __init__(self, channels: Mapping[str, Sequence[str]]) -> None:
        self._of: dict[str, tuple[str, ...]] = {one_channel(name): (name,) for name in channels}
        for name, groups in channels.items():
            for group in groups:
                self._of[group] = (*self._of.get(group, ()), name)

    def of(self, place: str) -> tuple[str, ...]:
        """The channels of a place; none where the config knows no such place."""
        return self._of.get(place, ())

    def reach(self, way: Way, out: Collection[str]) -> int:
        """How many places of a way serve it now: up to the first that has a channel which is not out of service."""
        for n, place in enumerate(way.places, 1):
            if any(name not in out for name in self.of(place)):
                return n
        return len(way.places)

    def serving(self, queues: Iterable[str], out: Collection[str]) -> dict[str, list[str]]:
        """Channel -> those of these queues that are ways and that it serves now.

        Args:
            queues: names; those that are no ways are passed over.
            out: channels that are out of service.
        """
        found: dict[str, list[str]] = {}
        for queue in queues:
            if (way := read_way(queue)) is None:
                continue
            for place in way.places[: self.reach(way, out)]:
                for name in self.of(place):
                    if queue not in (served := found.setdefault(name, [])):
                        served.append(queue)
        return found
