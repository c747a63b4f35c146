"""The suppression (opt-out) list."""

from __future__ import annotations

from functools import partial

import msgspec
from aiohttp import web

from gateway.api.context import Call
from gateway.api.http.body import SINGLE_MAX_OCTETS, answer_value, decode_body, read_body
from gateway.api.http.query import PageQuery, make_page, read_cursor, read_person, read_query
from gateway.errors import NotFound
from gateway.model.msisdn import Reading, read_number
from gateway.pipeline.intake.admission import DEED_OCTETS
from gateway.pipeline.operator.suppress import find_entry, opt_in, opt_out
from gateway.store.suppressions import list_suppressions
from gateway.views.shapes import SuppressionPage, SuppressionRequest

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
    reading = _read_entry(call)
    found = await call.context.store.read(lambda tx: find_entry(tx, reading))
    if found is None:
        raise NotFound("this number is not on the list")
    return answer_value(found)


async def put_suppression(call: Call) -> web.Response:
    """Put a number on the list; 201 when it was not there before. The first entry stays.

    A number that may belong to one of two persons is put on the list for both: see the `readings` of the entry.
    """
    reading = read_person(call.request.match_info["number"], call.context.region, "number")
    body = await read_body(call.request, SINGLE_MAX_OCTETS)
    reason = decode_body(_request, body).reason if body.strip() else None
    context = call.context
    with context.intake.room.hold_octets(DEED_OCTETS + len(body)):
        entry, is_new = await opt_out(
            context.store, context.clock, reading, by=call.actor, source=_SOURCE, reason=reason
        )
    return answer_value(entry, status=201 if is_new else 200)


async def delete_suppression(call: Call) -> web.Response:
    """Take a number off the list."""
    context, reading = call.context, _read_entry(call)
    with context.intake.room.hold_octets(DEED_OCTETS):
        removed = await opt_in(context.store, context.clock, reading, by=call.actor, source=_SOURCE)
    if not removed:
        raise NotFound("this number is not on the list")
    return web.Response(status=204)


def _read_entry(call: Call) -> Reading:
    """What the path names: a number, or whatever else wrote to us and stands on the list.

    Raises:
        InvalidRequest: nothing on the list can be it.
    """
    text, region = call.request.match_info["number"], call.context.region
    reading = read_number(text, region)
    return reading if reading.people or _is_name(text) else read_person(text, region, "number")


def _is_name(text: str) -> bool:
    return any(char.isalpha() for char in text)
