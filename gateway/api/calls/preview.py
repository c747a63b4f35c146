"""A look at a message before it is sent."""

from __future__ import annotations

import msgspec
from aiohttp import web

from gateway.http.body import SINGLE_MAX_OCTETS, answer_value, decode_body, read_body
from gateway.http.product import Call
from gateway.model.request import PreviewRequest

_request = msgspec.json.Decoder(PreviewRequest)


async def preview_message(call: Call) -> web.Response:
    """What a message would cost: its encoding, its segments, and what forced UCS-2. Nothing is sent or stored.

    The body is that of a message; `to` may be left out.
    """
    wanted = decode_body(_request, await read_body(call.request, SINGLE_MAX_OCTETS))
    return answer_value(call.context.intake.preview(wanted, key=call.key))
