"""What came of reading the config anew, as operators see it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

CHANGES: Final = {
    "added": "is new and starts",
    "changed": "finishes what is on its wire and starts anew",
    "removed": "finishes what is on its wire and is gone",
}
"""In words, behind the channel's name."""


class ChannelChange(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one channel.

    Args:
        name: the channel's.
        change: ``added``: it starts. ``changed``: it finishes what is on its wire and starts anew with its new
            settings. ``removed``: it finishes what is on its wire and is gone; what waits for it goes on waiting.
    """

    name: str
    change: str


class Reloaded(msgspec.Struct, frozen=True, kw_only=True):
    """What is different since the config was read anew. Channels that are not named were not touched.

    Args:
        adopted: keys of the config whose new values hold from now on, such as ``opt_out.keywords``.
        channels: those that start, change or go; that goes on behind this answer.
        needs_restart: keys whose new values hold only after a restart.
        warnings: what works and is hardly meant, as `hongyan check` says it.
    """

    adopted: tuple[str, ...] = ()
    channels: tuple[ChannelChange, ...] = ()
    needs_restart: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def describe(self) -> Iterator[str]:
        """One line for each thing."""
        yield from (f"adopted: {key}" for key in self.adopted)
        yield from (f"channel {one.name} {CHANGES[one.change]}" for one in self.channels)
        yield from (f"needs a restart: {key}" for key in self.needs_restart)
        if not (self.adopted or self.channels or self.needs_restart):
            yield "nothing has changed"
