"""Reviews: messages that wait for a person's decision."""

from __future__ import annotations

from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from gateway.api.accepted import answer_deed
from gateway.api.calls.messages import read_id
from gateway.errors import NotFound
from gateway.http.body import SINGLE_MAX_OCTETS, answer_value, decode_body, read_body
from gateway.http.product import Call
from gateway.http.query import PageQuery, Word, make_page, read_cursor, read_query
from gateway.model.message import Category
from gateway.pipeline.operator.reviews import Verdict, decide_review
from gateway.store.ports import Tx
from gateway.store.reviews import (
    Alike,
    Decision,
    ReviewFilter,
    count_alike,
    find_decision,
    find_open,
    list_decided,
    list_open,
)
from gateway.views.reviews import (
    ApprovalRequest,
    DecisionOut,
    RejectionRequest,
    ReviewOut,
    ReviewPage,
    ReviewState,
    show_decided,
    show_open,
)

_approval = msgspec.json.Decoder(ApprovalRequest)
_rejection = msgspec.json.Decoder(RejectionRequest)


class ReviewQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which reviews.

    Args:
        by: what is listed as one, of open ones: each ``message``, each ``text`` or each ``batch``.
        rule: that asked for it.
        code: why.
        batch: the messages' ``batch_id``.
    """

    state: ReviewState = ReviewState.OPEN
    by: Alike = Alike.MESSAGE
    rule: Word | None = None
    code: Word | None = None
    category: Category | None = None
    batch: Annotated[str, Meta(max_length=64)] | None = None


async def get_reviews(call: Call) -> web.Response:
    """Messages that wait for a person's decision, the oldest first; or those that were decided on, newest first."""
    query = read_query(call.request, ReviewQuery)
    place, limit = read_cursor(query.cursor), query.limit + 1
    wanted = ReviewFilter(query.rule, query.code, query.category, query.batch)

    async def load(tx: Tx) -> ReviewPage:
        if query.state is ReviewState.OPEN:
            held = await list_open(tx, wanted, query.by, limit, place)
            page, following = make_page(held, query.limit, lambda one: one[0].message_id)
            return ReviewPage(items=await show_open(tx, page), next=following)
        decided = await list_decided(tx, Decision(query.state.value), wanted, limit, place)
        done, following = make_page(decided, query.limit, lambda one: one.message_id)
        return ReviewPage(items=await show_decided(tx, done), next=following)

    return answer_value(await call.context.store.read(load))


async def get_review(call: Call) -> web.Response:
    """One message that waits for a person's decision, or did; `messages` says how many wait with its text."""
    message_id = read_id(call)
    return answer_value(await call.context.store.read(lambda tx: _load(tx, message_id)))


async def approve_review(call: Call) -> web.Response:
    """Let a message go that waits for a decision; 409 says why it does not wait.

    Rules that look at the recipient and the time are asked once more before it goes out: who opted out meanwhile gets
    nothing.
    """
    body = await read_body(call.request, SINGLE_MAX_OCTETS)
    wanted = decode_body(_approval, body) if body.strip() else ApprovalRequest()
    return await _decide(call, body, Verdict(Decision.APPROVED, wanted.all_of, wanted.reason))


async def reject_review(call: Call) -> web.Response:
    """End a message that waits for a decision: it becomes `blocked` with the code `rejected`."""
    body = await read_body(call.request, SINGLE_MAX_OCTETS)
    wanted = decode_body(_rejection, body)
    return await _decide(call, body, Verdict(Decision.REJECTED, wanted.all_of, wanted.reason))


async def _decide(call: Call, body: bytes, verdict: Verdict) -> web.Response:
    message_id, clock, by = read_id(call), call.context.clock, call.actor

    async def deed(tx: Tx) -> DecisionOut:
        n = await decide_review(tx, clock, message_id, verdict, by=by)
        return DecisionOut(decided=n, review=await _load(tx, message_id))

    return await answer_deed(call, body, deed)


async def _load(tx: Tx, message_id: str) -> ReviewOut:
    shown: list[ReviewOut] = []
    if (hold := await find_open(tx, message_id)) is not None:
        shown = await show_open(tx, [(hold, await count_alike(tx, hold))])
    elif (decided := await find_decision(tx, message_id)) is not None:
        shown = await show_decided(tx, [decided])
    if not shown:
        raise NotFound("no message with this id waits for a decision, or did")
    return shown[0]
