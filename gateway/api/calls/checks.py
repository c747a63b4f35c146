"""What rules would say of a message."""

from __future__ import annotations

import msgspec
from aiohttp import web

from gateway.http.body import SINGLE_MAX_OCTETS, answer_value, decode_body, read_body
from gateway.http.product import Call
from gateway.model.request import CheckRequest
from gateway.pipeline.intake.check import check_message

_request = msgspec.json.Decoder(CheckRequest)


async def check_a_message(call: Call) -> web.Response:
    """What would become of a message, rule by rule. Nothing is sent or stored.

    The body is that of a message. `key` asks for the messages of another API key or account. For another time of the
    day write `schedule_at`.
    """
    context = call.context
    wanted = decode_body(_request, await read_body(call.request, SINGLE_MAX_OCTETS))
    return answer_value(
        await check_message(context.store, context.clock, context.intake, wanted, key=call.key)
    )
