"""Delivery reports that found no message: listed, and matched by hand."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from drivers.base import ReceiptState
from gateway.api.accepted import answer_deed
from gateway.api.calls.messages import read_id, shower
from gateway.http.body import SINGLE_MAX_OCTETS, answer_value, decode_body, read_body
from gateway.http.product import Call
from gateway.http.query import Instant, PageQuery, Word, make_page, read_cursor, read_query
from gateway.pipeline.receipts.unmatched import match_by_hand
from gateway.store.noting import NotingTx
from gateway.store.ports import Tx
from gateway.store.receipts import KeptReceipt, list_kept
from gateway.views.shapes import MessageOut


class ReceiptQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which receipts.

    Args:
        unmatched: those that found no message. There is no list of the others: they are in their messages' timelines.
    """

    unmatched: Literal["true"] = "true"
    channel: Word | None = None


class ReceiptOut(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery report without a message.

    Args:
        channel: the one it came on.
        references: spellings of the network's reference under which a message was looked for.
        to: the handset, if the report names it.
        code: the network's own.
        word: the network's own for the state, where it is not the specification's; for state ``unknown`` it may be one
            that nobody knows.
        done_at: by the network's clock.
        octets: the report as it came, in hex, cut to 512 octets; empty for one of a SIM.
    """

    id: str
    channel: str
    references: tuple[str, ...]
    to: str | None
    state: ReceiptState
    code: str
    word: str
    done_at: Instant | None
    received_at: Instant
    octets: str


class ReceiptPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some receipts; ``next`` is the cursor for more."""

    items: list[ReceiptOut]
    next: str | None


class MatchRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which segment a receipt speaks of.

    Args:
        part: the part of that message, from 1.
        state: what it says, where the gateway did not understand it.
    """

    message_id: Word
    part: Annotated[int, Meta(ge=1, le=255)] = 1
    state: ReceiptState | None = None


_match_request = msgspec.json.Decoder(MatchRequest)


async def get_receipts(call: Call) -> web.Response:
    """Delivery reports that found no message, newest first; kept for 14 days."""
    query = read_query(call.request, ReceiptQuery)
    before = read_cursor(query.cursor)
    op = partial(list_kept, channel=query.channel, limit=query.limit + 1, before=before)
    page, following = make_page(
        await call.context.store.read(op), query.limit, lambda kept: kept.early.receipt_id
    )
    return answer_value(ReceiptPage(items=[_show(kept) for kept in page], next=following))


async def match_to_message(call: Call) -> web.Response:
    """Apply a delivery report to a part of a message; 409 names the state that forbids it."""
    receipt_id = read_id(call)
    body = await read_body(call.request, SINGLE_MAX_OCTETS)
    wanted = decode_body(_match_request, body)
    clock, show, by = call.context.clock, shower(call, wanted.message_id), call.actor

    async def deed(tx: Tx) -> MessageOut:
        noting = NotingTx(tx)
        what = receipt_id, wanted.message_id, wanted.part, wanted.state
        await match_by_hand(noting, clock, *what, by=by)
        return await show(noting)

    return await answer_deed(call, body, deed)


def _show(kept: KeptReceipt) -> ReceiptOut:
    early = kept.early
    return ReceiptOut(
        id=early.receipt_id,
        channel=kept.channel,
        references=kept.references,
        to=early.recipient,
        state=ReceiptState(early.state),
        code=early.code,
        word=early.word,
        done_at=early.done_at,
        received_at=kept.received_at,
        octets=early.octets.hex(),
    )
