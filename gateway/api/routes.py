"""Every call of the API in one table: it registers the handlers, and the OpenAPI document is made from it."""

from __future__ import annotations

from functools import partial

import msgspec

from gateway.alerts.door import Told
from gateway.alerts.payload import AlertmanagerPayload, GrafanaPayload
from gateway.api.audit_routes import AUDIT_ROUTES
from gateway.api.calls import (
    alarms,
    alerts,
    batch,
    channels,
    checks,
    costs,
    events,
    inbound,
    kannel,
    messages,
    preview,
    receipts,
    reload,
    routing,
    suppressions,
    system,
)
from gateway.api.consent_routes import CONSENT_ROUTES
from gateway.api.number_routes import NUMBER_ROUTES
from gateway.api.review_routes import REVIEW_ROUTES
from gateway.api.route import EVENT_STREAM, IDEMPOTENCY, JSON, RESUME, Route
from gateway.api.webhook_routes import WEBHOOK_ROUTES
from gateway.http.product import CallHandler
from gateway.http.query import EventQuery, InboundQuery, MessageQuery, PageQuery, ScopeQuery
from gateway.model.alarm import Alarm
from gateway.model.channel_test import ChannelTest, ChannelTestRequest
from gateway.model.message import Scope, Suppression
from gateway.model.request import (
    CarrierRequest,
    CheckRequest,
    FanOutRequest,
    MessageRequest,
    PreviewRequest,
    RouteRequest,
)
from gateway.pipeline.intake.check import MessageCheck
from gateway.policy.text import Preview
from gateway.routing.channel import ChannelSnapshot, TraceReply, UssdReply
from gateway.routing.routes.carriers import CarrierFact
from gateway.routing.routes.explain import RouteExplanation
from gateway.views import carriers, shapes
from gateway.views.reloaded import Reloaded
from gateway.views.suppressions import SuppressionPage, SuppressionRequest

_send = partial(Route, group="messages", scope=Scope.SEND)
_read = partial(Route, method="GET", scope=Scope.READ)
_manage = partial(Route, scope=Scope.MANAGE)
_open = partial(Route, method="GET", group="system", scope=None)
_kannel = partial(
    Route,
    path="/cgi-bin/sendsms",
    group="kannel",
    scope=None,
    query=kannel.SendsmsQuery,
    answers=dict.fromkeys((202, 400, 403, 413, 415, 503), kannel.MEDIA_TYPE),
)


def _operate(verb: str, handler: CallHandler) -> Route:
    return _manage(
        method="POST",
        path=f"/v1/channels/{{name}}/{verb}",
        handler=handler,
        group="channels",
        answers={200: ChannelSnapshot},
        problems=(404,),
        headers=IDEMPOTENCY,
    )


def _alert(tool: str, handler: CallHandler, payload: type[msgspec.Struct]) -> Route:
    return _send(
        method="POST",
        path=f"/v1/alerts/{tool}",
        handler=handler,
        group="alerts",
        bodies=(payload,),
        answers={202: Told},
        problems=(507,),
        headers=IDEMPOTENCY,
        takes_basic=True,
    )


ROUTES: tuple[Route, ...] = (
    _send(
        method="POST",
        path="/v1/messages",
        handler=messages.send_message,
        bodies=(MessageRequest,),
        answers={202: shapes.MessageOut},
        problems=(507,),
        headers=IDEMPOTENCY,
    ),
    _send(
        method="POST",
        path="/v1/messages/batch",
        handler=batch.send_batch,
        bodies=(batch.BatchRequest, FanOutRequest),
        answers={202: shapes.BatchOut},
        problems=(507,),
        headers=IDEMPOTENCY,
    ),
    _send(
        method="POST",
        path="/v1/messages/preview",
        handler=preview.preview_message,
        bodies=(PreviewRequest,),
        answers={200: Preview},
    ),
    _send(
        method="POST",
        path="/v1/messages/check",
        handler=checks.check_a_message,
        bodies=(CheckRequest,),
        answers={200: MessageCheck},
    ),
    _read(
        path="/v1/messages",
        handler=messages.get_messages,
        group="messages",
        query=MessageQuery,
        answers={200: shapes.MessagePage},
    ),
    _read(
        path="/v1/messages/{id}",
        handler=messages.get_message,
        group="messages",
        answers={200: shapes.MessageOut},
        problems=(404,),
    ),
    _send(
        method="POST",
        path="/v1/messages/{id}/cancel",
        handler=messages.cancel,
        answers={200: shapes.MessageOut},
        problems=(404, 409),
        headers=IDEMPOTENCY,
    ),
    _send(
        method="POST",
        path="/v1/messages/{id}/resend",
        handler=messages.resend,
        answers={200: shapes.MessageOut},
        problems=(404, 409),
        headers=IDEMPOTENCY,
    ),
    _read(
        path="/v1/inbound",
        handler=inbound.get_inbound_messages,
        group="inbound",
        query=InboundQuery,
        answers={200: shapes.InboundPage},
    ),
    _read(
        path="/v1/inbound/{id}",
        handler=inbound.get_inbound_message,
        group="inbound",
        answers={200: shapes.InboundOut},
        problems=(404,),
    ),
    _read(
        path="/v1/receipts",
        handler=receipts.get_receipts,
        group="receipts",
        query=receipts.ReceiptQuery,
        answers={200: receipts.ReceiptPage},
    ),
    _read(
        path="/v1/costs",
        handler=costs.get_costs,
        group="costs",
        query=costs.CostQuery,
        answers={200: costs.CostPage},
    ),
    _manage(
        method="POST",
        path="/v1/receipts/{id}/match",
        handler=receipts.match_to_message,
        group="receipts",
        bodies=(receipts.MatchRequest,),
        answers={200: shapes.MessageOut},
        problems=(404, 409),
        headers=IDEMPOTENCY,
    ),
    _read(
        path="/v1/channels",
        handler=channels.get_channels,
        group="channels",
        answers={200: shapes.ChannelPage},
    ),
    _read(
        path="/v1/channels/{name}",
        handler=channels.get_channel,
        group="channels",
        answers={200: ChannelSnapshot},
        problems=(404,),
    ),
    _operate("pause", channels.pause_channel),
    _operate("resume", channels.resume_channel),
    _operate("drain", channels.drain_channel),
    _operate("reset", channels.reset_channel),
    _manage(
        method="POST",
        path="/v1/channels/{name}/ussd",
        handler=channels.send_ussd,
        group="channels",
        bodies=(shapes.UssdRequest,),
        answers={200: UssdReply},
        problems=(404, 409, 501, 502, 504),
        headers=IDEMPOTENCY,
    ),
    _manage(
        method="POST",
        path="/v1/channels/{name}/test",
        handler=channels.run_channel_test,
        group="channels",
        bodies=(ChannelTestRequest,),
        answers={200: ChannelTest},
        problems=(404, 409, 429, 507),
        headers=IDEMPOTENCY,
    ),
    _manage(
        method="POST",
        path="/v1/channels/{name}/trace",
        handler=channels.trace_channel,
        group="channels",
        bodies=(shapes.TraceRequest,),
        answers={200: TraceReply},
        problems=(404, 409, 501),
    ),
    _read(
        path="/v1/alarms",
        handler=alarms.get_alarms,
        group="alarms",
        query=PageQuery,
        answers={200: shapes.AlarmPage},
    ),
    _manage(
        method="POST",
        path="/v1/alarms/{id}/clear",
        handler=alarms.clear_alarm,
        group="alarms",
        answers={200: Alarm},
        problems=(404,),
        headers=IDEMPOTENCY,
    ),
    _read(
        path="/v1/suppressions",
        handler=suppressions.get_suppressions,
        group="suppressions",
        query=PageQuery,
        answers={200: SuppressionPage},
    ),
    _read(
        path="/v1/suppressions/{number}",
        handler=suppressions.get_suppression,
        group="suppressions",
        query=ScopeQuery,
        answers={200: Suppression},
        problems=(404,),
    ),
    _manage(
        method="PUT",
        path="/v1/suppressions/{number}",
        handler=suppressions.put_suppression,
        group="suppressions",
        bodies=(SuppressionRequest,),
        body_required=False,
        answers={200: Suppression, 201: Suppression},
    ),
    _manage(
        method="DELETE",
        path="/v1/suppressions/{number}",
        handler=suppressions.delete_suppression,
        group="suppressions",
        query=ScopeQuery,
        answers={204: None},
        problems=(404,),
    ),
    _alert("alertmanager", alerts.take_from_alertmanager, AlertmanagerPayload),
    _alert("grafana", alerts.take_from_grafana, GrafanaPayload),
    _read(
        path="/v1/alerts",
        handler=alerts.get_alerts,
        group="alerts",
        query=alerts.AlertQuery,
        answers={200: alerts.AlertPage},
    ),
    Route(
        method="POST",
        path="/v1/routes/explain",
        handler=routing.explain_a_route,
        group="routing",
        scope=Scope.READ,
        bodies=(RouteRequest,),
        answers={200: RouteExplanation},
        problems=(409,),
    ),
    _read(
        path="/v1/carriers",
        handler=routing.get_number_carriers,
        group="routing",
        query=PageQuery,
        answers={200: carriers.CarrierPage},
    ),
    _read(
        path="/v1/carriers/{number}",
        handler=routing.get_number_carrier,
        group="routing",
        answers={200: CarrierFact},
    ),
    _manage(
        method="PUT",
        path="/v1/carriers/{number}",
        handler=routing.put_number_carrier,
        group="routing",
        bodies=(CarrierRequest,),
        answers={200: carriers.NumberCarrierOut},
    ),
    _manage(
        method="DELETE",
        path="/v1/carriers/{number}",
        handler=routing.delete_number_carrier,
        group="routing",
        answers={204: None},
        problems=(404,),
    ),
    _read(
        path="/v1/events",
        handler=events.stream_events,
        group="events",
        query=EventQuery,
        answers={200: EVENT_STREAM},
        headers=RESUME,
    ),
    *WEBHOOK_ROUTES,
    *AUDIT_ROUTES,
    *CONSENT_ROUTES,
    *NUMBER_ROUTES,
    *REVIEW_ROUTES,
    _kannel(method="GET", handler=kannel.send_by_kannel),
    _kannel(method="POST", handler=kannel.post_by_kannel),
    Route(
        method="POST",
        path="/v1/reload",
        handler=reload.reload_config,
        group="system",
        scope=Scope.ADMIN,
        answers={200: Reloaded},
        problems=(409,),
        headers=IDEMPOTENCY,
    ),
    _open(path="/livez", handler=system.get_livez, answers={200: shapes.Status}),
    _open(path="/readyz", handler=system.get_readyz, answers={200: shapes.Status}, problems=(503,)),
    _open(path="/metrics", handler=system.get_metrics, answers={200: "text/plain"}),
    _open(path="/openapi.json", handler=system.get_openapi, answers={200: JSON}),
    _open(path="/docs", handler=system.get_docs, answers={200: "text/html"}),
)
