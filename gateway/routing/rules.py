"""Which queue a message waits in, and which queues a channel serves. Pure.

A queue is ``channel:NAME`` for a pinned message and ``group:NAME`` for the others; a channel claims from its
own queue and from those of its groups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

DEFAULT_GROUP = "default"


def channel_queue(name: str) -> str:
    """The queue of one channel."""
    return f"channel:{name}"


def queues_of(name: str, groups: Sequence[str]) -> tuple[str, ...]:
    """The queues that a channel serves, its own first."""
    return (channel_queue(name), *(f"group:{group}" for group in groups))


def choose_queue(
    channels: Mapping[str, Sequence[str]], *, channel: str | None, sender: str | None
) -> str | None:
    """Where a new message waits.

    Args:
        channels: name -> groups, of every configured channel, up or not.
        channel: the channel it is pinned to, if any; wins over ``sender``.
        sender: the channel group asked for; None means the default group.

    Returns:
        The queue; None when no channel serves it, so that the message could never go.
    """
    if channel is not None:
        return channel_queue(channel) if channel in channels else None
    group = sender or DEFAULT_GROUP
    if any(group in groups for groups in channels.values()):
        return f"group:{group}"
    if sender in channels:  # a channel's own name works as its group
        return channel_queue(sender or "")
    return None
