"""Probes, figures, and the description of the API itself: calls that need no key."""

from __future__ import annotations

from aiohttp import web

from gateway.api.body import answer, answer_value
from gateway.api.context import ApiContext, Call
from gateway.api.problem import NotReady
from gateway.api.schema import Status
from gateway.errors import StoreError
from gateway.routing.channel import ChannelState
from gateway.routing.limits import BreakerState
from gateway.store.backlog import Backlog, count_backlog
from gateway.telemetry.metrics import CONTENT_TYPE as METRICS_TYPE

BACKLOG = web.AppKey("backlog", list[Backlog])
"""What was last counted; empty when the store could not say."""
DOCUMENT = web.AppKey("document", bytes)
PAGE = web.AppKey("page", bytes)

_NO_OUTSIDE = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'"}


async def get_livez(_call: Call) -> web.Response:
    """Whether the process answers at all."""
    return answer_value(Status(status="ok"))


async def get_readyz(call: Call) -> web.Response:
    """Whether messages are taken now; 503 says why not."""
    reason = call.context.ready()
    if reason is not None:
        raise NotReady(reason)
    return answer_value(Status(status="ready"))


async def get_metrics(call: Call) -> web.Response:
    """Figures for Prometheus."""
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


def watch(context: ApiContext, backlog: list[Backlog]) -> None:
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
        lambda: {(): backlog[0].kannel_calls} if backlog else {},
    )
    metrics.watch(
        "hongyan_smpp_server_deliveries_pending",
        "Receipts and inbound messages that an application has not acknowledged.",
        "account",
        lambda: {account: n for counted in backlog for account, n in counted.deliveries.items()},
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
