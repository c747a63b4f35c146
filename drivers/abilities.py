"""What a driver may be able to do besides the contract, as its network allows; whoever wants it asks with isinstance.

What is about one segment names it by the reference of its `Accepted`, and raises DriverError: `WireLost` and
`WireTimeout` when no answer came, so that nobody knows, another when the network said no.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from drivers.base import Fault, OutboundSegment, Receipt


@runtime_checkable
class TellsFate(Protocol):
    """A driver whose network says, when asked, what became of a segment."""

    async def query(self, reference: str, recipient: str, sender: str | None = None) -> Receipt:
        """Ask; the answer is like a receipt of this one segment."""
        ...


@runtime_checkable
class TakesBack(Protocol):
    """A driver whose network can forget a segment that it has not delivered yet."""

    async def cancel(self, reference: str, recipient: str, sender: str | None = None) -> None:
        """Have it forgotten; returns when it is."""
        ...


@runtime_checkable
class Renews(Protocol):
    """A driver whose session may be well by all its own signs and useless all the same: a new one may help."""

    def renew(self, fault: Fault, *, n_recipients: int) -> None:
        """Ask for a new session: everything that is submitted fails.

        Args:
            fault: of the last failure.
            n_recipients: to how many the messages were that failed; with one it may be the recipient's fault after
                all, and what disturbs the channel for long is not worth it.

        Returns at once, and raises nothing. The driver then goes down with a CHANNEL fault, ends its session as
        carefully as at any other time (what is on the wire gets its result first, or ends as `Uncertain`) and comes up
        with a new one, as its own pauses allow. Nothing happens while it is down, or when it is at it already. How
        often is for the gateway to decide.
        """
        ...


@runtime_checkable
class Rewrites(Protocol):
    """A driver whose network can give a segment that it has not delivered yet another content."""

    async def replace(self, reference: str, segment: OutboundSegment) -> None:
        """Have it replaced; returns when it is.

        Args:
            segment: as it is to be: of the same sender and encoding as the one that is there, and without header.
        """
        ...
