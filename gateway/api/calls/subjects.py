"""What a person may ask of their data."""

from __future__ import annotations

from aiohttp import web

from gateway.consents.subjects import erase_subject, export_subject
from gateway.http.body import answer_value
from gateway.http.product import Call
from gateway.http.query import read_person
from gateway.model.msisdn import Reading
from gateway.pipeline.intake.admission import DEED_OCTETS


async def get_subject(call: Call) -> web.Response:
    """All that is kept of a number: messages, what came from it, the opt-out list, consents."""
    context = call.context
    with context.intake.room.hold_octets(DEED_OCTETS):
        return answer_value(await export_subject(context.store, context.clock, _read(call), call.actor))


async def erase_data(call: Call) -> web.Response:
    """Erase what is kept of a number.

    The opt-out list and the history of consents stay, and what has not ended; `kept` says why.
    """
    context = call.context
    with context.intake.room.hold_octets(DEED_OCTETS):
        return answer_value(await erase_subject(context.store, context.clock, _read(call), call.actor))


def _read(call: Call) -> Reading:
    return read_person(call.request.match_info["number"], call.context.region, "number")
