"""Channels: their state, and what an operator may do to one."""

from __future__ import annotations

from functools import partial

import msgspec
from aiohttp import web

from gateway.api.accepted import REPLAYED, answer_act, answer_deed
from gateway.errors import NotFound
from gateway.http.body import SINGLE_MAX_OCTETS, answer_value, decode_body, read_body, read_empty_body
from gateway.http.product import Call
from gateway.model.channel_test import ChannelTest, ChannelTestRequest
from gateway.pipeline.channel_tests import ChannelTester
from gateway.pipeline.operator.verbs import pause_channel as keep_pause
from gateway.routing.channel import DRAIN, PAUSE, RESUME, ChannelSnapshot, Pause
from gateway.store.ports import Tx
from gateway.store.probes import load_probes
from gateway.views.shapes import ChannelPage, TraceRequest, UssdRequest

_ussd = msgspec.json.Decoder(UssdRequest)
_test = msgspec.json.Decoder(ChannelTestRequest)
_trace = msgspec.json.Decoder(TraceRequest)


async def get_channels(call: Call) -> web.Response:
    """All channels."""
    return answer_value(ChannelPage(items=call.context.channels.snapshots()))


async def get_channel(call: Call) -> web.Response:
    """One channel, with what came of its last probes."""
    found = _find(call)
    probes = await call.context.store.read(lambda tx: load_probes(tx, found.name))
    return answer_value(msgspec.structs.replace(found, probes=tuple(probes)))


async def pause_channel(call: Call) -> web.Response:
    """Let the channel take nothing new; receipts and inbound go on. Kept over restarts."""
    return await _pause(call, PAUSE)


async def resume_channel(call: Call) -> web.Response:
    """Undo pause or drain."""
    return await _pause(call, RESUME)


async def drain_channel(call: Call) -> web.Response:
    """Finish what is on the wire, then stay paused."""
    return await _pause(call, DRAIN)


async def reset_channel(call: Call) -> web.Response:
    """Close the wire and start the channel anew, also after a fault that stopped it."""
    body = await read_empty_body(call.request)
    return await answer_act(call, body, partial(call.context.channels.reset, _find(call).name, by=call.actor))


async def send_ussd(call: Call) -> web.Response:
    """Ask the network of a SIM by a USSD code, such as `*100#`.

    When the answer expects a reply it is a menu: send the choice as the next code, within a minute. 501 for
    channels without a SIM, 409 while the channel is down, 504 when the network does not answer.
    """
    name = _find(call).name
    body = await read_body(call.request, SINGLE_MAX_OCTETS)
    wanted = decode_body(_ussd, body)
    return await answer_act(call, body, partial(call.context.channels.ussd, name, wanted.code, by=call.actor))


async def run_channel_test(call: Call) -> web.Response:
    """Send marked messages by this channel alone, and tell how long each step took.

    The answer comes when all have ended, or after `wait` seconds. The messages have the tag `channel-test`. They obey
    limits and quotas; a number that opted out is refused. A message that has not gone is dropped after a minute.
    """
    name, context = _find(call).name, call.context
    body = await read_body(call.request, SINGLE_MAX_OCTETS)
    wanted = decode_body(_test, body)
    tester = ChannelTester(context.store, context.clock, context.intake)
    run = partial(tester.run, name, wanted.to, wanted.text, wait_s=wanted.wait, key=call.key)

    async def act() -> ChannelTest:
        await call.audit("channel.tested", name, {"n_messages": len(wanted.to)})
        return await run()

    return await answer_act(call, body, act)


async def trace_channel(call: Call) -> web.Response:
    """Write down all that is said to a modem, or stop that.

    The file lies on the gateway's machine and holds one line for each line on the wire, numbers and texts masked.
    It ends by itself at 50 MB; switched on after it was off, it begins anew. 501 for channels without AT commands.
    """
    name = _find(call).name
    wanted = decode_body(_trace, await read_body(call.request, SINGLE_MAX_OCTETS))
    await call.audit("channel.traced", name, {"on": wanted.on})
    return answer_value(call.context.channels.switch_trace(name, on=wanted.on))


async def _pause(call: Call, pause: Pause) -> web.Response:
    body = await read_empty_body(call.request)
    channels, clock, name = call.context.channels, call.context.clock, _find(call).name
    looks, by = channels.looks(name, pause), call.actor

    async def deed(tx: Tx) -> ChannelSnapshot:
        await keep_pause(tx, clock, name, pause, by=by)
        return looks

    response = await answer_deed(call, body, deed)
    if REPLAYED not in response.headers:
        channels.obey(name, pause)
    return response


def _find(call: Call) -> ChannelSnapshot:
    snapshot = call.context.channels.snapshot(call.request.match_info["name"])
    if snapshot is None:
        raise NotFound("there is no channel of this name; GET /v1/channels lists them")
    return snapshot
