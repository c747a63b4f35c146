"""Sending from a page: a form is sent once, however often its button is pressed."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

import msgspec

from gateway.console.page import Visit
from gateway.errors import FieldError, IdempotencyMismatch, InvalidRequest, RequestError
from gateway.http.query import convert_query
from gateway.ids import is_id, make_id
from gateway.model.request import MessageRequest
from gateway.pipeline.intake.accept import Idempotency
from gateway.pipeline.intake.batches import AcceptedBatch
from gateway.pipeline.intake.drafts import AcceptedMessage
from gateway.policy.links import find_links, fold_text


class _Kept(msgspec.Struct, frozen=True):
    id: str


class Piece(NamedTuple):
    """A piece of a text, which is a link or none."""

    text: str
    is_link: bool


def name_form(visit: Visit) -> str:
    """What a form is known by: that of the form at hand, or a new one's."""
    name = visit.form.text("once")
    return name if is_id(name) else make_id()


async def send_once(visit: Visit, wanted: MessageRequest) -> str:
    """Send a message in the visitor's name; its id. The same form again gets the same id, and nothing is sent.

    Raises:
        InvalidRequest: it would be refused.
        RequestError: too much waits; or the form was sent with another text.
    """
    signed_in = visit.signed_in
    assert signed_in is not None
    idempotency = Idempotency(
        f"console:{signed_in.user.id}:{name_form(visit)}",
        sha256(msgspec.json.encode(wanted)).digest(),
        _render,
    )
    accepted = await visit.product.intake.accept(wanted, key=None, idempotency=idempotency, by=visit.actor)
    if isinstance(accepted, bytes):
        return msgspec.json.decode(accepted, type=_Kept).id
    return accepted.message.id


class Unsent(NamedTuple):
    """A form that sent nothing; what is wrong is among its faults.

    Args:
        status: of the answer.
        once: what the form is to be known by from now on.
    """

    status: int
    once: str


async def send_form(visit: Visit, fields: Mapping[str, str | int], place: str) -> str | Unsent:
    """Send what a form says, once; the message's id.

    Args:
        place: the field that is blamed for what is no field's fault.
    """
    form = visit.form
    try:
        check_text(fields)
        return await send_once(visit, convert_query(fields, MessageRequest))
    except InvalidRequest as error:
        form.blame(error)
        return Unsent(422, name_form(visit))
    except IdempotencyMismatch:
        form.faults[place] = visit.t(
            "This form was sent already, with another message. Press Send again to send this one as well."
        )
        return Unsent(409, make_id())
    except RequestError as error:
        form.faults[place] = str(error)
        return Unsent(error.http_status, name_form(visit))


def check_text(fields: Mapping[str, str | int]) -> None:
    """Refuse a form without a text. Raises InvalidRequest."""
    if not fields["text"]:
        raise InvalidRequest(FieldError("/text", "missing", "write a text"))


def _render(accepted: AcceptedMessage | AcceptedBatch) -> bytes:
    assert isinstance(accepted, AcceptedMessage)
    return msgspec.json.encode(_Kept(accepted.message.id))


def split_links(text: str) -> list[Piece]:
    """A text with its links apart, as a phone would mark them.

    >>> split_links("see t.cn/a now")
    [Piece(text='see ', is_link=False), Piece(text='t.cn/a', is_link=True), Piece(text=' now', is_link=False)]
    """
    if len(fold_text(text)) != len(text):
        return [Piece(text, is_link=False)]  # places in the folded text are not those of the text
    pieces, at = [], 0
    for link in find_links(text):
        pieces += [
            Piece(text[at : link.start], is_link=False),
            Piece(text[link.start : link.end], is_link=True),
        ]
        at = link.end
    return [one for one in (*pieces, Piece(text[at:], is_link=False)) if one.text]
