"""Inquiry: segments that the network took and that no receipt has settled since are asked after.

What the network answers is applied as its receipt would be. Each segment is asked after a few times at most, with
pauses that grow; what has no reference can't be: its submit was never answered, so nobody knows its name.

A segment's turn follows from its age alone, and the places up to which they were asked after are in the store. So
nothing is written for the many that get their receipt in time, and a restart forgets nothing.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from functools import partial

from drivers.abilities import TellsFate
from drivers.base import Receipt
from drivers.errors import DriverError, WireLost
from gateway.clock import Clock, do_every, truncate_ms
from gateway.ids import make_id
from gateway.model.events import make_event
from gateway.model.message import SegmentStatus
from gateway.pipeline.receipts.reporter import Asked
from gateway.pipeline.receipts.settle import IN_BETWEEN, settle
from gateway.routing.channel import ChannelState
from gateway.routing.limits import BreakerState
from gateway.store.inquiries import (
    Place,
    Unheard,
    find_unheard,
    load_inquiry_place,
    save_inquiry_place,
)
from gateway.store.messages import find_to_change
from gateway.store.ports import Store, Tx
from gateway.store.receipts import EarlyReceipt
from gateway.telemetry.metrics import Metrics

_log = logging.getLogger(__name__)

TICK_S = 10.0
"""How late a segment's turn may be noticed."""
GAP_S = 1.0
"""Between two questions on one channel: they share the carrier's patience with the submits."""
ROUNDS = 4
"""How often one segment is asked after at most."""
GROWTH = 4
"""Each pause before a question is so many times the one before."""
LONGEST_PAUSE_S = 10 * 365 * 86_400.0
"""As good as never; the calendar has an end."""
PAGE = 1_000
"""Submits without a receipt looked at in one read."""
MAX_REFUSALS = 5
"""After so many questions in a row that brought nothing the network is left in peace for a while."""
REST_S = 3_600.0
LONGEST_REST_S = 86_400.0
"""Each rest without an answer in between is twice the one before, up to this."""

_OPEN = {SegmentStatus.SENT, SegmentStatus.UNCERTAIN}


class Inquiry:
    """Asks after the segments of one channel.

    Args:
        after_s: how long a receipt may take before it is asked for the first time.
    """

    def __init__(self, lane: Asked, store: Store, clock: Clock, metrics: Metrics, *, after_s: float) -> None:
        self._lane = lane
        self._store = store
        self._clock = clock
        self._metrics = metrics
        pauses = [timedelta(seconds=min(after_s * GROWTH**n, LONGEST_PAUSE_S)) for n in range(ROUNDS + 1)]
        self._ages = [
            (sum(pauses[: n + 1], timedelta()), sum(pauses[: n + 2], timedelta())) for n in range(ROUNDS)
        ]
        """Of the segments of each round, from and up to."""
        self._refusals = 0
        self._rest_s = REST_S
        self._rests_until = clock.monotonic()

    async def run(self) -> None:
        """Ask until cancelled. Cancel: an answer on its way is dropped; that segment is asked after again."""
        await do_every(
            TICK_S, self.look, partial(_log.warning, "inquiry of channel %s skipped: %s", self._lane.name)
        )

    async def look(self) -> int:
        """Ask after all whose turn it is, while the channel is fit; how many were asked after."""
        return sum([await self._look(round_) for round_ in range(ROUNDS)])

    async def _look(self, round_: int) -> int:
        name = self._lane.name
        asked = 0
        place = await self._store.read(lambda tx: load_inquiry_place(tx, name, round_))
        while self._may_ask():
            now = truncate_ms(self._clock.now())
            youngest, oldest = self._ages[round_]
            until = now - youngest
            start = Place(now - oldest)
            if place is not None and place.submitted_at <= now:  # a later one is of a clock that was ahead
                start = max(place, start)
            page = await self._store.read(
                lambda tx, start=start, until=until: find_unheard(tx, name, start, until, PAGE)  # type: ignore[misc]
            )
            for unheard in page.unheard:
                if not self._may_ask() or not await self._ask(unheard, round_):
                    return asked
                asked += 1
                await asyncio.sleep(GAP_S)
            if page.end is None:
                break
            place = page.end
            await self._store.write(lambda tx, place=place: save_inquiry_place(tx, name, round_, place))  # type: ignore[misc]
        return asked

    def _may_ask(self) -> bool:
        now = self._clock.monotonic()
        lane = self._lane.snapshot()
        fit = lane.state is ChannelState.UP and not lane.cooldown_s and lane.breaker is BreakerState.CLOSED
        return fit and now >= self._rests_until

    async def _ask(self, unheard: Unheard, round_: int) -> bool:
        """Ask after one segment and apply the answer; False when it was not asked after, for now."""
        driver = self._lane.driver
        assert isinstance(driver, TellsFate), "inquiries are for drivers that can ask"
        told: Receipt | None = None
        try:
            told = await driver.query(unheard.reference, unheard.recipient, unheard.sender)
        except WireLost:
            return False
        except DriverError as exc:
            self._note_refusal(exc)
        else:
            self._refusals, self._rest_s = 0, REST_S
        outcome = "refused" if told is None else told.state.value
        self._metrics.inquiries.labels(self._lane.name, outcome).inc()
        await self._store.write(lambda tx: self._record(tx, unheard, round_, told))
        return True

    def _note_refusal(self, exc: DriverError) -> None:
        self._refusals += 1
        if self._refusals < MAX_REFUSALS:
            return
        _log.info(
            "channel %s does not say what became of segments (%s); it is left in peace for %.0f s",
            self._lane.name, type(exc).__name__, self._rest_s,
        )  # fmt: skip
        self._rests_until = self._clock.monotonic() + self._rest_s
        self._refusals, self._rest_s = 0, min(2 * self._rest_s, LONGEST_REST_S)

    async def _record(self, tx: Tx, unheard: Unheard, round_: int, told: Receipt | None) -> None:
        """Write an answer, unless a receipt was faster."""
        place = unheard.place
        await save_inquiry_place(tx, self._lane.name, round_, place)
        whole = await find_to_change(tx, place.message_id)
        if told is None or whole is None:
            return
        message, segments = whole
        segment = segments[place.part - 1]
        if segment.status not in _OPEN or segment.reference != unheard.reference:
            return
        now = truncate_ms(self._clock.now())
        answer = {"id": message.id, "part": place.part, "ref": unheard.reference, "state": told.state.value}
        tx.record(make_event("receipt.asked", now, message.id, {**answer, "code": told.code}))
        if told.state not in IN_BETWEEN:
            receipt = EarlyReceipt(make_id(), told.recipient, told.state.value, told.code, told.done_at)
            await settle(tx, message, segments, place.part, receipt, now)
