"""Messages: which there are, what became of each and why it waits; and to take one back or send it again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

import msgspec
from aiohttp import web

from gateway.access.permissions import Permission
from gateway.console.cells import Badge, Cell, Lines, Link
from gateway.console.listing import Column, Filter, Listing, at_utc, cut_text, is_file, show_list
from gateway.console.numbers import show_number
from gateway.console.page import Page, Visit, make_deeds
from gateway.console.story import STATUSES, tell_story
from gateway.console.words import mark
from gateway.errors import Conflict, InvalidRequest, NotFound
from gateway.http.query import MessageQuery, convert_query, filter_of
from gateway.ids import is_id
from gateway.model.lifecycle import CANCELABLE, RESENDABLE
from gateway.model.message import MessageStatus
from gateway.pipeline.operator.recall import cancel_or_recall
from gateway.pipeline.operator.verbs import send_again
from gateway.store.messages import MessageFilter, list_whole
from gateway.store.ports import Tx
from gateway.views.messages import load_list_view, load_message_view
from gateway.views.shapes import MessageOut

_FILTERS: Final = (
    Filter("to", "Number", "search"),
    Filter("status", "State", "select", tuple((status, word) for status, (word, _) in STATUSES.items())),
    Filter("channel", "Channel"),
    Filter("tag", mark("Tag")),
    Filter("reference", mark("Reference")),
    Filter("batch", mark("Batch")),
    Filter("since", mark("Since (UTC)"), "datetime-local"),
    Filter("until", mark("Until (UTC)"), "datetime-local"),
)
_TIMES: Final = {"since", "until"}
_WARNINGS: Final = {
    MessageStatus.UNCERTAIN: mark(
        "Nobody knows whether this message went out. A late receipt settles it by itself. Send it again only if a"
        " second copy does less harm than none."
    )
}


async def show_messages(visit: Visit) -> web.StreamResponse:
    """The newest first, as narrowed by the address."""
    product, fault = visit.product, ""
    wanted: MessageFilter | None = None
    try:
        wanted = _read_filter(visit)
    except InvalidRequest as error:
        fault = error.errors[0].detail
    standings, now = product.channels.standings(), product.clock.now()

    async def load(limit: int, after: str | None) -> Sequence[MessageOut]:
        if wanted is None:
            return []

        async def op(tx: Tx) -> Sequence[MessageOut]:
            return await load_list_view(
                tx, await list_whole(tx, wanted, limit=limit, before=after), standings, now
            )

        return await product.store.read(op)

    listing = Listing[MessageOut](
        name="messages",
        columns=(
            Column(
                "to", "Number", lambda m: Link(show_number(visit, m.to), f"/console/messages/{m.id}"), True
            ),
            Column("status", "State", lambda m: Badge(*STATUSES[m.status])),
            Column("text", "Text", lambda m: cut_text(visit, m.data if m.text is None else m.text)),
            Column("channel", "Channel", lambda m: m.channel),
            Column("segments", "Segments", lambda m: len(m.segments)),
            Column("why", "Why", _why),
            Column("created_at", "Accepted", lambda m: m.created_at),
            Column("reference", "Reference", lambda m: m.reference),
            *([Column[MessageOut]("id", "Id", lambda m: m.id)] if is_file(visit) else []),
        ),
        load=load,
        key=lambda one: one.id,
        filters=_FILTERS,
        empty=mark("No message was sent yet."),
    )
    return await show_list(visit, listing, "messages/list.html", fault=fault)


async def show_one(visit: Visit) -> web.StreamResponse:
    """One: its story, why it waits, what rules said, its segments and its cost."""
    message_id, product, t = _read_id(visit), visit.product, visit.t
    standings, now = product.channels.standings(), product.clock.now()
    message = await product.store.read(lambda tx: load_message_view(tx, message_id, standings, now))
    if message is None:
        raise NotFound(t("There is no such message."))
    may_manage = visit.may(Permission.MESSAGES_MANAGE)
    cancelable = message.status in CANCELABLE or message.status is MessageStatus.SENT
    resendable = message.status in RESENDABLE and (message.text is not None or message.data is not None)
    return visit.render(
        "messages/one.html",
        message=message,
        number=show_number(visit, message.to),
        talk=f"/console/conversations/{quote(message.to, safe='')}" if _may_talk(visit, message) else "",
        state=Badge(*STATUSES[message.status]),
        warning=_WARNINGS.get(message.status, ""),
        pairs=_pairs(visit, message),
        waits=message.waiting_for or [],
        segments=[(Badge(*STATUSES[one.status]), one) for one in message.segments],
        steps=tell_story(t, message.events or [])[::-1],
        may_cancel=may_manage and cancelable,
        may_resend=may_manage and resendable,
    )


async def cancel(visit: Visit) -> web.StreamResponse:
    """Take it back; what the network has already is asked back from it."""
    message_id, product = _read_id(visit), visit.product
    path = f"/messages/{message_id}"
    try:
        await cancel_or_recall(
            product.store,
            product.clock,
            message_id,
            by=visit.actor,
            take_back=product.channels.take_back,
        )
    except Conflict as error:
        return visit.go(path, visit.t("Not canceled: {why}", why=error), failed=True)
    return visit.go(path, visit.t("The message is canceled."))


async def resend(visit: Visit) -> web.StreamResponse:
    """Send again what did not arrive, or what nobody knows of."""
    message_id, product = _read_id(visit), visit.product
    clock, by, valid_for = product.clock, visit.actor, product.intake.valid_for
    path = f"/messages/{message_id}"
    try:
        await product.store.write(lambda tx: send_again(tx, clock, message_id, by=by, valid_for=valid_for))
    except Conflict as error:
        return visit.go(path, visit.t("Not sent again: {why}", why=error), failed=True)
    return visit.go(path, visit.t("The message is sent again."))


def _may_talk(visit: Visit, message: MessageOut) -> bool:
    return visit.may(Permission.INBOUND_READ) and show_number(visit, message.to) == message.to


def _read_filter(visit: Visit) -> MessageFilter:
    """What the address narrows the list to. Raises InvalidRequest."""
    values = {one.name: text for one in _FILTERS if (text := visit.query.get(one.name, "").strip())}
    for name in _TIMES & values.keys():
        values[name] = at_utc(values[name])
    return filter_of(convert_query(values, MessageQuery), visit.product.region)


def _read_id(visit: Visit) -> str:
    message_id = visit.request.match_info["id"]
    if not is_id(message_id):
        raise NotFound(visit.t("There is no such message."))
    return message_id


def _why(message: MessageOut) -> Cell:
    if message.waiting_for:
        return Lines((message.waiting_for[0].detail,))
    return message.error.detail if message.error else None


def _pairs(visit: Visit, message: MessageOut) -> list[tuple[str, Cell]]:
    t = visit.t
    batch = message.batch_id
    pairs: list[tuple[str, Cell]] = [
        (t("Channel"), message.channel),
        (t("Group"), message.sender),
        (t("Category"), t(message.category)),
        (t("Brand"), message.brand),
        (t("Encoding"), message.encoding),
        (t("Priority"), message.priority),
        (t("Accepted"), message.created_at),
        (t("Scheduled for"), message.schedule_at),
        (t("Sent"), message.sent_at),
        (t("Delivered"), message.delivered_at),
        (t("Given up at"), message.expires_at),
        (t("Reference"), message.reference),
        (t("Batch"), None if batch is None else Link(batch, f"/console/messages?batch={batch}")),
        (t("Tags"), ", ".join(message.tags) or None),
        (t("Error"), f"{message.error.code}: {message.error.detail}" if message.error else None),
        *_costs(visit, message),
    ]
    return [(name, cell) for name, cell in pairs if cell is not None]


def _costs(visit: Visit, message: MessageOut) -> list[tuple[str, Cell]]:
    if message.cost is msgspec.UNSET:
        return []
    t, lines = visit.t, []
    for one in (message.cost, *(message.cost.further or ())):
        lines.append(f"{one.amount} {one.currency}")
        if one.uncertain_segments:
            more = t("and {amount} if what is uncertain went out", amount=one.uncertain_amount)
            lines.append(more)
    return [(t("Cost"), Lines(tuple(lines)))]


_P = Permission
PAGES: Final = (
    Page(path="/messages", handler=show_messages, permission=_P.MESSAGES_READ, menu="messages"),
    Page(path="/messages/{id}", handler=show_one, permission=_P.MESSAGES_READ, menu="messages"),
    *make_deeds(
        "/messages/{id}", {"cancel": cancel, "resend": resend}, permission=_P.MESSAGES_MANAGE, menu="messages"
    ),
)
