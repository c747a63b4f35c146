"""Messages: send one, look at one or many, cancel, resend."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from gateway.api.accepted import answer_accepted, answer_act, answer_deed, read_idempotency
from gateway.errors import Conflict, NotFound
from gateway.http.body import SINGLE_MAX_OCTETS, answer_value, decode_body, read_body, read_empty_body
from gateway.http.problem import Forbidden
from gateway.http.product import Call
from gateway.http.query import MessageQuery, filter_of, make_page, read_cursor, read_query
from gateway.ids import is_id
from gateway.model.message import Scope
from gateway.model.request import MessageRequest
from gateway.pipeline.operator.recall import find_recall
from gateway.pipeline.operator.verbs import cancel_waiting, send_again
from gateway.store.messages import find_message, list_whole
from gateway.store.noting import NotingTx
from gateway.store.ports import Tx
from gateway.views.messages import load_list_view, load_message_view
from gateway.views.shapes import MessageOut, MessagePage

_request = msgspec.json.Decoder(MessageRequest)


async def send_message(call: Call) -> web.Response:
    """Send one message.

    Once 202 is sent the message is on disk. With an `Idempotency-Key` the same request may be repeated
    safely: it gets the first answer again, with `Idempotency-Replayed: true`.
    """
    body = await read_body(call.request, SINGLE_MAX_OCTETS)
    wanted = decode_body(_request, body)
    idempotency = read_idempotency(call.request, body)
    return answer_accepted(await call.context.intake.accept(wanted, key=call.key, idempotency=idempotency))


async def get_message(call: Call) -> web.Response:
    """One message with its segments and its timeline."""
    return answer_value(await load_message(call, read_id(call)))


async def get_messages(call: Call) -> web.Response:
    """Messages, newest first."""
    query = read_query(call.request, MessageQuery)
    before = read_cursor(query.cursor)
    wanted = filter_of(query, call.context.region)
    standings, now = call.context.channels.standings(), call.context.clock.now()

    async def load(tx: Tx) -> MessagePage:
        rows = await list_whole(tx, wanted, limit=query.limit + 1, before=before)
        page, following = make_page(rows, query.limit, lambda whole: whole.message.id)
        return MessagePage(items=await load_list_view(tx, page, standings, now), next=following)

    return answer_value(await call.context.store.read(load))


async def cancel(call: Call) -> web.Response:
    """Cancel a message that waits, or one that its SMSC forgets; 409 names the state that forbids it.

    A key may cancel what it sent itself; with the scope `manage` besides, others' messages too.
    """
    context, clock = call.context, call.context.clock
    body = await read_empty_body(call.request)
    message_id = read_id(call)
    await _check_ownership(call, message_id)
    show, by = shower(call, message_id), call.actor

    async def deed(tx: Tx) -> MessageOut:
        noting = NotingTx(tx)
        await cancel_waiting(noting, clock, message_id, by=by)
        return await show(noting)

    take_back = context.channels.take_back
    recall = await find_recall(context.store, message_id, by=by, take_back=take_back)
    if recall is None:
        return await answer_deed(call, body, deed)

    async def settle(tx: Tx, forgotten: list[int]) -> MessageOut | Conflict:
        noting = NotingTx(tx)
        settled = await recall.settle(noting, clock, forgotten)
        return settled if isinstance(settled, Conflict) else await show(noting)

    return await answer_act(call, body, recall.ask, settle)


async def resend(call: Call) -> web.Response:
    """Send a failed, expired, undelivered or uncertain message again; 409 names the state that forbids it.

    A key may resend what it sent itself; with the scope `manage` besides, others' messages too.
    """
    context, clock = call.context, call.context.clock
    body = await read_empty_body(call.request)
    message_id = read_id(call)
    await _check_ownership(call, message_id)
    show, by = shower(call, message_id), call.actor

    async def deed(tx: Tx) -> MessageOut:
        noting = NotingTx(tx)
        await send_again(noting, clock, message_id, by=by, valid_for=context.intake.valid_for)
        return await show(noting)

    return await answer_deed(call, body, deed)


async def _check_ownership(call: Call, message_id: str) -> None:
    """A key acts on what it sent itself; on others' messages only with the scope ``manage``.

    Raises:
        NotFound: another key sent it, and this one may not even see it.
        Forbidden: this one may see it.
    """
    key = call.key
    assert key is not None
    if key.allows(Scope.MANAGE):
        return
    message = await call.context.store.read(lambda tx: find_message(tx, message_id))
    if message is None or message.key_id == key.id:
        return  # where there is none the verb says so
    if key.allows(Scope.READ):
        raise Forbidden(Scope.MANAGE)
    raise NotFound("no message has this id")


def read_id(call: Call) -> str:
    """The id in the path.

    Raises:
        NotFound: it has not the form of an id, so nothing bears it.
    """
    text = call.request.match_info["id"]
    if not is_id(text):
        raise NotFound("nothing here has this id")
    return text


async def load_message(call: Call, message_id: str) -> MessageOut:
    """A message as the API shows it alone.

    Raises:
        NotFound: there is none with this id.
    """
    show = shower(call, message_id)
    return await call.context.store.read(lambda tx: show(NotingTx(tx)))


def shower(call: Call, message_id: str) -> Callable[[NotingTx], Awaitable[MessageOut]]:
    """An operation that shows a message as it is in a transaction, with what was recorded there; see `load_message`."""
    standings, now = call.context.channels.standings(), call.context.clock.now()

    async def show(tx: NotingTx) -> MessageOut:
        shown = await load_message_view(tx, message_id, standings, now, tx.events)
        if shown is None:
            raise NotFound("there is no message with this id")
        return shown

    return show
