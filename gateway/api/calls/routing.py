"""Where a message would go, and whose numbers are."""

from __future__ import annotations

from functools import partial

import msgspec
from aiohttp import web

from gateway.errors import FieldError, InvalidRequest, NotFound
from gateway.http.body import SINGLE_MAX_OCTETS, answer_value, decode_body, read_body
from gateway.http.product import Call
from gateway.http.query import PageQuery, make_page, read_cursor, read_query
from gateway.model.msisdn import InvalidNumber, parse_number
from gateway.model.request import CarrierRequest, RouteRequest
from gateway.pipeline.intake.admission import DEED_OCTETS
from gateway.pipeline.intake.rehearse import rehearse
from gateway.pipeline.operator.carriers import set_carrier, unset_carrier
from gateway.routing.routes.carriers import Known
from gateway.store.routes import find_number_carrier, list_number_carriers
from gateway.views.carriers import CarrierPage, show_number_carrier

_route_request = msgspec.json.Decoder(RouteRequest)
_carrier_request = msgspec.json.Decoder(CarrierRequest)


async def explain_a_route(call: Call) -> web.Response:
    """Why a message would go where, rule by rule, and what it would cost. Nothing is sent or stored.

    The body is that of a message; text and data may be left out. `key` asks for the messages of another API key or
    account. For another time of the day write `schedule_at`.
    """
    context = call.context
    wanted = decode_body(_route_request, await read_body(call.request, SINGLE_MAX_OCTETS))
    standings = context.channels.standings()
    return answer_value(
        await rehearse(context.store, context.clock, context.intake, standings, wanted, key=call.key)
    )


async def get_number_carriers(call: Call) -> web.Response:
    """Single numbers whose carrier was set by hand, or learned from a delivery report; in order."""
    query = read_query(call.request, PageQuery)
    after = read_cursor(query.cursor, ids=False)
    rows = await call.context.store.read(partial(list_number_carriers, limit=query.limit + 1, after=after))
    page, following = make_page(rows, query.limit, lambda row: row.number)
    return answer_value(CarrierPage(items=[show_number_carrier(row) for row in page], next=following))


async def get_number_carrier(call: Call) -> web.Response:
    """Whose a number is, and how that is known: set by hand, from the file of ported numbers, learned, or its range."""
    number = _read_number(call)
    row = await call.context.store.read(lambda tx: find_number_carrier(tx, number))
    known = None if row is None else Known(row.carrier, row.source)
    fact = call.context.intake.router.routes.carriers.fact_of(number, known)
    return answer_value(fact)


async def put_number_carrier(call: Call) -> web.Response:
    """Say whose a number is, such as one that was taken along to another carrier; it goes before its range."""
    number = _read_number(call)
    body = await read_body(call.request, SINGLE_MAX_OCTETS)
    carrier = decode_body(_carrier_request, body).carrier
    context = call.context
    known = context.intake.router.routes.carriers.by_name
    if carrier not in known:
        detail = f"no carrier has this name; known: {', '.join(sorted(known))}"
        raise InvalidRequest(FieldError("/carrier", "unknown_carrier", detail))
    with context.intake.room.hold_octets(DEED_OCTETS + len(body)):
        row = await set_carrier(context.store, context.clock, number, carrier, by=call.actor)
    return answer_value(show_number_carrier(row))


async def delete_number_carrier(call: Call) -> web.Response:
    """Forget what was said or learned of a number: its range tells again."""
    context, number = call.context, _read_number(call)
    with context.intake.room.hold_octets(DEED_OCTETS):
        removed = await unset_carrier(context.store, context.clock, number, by=call.actor)
    if not removed:
        raise NotFound("nothing was said or learned of this number")
    return web.Response(status=204)


def _read_number(call: Call) -> str:
    try:
        return parse_number(call.request.match_info["number"], call.context.region)
    except InvalidNumber as exc:
        raise InvalidRequest(FieldError("number", "invalid_number", str(exc))) from None
