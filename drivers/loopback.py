"""A driver with no device: takes every segment and reports it delivered. For development and for tests.

It knows nothing of numbers or alphabets and receives no messages.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count

from drivers.base import (
    Accepted,
    ChannelInfo,
    ChannelUp,
    Driver,
    EventSink,
    Fault,
    FaultKind,
    OutboundSegment,
    Receipt,
    ReceiptState,
    Refused,
    SubmitResult,
)
from drivers.pacing import Backoff
from drivers.traits import Traits

MAX_PENDING_RECEIPTS = 10_000
"""Receipts the sink has not taken yet; with more than that, submits are throttled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopbackConfig:
    """A channel to nowhere.

    Args:
        name: the channel's name.
        capacity: submits that may be in flight.
        latency_s: time until the answer to a submit.
        receipts: whether segments that ask for a delivery report get one.
    """

    name: str
    capacity: int = 100
    latency_s: float = 0.0
    receipts: bool = True


class LoopbackDriver(Driver):
    """See `drivers.base.Driver` for the contract."""

    def __init__(self, config: LoopbackConfig) -> None:
        self._config = config
        # A store outlives this process: a reference must not come again after a restart.
        self._run_id = secrets.token_hex(4)
        self._serials = count(1)
        self._accepting = False
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._receipts: deque[Receipt] = deque()
        self._receipt_waits = asyncio.Event()

    @property
    def channel_id(self) -> str:
        """The channel's name."""
        return self._config.name

    @property
    def traits(self) -> Traits:
        """Nothing peculiar."""
        return Traits(kind="loopback", times_trusted=True, in_turns=self._config.capacity == 1)

    @property
    def capacity(self) -> int:
        """As configured."""
        return self._config.capacity

    async def run(self, sink: EventSink) -> None:
        """Be up until cancelled, and hand receipts to ``sink`` in the order of the submits.

        Cancel: submits in flight still get their result; receipts not taken yet wait for the next run.
        """
        await sink.handle(ChannelInfo(facts={"peer": "loopback"}))
        self._accepting = True
        try:
            await sink.handle(ChannelUp())
            while True:
                await self._receipt_waits.wait()
                await self._hand_over_receipts(sink)
        finally:
            self._accepting = False

    async def submit(self, segment: OutboundSegment) -> SubmitResult:
        """Accept the segment after the configured latency.

        Cancel: nothing has happened.
        """
        if not self._accepting:
            return _refuse(FaultKind.CHANNEL, "link_down", "The channel is not up.")
        if len(self._receipts) >= MAX_PENDING_RECEIPTS:
            return _refuse(FaultKind.THROTTLED, "receipts_pending", "Too many receipts have not been taken.")
        self._in_flight += 1
        self._idle.clear()
        try:
            await asyncio.sleep(self._config.latency_s)
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.set()
        return self._accept(segment)

    async def drain(self, deadline: float) -> None:
        """Refuse new submits and wait for those in flight."""
        self._accepting = False
        with suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                await self._idle.wait()

    def _accept(self, segment: OutboundSegment) -> Accepted:
        reference = f"{self._run_id}-{next(self._serials)}"
        if segment.report and self._config.receipts:
            self._receipts.append(
                Receipt(
                    references=(reference,),
                    recipient=segment.recipient,
                    state=ReceiptState.DELIVERED,
                    done_at=datetime.now(UTC),
                )
            )
            self._receipt_waits.set()
        return Accepted(reference=reference)

    async def _hand_over_receipts(self, sink: EventSink) -> None:
        """Empty the queue; a receipt that the sink could not store is offered again after a pause."""
        backoff = Backoff(base_s=0.1, cap_s=10.0)
        while self._receipts:
            # Gathered only to get a failure as a value: whatever the sink raises, the receipt stays.
            (failure,) = await asyncio.gather(sink.handle(self._receipts[0]), return_exceptions=True)
            if failure is None:
                self._receipts.popleft()
                backoff.reset()
            else:
                await asyncio.sleep(backoff.next_s())
        self._receipt_waits.clear()


def _refuse(kind: FaultKind, code: str, detail: str) -> Refused:
    return Refused(fault=Fault(kind=kind, code=code, detail=detail))
