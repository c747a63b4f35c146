"""Alarms of monitoring tools: their webhooks as they are, and what became of the alarms."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Literal

import msgspec
from aiohttp import web

from gateway.alerts.payload import MOST_ALERTS, AlertmanagerPayload, GrafanaPayload, Report, read_report
from gateway.api.accepted import answer_done, read_idempotency
from gateway.clock import parse_instant
from gateway.http.body import answer_value, check_size, decode_body, read_body
from gateway.http.product import Call
from gateway.http.query import Instant, PageQuery, Word, make_page, read_cursor, read_query
from gateway.pipeline.intake.accept import once_of
from gateway.store.alerts import Heard, list_heard

MAX_OCTETS = 8 << 20
MOST_VALUES = 60 * MOST_ALERTS
"""In all of a report: more than alarms have that people can read."""

_alertmanager = msgspec.json.Decoder(AlertmanagerPayload)
_grafana = msgspec.json.Decoder(GrafanaPayload)


class AlertQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which alarms.

    Args:
        receiver: the table `[[alerts]]` that takes them; empty for those that no table takes.
        status: as the tool last said.
        held: those that wait for the text about all that were held back.
    """

    receiver: Word | None = None
    status: Literal["firing", "resolved"] | None = None
    held: Literal["true", "false"] | None = None


class AlertOut(msgspec.Struct, frozen=True, kw_only=True):
    """An alarm, as last heard of.

    Args:
        receiver: the table `[[alerts]]` that takes it; empty when none does.
        source: the tool.
        text: what its text says, or would say.
        starts_at: when it began by the tool's clock.
        heard_at: when the tool last spoke of it.
        times: how often it did since the alarm began.
        told_at: when a text last told of it; null when none did.
        held: it waits for the text about all that were held back.
    """

    id: str
    receiver: str
    source: Literal["alertmanager", "grafana"]
    fingerprint: str
    name: str
    text: str
    status: Literal["firing", "resolved"]
    starts_at: Instant | None
    heard_at: Instant
    times: int
    told_at: Instant | None
    held: bool


class AlertPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some alarms; ``next`` is the cursor for more."""

    items: list[AlertOut]
    next: str | None


async def take_from_alertmanager(call: Call) -> web.Response:
    """Take alarms of Prometheus' Alertmanager, as its `webhook_configs` send them.

    Who gets them is said by the tables `[[alerts]]` of the config. Once 202 is sent the texts are on disk. An alarm
    that was told is not told again when the tool repeats it. The key may also come as the password of basic
    authentication.
    """
    body = await _read(call)
    payload = decode_body(_alertmanager, body)
    return await _take(call, body, await asyncio.to_thread(read_report, "alertmanager", payload))


async def take_from_grafana(call: Call) -> web.Response:
    """Take alarms of Grafana, as a contact point of the type webhook sends them.

    As `/v1/alerts/alertmanager` does.
    """
    body = await _read(call)
    payload = decode_body(_grafana, body)
    return await _take(call, body, await asyncio.to_thread(read_report, "grafana", payload))


async def get_alerts(call: Call) -> web.Response:
    """Alarms that monitoring tools sent, those that began last first; kept for 30 days after the tool last spoke."""
    query = read_query(call.request, AlertQuery)
    op = partial(
        list_heard,
        receiver=query.receiver,
        is_firing=None if query.status is None else query.status == "firing",
        held=None if query.held is None else query.held == "true",
        before=read_cursor(query.cursor),
        limit=query.limit + 1,
    )
    page, following = make_page(await call.context.store.read(op), query.limit, lambda heard: heard.id)
    return answer_value(AlertPage(items=[_show(heard) for heard in page], next=following))


async def _read(call: Call) -> bytes:
    body = await read_body(call.request, MAX_OCTETS)
    await check_size(body, MOST_VALUES)
    return body


async def _take(call: Call, body: bytes, report: Report) -> web.Response:
    idempotency = read_idempotency(call.request, body)
    once = None if idempotency is None else once_of(call.key, idempotency)
    return answer_done(await call.context.alerts.accept(report, key=call.key, once=once), status=202)


def _show(heard: Heard) -> AlertOut:
    return AlertOut(
        id=heard.id,
        receiver=heard.receiver,
        source="grafana" if heard.source == "grafana" else "alertmanager",
        fingerprint=heard.fingerprint,
        name=heard.name,
        text=heard.line,
        status="firing" if heard.is_firing else "resolved",
        starts_at=parse_instant(heard.starts_ms) if heard.starts_ms else None,
        heard_at=heard.heard_at,
        times=heard.n_heard,
        told_at=heard.told_at,
        held=heard.held,
    )
