"""Probes: a test message by a channel now and then. One that is late raises an alarm, the next good one clears it.

A channel that is starting, that an operator paused, that is being replaced, or that another instance runs, is not
probed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import partial

from gateway.clock import Clock, do_every, truncate_ms
from gateway.errors import RequestError, StoreError
from gateway.model.alarm import AlarmKind
from gateway.model.channel_test import ChannelTest, ProbeResult
from gateway.pipeline.alarms import clear_alarm, raise_alarm
from gateway.pipeline.channel_tests import ChannelTester
from gateway.pipeline.sending.directory import Lanes
from gateway.routing.channel import ChannelState
from gateway.settings.probes import ProbeSettings
from gateway.store.alarms import find_subjects
from gateway.store.ports import Store, Tx
from gateway.store.probes import load_probes, save_probe
from gateway.telemetry.metrics import Metrics, labeled

_log = logging.getLogger(__name__)

LOOK_S = 1.0
"""How late a probe may begin."""
AHEAD = timedelta(hours=1)
"""A result that is later than now by more than this is of a clock that was wrong."""


class Probes:
    """Probes channels while it runs.

    Args:
        lanes: every channel.
        probes: of which, how and when.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        tester: ChannelTester,
        lanes: Lanes,
        metrics: Metrics,
        probes: Sequence[ProbeSettings],
    ) -> None:
        self._store = store
        self._clock = clock
        self._tester = tester
        self._lanes = lanes
        self._metrics = metrics
        self._probes = tuple(probes)
        self._last: dict[str, datetime | None] = {}
        """When each channel was probed last; None for never."""
        self._at_work: dict[str, asyncio.Task[None]] = {}
        self._is_tidy = False

    def adopt(self, probes: Sequence[ProbeSettings]) -> None:
        """Probe by other settings from now on; what is under way ends as it began."""
        self._probes = tuple(probes)
        self._is_tidy = False

    async def run(self) -> None:
        """Probe until cancelled. Cancel: a probe that is under way has no result."""
        try:
            await do_every(LOOK_S, self.look, partial(_log.warning, "channels were not probed: %s"))
        finally:
            for task in self._at_work.values():
                task.cancel()

    async def look(self) -> None:
        """Begin what is due."""
        if not self._is_tidy:
            await self._tidy_up({probe.channel for probe in self._probes})
            self._is_tidy = True
        for probe in self._probes:
            name = probe.channel
            if name not in self._last:
                known = await self._store.read(lambda tx, name=name: load_probes(tx, name))  # type: ignore[misc]
                self._last[name] = known[0].at if known else None
            if name not in self._at_work and self._is_due(probe) and self._may_be_probed(name):
                self._last[name] = self._clock.now()
                self._at_work[name] = asyncio.create_task(self._probe(probe), name=f"probe of {name}")

    def _is_due(self, probe: ProbeSettings) -> bool:
        last, now = self._last[probe.channel], self._clock.now()
        return last is None or last > now + AHEAD or now - last >= timedelta(seconds=probe.every_s)

    def _may_be_probed(self, name: str) -> bool:
        lane = self._lanes.find(name)
        if lane is None or lane.lease is None or lane.state is ChannelState.STARTING:
            return False
        return not (lane.paused or lane.draining or lane.leaving)

    async def _probe(self, probe: ProbeSettings) -> None:
        name, at = probe.channel, truncate_ms(self._clock.now())
        try:
            test = await self._tester.run(name, (probe.to,), probe.text, wait_s=probe.within_s, key=None)
            await self.take(probe, _judge(probe, test, at))
        except RequestError as error:
            await self.take(probe, ProbeResult(at=at, ok=False, detail=f"It was not accepted: {error}"))
        except StoreError as exc:
            _log.warning("a probe of channel %s has no result: %s", name, exc)
        finally:
            self._at_work.pop(name, None)

    async def take(self, probe: ProbeSettings, result: ProbeResult) -> None:
        """Keep a result, and raise or clear the alarm of its channel. Raises StoreError."""
        name = probe.channel

        async def op(tx: Tx) -> None:
            await save_probe(tx, name, result)
            if result.ok or all(
                one.channel != name for one in self._probes
            ):  # nobody would clear it any more
                await clear_alarm(tx, self._clock, AlarmKind.PROBE, name)
            else:
                await raise_alarm(tx, self._clock, AlarmKind.PROBE, name, f"A probe failed. {result.detail}")

        await self._store.write(op)
        labeled(self._metrics.probes, name, "delivered" if result.ok else "failed").inc()
        if result.delivered_s is not None:
            self._metrics.probe_delivery_seconds.labels(name).set(result.delivered_s)

    async def _tidy_up(self, probed: Collection[str]) -> None:
        """Nobody would ever clear the alarms of channels that are not probed any more."""

        async def op(tx: Tx) -> None:
            for name in await find_subjects(tx, AlarmKind.PROBE) - set(probed):
                await clear_alarm(tx, self._clock, AlarmKind.PROBE, name)

        await self._store.write(op)


def _judge(probe: ProbeSettings, test: ChannelTest, at: datetime) -> ProbeResult:
    """What came of a probe."""
    (message,) = test.messages
    took_s = (message.answered_s or 0.0) + (message.delivered_s or 0.0)
    ok = message.delivered_s is not None and took_s <= probe.within_s
    detail = ""
    if message.delivered_s is not None and not ok:
        detail = f"It took {took_s:.1f} s to be delivered; {probe.within_s:g} s are allowed."
    elif not ok and message.error is not None:
        detail = f"The message is {message.status}: {message.error}"
    elif not ok:
        detail = (
            f"It was not delivered within {probe.within_s:g} s: the message is {message.status}."
            f" See hongyan show {message.id}."
        )
    return ProbeResult(
        at=at, ok=ok, answered_s=message.answered_s, delivered_s=message.delivered_s, detail=detail
    )
