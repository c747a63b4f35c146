"""The product's operations as tests call them: in a transaction of their own, or narrowed to what a test looks at."""

from __future__ import annotations

from collections.abc import Sequence

from drivers.base import ReceiptState
from gateway.clock import Clock
from gateway.model.actor import Actor
from gateway.model.events import Event
from gateway.model.message import Message, Segment
from gateway.pipeline.operator.verbs import send_again
from gateway.pipeline.receipts.unmatched import match_by_hand
from gateway.store.events import load_lines
from gateway.store.messages import MessageFilter, list_whole, load_whole
from gateway.store.ports import Store, Tx


async def resend_message(
    store: Store, clock: Clock, message_id: str, *, by: Actor, valid_for_s: float = 72 * 3_600.0
) -> Message:
    """`send_again` in a transaction of its own."""
    return await store.write(
        lambda tx: send_again(tx, clock, message_id, by=by, valid_for=lambda _: valid_for_s)
    )


async def match_receipt(
    store: Store,
    clock: Clock,
    receipt_id: str,
    message_id: str,
    part: int,
    state: ReceiptState | None = None,
    *,
    by: Actor,
) -> Message:
    """`match_by_hand` in a transaction of its own."""
    return await store.write(lambda tx: match_by_hand(tx, clock, receipt_id, message_id, part, state, by=by))


async def list_messages(tx: Tx, query: MessageFilter, *, limit: int, before: str | None) -> list[Message]:
    """`list_whole` without the segments."""
    return [whole.message for whole in await list_whole(tx, query, limit=limit, before=before)]


async def load_segments(tx: Tx, message_ids: Sequence[str]) -> dict[str, list[Segment]]:
    """The segments of some messages, by part; ids of no message are absent."""
    return {whole.message.id: whole.segments for whole in await load_whole(tx, message_ids)}


async def load_events(tx: Tx, after_seq: int, limit: int) -> list[Event]:
    """At most ``limit`` events with a greater ``seq``, in order of commit."""
    lines = await load_lines(tx, after_seq, limit)
    return lines.events[:limit] if lines is not None else []
