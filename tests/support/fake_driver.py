"""A driver whose every answer is written in advance: what the gateway makes of it is the test."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from itertools import count

from drivers.base import (
    Accepted,
    Blame,
    ChannelDown,
    ChannelUp,
    Driver,
    DriverEvent,
    EventSink,
    Fault,
    FaultKind,
    OutboundSegment,
    Refused,
    SubmitResult,
    Uncertain,
)
from drivers.traits import Traits

DEADLINE_S = 60.0
"""How long a test waits for what must happen; only a failing test waits that long."""

Step = SubmitResult | Callable[[OutboundSegment], SubmitResult]
"""One answer, or what makes one from the segment (and may fail a test on the way)."""


def accepted(reference: str | None) -> Accepted:
    """The network took it under this reference."""
    return Accepted(reference=reference)


def refused(
    kind: FaultKind, code: str = "refused", retry_after_s: float | None = None, blame: Blame | None = None
) -> Refused:
    """A refusal of one kind."""
    fault = Fault(kind=kind, code=code, detail="As scripted.", retry_after_s=retry_after_s, blame=blame)
    return Refused(fault=fault)


def uncertain(code: str = "link_lost") -> Uncertain:
    """The link died with octets on the wire."""
    return Uncertain(code=code, detail="As scripted.")


class ScriptedDriver(Driver):
    """Answers submits from `script`, then accepts everything.

    Args:
        name: the channel's.
        capacity: submits that may be in flight.
        first_reference: of the counter that names segments without a step; a modem's wraps by `wrap`.

    Attributes:
        script: steps for the submits to come, first one next.
        verdicts: what submits to a number come to, for as long as it stands here; it comes before the script.
        renewals: the faults with which a new session was asked for.
        submitted: every segment that was handed over, in order.
        early: events to report from inside the next submit, before its answer.
        is_up: the gateway has taken note that it is up.
    """

    def __init__(self, name: str, *, capacity: int = 10, first_reference: int = 1, wrap: int = 1_000_000):
        self.script: deque[Step] = deque()
        self.verdicts: dict[str, SubmitResult] = {}
        self.renewals: list[Fault] = []
        self.submitted: list[OutboundSegment] = []
        self.early: list[DriverEvent] = []
        self.is_up = False
        self._name = name
        self._capacity = capacity
        self._references = count(first_reference)
        self._wrap = wrap
        self._traits = Traits(kind="smpp", ids_in_dialects=True, in_turns=capacity == 1)
        self._sink: EventSink | None = None
        self._came = asyncio.Event()
        self._open = asyncio.Event()
        self._open.set()

    def become(self, kind: str, *, takes_options: bool = True) -> None:
        """Take on the traits of a SIM or of an SMSC; before a lane is made of it."""
        is_sim = kind == "modem"
        self._traits = replace(
            self._traits,
            kind=kind,
            references_repeat=is_sim,
            times_trusted=is_sim,
            ids_in_dialects=not is_sim,
            takes_options=takes_options,
        )

    @property
    def traits(self) -> Traits:
        """Those of an SMSC, unless it was told to `become` something else."""
        return self._traits

    @property
    def channel_id(self) -> str:
        """The channel's name."""
        return self._name

    @property
    def capacity(self) -> int:
        """As given."""
        return self._capacity

    async def run(self, sink: EventSink) -> None:
        """Be up until cancelled."""
        self._sink = sink
        await sink.handle(ChannelUp())
        self.is_up = True
        await asyncio.Event().wait()

    async def submit(self, segment: OutboundSegment) -> SubmitResult:
        """Play the next step; while held, the octets are on the wire and no answer comes."""
        self.submitted.append(segment)
        self._came.set()
        step: Step | None = self.verdicts.get(segment.recipient)
        if step is None and self.script:
            step = self.script.popleft()
        await self._open.wait()
        early, self.early = self.early, []
        for event in early:
            await self.report(event)
        if step is None:
            return accepted(str(next(self._references) % self._wrap))
        return step(segment) if callable(step) else step

    async def drain(self, deadline: float) -> None:
        """Nothing to do."""

    def renew(self, fault: Fault, *, n_recipients: int) -> None:
        """Take note of it."""
        self.renewals.append(fault)

    def hold(self) -> None:
        """Let no submit be answered until `release`."""
        self._open.clear()

    def release(self) -> None:
        """Answer the submits that were held."""
        self._open.set()

    async def report(self, event: DriverEvent) -> None:
        """Hand an event to the gateway; returns when it is durable."""
        assert self._sink is not None, "the channel was never started"
        await self._sink.handle(event)

    async def go_down(self, kind: FaultKind = FaultKind.CHANNEL) -> None:
        """Say that the channel can take nothing."""
        await self.report(ChannelDown(fault=Fault(kind=kind, code="link_down", detail="As scripted.")))

    async def come_up(self) -> None:
        """Say that the channel is fit again."""
        await self.report(ChannelUp())

    async def until_submitted(self, n: int) -> None:
        """Wait until so many segments were handed over."""
        async with asyncio.timeout(DEADLINE_S):
            while len(self.submitted) < n:
                self._came.clear()
                await self._came.wait()

    def recipients(self) -> list[str]:
        """Who was sent something, in order."""
        return [segment.recipient for segment in self.submitted]
