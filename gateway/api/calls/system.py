"""Probes, figures, and the description of the API itself: calls that need no key."""

from __future__ import annotations

import asyncio
from math import inf
from typing import TypeGuard

from aiohttp import web

from gateway.clock import Clock
from gateway.errors import StoreError, StoreFull
from gateway.http.body import answer, answer_value
from gateway.http.problem import NotReady
from gateway.http.product import Call, Product
from gateway.routing.channel import ChannelState
from gateway.routing.limits import BreakerState
from gateway.store.backlog import Backlog, count_backlog
from gateway.store.outbox_gone import NO_DEBTS
from gateway.store.ports import Store
from gateway.telemetry.metrics import CONTENT_TYPE as METRICS_TYPE
from gateway.views.shapes import Status
from gateway.views.waits import sum_waits

BACKLOG = web.AppKey("backlog", list[Backlog])
"""What was last counted; empty when the store could not say."""
DOCUMENT = web.AppKey("document", bytes)
PAGE = web.AppKey("page", bytes)
SCRAPING = web.AppKey("scraping", asyncio.Lock)
PROOF_S = 3.0
REMEMBERED_S = 1.0

_NO_OUTSIDE = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none';"
    " frame-ancestors 'none'"
}


class StoreHealth:
    """Whether the store takes messages: tried, but not more often than it changes, as anybody may ask.

    Args:
        store: the one that is meant.
        clock: the time.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._trial: asyncio.Task[None] | None = None
        self._fault: str | None = None
        self._good_until = -inf

    async def find_fault(self) -> str | None:
        """Why it does not, or None. A full disk is no fault: all else goes on, and POSTs say so themselves."""
        if self._trial is None and self._clock.monotonic() < self._good_until:
            return self._fault
        if self._trial is None:
            self._trial = asyncio.create_task(self._store.prove(), name="store health")
        trial = self._trial
        done, _ = await asyncio.wait({trial}, timeout=PROOF_S)
        if not done:
            return "the store does not answer"
        if self._trial is trial:
            self._trial = None
            error = trial.exception()
            self._fault = f"the store fails ({error.code})" if _is_fault(error) else None
            self._good_until = self._clock.monotonic() + REMEMBERED_S
        return self._fault


def _is_fault(error: BaseException | None) -> TypeGuard[StoreError]:
    if error is not None and not isinstance(error, StoreError):
        raise error
    return error is not None and not isinstance(error, StoreFull)


HEALTH = web.AppKey("health", StoreHealth)


async def get_livez(_call: Call) -> web.Response:
    """Whether the process answers at all."""
    return answer_value(Status(status="ok"))


async def get_readyz(call: Call) -> web.Response:
    """Whether messages are taken now; 503 says why not."""
    reason = call.context.ready() or await call.request.app[HEALTH].find_fault()
    if reason is not None:
        raise NotReady(reason)
    return answer_value(Status(status="ready"))


async def get_metrics(call: Call) -> web.Response:
    """Figures for Prometheus."""
    async with call.request.app[
        SCRAPING
    ]:  # anybody may ask: one at a time costs little, two hundred would not
        try:
            counted = [await call.context.store.read(count_backlog)]
        except StoreError:
            counted = []  # All other figures are wanted most when the store fails.
        call.request.app[BACKLOG][:] = counted
        body = call.context.metrics.render()
    return web.Response(body=body, headers={"Content-Type": METRICS_TYPE})


async def get_openapi(call: Call) -> web.Response:
    """This description, as OpenAPI 3.1."""
    return answer(call.request.app[DOCUMENT])


async def get_docs(call: Call) -> web.Response:
    """This description, as a page to read."""
    return web.Response(
        body=call.request.app[PAGE], content_type="text/html", charset="utf-8", headers=_NO_OUTSIDE
    )


def watch(context: Product, backlog: list[Backlog]) -> None:
    """Add the gauges that are read when somebody looks.

    Args:
        backlog: as last counted: one, or none.
    """
    metrics, channels = context.metrics, context.channels
    metrics.watch(
        "hongyan_queue_messages",
        "Messages that wait or are on their way.",
        "status",
        lambda: {status: n for counted in backlog for status, n in counted.messages.items()},
    )
    metrics.watch_by(
        "hongyan_receipts_unmatched",
        "Delivery reports that found no message yet.",
        (),
        lambda: {(): backlog[0].unmatched_receipts} if backlog else {},
    )
    metrics.watch_by(
        "hongyan_kannel_calls_pending",
        "Calls to applications' URLs that were not answered yet.",
        (),
        lambda: {(): backlog[0].debts.get("kannel", NO_DEBTS).pending} if backlog else {},
    )
    metrics.watch(
        "hongyan_outbox_resting",
        "Receivers that take nothing and rest: one call to them is tried now and then.",
        "door",
        lambda: {door: debts.resting for counted in backlog for door, debts in counted.debts.items()},
    )
    metrics.watch(
        "hongyan_outbox_dead",
        "Calls that were given up and are kept for a while, counted up to 10,000.",
        "door",
        lambda: {door: debts.dead for counted in backlog for door, debts in counted.debts.items()},
    )
    metrics.watch(
        "hongyan_smpp_server_deliveries_pending",
        "Receipts and inbound messages that an application has not acknowledged.",
        "account",
        lambda: {account: n for counted in backlog for account, n in counted.deliveries.items()},
    )
    metrics.watch(
        "hongyan_timeline_lag_events",
        "Events that a reader of the timeline has not read yet, as it said some seconds ago.",
        "reader",
        lambda: {reader: n for counted in backlog for reader, n in counted.lags.items()},
    )
    metrics.watch(
        "hongyan_waiting_messages",
        "Messages that are scheduled or queued, by what they wait for.",
        "kind",
        lambda: sum_waits(backlog[0].waits, channels.standings(), context.clock.now()) if backlog else {},
    )
    metrics.watch(
        "hongyan_routed_messages",
        "Messages that each routing rule has taken since the start.",
        "rule",
        context.intake.router.turns.taken,
    )
    metrics.watch(
        "hongyan_channel_out_of_service",
        "1 while others stand in for a channel.",
        "channel",
        lambda: {s.snapshot.name: s.out for s in channels.standings()},
    )
    metrics.watch(
        "hongyan_alarms",
        "Alarms that are open.",
        "kind",
        lambda: {kind: n for counted in backlog for kind, n in counted.alarms.items()},
    )
    metrics.watch_by(
        "hongyan_limit_fill_ratio",
        "How full a limit of what waits is: 1 when nothing more is taken.",
        ("limit", "owner"),
        context.intake.limits.fills,
    )
    metrics.watch(
        "hongyan_channel_up",
        "1 while the channel can take segments.",
        "channel",
        lambda: {channel.name: float(channel.state is ChannelState.UP) for channel in channels.snapshots()},
    )
    metrics.watch_by(
        "hongyan_channel_state",
        "1 for the state that the channel is in.",
        ("channel", "state"),
        lambda: {
            (channel.name, state.value): float(channel.state is state)
            for channel in channels.snapshots()
            for state in ChannelState
        },
    )
    metrics.watch(
        "hongyan_channel_breaker_open",
        "1 while the channel rests after failures in series, or is tried with one message.",
        "channel",
        lambda: {c.name: float(c.breaker is not BreakerState.CLOSED) for c in channels.snapshots()},
    )
    metrics.watch_by(
        "hongyan_channel_budget_left",
        "Segments or recipients that a channel may still take in the current period.",
        ("channel", "what", "period"),
        lambda: {
            (channel.name, account.what, account.period.value): account.limit - account.used
            for channel in channels.snapshots()
            for account in channel.budgets
        },
    )
    metrics.watch(
        "hongyan_channel_in_flight",
        "Segments that are on the wire.",
        "channel",
        lambda: {channel.name: channel.in_flight for channel in channels.snapshots()},
    )
