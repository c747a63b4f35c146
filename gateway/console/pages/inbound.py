"""What people wrote to us; and the conversation with one number, with an answer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final
from urllib.parse import quote

from aiohttp import web

from gateway.access.permissions import Permission
from gateway.console.cells import Badge, Cell, Code, Link
from gateway.console.listing import Column, Filter, Listing, at_utc, cut_text, load_table, show_list
from gateway.console.numbers import show_number
from gateway.console.page import Page, Visit
from gateway.console.sending import Unsent, name_form, send_form
from gateway.console.story import STATUSES
from gateway.console.words import mark
from gateway.errors import FieldError, InvalidRequest
from gateway.http.query import InboundQuery, convert_query, spell_sought
from gateway.model.message import NEAR_OPT_OUT, InboundMessage, Keyword
from gateway.store.inbound import list_inbound
from gateway.views.conversations import Turn, load_conversation

_LONGEST_NUMBER: Final = 64
_TURNS: Final = 30
"""On a page of a conversation."""
_FILTERS: Final = (
    Filter("from", "From", "search"),
    Filter("to", mark("To")),
    Filter("since", mark("Since (UTC)"), "datetime-local"),
    Filter("flag", mark("Sounds like"), "select", ((NEAR_OPT_OUT, mark("sounds like no")),)),
)
_KEYWORDS: Final = {
    Keyword.OPT_OUT: Badge(mark("opts out"), "warn"),
    Keyword.OPT_IN: Badge(mark("opts in"), "good"),
    Keyword.HELP: Badge(mark("asks for help")),
}


async def show_inbound_list(visit: Visit) -> web.StreamResponse:
    """The newest first, as narrowed by the address."""
    fault, region = "", visit.product.region
    query: InboundQuery | None = None
    try:
        query = _read_query(visit)
    except InvalidRequest as error:
        fault = error.errors[0].detail

    async def load(limit: int, after: str | None) -> Sequence[InboundMessage]:
        if query is None:
            return []
        search = partial(
            list_inbound,
            senders=None if query.sender is None else spell_sought(query.sender, region),
            recipients=None if query.to is None else spell_sought(query.to, region),
            since=query.since,
            flag=query.flag,
            limit=limit,
            before=after,
        )
        return await visit.product.store.read(search)

    def text(one: InboundMessage) -> Cell:
        return cut_text(visit, one.data.hex() if one.text is None and one.data is not None else one.text)

    listing = Listing[InboundMessage](
        name="inbound",
        columns=(
            Column("from", "From", partial(_sender, visit), True),
            Column("text", "Text", text),
            Column("about", "Sounds like", _about),
            Column("to", "To", lambda one: one.recipient),
            Column("channel", "Channel", lambda one: one.channel),
            Column("received_at", "Received", lambda one: one.received_at),
        ),
        load=load,
        key=lambda one: one.id,
        filters=_FILTERS,
        empty=mark("Nobody has written yet."),
    )
    may_suppress = visit.may(Permission.SUPPRESSIONS_MANAGE)
    return await show_list(visit, listing, "inbound/list.html", fault=fault, may_suppress=may_suppress)


async def show_conversation(visit: Visit) -> web.StreamResponse:
    """What went to a number and what came from it, newest first; and the form for an answer."""
    return await _show(visit)


async def answer(visit: Visit) -> web.StreamResponse:
    """Send an answer; the same form again sends nothing."""
    number = _read_number(visit)
    fields: dict[str, str | int] = {"to": number, "text": visit.form.raw("text")}
    if channel := visit.form.text("channel"):
        fields["channel"] = channel
    sent = await send_form(visit, fields, "text")
    if isinstance(sent, Unsent):
        return await _show(visit, sent.status, sent.once)
    return visit.go(f"/conversations/{quote(number, safe='')}", visit.t("The message is accepted."))


async def _show(visit: Visit, status: int = 200, once: str = "") -> web.Response:
    number, product, form = _read_number(visit), visit.product, visit.form
    spellings = spell_sought(number, product.region)

    async def load(limit: int, after: str | None) -> Sequence[Turn]:
        return await product.store.read(
            partial(load_conversation, spellings=spellings, limit=limit, before=after)
        )

    listing = Listing[Turn](name="conversation", columns=(), load=load, key=lambda turn: turn.id)
    table = await load_table(visit, listing, _TURNS)
    turns: list[Turn] = [turn for _, turn in table.rows]
    names = [one.name for one in product.channels.snapshots()]
    came_by = next((turn.channel for turn in turns if turn.status is None and turn.channel in names), "")
    return visit.render(
        "inbound/conversation.html",
        status,
        number=show_number(visit, number),
        address=quote(number, safe=""),
        turns=[(turn, Badge(*STATUSES[turn.status]) if turn.status else None) for turn in turns],
        older=(table.next_href or "").rpartition("?")[2],
        is_first=table.first_href is None,
        channels=[("", visit.t("any")), *((name, name) for name in names)],
        channel=form.text("channel") if "channel" in form else came_by,
        once=once or name_form(visit),
        fault=" ".join(fault for name, fault in form.faults.items() if name != "text"),
        may_answer=visit.may(Permission.INBOUND_ANSWER),
        may_look=visit.may(Permission.MESSAGES_READ),
    )


def _read_query(visit: Visit) -> InboundQuery:
    """What the address narrows the list to. Raises InvalidRequest."""
    values: dict[str, str | int] = {
        one.name: text for one in _FILTERS if (text := visit.query.get(one.name, "").strip())
    }
    if since := values.get("since"):
        values["since"] = at_utc(str(since))
    return convert_query(values, InboundQuery)


def _read_number(visit: Visit) -> str:
    """Whose conversation it is. Raises InvalidRequest."""
    number = visit.request.match_info["number"].strip()
    if len(number) > _LONGEST_NUMBER:
        raise InvalidRequest(FieldError("number", "invalid_number", "this is too long for a number"))
    return number


def _sender(visit: Visit, one: InboundMessage) -> Cell:
    shown = show_number(visit, one.sender)
    # The address of a conversation has the number whole.
    whole = shown == one.sender
    return Link(shown, f"/console/conversations/{quote(one.sender, safe='')}") if whole else Code(shown)


def _about(one: InboundMessage) -> Cell:
    if one.flag == NEAR_OPT_OUT:
        return Badge(mark("sounds like no"), "warn")
    return _KEYWORDS[one.keyword] if one.keyword is not None else None


_P = Permission
_PATH: Final = "/conversations/{number}"
PAGES: Final = (
    Page(path="/inbound", handler=show_inbound_list, permission=_P.INBOUND_READ, menu="inbound"),
    Page(path=_PATH, handler=show_conversation, permission=_P.INBOUND_READ, menu="inbound"),
    Page(method="POST", path=_PATH, handler=answer, permission=_P.INBOUND_ANSWER, menu="inbound"),
)
