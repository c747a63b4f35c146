"""Send one message by hand: seen first as a phone would show it, with what it costs and what rules would say."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from gateway.access.permissions import Permission
from gateway.console.page import Page, Visit
from gateway.console.sending import Unsent, check_text, name_form, send_form, split_links
from gateway.console.words import mark
from gateway.errors import InvalidRequest
from gateway.http.query import convert_query
from gateway.model.message import Category
from gateway.model.request import CheckRequest, PreviewRequest
from gateway.pipeline.intake.check import check_message
from gateway.policy.decision import Outcome
from gateway.policy.links import find_links

_TONES: Final = {Outcome.ALLOW: "good", Outcome.REFUSE: "bad"}
_UNITS: Final = {
    "septet": mark("characters"),
    "utf16": mark("characters (an emoji counts as two or more)"),
    "octet": mark("octets"),
}


async def show_form(visit: Visit) -> web.StreamResponse:
    """The empty form; the address may name the number."""
    return _show(visit, to=visit.query.get("to", ""))


async def preview(visit: Visit) -> web.StreamResponse:
    """What would go out, and what rules would say of it. Nothing is sent."""
    product, fields = visit.product, _read_fields(visit)
    try:
        check_text(fields)
        seen = product.intake.preview(convert_query(fields, PreviewRequest), key=None)
        check = None
        if fields.get("to"):
            wanted = convert_query(fields, CheckRequest)
            check = await check_message(product.store, product.clock, product.intake, wanted, key=None)
    except InvalidRequest as error:
        visit.form.blame(error)
        return _show(visit, 422)
    text = seen.text or ""
    return _show(
        visit,
        seen=seen,
        unit=_UNITS[seen.unit],
        pieces=split_links(text),
        hosts=list(dict.fromkeys(link.host for link in find_links(text))),
        check=check,
        tone=_TONES.get(check.outcome, "warn") if check else "",
    )


async def send(visit: Visit) -> web.StreamResponse:
    """Send it; the same form again leads to the same message."""
    message_id = await send_form(visit, _read_fields(visit), "form")
    if isinstance(message_id, Unsent):
        return _show(visit, message_id.status, once=message_id.once)
    if visit.may(Permission.MESSAGES_READ):
        return visit.go(f"/messages/{message_id}", visit.t("The message is accepted."))
    return visit.go("/send", visit.t("The message is accepted."))


def _read_fields(visit: Visit) -> dict[str, str | int]:
    form = visit.form
    fields: dict[str, str | int] = {"text": form.raw("text")}
    return fields | {name: value for name in ("to", "category", "channel") if (value := form.text(name))}


def _show(visit: Visit, status: int = 200, *, to: str = "", once: str = "", **values: object) -> web.Response:
    t, form = visit.t, visit.form
    on_page = {"to", "text"}
    shown = dict.fromkeys(("seen", "unit", "pieces", "hosts", "check", "tone")) | values
    return visit.render(
        "send.html",
        status,
        to=form.raw("to") or to,
        once=once or name_form(visit),
        fault=" ".join(fault for name, fault in form.faults.items() if name not in on_page),
        categories=[(one.value, t(one.value)) for one in Category],
        channels=[("", t("any")), *((one.name, one.name) for one in visit.product.channels.snapshots())],
        **shown,
    )


_P = Permission
PAGES: Final = (
    Page(path="/send", handler=show_form, permission=_P.MESSAGES_SEND, menu="send"),
    Page(method="POST", path="/send", handler=send, permission=_P.MESSAGES_SEND, menu="send"),
    Page(method="POST", path="/send/preview", handler=preview, permission=_P.MESSAGES_SEND, menu="send"),
)
