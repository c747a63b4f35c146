"""Alarms: what needs a person now; and alerts that monitoring tools sent, with what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from aiohttp import web

from gateway.access.permissions import Permission
from gateway.console.cells import Badge, Cell, Lines
from gateway.console.listing import Column, Filter, Listing, show_list
from gateway.console.page import Page, Visit
from gateway.console.words import mark
from gateway.model.alarm import Alarm
from gateway.pipeline.alarms import clear_by_id
from gateway.store.alarms import list_alarms
from gateway.store.alerts import Heard, list_heard


async def show_alarms(visit: Visit) -> web.StreamResponse:
    """Open alarms, the newest first."""

    async def load(limit: int, after: str | None) -> Sequence[Alarm]:
        return await visit.product.store.read(partial(list_alarms, limit=limit, before=after))

    listing = Listing[Alarm](
        name="alarms",
        columns=(
            Column("detail", "What is wrong, and what to do", lambda a: a.detail, main=True),
            Column("kind", "Kind", lambda a: Badge(a.kind.value, "bad")),
            Column("subject", "About", lambda a: a.subject),
            Column("raised_at", "Since", lambda a: a.raised_at),
        ),
        load=load,
        key=lambda one: one.id,
        empty="No alarm is open. All is well, as far as the gateway sees.",
    )
    may_clear = visit.may(Permission.ALARMS_MANAGE)
    return await show_list(visit, listing, "alarms/list.html", may_clear=may_clear)


async def clear(visit: Visit) -> web.StreamResponse:
    """A person has seen to it."""
    alarm_id, clock = visit.form.text("id"), visit.product.clock
    await visit.product.store.write(lambda tx: clear_by_id(tx, clock, alarm_id, by=visit.actor))
    return visit.go("/alarms", visit.t("The alarm is closed. If its cause goes on, it is raised anew."))


async def show_alerts(visit: Visit) -> web.StreamResponse:
    """Alerts of monitoring tools, those that began last first."""
    status = visit.query.get("status")
    is_firing = {"firing": True, "resolved": False}.get(status or "")

    async def load(limit: int, after: str | None) -> Sequence[Heard]:
        return await visit.product.store.read(
            partial(list_heard, is_firing=is_firing, before=after, limit=limit)
        )

    listing = Listing[Heard](
        name="alerts",
        columns=(
            Column("name", "Alert", lambda h: Lines((h.name, h.line)), main=True),
            Column("status", "State", _state),
            Column(
                "receiver", "Told to", lambda h: h.receiver or visit.t("nobody: no [[alerts]] table takes it")
            ),
            Column("told_at", "Told", lambda h: h.told_at),
            Column("times", "Heard", lambda h: h.n_heard),
            Column("heard_at", "Heard last", lambda h: h.heard_at),
            Column("source", "From", lambda h: h.source),
        ),
        load=load,
        key=lambda one: one.id,
        filters=(
            Filter("status", "State", "select", (("firing", mark("firing")), ("resolved", mark("resolved")))),
        ),
        empty="No monitoring tool has sent an alert.",
    )
    return await show_list(visit, listing, "alarms/alerts.html")


def _state(heard: Heard) -> Cell:
    return Badge(mark("firing"), "bad") if heard.is_firing else Badge(mark("resolved"), "good")


_P = Permission
PAGES: Final = (
    Page(path="/alarms", handler=show_alarms, permission=_P.ALARMS_READ, menu="alarms"),
    Page(path="/alerts", handler=show_alerts, permission=_P.ALARMS_READ, menu="alarms"),
    Page(method="POST", path="/alarms/clear", handler=clear, permission=_P.ALARMS_MANAGE, menu="alarms"),
)
