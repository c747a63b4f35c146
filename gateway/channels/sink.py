"""Where the events of a driver go: to the pipeline, to its lane, and into the timeline."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

from drivers.base import (
    Accepted,
    ChannelDown,
    ChannelInfo,
    ChannelNotice,
    ChannelUp,
    DriverEvent,
    Fault,
    FaultKind,
    InboundPart,
    LateResult,
    Receipt,
)
from gateway.channels.budgets import Budgets
from gateway.clock import Clock
from gateway.errors import StoreError
from gateway.model.events import Event, make_event
from gateway.pipeline.inbound import Inbox
from gateway.pipeline.operator.carriers import CarrierLearner
from gateway.pipeline.receipts.apply import Receipts
from gateway.pipeline.sending.lane import Lane
from gateway.pipeline.sending.late import LateResults
from gateway.pipeline.strays import take_or_keep
from gateway.routing.channel import ChannelState
from gateway.store.ports import Store, Tx
from gateway.telemetry.metrics import Metrics

_log = logging.getLogger(__name__)


class LaneSink:
    """Where the events of one driver go; see `drivers.base.EventSink`."""

    def __init__(
        self,
        lane: Lane,
        *,
        store: Store,
        clock: Clock,
        inbox: Inbox,
        receipts: Receipts,
        late: LateResults,
        budgets: Budgets,
        wake: Callable[[], None],
        metrics: Metrics | None = None,
        learner: CarrierLearner | None = None,
    ) -> None:
        self._lane = lane
        self._learner = learner
        self._metrics = metrics
        self._store = store
        self._clock = clock
        self._inbox = inbox
        self._receipts = receipts
        self._late = late
        self._budgets = budgets
        self._wake = wake

    async def handle(self, event: DriverEvent) -> None:
        """Take one event; raises StoreError when it could not be stored."""
        if isinstance(event, Receipt | InboundPart | LateResult):
            await take_or_keep(self._store, self._clock, self._lane.name, event, self._handle)
        else:
            await self._handle(event)

    async def _handle(self, event: DriverEvent) -> None:
        match event:
            case Receipt(otherwise=part):
                # A keyword is a person's, whatever the wire says of it.
                is_keyword = part is not None and self._inbox.is_keyword(self._lane, part)
                if is_keyword or not await self._receipts.handle(self._lane, event):
                    assert part is not None  # only what may be a text is left
                    await self._inbox.handle(self._lane, part)
                elif event.network and self._learner is not None:
                    await self._learner.learn(event)
            case InboundPart():
                await self._inbox.handle(self._lane, event)
            case LateResult():
                await self._take_late(event)
            case ChannelNotice(code=code, detail=detail):
                if self._metrics is not None:
                    self._metrics.channel_notices.labels(self._lane.name, code).inc()
                await self._record(
                    "channel.notice", {"name": self._lane.name, "code": code, "detail": detail}
                )
            case ChannelInfo(facts=facts):
                self._lane.facts = {**self._lane.facts, **facts}
                if isinstance(iccid := facts.get("iccid"), str):
                    await self._budgets.note_sim(self._lane, iccid)
            case ChannelUp(ailment=ailment):
                await self._come_up(ailment)
            case ChannelDown(fault=fault):
                stopped = fault.kind is FaultKind.CONFIG
                await self._change(
                    ChannelState.STOPPED if stopped else ChannelState.DOWN,
                    f"{fault.code}: {fault.detail}",
                )

    async def _come_up(self, ailment: Fault | None) -> None:
        error = f"{ailment.code}: {ailment.detail}" if ailment else None
        if self._lane.state is ChannelState.UP:  # only what ails it is news
            self._lane.set_ailment(error)
        else:
            await self._change(ChannelState.UP, error)
            self._wake()

    async def _take_late(self, late: LateResult) -> None:
        may_go = isinstance(late.result, Accepted)
        if may_go:
            self._lane.fitness.note_late_success()
        await self._late.handle(self._lane, late)
        if may_go:
            self._wake()

    async def _change(self, state: ChannelState, error: str | None) -> None:
        if state is self._lane.state:
            self._lane.set_state(state, error)
            return
        self._lane.set_state(state, error)
        name = self._lane.name
        up = state is ChannelState.UP
        _log.log(
            logging.INFO if up else logging.WARNING,
            "channel %s is %s%s",
            name,
            state,
            f": {error}" if error else "",
        )
        data = {"name": name, "state": state.value, "error": error}
        await self._record("channel.up" if up else "channel.down", data)

    async def _record(self, kind: str, data: Mapping[str, str | None]) -> None:
        await record_event(self._store, make_event(kind, self._clock.now(), self._lane.name, data))


async def record_event(
    store: Store, event: Event, also: Callable[[Tx], Awaitable[object]] | None = None
) -> None:
    """Tell of something in the timeline, if the store can; it holds in any case.

    Args:
        also: what is to be written with it.
    """

    async def op(tx: Tx) -> None:
        tx.record(event)
        if also is not None:
            await also(tx)

    try:
        await store.write(op)
    except StoreError as exc:  # the channel works all the same
        _log.warning("%s of channel %s is not in the timeline: %s", event.type, event.subject, exc)
