"""Channels: one supervised task per driver, the sink of its events, and the verbs that operators have.

A supervisor is one of the few places that catch everything: a driver that breaks is logged and started anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from drivers.abilities import TakesBack
from drivers.at.trace import TraceFile
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
from drivers.errors import DriverError
from drivers.pacing import Backoff
from gateway.channels.budgets import Budgets
from gateway.channels.leases import ASK_S, Leases
from gateway.channels.traces import Traces
from gateway.channels.ussd import UssdSessions
from gateway.clock import Clock
from gateway.errors import NotFound, StoreError
from gateway.model.actor import Actor
from gateway.model.events import Event, make_event
from gateway.pipeline.inbound import Inbox
from gateway.pipeline.operator.verbs import pause_channel
from gateway.pipeline.receipts.apply import Receipts
from gateway.pipeline.sending.lane import Lane
from gateway.pipeline.sending.late import LateResults
from gateway.pipeline.strays import take_or_keep
from gateway.routing.channel import (
    PAUSE,
    ChannelSnapshot,
    ChannelState,
    Pause,
    Standing,
    TraceReply,
    UssdReply,
)
from gateway.store.ports import Store, Tx
from gateway.store.queue import load_paused
from gateway.telemetry.metrics import Metrics

_log = logging.getLogger(__name__)

STOP_S = 5.0
"""For a driver to close its wire (unbind), at the end or before it starts anew."""


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
    ) -> None:
        self._lane = lane
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
            self._lane.note_late_success()
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
        await _record(self._store, make_event(kind, self._clock.now(), self._lane.name, data))


async def _record(store: Store, event: Event) -> None:
    async def op(tx: Tx) -> None:
        tx.record(event)

    try:
        await store.write(op)
    except StoreError as exc:  # the channel works all the same
        _log.warning("%s of channel %s is not in the timeline: %s", event.type, event.subject, exc)


class Channels:
    """All channels of a daemon; a `gateway.routing.channel.ChannelDirectory`.

    Args:
        lanes: in the order of the config.
        make_sink: the sink of a lane's events.
        wake: called when a channel may take work again.
        leases: what of the channels is ours to run.
        load: reads anew what the store knows of a channel, when its lease was taken.
        sessions: for USSD.
        traces: for what is said to modems; closed by `stop`.
    """

    def __init__(
        self,
        lanes: Sequence[Lane],
        store: Store,
        clock: Clock,
        make_sink: Callable[[Lane], LaneSink],
        wake: Callable[[], None],
        leases: Leases,
        load: Callable[[Lane], Awaitable[None]],
        sessions: UssdSessions,
        traces: Traces,
    ) -> None:
        self._leases = leases
        self._load = load
        self._loaded: dict[str, int] = {}
        self._sessions = sessions
        self._traces = traces
        self._lanes = {lane.name: lane for lane in lanes}
        self._store = store
        self._clock = clock
        self._make_sink = make_sink
        self._wake = wake
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._restarts: dict[str, asyncio.Task[None]] = {}

    async def start(self) -> None:
        """Start every driver; paused channels come up too, and take nothing."""
        for lane in self._lanes.values():
            self._start(lane)

    async def stop(self) -> None:
        """Close every wire."""
        for restart in self._restarts.values():
            restart.cancel()
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            if not task.cancelling():  # by a reset: once more would disturb the closing
                task.cancel()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=STOP_S)
            for task in late:
                _log.warning("%s did not close within %g s", task.get_name(), STOP_S)
        await self._leases.release()
        self._traces.close()

    def snapshots(self) -> list[ChannelSnapshot]:
        """All channels, in the order of the config."""
        return [lane.snapshot() for lane in self._lanes.values()]

    def snapshot(self, name: str) -> ChannelSnapshot | None:
        """One channel; None when there is none of that name."""
        lane = self._lanes.get(name)
        return None if lane is None else lane.snapshot()

    def standings(self) -> list[Standing]:
        """All channels as a message that waits must see them."""
        return [lane.standing() for lane in self._lanes.values()]

    async def ussd(self, name: str, code: str, *, by: Actor) -> UssdReply:
        """Ask the network of a SIM; see `UssdSessions.ask` for what it raises. The code is told to nobody else."""
        await self._tell("channel.ussd", self._lane(name), by)
        return await self._sessions.ask(self._lane(name), code)

    def trace_all(self, file: TraceFile) -> None:
        """Write down every octet of every modem's port, from now on; masked."""
        self._traces.write_all(file, list(self._lanes.values()))

    def switch_trace(self, name: str, *, on: bool) -> TraceReply:
        """Write down every octet of one modem's port, or stop that; see `Traces.switch` for what it raises."""
        return self._traces.switch(self._lane(name), on=on)

    async def take_back(self, name: str, reference: str, recipient: str, sender: str | None) -> bool:
        """Have a channel's network forget a segment that it has; whether it has forgotten it."""
        lane = self._lanes.get(name)
        if lane is None or not isinstance(lane.driver, TakesBack) or lane.state is not ChannelState.UP:
            return False
        try:
            await lane.driver.cancel(reference, recipient, sender)
        except DriverError as exc:
            _log.info("channel %s does not take back a segment: %s", name, type(exc).__name__)
            return False
        return True

    def looks(self, name: str, pause: Pause) -> ChannelSnapshot:
        """A channel as it will be once it is paused or resumed."""
        lane = self._lane(name)
        now = lane.paused, lane.draining
        lane.set_pause(pause)
        shown = lane.snapshot()
        lane.paused, lane.draining = now
        return shown

    def obey(self, name: str, pause: Pause) -> None:
        """A pause, or the end of one, was committed: go by it."""
        self._lane(name).set_pause(pause)
        if not pause.paused:
            self._wake()

    async def pause(self, name: str, pause: Pause = PAUSE, *, by: Actor) -> ChannelSnapshot:
        """Commit a pause, or the end of one, and go by it; kept over restarts."""
        lane = self._lane(name)
        await self._store.write(lambda tx: pause_channel(tx, self._clock, name, pause, by=by))
        self.obey(name, pause)
        return lane.snapshot()

    async def reset(self, name: str, *, by: Actor) -> ChannelSnapshot:
        """Close the wire and start the channel anew, also after STOPPED.

        Cancel: the channel starts anew all the same, and so it does when this returns before the wire is closed.
        """
        lane = self._lane(name)
        restart = self._restarts.get(name)
        if restart is None or restart.done():  # two at once would start two drivers on one wire
            restart = self._restarts[name] = asyncio.create_task(
                self._restart(lane), name=f"restart of {name}"
            )
        await self._tell("channel.reset", lane, by)
        await asyncio.wait([restart], timeout=STOP_S)
        return lane.snapshot()

    async def _restart(self, lane: Lane) -> None:
        task = self._tasks.get(lane.name)
        if task is not None:
            lane.set_state(ChannelState.STARTING)
            task.cancel()
            _, late = await asyncio.wait([task], timeout=STOP_S)
            if late:
                _log.warning("channel %s is slow to close; it starts anew when it has", lane.name)
                await asyncio.wait(late)
        lane.forget_faults()
        self._start(lane)

    def _lane(self, name: str) -> Lane:
        lane = self._lanes.get(name)
        if lane is None:
            raise NotFound("no channel has this name")
        return lane

    async def _tell(self, event: str, lane: Lane, by: Actor) -> None:
        """Tell of what needs no store, so also while there is none."""
        told = make_event(event, self._clock.now(), lane.name, {"name": lane.name, "by": str(by)})
        await _record(self._store, told)

    def _start(self, lane: Lane) -> None:
        lane.set_state(ChannelState.STARTING)
        self._tasks[lane.name] = asyncio.create_task(self._supervise(lane), name=f"channel {lane.name}")

    async def _supervise(self, lane: Lane) -> None:
        """Run a driver until it is cancelled, or stops by itself for a fault that a person must mend."""
        sink = self._make_sink(lane)
        backoff = Backoff()
        while True:
            try:
                await self._take_lease(lane)
                if not await self._run_under_lease(lane, sink):
                    continue
            except Exception as exc:  # noqa: BLE001 - the supervisor of one channel
                pause_s = backoff.next_s()
                _log.exception("driver of channel %s broke; starting it anew in %.0f s", lane.name, pause_s)
                fault = Fault(kind=FaultKind.CHANNEL, code="driver_broke", detail=type(exc).__name__)
                await sink.handle(ChannelDown(fault=fault))
                await asyncio.sleep(pause_s)
            else:
                _log.error("channel %s stopped; mend it and reset it", lane.name)
                lane.set_state(ChannelState.STOPPED, lane.snapshot().error)
                return

    async def _take_lease(self, lane: Lane) -> None:
        """Wait until a channel is ours to run. What was known of it before is read anew from the store."""
        while lane.lease is None or self._loaded.get(lane.name) != lane.lease:
            try:
                other = await self._leases.take(lane) if lane.lease is None else None
                if (epoch := lane.lease) is not None:
                    paused = await self._store.write(load_paused)  # behind a pause that is being written
                    lane.paused = lane.name in paused
                    await self._load(lane)
                    self._loaded[lane.name] = epoch
                    continue
            except StoreError as exc:
                lane.set_state(ChannelState.STARTING, f"{exc.code}: {exc}")
            else:
                if other is not None:
                    lane.set_state(
                        ChannelState.STARTING, f"leased: Instance {other.owner} runs this channel."
                    )
            await asyncio.sleep(ASK_S)

    async def _run_under_lease(self, lane: Lane, sink: LaneSink) -> bool:
        """Run a driver as long as the channel's lease is held; whether that was until its end."""
        scope = asyncio.timeout(None)

        def stop() -> None:
            lane.set_state(ChannelState.DOWN, "lease_lost: Another instance may run this channel now.")
            scope.reschedule(asyncio.get_running_loop().time())

        try:
            async with scope:
                with self._leases.call_when_lost(lane, stop):
                    await lane.driver.run(sink)
        except TimeoutError:
            if not scope.expired():
                raise
            return False
        return True
