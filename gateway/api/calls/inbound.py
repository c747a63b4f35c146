"""Mobile-originated messages, to look at."""

from __future__ import annotations

from functools import partial

from aiohttp import web

from gateway.api.calls.messages import read_id
from gateway.errors import NotFound
from gateway.http.body import answer_value
from gateway.http.product import Call
from gateway.http.query import InboundQuery, make_page, read_cursor, read_query, spell_sought
from gateway.store.inbound import find_inbound, list_inbound
from gateway.views.shapes import InboundPage, show_inbound


async def get_inbound_messages(call: Call) -> web.Response:
    """Inbound messages, newest first."""
    query = read_query(call.request, InboundQuery)
    region = call.context.region
    search = partial(
        list_inbound,
        senders=None if query.sender is None else spell_sought(query.sender, region),
        recipients=None if query.to is None else spell_sought(query.to, region),
        since=query.since,
        flag=query.flag,
        limit=query.limit + 1,
        before=read_cursor(query.cursor),
    )
    rows = await call.context.store.read(search)
    page, following = make_page(rows, query.limit, lambda inbound: inbound.id)
    return answer_value(InboundPage(items=[show_inbound(row) for row in page], next=following))


async def get_inbound_message(call: Call) -> web.Response:
    """One inbound message."""
    inbound = await call.context.store.read(partial(find_inbound, inbound_id=read_id(call)))
    if inbound is None:
        raise NotFound("there is no inbound message with this id")
    return answer_value(show_inbound(inbound))
