"""Who takes the plainest POSTs of a message; see `gateway.api.http.short_way`.

What it refuses, aiohttp takes, from the beginning: so a refusal is worded in one place only.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Mapping
from http import HTTPStatus

import msgspec
from aiohttp import hdrs, web

from gateway.api.accepted import render
from gateway.api.auth import KeyRing
from gateway.api.context import ApiContext
from gateway.api.http.connections import Connection
from gateway.api.http.problem import describe_error, describe_unexpected
from gateway.api.http.short_way import Answers, Door, ShortWay
from gateway.errors import GatewayError, RequestError
from gateway.model.message import Scope
from gateway.model.request import MessageRequest
from gateway.pipeline.intake.drafts import Draft
from gateway.telemetry.metrics import labeled

_PATH = "/v1/messages"
_ACCEPTED = str(HTTPStatus.ACCEPTED.value)
_decode = msgspec.json.Decoder(MessageRequest).decode


class MessageDoor(Door):
    """Takes messages.

    Args:
        keys: the memory of keys that the long way has, too.
        headers: that every answer has.
    """

    def __init__(self, context: ApiContext, keys: KeyRing, headers: Mapping[str, str]) -> None:
        self._context = context
        self._keys = keys
        self._answers = Answers(headers)

    def take(self, connection: ShortWay, authorization: str, body: bytes) -> Awaitable[bytes] | None:
        """See `gateway.api.http.short_way.Door`."""
        key = self._keys.recall(authorization, Scope.SEND)
        if key is None:
            return None
        try:
            draft = self._context.intake.draft(_decode(body), key=key)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, RequestError):
            return None
        if isinstance(connection, Connection):
            connection.known = True
        return self._store(draft)

    async def _store(self, draft: Draft) -> bytes:
        began = time.perf_counter()
        try:
            octets = self._answers.accepted(render(await self._context.intake.store(draft)))
            status = _ACCEPTED
        except GatewayError as error:
            octets, status = self._refuse(describe_error(error))
        except Exception as error:  # noqa: BLE001 - as the supervisor of the API does
            octets, status = self._refuse(describe_unexpected(error, method=hdrs.METH_POST, route=_PATH))
        metrics = self._context.metrics
        labeled(metrics.http_requests, hdrs.METH_POST, _PATH, status).inc()
        labeled(metrics.http_request_seconds, _PATH).observe(time.perf_counter() - began)
        return octets

    def _refuse(self, response: web.Response) -> tuple[bytes, str]:
        return self._answers.render(response), str(response.status)
