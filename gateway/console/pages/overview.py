"""The overview: what is going on, at a glance, and where to look next."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from aiohttp import web

from gateway.access.permissions import Permission
from gateway.console.charts import Chart, Series, draw_bars, draw_lines
from gateway.console.page import ROOT, NotAllowed, Page, Visit
from gateway.console.pages.channels import TONES
from gateway.console.words import mark
from gateway.routing.channel import ChannelSnapshot, ChannelState
from gateway.store.tallies import Hour

_REASONS: Final = {
    "order": mark("goes next"),
    "throttle": mark("a rate or a pause of the channel"),
    "hours": mark("the hours in which it may go"),
    "budget": mark("a channel's budget"),
    "channel_down": mark("a channel that is not up"),
    "retry": mark("the next attempt"),
    "review": mark("a person's decision"),
    "schedule": mark("its time"),
    "route": mark("a way that the config does not have"),
}
_ENDED_BADLY: Final = ("message.undelivered", "message.failed", "message.expired")
_STUCK: Final = frozenset({"channel_down", "route", "budget"})


class Reason(NamedTuple):
    """Messages that wait for one kind of thing.

    Args:
        share: of all that wait, in percent.
        is_stuck: something should be done about it.
    """

    label: str
    n: int
    share: float
    is_stuck: bool


async def show_overview(visit: Visit) -> web.StreamResponse:
    """Throughput, what waits and why, channels, and alarms.

    Raises:
        NotAllowed: there is nothing that the visitor may see.
    """
    if not visit.may(Permission.CHANNELS_READ):
        return _go_elsewhere(visit)
    counted = await visit.console.glance.look()
    span = "month" if visit.query.get("range") == "month" else "day"
    spans = list(_spans(visit.product.clock.now(), span))
    tallies = await visit.console.glance.look_back(spans[0])
    channels = visit.product.channels.snapshots()
    return visit.render(
        "overview.html",
        not_ready=visit.product.ready(),
        counted=counted,
        reasons=list(_reasons(counted.waits)),
        n_waiting=sum(counted.waits.values()),
        n_flying=counted.backlog.messages.get("sending", 0),
        n_uncertain=counted.backlog.messages.get("uncertain", 0),
        channels=sorted(channels, key=_worst_first),
        n_up=sum(one.state is ChannelState.UP for one in channels),
        tones=TONES,
        span=span,
        charts=_draw(tallies, spans, span),
    )


def _go_elsewhere(visit: Visit) -> web.Response:
    for section in visit.menu:
        for entry in section.entries:
            return web.Response(status=303, headers={"Location": ROOT + entry.path})
    raise NotAllowed(visit.t("Your account has no roles yet; ask an administrator."))


def _spans(now: datetime, span: str) -> Iterator[datetime]:
    """When each hour of the last day, or each day of the last thirty, began; days by the gateway's own zone."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    if span == "day":
        yield from (hour - timedelta(hours=back) for back in reversed(range(24)))
        return
    today = now.astimezone()
    for back in reversed(range(30)):
        day = today - timedelta(days=back)
        yield datetime(day.year, day.month, day.day).astimezone(now.tzinfo)


def _draw(tallies: Mapping[Hour, int], spans: Sequence[datetime], span: str) -> list[Chart]:
    sums: list[dict[str, int]] = [{} for _ in spans]
    for hour, n in tallies.items():
        place = bisect_right(spans, hour.at) - 1
        if place >= 0:
            sums[place][hour.type] = sums[place].get(hour.type, 0) + n
    points = [f"{at.astimezone():{'%H:%M' if span == 'day' else '%m-%d'}}" for at in spans]
    delivered = [one.get("message.delivered", 0) for one in sums]
    bad = [sum(one.get(kind, 0) for kind in _ENDED_BADLY) for one in sums]
    rates = [
        100 * good / (good + wrong) if good + wrong else None
        for good, wrong in zip(delivered, bad, strict=True)
    ]
    return [
        draw_lines(
            mark("Throughput"),
            points,
            (
                Series("Sent", "main", [one.get("message.sent", 0) for one in sums]),
                Series("Inbound", "soft", [one.get("inbound.received", 0) for one in sums]),
            ),
        ),
        draw_bars(
            mark("What became of messages"),
            points,
            (Series("Delivered", "good", delivered), Series("Not delivered", "bad", bad)),
        ),
        draw_lines(mark("Delivery rate in percent"), points, (Series("Delivered", "good", rates),), top=100),
    ]


def _reasons(waits: Mapping[str, int]) -> Iterator[Reason]:
    total = sum(waits.values())
    for kind, n in sorted(waits.items(), key=lambda item: -item[1]):
        if n:
            yield Reason(_REASONS.get(kind, kind), n, round(100 * n / total, 1), kind in _STUCK)


def _worst_first(channel: ChannelSnapshot) -> tuple[bool, str]:
    return TONES[channel.state] == "good", channel.name


PAGES: Final = (Page(path="/", handler=show_overview, menu="overview"),)
