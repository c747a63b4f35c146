"""Webhooks: who is called for what, whether they hear, what they were told; and how what was given up is told again."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import msgspec
from aiohttp import web

from gateway.access.permissions import Permission
from gateway.console.cells import Badge, Cell, Code, Link
from gateway.console.listing import Column, Filter, Listing, show_list
from gateway.console.page import Page, Visit, make_deeds
from gateway.console.words import mark
from gateway.errors import Conflict, InvalidRequest, NotFound
from gateway.ids import is_id
from gateway.model.webhook import EVENT_TYPES, Webhook
from gateway.store.ports import Tx
from gateway.store.webhook_secrets import owner_of_webhook
from gateway.views.webhooks import DeliveryOut, WebhookRequest
from gateway.webhooks.deliveries import show_delivery
from gateway.webhooks.desk import Shown

_AT_ONCE: Final = 100
_MOST_REPLAYED: Final = 1_000
"""By one press of the button."""
_TONES: Final = {"pending": "busy", "dead": "bad", "delivered": "good"}


async def show_webhooks(visit: Visit) -> web.StreamResponse:
    """All, in the order in which they were made; and the form for a new one."""
    return await _show_list(visit)


async def _show_list(visit: Visit, secret: str = "") -> web.StreamResponse:
    rows = await visit.product.store.read(visit.product.webhooks.list_all)

    async def load(limit: int, after: str | None) -> Sequence[Shown]:
        return [row for row in rows if row.webhook.id > (after or "")][:limit]

    listing = Listing[Shown](
        name="webhooks",
        columns=(
            Column("name", "Name", lambda s: Link(s.webhook.name, f"/console/webhooks/{s.webhook.id}"), True),
            Column("state", "State", lambda s: _state(s.webhook)),
            Column("reason", "What is wrong", lambda s: s.webhook.reason),
            Column("pending", "Waiting", lambda s: s.pending),
            Column("failing_since", "Failing since", lambda s: s.webhook.failing_since),
            Column("types", "Events", lambda s: ", ".join(s.webhook.types)),
        ),
        load=load,
        key=lambda one: one.webhook.id,
        empty="Nobody is called for events.",
    )
    may_manage = visit.may(Permission.WEBHOOKS_MANAGE)
    return await show_list(
        visit, listing, "webhooks/list.html", may_manage=may_manage, secret=secret, kinds=EVENT_TYPES
    )


async def add(visit: Visit) -> web.StreamResponse:
    """Make one. Its secret is on the page that answers, and on no other."""
    desk, form = visit.product.webhooks, visit.form
    types = [word for word in form.text("types").replace(",", " ").split() if word] or ["*"]
    try:
        wanted = msgspec.convert(
            {"name": form.text("name"), "url": form.text("url"), "types": types}, WebhookRequest
        )
        fields = msgspec.structs.asdict(wanted)
        del fields["secret"]
        webhook = desk.draft(**fields, reason=None)
        with desk.changing():
            made = await visit.product.store.write(lambda tx: desk.create(tx, webhook, None, visit.actor))
            await desk.changed(webhook.id)
    except InvalidRequest as error:
        form.blame(error)
    except Conflict as error:
        form.faults["name"] = str(error)
    except msgspec.ValidationError as error:
        form.faults["name"] = str(error)
    else:
        return await _show_list(visit, made.secret or "")
    return await _show_list(visit)


async def show_webhook(visit: Visit) -> web.StreamResponse:
    """One, with what it was told of and is owed, the newest first."""
    product, webhook_id = visit.product, _read_id(visit)
    desk = product.webhooks
    shown = await product.store.read(lambda tx: desk.show(tx, webhook_id))
    status = visit.query.get("status")
    status = status if status in _TONES else None

    async def load(limit: int, after: str | None) -> Sequence[DeliveryOut]:
        find = partial(
            desk.list_deliveries,
            owner=owner_of_webhook(webhook_id),
            status=status,
            limit=limit,
            before=after,
        )
        return [show_delivery(row) for row in await product.store.read(find)]

    listing = Listing[DeliveryOut](
        name="deliveries",
        columns=(
            Column("type", "Event", lambda d: d.type, main=True),
            Column("status", "State", lambda d: Badge(d.status, _TONES[d.status])),
            Column("attempts", "Attempts", lambda d: d.attempts),
            Column("fault", "Last answer", lambda d: d.fault),
            Column("about", "About", lambda d: Code(d.about)),
            Column("created_at", "Since", lambda d: d.created_at),
            Column("next_at", "Next attempt", lambda d: d.next_at),
        ),
        load=load,
        key=lambda one: one.id,
        filters=(
            Filter(
                "status",
                "State",
                "select",
                (("pending", mark("pending")), ("dead", mark("dead")), ("delivered", mark("delivered"))),
            ),
        ),
        empty="It was told of nothing yet.",
    )
    return await show_list(
        visit,
        listing,
        "webhooks/one.html",
        shown=shown,
        state=_state(shown.webhook),
        may_manage=visit.may(Permission.WEBHOOKS_MANAGE),
    )


async def _change(visit: Visit, changes: dict[str, Any], said: str) -> web.StreamResponse:
    webhook_id, desk = _read_id(visit), visit.product.webhooks
    with desk.changing():
        await visit.product.store.write(lambda tx: desk.change(tx, webhook_id, changes, visit.actor))
        await desk.changed(webhook_id)
    return visit.go(f"/webhooks/{webhook_id}", said)


async def pause(visit: Visit) -> web.StreamResponse:
    """Call it no more; what it is owed becomes dead letters."""
    return await _change(visit, {"enabled": False}, visit.t("The webhook is not called any more."))


async def resume(visit: Visit) -> web.StreamResponse:
    """Call it again."""
    return await _change(visit, {"enabled": True}, visit.t("The webhook is called again."))


async def remove(visit: Visit) -> web.StreamResponse:
    """Delete it; what it is owed is dropped."""
    webhook_id, desk = _read_id(visit), visit.product.webhooks
    with desk.changing():
        await visit.product.store.write(lambda tx: desk.delete(tx, webhook_id, visit.actor))
        await desk.changed(webhook_id)
    return visit.go("/webhooks", visit.t("The webhook is removed."))


async def test(visit: Visit) -> web.StreamResponse:
    """Call it now, and say what came of it."""
    webhook_id, desk, t = _read_id(visit), visit.product.webhooks, visit.t
    trial = await desk.test(await desk.find(webhook_id), visit.actor)
    path = f"/webhooks/{webhook_id}"
    if trial.fault:
        return visit.go(path, t("It was not heard: {fault}", fault=trial.fault), failed=True)
    return visit.go(path, t("It was heard, with status {status}.", status=trial.status))


async def retry(visit: Visit) -> web.StreamResponse:
    """Tell it of one event again."""
    webhook_id, desk = _read_id(visit), visit.product.webhooks
    owner, delivery_id = owner_of_webhook(webhook_id), visit.form.text("id")
    if not is_id(delivery_id):
        raise NotFound(visit.t("There is no such delivery."))
    await visit.product.store.write(lambda tx: desk.retry(tx, owner, delivery_id, visit.actor))
    desk.wake()
    return visit.go(f"/webhooks/{webhook_id}", visit.t("The event is told again."))


async def replay(visit: Visit) -> web.StreamResponse:
    """Tell it of all that was given up again, up to a bound."""
    webhook_id, desk = _read_id(visit), visit.product.webhooks
    owner, by, n = owner_of_webhook(webhook_id), visit.actor, 0

    async def op(tx: Tx) -> int:
        dead = await desk.list_deliveries(tx, owner, status="dead", limit=_AT_ONCE, before=None)
        for row in dead:
            await desk.retry(tx, owner, show_delivery(row).id, by)
        return len(dead)

    while n < _MOST_REPLAYED and (n_done := await visit.product.store.write(op)):
        n += n_done
    desk.wake()
    said = visit.t("{n} events that were given up are told again.", n=n)
    return visit.go(f"/webhooks/{webhook_id}", said)


def _read_id(visit: Visit) -> str:
    webhook_id = visit.request.match_info["id"]
    if not is_id(webhook_id):
        raise NotFound(visit.t("There is no such webhook."))
    return webhook_id


def _state(webhook: Webhook) -> Cell:
    if not webhook.enabled:
        return Badge(mark("not called"), "bad")
    if webhook.failing_since is not None:
        return Badge(mark("not heard"), "warn")
    return Badge(mark("heard"), "good")


_P = Permission
_DEEDS: Final = {
    "pause": pause,
    "resume": resume,
    "remove": remove,
    "test": test,
    "retry": retry,
    "replay": replay,
}
PAGES: Final = (
    Page(path="/webhooks", handler=show_webhooks, permission=_P.WEBHOOKS_READ, menu="webhooks"),
    Page(method="POST", path="/webhooks", handler=add, permission=_P.WEBHOOKS_MANAGE, menu="webhooks"),
    Page(path="/webhooks/{id}", handler=show_webhook, permission=_P.WEBHOOKS_READ, menu="webhooks"),
    *make_deeds("/webhooks/{id}", _DEEDS, permission=_P.WEBHOOKS_MANAGE, menu="webhooks"),
)
