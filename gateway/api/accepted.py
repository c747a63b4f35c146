"""Answers that an Idempotency-Key repeats: to what was accepted, and to what was done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any, TypeVar

from aiohttp import web

from gateway.errors import FieldError, InvalidRequest, RequestError
from gateway.http.body import answer, encode
from gateway.http.product import Call
from gateway.model.events import message_event
from gateway.model.request import IDEMPOTENCY_KEY_FORM, IDEMPOTENCY_KEY_PATTERN
from gateway.pipeline.intake.accept import Idempotency, once_of
from gateway.pipeline.intake.admission import DEED_OCTETS
from gateway.pipeline.intake.batches import AcceptedBatch, BatchItem
from gateway.pipeline.intake.drafts import AcceptedMessage
from gateway.pipeline.once import Done, Once, act_once, do_once
from gateway.store.ports import Tx
from gateway.views.shapes import BatchItemOut, BatchOut, RejectedOut, show_message

IDEMPOTENCY_KEY = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
A = TypeVar("A")


async def _as_it_is(_tx: Tx, outcome: A) -> A:
    return outcome


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
    return Idempotency(key, stands_for.digest(), _render)


def answer_accepted(accepted: AcceptedMessage | AcceptedBatch | bytes) -> web.Response:
    """202; octets are the first answer to the same request, given again."""
    if isinstance(accepted, bytes):
        return _replay(accepted, 202)
    return answer(_render(accepted), status=202)


async def answer_deed(
    call: Call, body: bytes, deed: Callable[[Tx], Awaitable[Any]], *, status: int = 200
) -> web.Response:
    """200 with what an operation gives, or the first answer again when the Idempotency-Key came before.

    Raises:
        IdempotencyMismatch, AlreadyBegun: see `gateway.pipeline.once.find_kept`; nothing was done.
    """

    async def done(tx: Tx) -> bytes:
        return encode(await deed(tx))

    context = call.context
    with context.intake.room.hold_octets(DEED_OCTETS + len(body)):
        done_now = await do_once(context.store, context.clock, _once(call, body), done)
    return answer_done(done_now, status=status)


async def answer_act(
    call: Call,
    body: bytes,
    act: Callable[[], Awaitable[A]],
    record: Callable[[Tx, A], Awaitable[Any]] = _as_it_is,
) -> web.Response:
    """`answer_deed` for what has its effect outside the store.

    Args:
        act: does it.
        record: an operation that writes what came of it; the answer, or a `RequestError` that says why there is none.

    Raises:
        IdempotencyMismatch, AlreadyBegun: see `gateway.pipeline.once.find_kept`; nothing was done.
    """

    async def recorded(tx: Tx, outcome: A) -> bytes | RequestError:
        answer = await record(tx, outcome)
        return answer if isinstance(answer, RequestError) else encode(answer)

    context = call.context
    with context.intake.room.hold_octets(DEED_OCTETS + len(body)):
        return answer_done(await act_once(context.store, context.clock, _once(call, body), act, recorded))


def _once(call: Call, body: bytes) -> Once | None:
    idempotency = read_idempotency(call.request, body)
    return None if idempotency is None else once_of(call.key, idempotency)


def answer_done(done: Done, *, status: int = 200) -> web.Response:
    """What was done now, or before."""
    return _replay(done.body, status) if done.replayed else answer(done.body, status=status)


def _replay(body: bytes, status: int) -> web.Response:
    response = answer(body, status=status)
    response.headers[REPLAYED] = "true"
    return response


def _render(accepted: AcceptedMessage | AcceptedBatch) -> bytes:
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
