"""Channels: one supervised task per driver, the sink of its events, and the verbs that operators have.

A supervisor is one of the few places that catch everything: a driver that breaks is logged and started anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from drivers.abilities import TakesBack
from drivers.at.trace import TraceFile
from drivers.base import (
    ChannelDown,
    Fault,
    FaultKind,
)
from drivers.errors import DriverError
from drivers.pacing import Backoff
from gateway.channels.leases import ASK_S, Leases
from gateway.channels.sink import LaneSink, record_event
from gateway.channels.traces import Traces
from gateway.channels.ussd import UssdSessions
from gateway.clock import Clock
from gateway.errors import Conflict, NotFound, StoreError
from gateway.model.actor import Actor
from gateway.model.events import make_event
from gateway.pipeline.operator.verbs import pause_channel
from gateway.pipeline.sending.directory import Lanes
from gateway.pipeline.sending.lane import Lane
from gateway.routing.channel import (
    PAUSE,
    ChannelSnapshot,
    ChannelState,
    Pause,
    Standing,
    TraceReply,
    UssdReply,
)
from gateway.store.audit import record_audit
from gateway.store.ports import Store
from gateway.store.queue import load_paused

_log = logging.getLogger(__name__)

STOP_S = 5.0
"""For a driver to close its wire (unbind), at the end or before it starts anew."""


class Channels:
    """All channels of a daemon; a `gateway.routing.channel.ChannelDirectory`.

    Args:
        lanes: the directory of all.
        make_sink: the sink of a lane's events.
        wake: called when a channel may take work again.
        leases: what of the channels is ours to run.
        load: reads anew what the store knows of a channel, when its lease was taken.
        sessions: for USSD.
        traces: for what is said to modems; closed by `stop`.
    """

    def __init__(
        self,
        lanes: Lanes,
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
        self._lanes = lanes
        self._store = store
        self._clock = clock
        self._make_sink = make_sink
        self._wake = wake
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._restarts: dict[str, asyncio.Task[None]] = {}

    async def start(self) -> None:
        """Start every driver; paused channels come up too, and take nothing."""
        for lane in self._lanes:
            self.begin(lane)

    def begin(self, lane: Lane) -> None:
        """Start the driver of a lane that is in the directory."""
        self._traces.take_over(lane)
        self._start(lane)

    async def close(self, lane: Lane) -> None:
        """Close the wire of a lane for good; another may run its channel then.

        Cancel: the wire is being closed all the same.
        """
        if (restart := self._restarts.pop(lane.name, None)) is not None:
            restart.cancel()
            await asyncio.wait([restart])
        if (task := self._tasks.pop(lane.name, None)) is not None:
            await _end(task, lane)
        await self._leases.give_up(lane)

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
        return [lane.snapshot() for lane in self._lanes]

    def snapshot(self, name: str) -> ChannelSnapshot | None:
        """One channel; None when there is none of that name."""
        lane = self._lanes.find(name)
        return None if lane is None else lane.snapshot()

    def standings(self) -> list[Standing]:
        """All channels as a message that waits must see them."""
        return [lane.standing() for lane in self._lanes]

    async def ussd(self, name: str, code: str, *, by: Actor) -> UssdReply:
        """Ask the network of a SIM; see `UssdSessions.ask` for what it raises. The code is told to nobody else."""
        await self._tell("channel.ussd", self._lane(name), by)
        return await self._sessions.ask(self._lane(name), code)

    def trace_all(self, file: TraceFile) -> None:
        """Write down every octet of every modem's port, from now on; masked."""
        self._traces.write_all(file, list(self._lanes))

    def switch_trace(self, name: str, *, on: bool) -> TraceReply:
        """Write down every octet of one modem's port, or stop that; see `Traces.switch` for what it raises."""
        return self._traces.switch(self._lane(name), on=on)

    async def take_back(self, name: str, reference: str, recipient: str, sender: str | None) -> bool:
        """Have a channel's network forget a segment that it has; whether it has forgotten it."""
        lane = self._lanes.find(name)
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

        Raises:
            NotFound: no such channel.
            Conflict: it is being replaced or taken away.

        Cancel: the channel starts anew all the same, and so it does when this returns before the wire is closed.
        """
        lane = self._lane(name)
        if lane.leaving is not None:
            raise Conflict(lane.leaving)
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
            await _end(task, lane)
        lane.fitness.forget()
        self._start(lane)

    def _lane(self, name: str) -> Lane:
        lane = self._lanes.find(name)
        if lane is None:
            raise NotFound("no channel has this name")
        return lane

    async def _tell(self, event: str, lane: Lane, by: Actor) -> None:
        """Tell of what needs no store, so also while there is none."""
        now = self._clock.now()
        told = make_event(event, now, lane.name, {"name": lane.name, "by": str(by)})
        await record_event(self._store, told, lambda tx: record_audit(tx, by, event, lane.name, at=now))

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


async def _end(task: asyncio.Task[None], lane: Lane) -> None:
    """Have a driver close its wire, and wait until it has."""
    if not task.cancelling():
        task.cancel()
    _, late = await asyncio.wait([task], timeout=STOP_S)
    if late:
        _log.warning("channel %s is slow to close; it starts anew when it has", lane.name)
        await asyncio.wait(late)
