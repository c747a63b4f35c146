"""Receipts that found no segment: matched by hand, by those who know better."""

from __future__ import annotations

from drivers.base import ReceiptState
from gateway.clock import Clock, truncate_ms
from gateway.errors import Conflict, NotFound
from gateway.model.actor import Actor
from gateway.model.audit import Details
from gateway.model.events import make_event
from gateway.model.message import Message, SegmentStatus
from gateway.pipeline.receipts.settle import settle
from gateway.store.audit import record_audit
from gateway.store.messages import find_to_change
from gateway.store.ports import Tx
from gateway.store.receipts import drop_early, find_kept

_WAITING = {SegmentStatus.SENT, SegmentStatus.UNCERTAIN}


async def match_by_hand(
    tx: Tx,
    clock: Clock,
    receipt_id: str,
    message_id: str,
    part: int,
    state: ReceiptState | None = None,
    *,
    by: Actor,
) -> Message:
    """Apply a kept receipt to a segment, by an operator's decision, inside another operation; it is kept no longer.

    Args:
        state: what the operator reads in it; None for what it says.
        by: the operator.

    Returns:
        The message as it is now.

    Raises:
        NotFound: no such receipt, message or part.
        Conflict: the segment does not wait for a receipt; the detail names its state.
    """
    kept = await find_kept(tx, receipt_id)
    if kept is None:
        raise NotFound("no receipt without a message has this id")
    whole = await find_to_change(tx, message_id)
    if whole is None:
        raise NotFound("no message has this id")
    message, segments = whole
    if not 1 <= part <= len(segments):
        raise NotFound(f"the message has {len(segments)} parts")
    status = segments[part - 1].status
    if status not in _WAITING:
        raise Conflict(f"the part is {status.value}; only a sent or uncertain one waits for a receipt")
    await drop_early(tx, receipt_id)
    early = kept.early if state is None else kept.early._replace(state=state.value)
    now = truncate_ms(clock.now())
    told = {"id": message.id, "part": part, "receipt": receipt_id, "state": early.state, "by": str(by)}
    tx.record(make_event("receipt.matched", now, message.id, told))
    details: Details = {"part": part, "receipt": receipt_id, "state": early.state}
    await record_audit(tx, by, "receipt.matched", message.id, details, at=now)
    return await settle(tx, message, segments, part, early, now)
