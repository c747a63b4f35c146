"""How messages that wait for a person's decision are shown, and those on which somebody decided."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.model.message import Category, Message, MessageStatus
from gateway.policy.decision import Finding
from gateway.store.holds import Hold
from gateway.store.messages import load_whole
from gateway.store.ports import Tx
from gateway.store.reviews import Alike, Decided
from gateway.views.shapes import Instant

_decode_findings = msgspec.json.Decoder(list[Finding]).decode
Reason = Annotated[str, Meta(max_length=200)]


class ReviewState(StrEnum):
    """How far it is."""

    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"


class ReviewOut(msgspec.Struct, frozen=True, kw_only=True):
    """A message that waits for a person's decision, or did.

    Args:
        id: the message's.
        state: ``open``, ``approved`` or ``rejected``.
        rule: that asked for it.
        code: why, in one word.
        detail: why, in a sentence; empty once it is decided, see ``policy``.
        messages: how many this stands for, where some are listed as one; else 1.
        policy: what rules said of the message when it came in.
        status: the message's.
        asked_at: since when it waits.
        expires_at: when it is given up if nobody decides.
        decided_by: who; null while it is open.
        reason: in that person's words; null while it is open.
    """

    id: str
    state: ReviewState
    rule: str
    code: str
    detail: str
    messages: int
    to: str
    text: str | None
    category: Category
    brand: str
    reference: str | None
    batch_id: str | None
    tags: tuple[str, ...]
    policy: list[Finding]
    status: MessageStatus
    asked_at: Instant
    expires_at: Instant | None
    decided_by: str | None = None
    reason: str | None = None
    decided_at: Instant | None = None


class ReviewPage(msgspec.Struct, frozen=True, kw_only=True):
    """Reviews: open ones oldest first, decided ones newest first; ``next`` is the cursor of the following page."""

    items: list[ReviewOut]
    next: str | None


class ApprovalRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Let it go.

    Args:
        all_of: what goes with it: ``text``: all that wait with its text, brand and category; ``batch``: its batch.
        reason: why; it is kept.
    """

    all_of: Alike = Alike.MESSAGE
    reason: Reason = ""


class RejectionRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """End it.

    Args:
        reason: why; it is kept, and stands in the message's ``error``, where its sender finds it.
        all_of: what ends with it: ``text``: all that wait with its text, brand and category; ``batch``: its batch.
    """

    reason: Annotated[str, Meta(min_length=1, max_length=200)]
    all_of: Alike = Alike.MESSAGE


class DecisionOut(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided.

    Args:
        decided: on how many messages; 10,000 at most.
        review: the one that was named.
    """

    decided: int
    review: ReviewOut


async def show_open(tx: Tx, holds: Sequence[tuple[Hold, int]]) -> list[ReviewOut]:
    """Messages in review; each with how many it stands for."""
    messages = await _load(tx, [hold.message_id for hold, _ in holds])
    return [
        _show(messages[hold.message_id], ReviewState.OPEN, hold.rule, hold.code, hold, n)
        for hold, n in holds
        if hold.message_id in messages
    ]


async def show_decided(tx: Tx, decisions: Sequence[Decided]) -> list[ReviewOut]:
    """Messages on which somebody decided."""
    messages = await _load(tx, [one.message_id for one in decisions])
    return [
        msgspec.structs.replace(
            _show(messages[one.message_id], ReviewState(one.decision.value), one.rule, one.code),
            decided_by=one.decided_by,
            reason=one.reason,
            decided_at=one.decided_at,
        )
        for one in decisions
        if one.message_id in messages
    ]


async def _load(tx: Tx, message_ids: Sequence[str]) -> dict[str, Message]:
    return {message.id: message for message, _ in await load_whole(tx, message_ids)}


def _show(
    message: Message, state: ReviewState, rule: str, code: str, hold: Hold | None = None, n: int = 1
) -> ReviewOut:
    return ReviewOut(
        id=message.id,
        state=state,
        rule=rule,
        code=code,
        detail=hold.detail if hold is not None else "",
        messages=n,
        to=message.recipient,
        text=message.text,
        category=message.category,
        brand=message.brand,
        reference=message.reference,
        batch_id=message.batch_id,
        tags=message.tags,
        policy=_decode_findings(message.policy) if message.policy else [],
        status=message.status,
        asked_at=hold.created_at if hold is not None else message.created_at,
        expires_at=message.expires_at,
    )
