"""Webhooks: who is called for which events, and what they were told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

import msgspec
from aiohttp import web
from msgspec import UNSET

from gateway.api.accepted import answer_act, answer_deed
from gateway.api.calls.messages import read_id
from gateway.errors import FieldError, InvalidRequest, NotFound
from gateway.http.body import (
    SINGLE_MAX_OCTETS,
    answer_value,
    decode_body,
    read_body,
    read_empty_body,
)
from gateway.http.problem import Forbidden
from gateway.http.product import Call
from gateway.http.query import PageQuery, Word, make_page, read_cursor, read_query
from gateway.ids import is_id
from gateway.model.message import Scope
from gateway.pipeline.intake.admission import DEED_OCTETS
from gateway.store.ports import Tx
from gateway.store.webhook_secrets import owner_of_key, owner_of_webhook
from gateway.views.webhooks import (
    DeliveryOut,
    DeliveryPage,
    RotateRequest,
    TrialOut,
    WebhookChange,
    WebhookOut,
    WebhookPage,
    WebhookRequest,
)
from gateway.webhooks.deliveries import show_delivery
from gateway.webhooks.desk import Shown
from gateway.webhooks.signing import read_secret

CALLBACKS = "callbacks"
"""In place of a webhook's id: the callback URLs of the messages of an API key."""


class KeyQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose callback URLs.

    Args:
        key: the id of the API key, where `callbacks` stands in place of a webhook's id; the one that calls if left out.
    """

    key: Word | None = None


class DeliveryQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which deliveries.

    Args:
        status: `pending` is still tried, `dead` was given up, `delivered` was heard.
        key: the id of the API key, where `callbacks` stands in place of a webhook's id; the one that calls if left out.
    """

    status: Literal["pending", "dead", "delivered"] | None = None
    key: Word | None = None


_request = msgspec.json.Decoder(WebhookRequest)
_change = msgspec.json.Decoder(WebhookChange)
_rotate = msgspec.json.Decoder(RotateRequest)


async def get_webhooks(call: Call) -> web.Response:
    """Who is called for events."""
    query = read_query(call.request, PageQuery)
    after = read_cursor(query.cursor) or ""
    rows = await call.context.store.read(call.context.webhooks.list_all)
    rows = [row for row in rows if row.webhook.id > after][: query.limit + 1]
    page, following = make_page(rows, query.limit, lambda shown: shown.webhook.id)
    return answer_value(WebhookPage(items=[_show(shown) for shown in page], next=following))


async def create_webhook(call: Call) -> web.Response:
    """Have an address called for events from now on.

    The answer holds the secret that calls are signed with; it is not shown again.
    """
    body = await read_body(call.request, SINGLE_MAX_OCTETS)
    wanted = decode_body(_request, body)
    desk, by = call.context.webhooks, call.actor
    secret = _read_secret(wanted.secret)
    fields = msgspec.structs.asdict(wanted)
    del fields["secret"]
    webhook = desk.draft(**fields, reason=None if wanted.enabled else f"disabled by {by}")

    async def deed(tx: Tx) -> WebhookOut:
        return _show(await desk.create(tx, webhook, secret, by))

    with desk.changing():
        answer = await answer_deed(call, body, deed, status=201)
        await desk.changed(webhook.id)
    return answer


async def get_webhook(call: Call) -> web.Response:
    """One webhook."""
    webhook_id = read_id(call)
    return answer_value(
        _show(await call.context.store.read(lambda tx: call.context.webhooks.show(tx, webhook_id)))
    )


async def change_webhook(call: Call) -> web.Response:
    """Change a webhook, or enable or disable it.

    What it is owed goes to its new address at once. When it is disabled, that becomes dead letters.
    """
    body = await read_body(call.request, SINGLE_MAX_OCTETS)
    changes = msgspec.structs.asdict(decode_body(_change, body))
    changes = {name: value for name, value in changes.items() if value is not UNSET}
    webhook_id, desk, by = read_id(call), call.context.webhooks, call.actor

    async def deed(tx: Tx) -> WebhookOut:
        return _show(await desk.change(tx, webhook_id, changes, by))

    with desk.changing():
        answer = await answer_deed(call, body, deed)
        await desk.changed(webhook_id)
    return answer


async def delete_webhook(call: Call) -> web.Response:
    """Delete a webhook; what it is owed is dropped."""
    webhook_id, context = read_id(call), call.context
    desk, by = context.webhooks, call.actor
    with context.intake.room.hold_octets(DEED_OCTETS), desk.changing():
        await context.store.write(lambda tx: desk.delete(tx, webhook_id, by))
        await desk.changed(webhook_id)
    return web.Response(status=204)


async def rotate_secret(call: Call) -> web.Response:
    """Make a new secret for a webhook; the answer holds it.

    Until the overlap is over both secrets sign.
    """
    body = await read_body(call.request, SINGLE_MAX_OCTETS)
    wanted = decode_body(_rotate, body) if body.strip() else RotateRequest()
    webhook_id, desk, by = read_id(call), call.context.webhooks, call.actor

    async def deed(tx: Tx) -> WebhookOut:
        overlap = timedelta(seconds=wanted.overlap)
        return _show(await desk.rotate(tx, webhook_id, overlap, by))

    answer = await answer_deed(call, body, deed)
    await desk.changed(webhook_id)
    return answer


async def test_webhook(call: Call) -> web.Response:
    """Call a webhook now with an event of type `webhook.test`, and say what came of it."""
    body = await read_empty_body(call.request)
    desk = call.context.webhooks
    webhook = await desk.find(read_id(call))

    async def act() -> TrialOut:
        trial = await desk.test(webhook, call.actor)
        return TrialOut(
            heard=not trial.fault,
            status=trial.status or None,
            fault=trial.fault or None,
            seconds=trial.seconds,
        )

    return await answer_act(call, body, act)


async def get_deliveries(call: Call) -> web.Response:
    """What a webhook was told of, and what it is owed; the newest event first.

    With `callbacks` in place of the id: what the callback URLs of a key's messages were told of.
    """
    query = read_query(call.request, DeliveryQuery)
    before = read_cursor(query.cursor)
    owner, desk = await _read_owner(call, query.key), call.context.webhooks
    rows = await call.context.store.read(
        lambda tx: desk.list_deliveries(tx, owner, status=query.status, limit=query.limit + 1, before=before)
    )
    shown = [show_delivery(row) for row in rows]
    page, following = make_page(shown, query.limit, lambda delivery: delivery.id)
    return answer_value(DeliveryPage(items=list(page), next=following))


async def retry_delivery(call: Call) -> web.Response:
    """Tell a receiver again: of an event that was given up, or now of one that waits for its next attempt.

    409 for what it has heard of, and for what waits for an earlier event of the same message.
    """
    body = await read_empty_body(call.request)
    owner, desk = await _read_owner(call, read_query(call.request, KeyQuery).key), call.context.webhooks
    delivery_id, by = call.request.match_info["delivery"], call.actor
    if not is_id(delivery_id):
        raise NotFound("there is no delivery with this id")

    async def deed(tx: Tx) -> DeliveryOut:
        return show_delivery(await desk.retry(tx, owner, delivery_id, by))

    answer = await answer_deed(call, body, deed)
    desk.wake()
    return answer


async def _read_owner(call: Call, key_id: str | None) -> str:
    """Whose deliveries are meant."""
    key, context = call.key, call.context
    assert key is not None
    if call.request.match_info["id"] != CALLBACKS:
        webhook_id = read_id(call)
        await context.webhooks.find(webhook_id)
        return owner_of_webhook(webhook_id)
    if key_id not in {None, key.id} and not key.allows(Scope.MANAGE):
        raise Forbidden(Scope.MANAGE)
    return owner_of_key(key_id or key.id)


def _read_secret(text: str | None) -> bytes | None:
    try:
        return None if text is None else read_secret(text)
    except ValueError as exc:
        raise InvalidRequest(FieldError("/secret", "wrong_format", str(exc))) from None


def _show(shown: Shown) -> WebhookOut:
    webhook = shown.webhook
    fields: dict[str, Any] = {
        name: getattr(webhook, name)
        for name in WebhookOut.__struct_fields__
        if name not in {"pending", "secret"}
    }
    return WebhookOut(**fields, pending=shown.pending, secret=UNSET if shown.secret is None else shown.secret)
