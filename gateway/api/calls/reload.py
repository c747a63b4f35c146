"""The config file, read anew while the gateway runs."""

from __future__ import annotations

from functools import partial

from aiohttp import web

from gateway.api.accepted import answer_act
from gateway.http.body import read_empty_body
from gateway.http.product import Call


async def reload_config(call: Call) -> web.Response:
    """Read the config file anew and go by it, as SIGHUP does.

    Channels that did not change are not touched. What needs a restart is named in `needs_restart` and does not hold
    yet. A file with faults changes nothing: 422 with `code` `faulty_config`, and each fault in `errors`, with its key
    path as `pointer`. 409 where the gateway was started without a file.
    """
    body = await read_empty_body(call.request)
    return await answer_act(call, body, partial(call.context.reload, call.actor))
