"""Many messages in one call: a list of them, or one text to many recipients.

Every item is read on its own, so that a bad one is rejected by itself and never spoils the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from gateway.api.accepted import answer_accepted, read_idempotency
from gateway.errors import FieldError, InvalidRequest, RequestError
from gateway.http.body import BATCH_MAX_OCTETS, check_size, decode_body, read_body, spoil_halves
from gateway.http.problem import Malformed
from gateway.http.product import Call
from gateway.model.request import MAX_BATCH, CommonFields, MessageRequest
from gateway.pipeline.intake.batches import Rejected

MOST_VALUES = 50 * MAX_BATCH
"""In all of a batch: more than messages with every field there is."""
Items = Annotated[list[msgspec.Raw], Meta(min_length=1, max_length=MAX_BATCH)]
Wanted = MessageRequest | Rejected
_FORMS = (
    'write {"messages": [{"to": "...", "text": "..."}, ...]}, '
    'or {"to": ["...", ...], "text": "..."} for one text to many'
)


class BatchRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Messages of any kind: the first form of a batch."""

    messages: Annotated[list[MessageRequest], Meta(min_length=1, max_length=MAX_BATCH)]


class _Listed(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`BatchRequest` with its items still unread."""

    messages: Items


class _FannedOut(CommonFields, kw_only=True, forbid_unknown_fields=True):
    """`gateway.model.request.FanOutRequest` with its recipients still unread."""

    to: Items


class _Recipient(msgspec.Struct):
    """The shape that one recipient is read in."""

    to: Annotated[str, Meta(max_length=64)]


class _Form(msgspec.Struct):
    """What tells the two forms apart; whatever else there is is passed over and not kept."""

    messages: msgspec.Raw = msgspec.Raw()
    to: msgspec.Raw = msgspec.Raw()


_form = msgspec.json.Decoder(_Form)
_listed = msgspec.json.Decoder(_Listed)
_fanned_out = msgspec.json.Decoder(_FannedOut)
_message = msgspec.json.Decoder(MessageRequest)
_recipient = msgspec.json.Decoder(_Recipient)


async def send_batch(call: Call) -> web.Response:
    """Send up to 10,000 messages: `{"messages": [...]}`, or `{"to": [...], ...}` for one text to many.

    Bad items are listed in `rejected`; all others are on disk once 202 is sent.
    """
    body = await read_body(call.request, BATCH_MAX_OCTETS)
    wanted = await _read_batch(body)
    idempotency = read_idempotency(call.request, body)
    return answer_accepted(await call.context.batches.accept(wanted, key=call.key, idempotency=idempotency))


async def _read_batch(body: bytes) -> Iterator[Wanted]:
    """The items, each read when it is wanted: no more of them are in memory than are being stored."""
    await check_size(body, MOST_VALUES)
    try:
        form = decode_body(_form, body)
    except Malformed:  # perhaps by half of a surrogate pair, such as of a text that was cut within an emoji
        body = await spoil_halves(body)
        form = decode_body(_form, body)
    if len(form.messages):
        return _read_items(decode_body(_listed, body).messages, lambda raw: decode_body(_message, raw))
    if not len(form.to):
        raise InvalidRequest(FieldError("/to", "missing_field", _FORMS))
    common = decode_body(_fanned_out, body)
    shared = {name: getattr(common, name) for name in CommonFields.__struct_fields__}
    return _read_items(common.to, lambda raw: MessageRequest(to=_read_recipient(raw), **shared))


def _read_items(
    items: Sequence[msgspec.Raw], read: Callable[[msgspec.Raw], MessageRequest]
) -> Iterator[Wanted]:
    for index, raw in enumerate(items):
        try:
            yield read(raw)
        except RequestError as error:
            yield _reject(index, error)


def _read_recipient(raw: msgspec.Raw) -> str:
    return decode_body(_recipient, b'{"to":' + bytes(raw) + b"}").to


def _reject(index: int, error: RequestError) -> Rejected:
    if isinstance(error, InvalidRequest):
        fault = error.errors[0]
        where = f"{fault.pointer}: " if fault.pointer else ""
        return Rejected(index, fault.code, f"{where}{fault.detail}")
    return Rejected(index, error.code, str(error))
