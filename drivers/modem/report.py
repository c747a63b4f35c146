"""What a modem tells the gateway about itself: up, down, facts and notices, each only when it is news."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from drivers.base import ChannelDown, ChannelInfo, ChannelNotice, ChannelUp, Fault, FaultKind

if TYPE_CHECKING:
    from drivers.base import DriverEvent, EventSink

logger = logging.getLogger(__name__)

Fact = str | int | float | bool | None

LINK_DOWN = Fault(kind=FaultKind.CHANNEL, code="link_down", detail="The channel is not up.")
RESYNC = Fault(
    kind=FaultKind.CHANNEL,
    code="recovery_resync",
    detail="An answer did not come. The stick is asked whether it lives, and nothing is sent while it may come yet.",
)


class Report:
    """The state of one channel as it was told.

    Attributes:
        fault: why the channel takes no segments; None while it is in service.
        facts: what operators see.
    """

    def __init__(self, channel: str, sink: EventSink) -> None:
        self.fault: Fault | None = LINK_DOWN
        self.facts: dict[str, Fact] = {}
        self._channel = channel
        self._sink = sink
        self._told_down: str | None = None
        self._told_up = False
        self._ailments: dict[str, str] = {}

    async def up(self) -> None:
        """Segments may come from now on. Cancel: it may not have been told."""
        self.fault = None
        self._told_down = None
        if not self._told_up:
            self._told_up = True
            await self._tell_up()

    async def ail(self, code: str, detail: str) -> None:
        """Tell of what does not work though the channel is in service; it is shown until `heal`. Cancel: as `up`."""
        if code not in self._ailments:
            await self.notice(code, detail)
        if self._ailments.get(code) != detail:
            self._ailments[code] = detail
            await self._tell_ailments()

    async def heal(self, code: str) -> None:
        """It works again. Cancel: as `up`."""
        if self._ailments.pop(code, None) is not None:
            await self._tell_ailments()

    async def _tell_ailments(self) -> None:
        if self._told_up and self.fault is None:
            await self._tell_up()

    async def _tell_up(self) -> None:
        code, detail = next(iter(self._ailments)) if self._ailments else "", " ".join(self._ailments.values())
        ailment = Fault(kind=FaultKind.CHANNEL, code=code, detail=detail) if code else None
        await deliver(self._sink, ChannelUp(ailment=ailment), self._channel)

    async def down(self, fault: Fault) -> None:
        """No more segments, for this reason; told again only for another one. Cancel: as `up`."""
        self.fault = fault
        self._told_up = False
        if self._told_down == fault.code:
            return
        self._told_down = fault.code
        logger.warning("%s: down: %s: %s", self._channel, fault.code, fault.detail)
        await deliver(self._sink, ChannelDown(fault=fault), self._channel)

    async def tell(self, **facts: Fact) -> None:
        """Add to the facts; told when one of them changed. Cancel: as `up`."""
        merged = self.facts | facts
        if merged != self.facts:
            self.facts = merged
            await deliver(self._sink, ChannelInfo(facts=dict(merged)), self._channel)

    async def notice(self, code: str, detail: str) -> None:
        """Something operators should learn of. Cancel: as `up`."""
        logger.warning("%s: %s: %s", self._channel, code, detail)
        await deliver(self._sink, ChannelNotice(code=code, detail=detail), self._channel)


async def deliver(sink: EventSink, event: DriverEvent, channel: str) -> bool:
    """Hand an event to the sink; False when it could not be stored. Cancel: unknown whether it was."""
    try:
        await sink.handle(event)
    except Exception as error:  # noqa: BLE001 - the contract: a sink raises whatever its store raised
        logger.warning("%s: %s not taken: %s", channel, type(event).__name__, type(error).__name__)
        return False
    return True
