"""The application: the table of routes on aiohttp, with keys, problems and figures around every handler."""

from __future__ import annotations

import asyncio
import logging
import time

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler, Middleware

from gateway.api.auth import KeyRing
from gateway.api.calls.events import HEARTBEAT_S, STREAMS, Streams
from gateway.api.calls.system import BACKLOG, DOCUMENT, HEALTH, PAGE, SCRAPING, StoreHealth, watch
from gateway.api.docs import render_page
from gateway.api.openapi import make_document
from gateway.api.route import Route
from gateway.api.routes import ROUTES
from gateway.http.answers import hold_answers
from gateway.http.bodies import BODIES, HELD, Bodies, Held
from gateway.http.body import BATCH_MAX_OCTETS, defer_continue, encode
from gateway.http.connections import GUARD, Connection, Guard, Limits, Runner
from gateway.http.problem import supervise
from gateway.http.product import Call, Product
from gateway.http.query import NoQuery, read_query
from gateway.telemetry.metrics import Metrics, labeled

KEEPALIVE_S = 75.0
"""Longer than the pause between two requests of common clients and proxies (60 s)."""


MAX_LINE_OCTETS = 65_536
"""Of a request's first line: Kannel's clients put long texts and many receivers into it."""
MAX_HEADERS = 50
"""Of 8 KiB at most: what a stranger can have us keep for one request."""
READ_OCTETS = 64 << 10
"""Of a body that nobody has asked for yet."""
LINGER_S = 2.0
"""For a client that still sends when it has been answered: it would not see the answer otherwise."""


def build_app(
    context: Product, *, heartbeat_s: float = HEARTBEAT_S, limits: Limits | None = None
) -> web.Application:
    """The whole API, ready to be served; no request is taken yet.

    Args:
        context: what the handlers stand on; owned by the caller, who closes it after the application.
        heartbeat_s: how often an idle event stream shows that it lives.
        limits: of connections; None for the usual ones.
    """
    app = web.Application(
        middlewares=[_count_requests(context.metrics), _hold_bodies, supervise, hold_answers],
        client_max_size=BATCH_MAX_OCTETS,  # Handlers that read bodies have tighter limits of their own.
    )
    keys = KeyRing(context.store, context.clock)
    limits = limits or Limits()
    streams = Streams(keys, heartbeat_s, most_of_key=limits.streams_of_key)
    document = make_document(ROUTES)
    app[STREAMS] = streams
    app[DOCUMENT] = encode(document)
    app[PAGE] = render_page(document)
    app[BACKLOG] = []
    app[BODIES] = Bodies()
    app[SCRAPING] = asyncio.Lock()
    app[HEALTH] = StoreHealth(context.store, context.clock)
    app[GUARD] = Guard(limits)
    app.cleanup_ctx.append(app[GUARD].watched)
    app.on_response_prepare.append(_add_headers)
    watch(context, app[BACKLOG])
    for route in ROUTES:
        _register(app, route, context, keys)

    async def end_streams(_app: web.Application) -> None:
        streams.close()

    app.on_shutdown.append(end_streams)
    return app


def adopt_limits(app: web.Application, limits: Limits) -> None:
    """Go by other limits of connections from now on; those that are open stay."""
    app[GUARD].limits = limits
    app[STREAMS].most_of_key = limits.streams_of_key


_PEERS_DOING = (HttpProcessingError, ConnectionError, web.RequestPayloadError)


class _OursOnly(logging.Filter):
    """Drops what aiohttp logs as an error when a client sent octets that are no HTTP (it would quote them) or left."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], _PEERS_DOING))


_log = logging.getLogger("gateway.http")
_log.addFilter(_OursOnly())


def make_runner(app: web.Application, *, shutdown_timeout_s: float = 10.0) -> web.AppRunner:
    """What serves ``app``: connections kept open, and no access log (paths and queries hold numbers)."""
    return Runner(
        app,
        logger=_log,
        access_log=None,
        keepalive_timeout=KEEPALIVE_S,
        max_line_size=MAX_LINE_OCTETS,
        max_headers=MAX_HEADERS,
        read_bufsize=READ_OCTETS,
        lingering_time=LINGER_S,
        auto_decompress=False,  # It would be done for strangers, and on the loop: see `gateway.http.inflate`.
        shutdown_timeout=shutdown_timeout_s,
    )


def _register(app: web.Application, route: Route, context: Product, keys: KeyRing) -> None:
    handler = _endpoint(route, context, keys)
    resource = app.router.add_resource(route.path)
    resource.add_route(route.method, handler, expect_handler=defer_continue)
    if route.method == hdrs.METH_GET and not route.streams:
        resource.add_route(hdrs.METH_HEAD, handler)


def _endpoint(route: Route, context: Product, keys: KeyRing) -> Handler:
    """The aiohttp handler of one route: the key first, so that strangers cost us no reading."""
    serve, scope = route.handler, route.scope
    if scope is None:

        async def serve_anyone(request: web.Request) -> web.StreamResponse:
            return await serve(Call(request, context))

        return serve_anyone
    checks_query = route.query is NoQuery

    async def serve_key(request: web.Request) -> web.StreamResponse:
        key = await keys.authorize(request, scope, basic=route.takes_basic)
        context.intake.limits.take_request(key)
        request[HELD].owner = key.id
        if isinstance(request.protocol, Connection):
            request.protocol.known = True
        if checks_query and request.query_string:
            read_query(request, NoQuery)
        answer = await serve(Call(request, context, key))
        if context.masking.hides_from(key):
            context.masking.mask_answer(answer)
        return answer

    return serve_key


@web.middleware
async def _hold_bodies(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The memory of a body counts until its request has been answered."""
    held = request[HELD] = Held(request.app[BODIES], f"address:{request.remote}")
    try:
        return await handler(request)
    finally:
        held.release()


_HEADERS = {
    "Server": "hongyan",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_DEFAULTS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}
"""Where a handler says nothing else."""


async def _add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """Answers say no versions, are what they are called, stay out of frames, and what they hold stays out of caches."""
    response.headers.update(_HEADERS)
    for name, value in _DEFAULTS.items():
        response.headers.setdefault(name, value)


def _count_requests(metrics: Metrics) -> Middleware:
    """The outermost middleware: how many, how fast, with what status."""

    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = time.perf_counter()
        if isinstance(connection := request.protocol, Connection):
            connection.begin()
        try:
            response = await handler(request)
        finally:
            if isinstance(connection, Connection):
                connection.end()
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else "unmatched"
        method = request.method if request.method in hdrs.METH_ALL else "other"
        labeled(metrics.http_requests, method, route, str(response.status)).inc()
        if type(response) is web.Response:  # An event stream's time tells nothing.
            labeled(metrics.http_request_seconds, route).observe(time.perf_counter() - started)
        return response

    return count
