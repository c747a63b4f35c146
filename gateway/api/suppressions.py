"""The suppression (opt-out) list."""

from __future__ import annotations

from functools import partial

import msgspec
from aiohttp import web

from gateway.api.body import SINGLE_MAX_OCTETS, answer_value, decode_body, read_body
from gateway.api.context import Call
from gateway.api.query import PageQuery, make_page, read_cursor, read_number, read_query
from gateway.api.schema import SuppressionPage, SuppressionRequest
from gateway.errors import NotFound
from gateway.pipeline.verbs import opt_in, opt_out
from gateway.store.suppressions import find_suppression, list_suppressions

_SOURCE = "api"
_request = msgspec.json.Decoder(SuppressionRequest)


async def get_suppressions(call: Call) -> web.Response:
    """Numbers that get no marketing, in order."""
    query = read_query(call.request, PageQuery)
    after = read_cursor(query.cursor, ids=False)
    rows = await call.context.store.read(partial(list_suppressions, limit=query.limit + 1, after=after))
    page, following = make_page(rows, query.limit, lambda suppression: suppression.number)
    return answer_value(SuppressionPage(items=page, next=following))


async def get_suppression(call: Call) -> web.Response:
    """Whether one number is on the list: 404 when it is not."""
    found = await call.context.store.read(partial(find_suppression, number=_read_number(call)))
    if found is None:
        raise NotFound("this number is not on the list")
    return answer_value(found)


async def put_suppression(call: Call) -> web.Response:
    """Put a number on the list; 201 when it was not there before. The first entry stays."""
    number = _read_number(call)
    body = await read_body(call.request, SINGLE_MAX_OCTETS)
    reason = decode_body(_request, body).reason if body.strip() else None
    context = call.context
    before = await context.store.read(partial(find_suppression, number=number))
    entry = await opt_out(context.store, context.clock, number, source=_SOURCE, reason=reason)
    return answer_value(entry, status=200 if before else 201)


async def delete_suppression(call: Call) -> web.Response:
    """Take a number off the list."""
    if not await opt_in(call.context.store, call.context.clock, _read_number(call), source=_SOURCE):
        raise NotFound("this number is not on the list")
    return web.Response(status=204)


def _read_number(call: Call) -> str:
    return read_number(call.request.match_info["number"], call.context.region, "number")
