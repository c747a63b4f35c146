"""A channel as routing and operators see it: a snapshot value, and the directory that hands them out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol

import msgspec

from gateway.model.actor import Actor
from gateway.model.channel_test import ProbeResult
from gateway.routing.balancer import Taker
from gateway.routing.budgets import Account, Budget
from gateway.routing.limits import BreakerState


class ChannelState(StrEnum):
    """What a channel is doing."""

    STARTING = "starting"
    UP = "up"
    DOWN = "down"
    PAUSED = "paused"
    """By an operator: takes nothing new; receipts and inbound go on."""
    DRAINING = "draining"
    STOPPED = "stopped"
    """By a fault that a person must mend (wrong PIN, bind rejected)."""


class ChannelSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A channel at one moment.

    Args:
        kind: ``modem``, ``smpp`` or ``loopback``.
        capacity: segments that may be in flight at once.
        in_flight: segments on the wire now.
        tokens: segments that its rate allows right now; None without a rate.
        cooldown_s: seconds until it is tried again after faults; 0 when it does not rest.
        breaker: ``open`` while it rests because messages to several numbers failed, ``half_open`` while one message
            tries it, else ``closed``.
        budgets: what it may send in the current day and month, and has sent.
        since: when ``state`` began.
        error: why it is down or stopped. While it is up: what does not work, or the last failure if the breaker is not
            closed.
        sent, failed, uncertain, received: since the daemon started.
        facts: see `drivers.base.ChannelInfo`.
        probes: what came of the last probes, the newest first; only where one channel is asked for.
    """

    name: str
    kind: str
    state: ChannelState
    groups: tuple[str, ...] = ()
    capacity: int = 1
    in_flight: int = 0
    tokens: int | None = None
    cooldown_s: float = 0.0
    breaker: BreakerState = BreakerState.CLOSED
    rate: str | None = None
    budgets: tuple[Account, ...] = ()
    number: str | None = None
    since: datetime
    error: str | None = None
    sent: int = 0
    failed: int = 0
    uncertain: int = 0
    received: int = 0
    facts: dict[str, str | int | float | bool | None] = {}
    probes: tuple[ProbeResult, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A channel as one who waits for it sees it.

    Args:
        snapshot: its state.
        queues: those it serves.
        budget: with what is on the wire taken off; None without.
        paced_until: when its rate, or the pace that it finds, allows the next segment; None for now.
        slowed_down: that is the pace, and not its rate.
        leaving: why it takes nothing more and will be closed; None while it is here to stay.
        takes_options: see `gateway.routing.balancer.Taker`.
        ramp_per_s: messages per second that it is given at most, shortly after an outage; None for no such bound.
        bars: recipients that it leaves to others, and until when.
        taker: with the room that it has now; None when it has none.
        out: it is out of service (`gateway.routing.routes.fitness`).
    """

    snapshot: ChannelSnapshot
    queues: tuple[str, ...]
    budget: Budget | None = None
    paced_until: datetime | None = None
    slowed_down: bool = False
    takes_options: bool = True
    ramp_per_s: float | None = None
    bars: Mapping[str, datetime] = field(default_factory=dict)
    leaving: str | None = None
    taker: Taker | None = None
    out: bool = False


class UssdReply(msgspec.Struct, frozen=True, kw_only=True):
    """What the network said to a USSD code.

    Args:
        text: empty when it only ended the session.
        expects_reply: the text is a menu; the next code is the choice, and goes into the same session.
    """

    text: str
    expects_reply: bool


class TraceReply(msgspec.Struct, frozen=True, kw_only=True):
    """Whether what is said to a modem is written down.

    Args:
        on: it is, from now on.
        file: where, on the gateway's machine; null when it is not.
    """

    on: bool
    file: str | None


class Pause(NamedTuple):
    """What an operator wants of a channel; ``paused`` is kept in the store.

    Args:
        event: its type in the timeline.
        paused: take nothing new.
        draining: until what is on the wire has ended it is shown as draining.
    """

    event: str
    paused: bool
    draining: bool = False


PAUSE = Pause("channel.paused", paused=True)
DRAIN = Pause("channel.draining", paused=True, draining=True)
RESUME = Pause("channel.resumed", paused=False)


class ChannelDirectory(Protocol):
    """The channels of a running daemon; what is done to one is told in the timeline, with who did it."""

    def snapshots(self) -> list[ChannelSnapshot]:
        """All channels, in the order of the config."""
        ...

    def snapshot(self, name: str) -> ChannelSnapshot | None:
        """One channel; None when there is none of that name."""
        ...

    def standings(self) -> list[Standing]:
        """All channels as a message that waits must see them, in the order of the config."""
        ...

    async def ussd(self, name: str, code: str, *, by: Actor) -> UssdReply:
        """Ask the network of a SIM.

        Raises:
            NotFound: no such channel.
            NotSupported: it has no SIM.
            Conflict: it is down.
            InvalidRequest: the code can't be written.
            NetworkSilent, NetworkRefused: what the network made of it.
        """
        ...

    def switch_trace(self, name: str, *, on: bool) -> TraceReply:
        """Write down what is said to a modem, numbers and texts masked, or stop that.

        Raises:
            NotFound: no such channel.
            NotSupported: it is no modem.
            Conflict: the file can't be written.
        """
        ...

    async def take_back(self, name: str, reference: str, recipient: str, sender: str | None) -> bool:
        """Have a channel's network forget a segment that it has; whether it has forgotten it.

        Args:
            sender: the message's own; None for the channel's.
        """
        ...

    def looks(self, name: str, pause: Pause) -> ChannelSnapshot:
        """The channel as it will be once it is paused or resumed; nothing changes. Raises NotFound."""
        ...

    def obey(self, name: str, pause: Pause) -> None:
        """A pause, or the end of one, was committed: go by it. Raises NotFound."""
        ...

    async def reset(self, name: str, *, by: Actor) -> ChannelSnapshot:
        """Close the wire and start the channel anew, also after STOPPED. Raises NotFound."""
        ...
