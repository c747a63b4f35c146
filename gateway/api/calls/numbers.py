"""Numbers of which networks said that nobody has them."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import msgspec
from aiohttp import web

from gateway.errors import FieldError, InvalidRequest, NotFound
from gateway.http.body import answer_value
from gateway.http.product import Call
from gateway.http.query import PageQuery, make_page, read_cursor, read_query
from gateway.model.msisdn import InvalidNumber, parse_number
from gateway.pipeline.intake.admission import DEED_OCTETS
from gateway.pipeline.operator.numbers import clear_number
from gateway.policy.rules.numbers import DeadNumbers
from gateway.store.numbers import list_dead
from gateway.views.numbers import DeadNumberPage, show_dead_number


class DeadNumberQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of dead numbers.

    Args:
        failures: only those with so many failures at least.
    """

    failures: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1


async def get_dead_numbers(call: Call) -> web.Response:
    """Numbers of which networks said that nobody has them, in order; a message that arrives takes a number out."""
    query = read_query(call.request, DeadNumberQuery)
    after = read_cursor(query.cursor, ids=False)
    context = call.context
    wanted = partial(list_dead, fewest=query.failures, limit=query.limit + 1, after=after)
    page, following = make_page(await context.store.read(wanted), query.limit, lambda row: row.number)
    persons = context.intake.settings.chain.persons
    rule = next((rule for rule in persons if isinstance(rule, DeadNumbers)), None)
    items = [show_dead_number(row, rule) for row in page]
    return answer_value(DeadNumberPage(items=items, next=following))


async def clear_dead_number(call: Call) -> web.Response:
    """Forget that networks said that nobody has a number: messages go to it again at once."""
    context = call.context
    try:
        number = parse_number(call.request.match_info["number"], context.region)
    except InvalidNumber as exc:
        raise InvalidRequest(FieldError("number", "invalid_number", str(exc))) from None
    with context.intake.room.hold_octets(DEED_OCTETS):
        cleared = await clear_number(context.store, context.clock, number, by=call.actor)
    if not cleared:
        raise NotFound("no network said that nobody has this number")
    return web.Response(status=204)
