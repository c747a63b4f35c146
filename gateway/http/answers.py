"""The memory of answers whose clients do not read them: it counts as that of the bodies on their way to us does."""

from __future__ import annotations

import asyncio

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from gateway.errors import Overloaded
from gateway.http.bodies import BODIES, FREE_OCTETS, HELD, Held
from gateway.http.connections import WRITE_S, Connection


@web.middleware
async def hold_answers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Write a large answer here, so that it counts until its client has it; aiohttp finds it written."""
    response = await handler(request)
    if (
        type(response) is web.Response
        and isinstance(response.body, bytes)
        and len(response.body) > FREE_OCTETS
        and request.method != hdrs.METH_HEAD
    ):
        await _write(request, response, len(response.body))
    return response


async def _write(request: web.Request, response: web.Response, n_octets: int) -> None:
    """Write it all.

    Raises:
        Overloaded: there is no room, and it is safe to ask again.
        ConnectionError: it gave way to another's, half written, or was not read in time.
    """
    request[HELD].release()  # what it answers to is gone
    held = Held(request.app[BODIES], request[HELD].owner)
    try:
        async with asyncio.timeout(WRITE_S) as held.deadline:
            try:
                held.grow(n_octets)
            except Overloaded:
                if request.method == hdrs.METH_GET:
                    raise
                # What was done can't be taken back: whoever did not hear so would do it again.
            await response.prepare(request)
            await response.write_eof()
    except TimeoutError:
        if isinstance(request.protocol, Connection):
            request.protocol.drop()
        raise ConnectionResetError("an answer was not read in time") from None
    finally:
        held.release()
        response.body = None  # aiohttp keeps an answer until the connection's next request, and in circles
