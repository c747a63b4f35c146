"""Alarms that are open, and how a person closes one."""

from __future__ import annotations

from functools import partial

from aiohttp import web

from gateway.api.accepted import answer_deed
from gateway.http.body import answer_value, read_empty_body
from gateway.http.product import Call
from gateway.http.query import PageQuery, make_page, read_cursor, read_query
from gateway.pipeline.alarms import clear_by_id
from gateway.store.alarms import list_alarms
from gateway.views.shapes import AlarmPage


async def get_alarms(call: Call) -> web.Response:
    """Open alarms, the newest first.

    One that is over is not listed any more; the timeline has it as `alarm.raised` and `alarm.cleared`.
    """
    query = read_query(call.request, PageQuery)
    before = read_cursor(query.cursor)
    rows = await call.context.store.read(partial(list_alarms, limit=query.limit + 1, before=before))
    page, following = make_page(rows, query.limit, lambda alarm: alarm.id)
    return answer_value(AlarmPage(items=page, next=following))


async def clear_alarm(call: Call) -> web.Response:
    """Close an alarm that you have seen to; where the cause goes on it is raised anew."""
    body = await read_empty_body(call.request)
    alarm_id, clock, by = call.request.match_info["id"], call.context.clock, call.actor
    return await answer_deed(call, body, lambda tx: clear_by_id(tx, clock, alarm_id, by=by))
