"""What receipts need to know of the channel that they come by. Lanes fit; this room knows nothing of sending."""

from __future__ import annotations

from typing import Protocol

from drivers.base import Driver
from drivers.traits import Traits
from gateway.routing.channel import ChannelSnapshot


class Reporter(Protocol):
    """A channel whose network reports what became of segments.

    Attributes:
        name: the channel's.
        account: what binds to one SMSC account share.
        number: our own number on it, if configured.
        traits: how its references and times are to be taken.
        facts: what operators see of it.
    """

    name: str
    account: str
    number: str | None
    traits: Traits
    facts: dict[str, str | int | float | bool | None]


class Asked(Protocol):
    """A channel whose network can be asked."""

    name: str
    driver: Driver

    def snapshot(self) -> ChannelSnapshot:
        """How it is now."""
        ...
