"""The calls on webhooks: a part of the table of `gateway.api.routes`."""

from __future__ import annotations

from functools import partial
from typing import Final

from gateway.api.calls import webhooks
from gateway.api.route import IDEMPOTENCY, Route
from gateway.http.query import PageQuery
from gateway.model.message import Scope
from gateway.views import webhooks as shapes

_read = partial(Route, method="GET", group="webhooks", scope=Scope.READ)
_manage = partial(Route, group="webhooks", scope=Scope.MANAGE)

WEBHOOK_ROUTES: Final[tuple[Route, ...]] = (
    _read(
        path="/v1/webhooks",
        handler=webhooks.get_webhooks,
        query=PageQuery,
        answers={200: shapes.WebhookPage},
    ),
    _manage(
        method="POST",
        path="/v1/webhooks",
        handler=webhooks.create_webhook,
        bodies=(shapes.WebhookRequest,),
        answers={201: shapes.WebhookOut},
        problems=(409,),
        headers=IDEMPOTENCY,
    ),
    _read(
        path="/v1/webhooks/{id}",
        handler=webhooks.get_webhook,
        answers={200: shapes.WebhookOut},
        problems=(404,),
    ),
    _manage(
        method="PATCH",
        path="/v1/webhooks/{id}",
        handler=webhooks.change_webhook,
        bodies=(shapes.WebhookChange,),
        answers={200: shapes.WebhookOut},
        problems=(404, 409),
        headers=IDEMPOTENCY,
    ),
    _manage(
        method="DELETE",
        path="/v1/webhooks/{id}",
        handler=webhooks.delete_webhook,
        answers={204: None},
        problems=(404,),
    ),
    _manage(
        method="POST",
        path="/v1/webhooks/{id}/secret",
        handler=webhooks.rotate_secret,
        bodies=(shapes.RotateRequest,),
        body_required=False,
        answers={200: shapes.WebhookOut},
        problems=(404,),
        headers=IDEMPOTENCY,
    ),
    _manage(
        method="POST",
        path="/v1/webhooks/{id}/test",
        handler=webhooks.test_webhook,
        answers={200: shapes.TrialOut},
        problems=(404, 409),
        headers=IDEMPOTENCY,
    ),
    _read(
        path="/v1/webhooks/{id}/deliveries",
        handler=webhooks.get_deliveries,
        query=webhooks.DeliveryQuery,
        answers={200: shapes.DeliveryPage},
        problems=(404,),
    ),
    _manage(
        method="POST",
        path="/v1/webhooks/{id}/deliveries/{delivery}/retry",
        handler=webhooks.retry_delivery,
        query=webhooks.KeyQuery,
        answers={200: shapes.DeliveryOut},
        problems=(404, 409),
        headers=IDEMPOTENCY,
    ),
)
