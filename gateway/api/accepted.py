"""Answers that an Idempotency-Key repeats: to what was accepted, and to what was done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from hashlib import sha256
from typing import Any
from weakref import WeakValueDictionary

from aiohttp import web

from gateway.api.context import Call
from gateway.api.http.body import answer, answer_value, encode
from gateway.errors import FieldError, IdempotencyMismatch, InvalidRequest
from gateway.model.events import message_event
from gateway.model.request import IDEMPOTENCY_KEY_FORM, IDEMPOTENCY_KEY_PATTERN
from gateway.pipeline.intake.accept import Idempotency
from gateway.pipeline.intake.batches import AcceptedBatch, BatchItem
from gateway.pipeline.intake.drafts import AcceptedMessage
from gateway.store.keys import find_answer, save_answer
from gateway.store.ports import Tx
from gateway.views.shapes import BatchItemOut, BatchOut, RejectedOut, show_message

IDEMPOTENCY_KEY = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
_at_work: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
"""Who does what an Idempotency-Key (of an API key) names: repeated while it lasts, it waits for the answer."""


def read_idempotency(request: web.Request, body: bytes) -> Idempotency | None:
    """The client's own name for this request; None when it gave none.

    Raises:
        InvalidRequest: it is empty, too long or not printable ASCII, or there are two that differ.
    """
    keys = set(request.headers.getall(IDEMPOTENCY_KEY, ()))
    if not keys:
        return None
    if len(keys) > 1:
        raise InvalidRequest(FieldError(IDEMPOTENCY_KEY, "given_twice", f"give one `{IDEMPOTENCY_KEY}`"))
    key = keys.pop()
    if not IDEMPOTENCY_KEY_PATTERN.fullmatch(key):
        raise InvalidRequest(FieldError(IDEMPOTENCY_KEY, "wrong_format", f"write {IDEMPOTENCY_KEY_FORM}"))
    # The same request is the same address and every octet of the body.
    stands_for = sha256(request.path.encode() + b"\n")
    stands_for.update(body)
    return Idempotency(key, stands_for.digest(), render)


def answer_accepted(accepted: AcceptedMessage | AcceptedBatch | bytes) -> web.Response:
    """202; octets are the first answer to the same request, given again."""
    if isinstance(accepted, bytes):
        return _replay(accepted, 202)
    return answer(render(accepted), status=202)


async def answer_once(call: Call, body: bytes, act: Callable[[], Awaitable[Any]]) -> web.Response:
    """200 with what ``act`` gives; when the Idempotency-Key came before, the first answer and nothing is done.

    The deed and the answer kept for it are two transactions: after a crash between them the repeated request is
    judged by the state that it finds.

    Raises:
        IdempotencyMismatch: the key came before with another request.
    """
    idempotency = read_idempotency(call.request, body)
    if idempotency is None:
        return answer_value(await act())
    key_id, name, body_hash, _ = (call.key.id if call.key else "", *idempotency)
    store = call.context.store
    async with _at_work.setdefault((key_id, name), asyncio.Lock()):
        if (kept := await store.read(partial(find_answer, key_id=key_id, key=name))) is not None:
            if kept[0] != body_hash:
                raise IdempotencyMismatch("this Idempotency-Key was used for another request; use a new one")
            return _replay(kept[1], 200)
        done = encode(await act())

        async def keep(tx: Tx) -> None:
            if await find_answer(tx, key_id, name) is None:
                await save_answer(tx, key_id, name, body_hash, done, call.context.clock.now())

        await store.write(keep)
    return answer(done)


def _replay(body: bytes, status: int) -> web.Response:
    response = answer(body, status=status)
    response.headers[REPLAYED] = "true"
    return response


def render(accepted: AcceptedMessage | AcceptedBatch) -> bytes:
    """The body of an answer."""
    if isinstance(accepted, AcceptedMessage):
        message = accepted.message
        # What the timeline begins with; read from the store it would be the same, and cost a read per message.
        first = message_event(message, message.created_at, by=accepted.by)
        return encode(show_message(message, accepted.segments, [first]))
    return encode(
        BatchOut(
            batch_id=accepted.batch_id,
            accepted=len(accepted.items),
            rejected=[RejectedOut(index=r.index, code=r.code, detail=r.detail) for r in accepted.rejected],
            messages=[_show_item(item) for item in accepted.items],
        )
    )


def _show_item(item: BatchItem) -> BatchItemOut:
    return BatchItemOut(index=item.index, id=item.id, to=item.to, status=item.status, segments=item.segments)
