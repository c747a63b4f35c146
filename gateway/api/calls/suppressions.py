"""The suppression (opt-out) list."""

from __future__ import annotations

from functools import partial

import msgspec
from aiohttp import web

from gateway.errors import FieldError, InvalidRequest, NotFound
from gateway.http.body import SINGLE_MAX_OCTETS, answer_value, decode_body, read_body
from gateway.http.product import Call
from gateway.http.query import PageQuery, ScopeQuery, make_page, read_cursor, read_person, read_query
from gateway.model.msisdn import Reading, parse_address, read_number
from gateway.model.opt_out import EVERYTHING, brand_scope, sender_scope
from gateway.pipeline.intake.admission import DEED_OCTETS
from gateway.pipeline.operator.suppress import find_entry, opt_in, opt_out
from gateway.policy.rules.order import opt_out_of
from gateway.store.suppressions import list_suppressions
from gateway.views.suppressions import SuppressionPage, SuppressionRequest

_SOURCE = "api"
_SEPARATOR = "\n"
_request = msgspec.json.Decoder(SuppressionRequest)


async def get_suppressions(call: Call) -> web.Response:
    """Numbers that get no marketing, in order; one may have several entries, each of its own scope."""
    query = read_query(call.request, PageQuery)
    number, _, scope = (read_cursor(query.cursor, ids=False) or "").partition(_SEPARATOR)
    find = partial(list_suppressions, limit=query.limit + 1, after=(number, scope))
    rows = await call.context.store.read(find)
    page, following = make_page(rows, query.limit, lambda one: f"{one.number}{_SEPARATOR}{one.scope}")
    return answer_value(SuppressionPage(items=page, next=following))


async def get_suppression(call: Call) -> web.Response:
    """Whether one number is on the list: 404 when it is not."""
    reading, scope = _read_entry(call), _read_scope(call)
    found = await call.context.store.read(lambda tx: find_entry(tx, reading, scope))
    if found is None:
        raise NotFound("this number is not on the list")
    return answer_value(found)


async def put_suppression(call: Call) -> web.Response:
    """Put a number on the list; 201 when it was not there before. The first entry stays.

    All marketing that waits for the number is `blocked` when this answers. A number that may belong to one of two
    persons is put on the list for both: see the `readings` of the entry.
    """
    reading = read_person(call.request.match_info["number"], call.context.region, "number")
    body = await read_body(call.request, SINGLE_MAX_OCTETS)
    wanted = decode_body(_request, body) if body.strip() else SuppressionRequest()
    context = call.context
    scope = _scope_of(wanted.brand, wanted.sender, context.region) or EVERYTHING
    brands = context.consents.terms.brands
    if wanted.brand is not None and brands and wanted.brand not in brands:
        detail = "no [[brands]] table has this name, so it would stop nothing"
        raise InvalidRequest(FieldError("/brand", "unknown_brand", detail))
    with context.intake.room.hold_octets(DEED_OCTETS + len(body)):
        entry, is_new = await opt_out(
            context.store,
            context.clock,
            reading,
            by=call.actor,
            source=_SOURCE,
            reason=wanted.reason,
            scope=scope,
            rule=opt_out_of(context.intake.settings.chain),
        )
    return answer_value(entry, status=201 if is_new else 200)


async def delete_suppression(call: Call) -> web.Response:
    """Take a number off the list: all of its entries, or the one of a scope."""
    context, reading, scope = call.context, _read_entry(call), _read_scope(call)
    with context.intake.room.hold_octets(DEED_OCTETS):
        removed = await opt_in(
            context.store, context.clock, reading, by=call.actor, source=_SOURCE, scope=scope
        )
    if not removed:
        raise NotFound("this number is not on the list")
    return web.Response(status=204)


def _read_scope(call: Call) -> str | None:
    query = read_query(call.request, ScopeQuery)
    return _scope_of(query.brand, query.sender, call.context.region)


def _scope_of(brand: str | None, sender: str | None, region: str) -> str | None:
    """What an entry stops; None where nothing is said. Raises InvalidRequest."""
    if brand is not None and sender is not None:
        raise InvalidRequest(FieldError("/sender", "two_scopes", "name a brand or a sender, not both"))
    if brand is not None:
        return brand_scope(brand)
    return None if sender is None else sender_scope(parse_address(sender, region))


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
