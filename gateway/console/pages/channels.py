"""Channels: how each is, why it is down and what to do, and what an operator may do to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

import msgspec
from aiohttp import web

from gateway.access.permissions import Permission
from gateway.console.cells import Badge, Cell, Lines, Link, Step
from gateway.console.listing import Column, Listing, show_list
from gateway.console.page import Page, Visit, make_deeds
from gateway.console.remedies import explain_channel
from gateway.console.words import Translator
from gateway.errors import InvalidRequest, NotFound
from gateway.model.channel_test import DEFAULT_TEXT, ChannelTestRequest
from gateway.model.events import Event
from gateway.pipeline.channel_tests import ChannelTester
from gateway.pipeline.operator.verbs import pause_channel
from gateway.routing.channel import DRAIN, PAUSE, RESUME, ChannelSnapshot, ChannelState, Pause
from gateway.store.events import load_timeline
from gateway.store.probes import load_probes
from gateway.views.shapes import UssdRequest

TONES: Final[Mapping[ChannelState, str]] = {
    ChannelState.STARTING: "busy",
    ChannelState.UP: "good",
    ChannelState.DOWN: "bad",
    ChannelState.PAUSED: "warn",
    ChannelState.DRAINING: "warn",
    ChannelState.STOPPED: "bad",
}
_STEPS: Final = 20
"""Of the last events of a channel."""
_TEST_WAIT_S: Final = 10


class _Told(msgspec.Struct, frozen=True):
    """What events of channels say, as far as it is shown."""

    code: str = ""
    detail: str | None = None
    error: str | None = None
    by: str | None = None


_decode_told = msgspec.json.Decoder(_Told).decode
_TONE_OF_EVENT: Final = {"channel.up": "good", "channel.down": "bad", "channel.notice": "warn"}


async def show_channels(visit: Visit) -> web.StreamResponse:
    """All of them, in the order of the config."""
    channels = visit.product.channels.snapshots()

    async def load(limit: int, after: str | None) -> Sequence[ChannelSnapshot]:
        names = [one.name for one in channels]
        start = names.index(after) + 1 if after in names else 0
        return channels[start : start + limit]

    columns = (
        Column[ChannelSnapshot](
            "name", "Channel", lambda c: Link(c.name, f"/console/channels/{c.name}"), True
        ),
        Column[ChannelSnapshot]("state", "State", lambda c: Badge(c.state.value, TONES[c.state])),
        Column[ChannelSnapshot]("why", "What is wrong", partial(_why, visit.t)),
        Column[ChannelSnapshot]("signal_dbm", "Signal (dBm)", lambda c: _fact(c, "signal_dbm")),
        Column[ChannelSnapshot]("operator", "Operator", lambda c: _fact(c, "operator", "system_id", "peer")),
        Column[ChannelSnapshot]("budget", "Budget", _budget),
        Column[ChannelSnapshot]("balance", "Balance", lambda c: _fact(c, "balance")),
        Column[ChannelSnapshot]("sent", "Sent", lambda c: c.sent),
        Column[ChannelSnapshot]("failed", "Failed", lambda c: c.failed),
    )
    listing = Listing[ChannelSnapshot](
        name="channels",
        columns=columns,
        load=load,
        key=lambda one: one.name,
        by_id=False,
        empty="No channel is configured: add one to the config.",
    )
    return await show_list(visit, listing, "channels/list.html")


async def show_channel(visit: Visit) -> web.StreamResponse:
    """One: its state, what to do, what happened last, and the buttons."""
    return await _show(visit)


async def _show(
    visit: Visit, status: int = 200, reply: str = "", expects_reply: bool = False
) -> web.Response:
    channel, t = _find(visit), visit.t
    probes = await visit.product.store.read(lambda tx: load_probes(tx, channel.name))
    events = await visit.product.store.read(lambda tx: load_timeline(tx, channel.name))
    pairs: list[tuple[str, Cell]] = [
        (t("Kind"), channel.kind),
        (t("Since"), channel.since),
        (t("Groups"), ", ".join(channel.groups) or None),
        (t("Rate"), channel.rate),
        (t("On the wire"), f"{channel.in_flight} / {channel.capacity}"),
        (t("Budget"), _budget(channel)),
        (t("Sent"), channel.sent),
        (t("Failed"), channel.failed),
        (t("Uncertain"), channel.uncertain),
        (t("Received"), channel.received),
    ]
    return visit.render(
        "channels/one.html",
        status,
        channel=channel,
        tone=TONES[channel.state],
        remedy=explain_channel(channel),
        pairs=pairs,
        facts=[(name, _text(value)) for name, value in channel.facts.items()],
        probes=probes,
        steps=[_step(event) for event in reversed(events[-_STEPS:])],
        may_operate=visit.may(Permission.CHANNELS_OPERATE),
        reply=reply,
        expects_reply=expects_reply,
        default_text=DEFAULT_TEXT,
    )


async def _pause(visit: Visit, pause: Pause, said: str) -> web.StreamResponse:
    name, product = _find(visit).name, visit.product
    await product.store.write(lambda tx: pause_channel(tx, product.clock, name, pause, by=visit.actor))
    product.channels.obey(name, pause)
    return visit.go(f"/channels/{name}", said)


async def pause(visit: Visit) -> web.StreamResponse:
    """Let it take nothing new."""
    return await _pause(visit, PAUSE, visit.t("The channel is paused."))


async def drain(visit: Visit) -> web.StreamResponse:
    """Finish what is on the wire, then stay paused."""
    return await _pause(visit, DRAIN, visit.t("The channel finishes what is on the wire, then stays paused."))


async def resume(visit: Visit) -> web.StreamResponse:
    """Undo pause or drain."""
    return await _pause(visit, RESUME, visit.t("The channel takes messages again."))


async def reset(visit: Visit) -> web.StreamResponse:
    """Close the wire and start it anew."""
    name = _find(visit).name
    await visit.product.channels.reset(name, by=visit.actor)
    return visit.go(f"/channels/{name}", visit.t("The channel is started anew."))


async def send_ussd(visit: Visit) -> web.StreamResponse:
    """Ask the network; the answer is shown with a field for the choice when it is a menu."""
    name = _find(visit).name
    try:
        wanted = msgspec.convert({"code": visit.form.text("code")}, UssdRequest)
    except msgspec.ValidationError:
        visit.form.faults["code"] = visit.t("Write a code such as *100#, or the choice from a menu.")
        return await _show(visit, 422)
    try:
        reply = await visit.product.channels.ussd(name, wanted.code, by=visit.actor)
    except InvalidRequest as error:
        visit.form.blame(error)
        return await _show(visit, 422)
    return await _show(visit, reply=reply.text, expects_reply=reply.expects_reply)


async def run_test(visit: Visit) -> web.StreamResponse:
    """Send one marked message by this channel alone."""
    name, product, t = _find(visit).name, visit.product, visit.t
    try:
        wanted = msgspec.convert(
            {"to": [visit.form.text("to")], "text": visit.form.text("text") or DEFAULT_TEXT},
            ChannelTestRequest,
        )
    except msgspec.ValidationError:
        visit.form.faults["to"] = t("give a number with its country, such as +8613800138000")
        return await _show(visit, 422)
    await visit.audit("channel.tested", name, {"n_messages": 1})
    tester = ChannelTester(product.store, product.clock, product.intake)
    try:
        done = await tester.run(name, wanted.to, wanted.text, wait_s=_TEST_WAIT_S, key=None)
    except InvalidRequest as error:
        visit.form.blame(error)
        return await _show(visit, 422)
    one = done.messages[0]
    said = t("Test message {id}: {status}. {error}", id=one.id, status=t(one.status), error=one.error or "")
    return visit.go(f"/channels/{name}", said, failed=one.status in {"failed", "undelivered", "expired"})


async def switch_trace(visit: Visit) -> web.StreamResponse:
    """Write down what is said to a modem, or stop that."""
    name, on = _find(visit).name, visit.form.flag("on")
    await visit.audit("channel.traced", name, {"on": on})
    trace = visit.product.channels.switch_trace(name, on=on)
    t = visit.t
    said = t("The trace is written to {file}.", file=trace.file or "") if trace.on else t("The trace is off.")
    return visit.go(f"/channels/{name}", said)


def _find(visit: Visit) -> ChannelSnapshot:
    found = visit.product.channels.snapshot(visit.request.match_info["name"])
    if found is None:
        raise NotFound(visit.t("There is no channel of this name."))
    return found


def _why(t: Translator, channel: ChannelSnapshot) -> Cell:
    remedy = explain_channel(channel)
    return None if remedy is None else Lines((t(remedy.why), t(remedy.todo)))


def _fact(channel: ChannelSnapshot, *names: str) -> Cell:
    return next((_text(value) for name in names if (value := channel.facts.get(name)) is not None), None)


def _text(value: str | float | bool | None) -> Cell:
    return None if value is None else str(value)


def _budget(channel: ChannelSnapshot) -> Cell:
    accounts = [f"{one.used} / {one.limit} {one.what} ({one.period})" for one in channel.budgets]
    return Lines(tuple(accounts)) if accounts else None


def _step(event: Event) -> Step:
    told = _decode_told(event.data)
    notes = (told.error or "", told.detail or "", told.by or "")
    title = event.type.removeprefix("channel.") + (f" {told.code}" if told.code else "")
    return Step(event.at, title, _TONE_OF_EVENT.get(event.type, ""), notes)


_P = Permission
_DEEDS: Final = {
    "pause": pause,
    "drain": drain,
    "resume": resume,
    "reset": reset,
    "ussd": send_ussd,
    "test": run_test,
    "trace": switch_trace,
}
PAGES: Final = (
    Page(path="/channels", handler=show_channels, permission=_P.CHANNELS_READ, menu="channels"),
    Page(path="/channels/{name}", handler=show_channel, permission=_P.CHANNELS_READ, menu="channels"),
    *make_deeds("/channels/{name}", _DEEDS, permission=_P.CHANNELS_OPERATE, menu="channels"),
)
