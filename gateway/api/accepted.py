"""The answer to what was accepted, and the Idempotency-Key that repeats it."""

from __future__ import annotations

import re
from hashlib import sha256

from aiohttp import web

from gateway.api.body import answer, encode
from gateway.api.schema import BatchItemOut, BatchOut, RejectedOut, show_message
from gateway.errors import FieldError, InvalidRequest
from gateway.model.events import message_event
from gateway.pipeline.accept import AcceptedBatch, AcceptedMessage, Idempotency

IDEMPOTENCY_KEY = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
_PRINTABLE = re.compile(r"[\x20-\x7e]{1,255}")


def read_idempotency(request: web.Request, body: bytes) -> Idempotency | None:
    """The client's own name for this request; None when it gave none.

    Raises:
        InvalidRequest: it is empty, too long or not printable ASCII.
    """
    key = request.headers.get(IDEMPOTENCY_KEY)
    if key is None:
        return None
    if not _PRINTABLE.fullmatch(key):
        detail = "write 1 to 255 printable ASCII characters, such as a UUID"
        raise InvalidRequest(FieldError(IDEMPOTENCY_KEY, "wrong_format", detail))
    # The same request is the same address and every octet of the body.
    return Idempotency(key, sha256(request.path.encode() + b"\n" + body).digest(), _render)


def answer_accepted(accepted: AcceptedMessage | AcceptedBatch | bytes) -> web.Response:
    """202; octets are the first answer to the same request, given again."""
    if isinstance(accepted, bytes):
        replay = answer(accepted, status=202)
        replay.headers[REPLAYED] = "true"
        return replay
    return answer(_render(accepted), status=202)


def _render(accepted: AcceptedMessage | AcceptedBatch) -> bytes:
    if isinstance(accepted, AcceptedMessage):
        message = accepted.message
        # What the timeline begins with; read from the store it would be the same, and cost a read per message.
        first = message_event(message, message.created_at)
        return encode(show_message(message, accepted.segments, [first]))
    return encode(
        BatchOut(
            batch_id=accepted.batch_id,
            accepted=len(accepted.items),
            rejected=[RejectedOut(index=r.index, code=r.code, detail=r.detail) for r in accepted.rejected],
            messages=[_show_item(index, item) for index, item in accepted.items],
        )
    )


def _show_item(index: int, item: AcceptedMessage) -> BatchItemOut:
    message = item.message
    return BatchItemOut(
        index=index, id=message.id, to=message.recipient, status=message.status, segments=message.n_segments
    )
