"""Drafts: messages that are ready to be stored, and the transaction that stores them as the opt-out list allows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from gateway.model.actor import SYSTEM, Actor
from gateway.model.events import message_event
from gateway.model.lifecycle import Cause, moved
from gateway.model.message import Message, MessageError, MessageStatus, Segment
from gateway.pipeline.intake.route import Routed, Unsettled, settle_all
from gateway.policy.optout import is_stopped
from gateway.store.messages import save_messages, take_concat_ref
from gateway.store.ports import Tx
from gateway.store.sequences import join_sequence
from gateway.store.suppressions import find_suppressed
from gateway.store.webhooks import save_callbacks

_OPTED_OUT = MessageError(code="opted_out", detail="The recipient opted out of marketing messages.")


class Draft(NamedTuple):
    """A message that is ready to be stored.

    Args:
        reference_bits: that its segments leave room for, where there are several.
        by: who sends it.
        tag: its place among others of its class and priority (`gateway.routing.shares`); None for one that is
            scheduled: it gets one when its time comes.
        rule: of the routing rules, the one that took it.
        unsettled: its way is decided where it is stored; ``message`` and ``tag`` are as they would be of a recipient of
            whom the store knows nothing.
    """

    message: Message
    segments: list[Segment]
    reference_bits: int = 8
    by: Actor = SYSTEM
    tag: int | None = None
    rule: str | None = None
    unsettled: Unsettled | None = None


class AcceptedMessage(NamedTuple):
    """A message on disk.

    Args:
        by: who sent it.
    """

    message: Message
    segments: list[Segment]
    by: Actor = SYSTEM


async def save_draft(tx: Tx, draft: Draft) -> Message:
    """Store one of the gateway's own messages inside another operation."""
    return (await save_drafts(tx, [draft]))[0].message


async def save_drafts(tx: Tx, drafts: Sequence[Draft]) -> list[AcceptedMessage]:
    """Store messages inside another operation, as their recipients' opt-outs allow."""
    if any(draft.unsettled is not None for draft in drafts):
        drafts = await _settle(tx, drafts)
    marketing = {d.message.recipient for d in drafts if is_stopped(d.message.category, suppressed=True)}
    suppressed = await find_suppressed(tx, marketing)
    accepted = []
    for draft in drafts:
        message = draft.message
        if is_stopped(message.category, suppressed=message.recipient in suppressed):
            message = moved(message, Cause.BLOCKED, error=_OPTED_OUT)
        if message.n_segments > 1:
            reference = await take_concat_ref(tx, message.recipient, draft.reference_bits)
            message = msgspec.structs.replace(message, concat_ref=reference)
        tx.record(message_event(message, message.created_at, by=draft.by, rule=draft.rule))
        accepted.append(AcceptedMessage(message, draft.segments, draft.by))
    tags = [draft.tag for draft in drafts]
    await save_messages(tx, [(one.message, one.segments) for one in accepted], tags)
    for one in accepted:
        if one.message.sequence is not None and one.message.status is MessageStatus.QUEUED:
            await join_sequence(tx, one.message)
    if called := [one.message for one in accepted if one.message.callback_url is not None]:
        await save_callbacks(tx, [message.id for message in called], called[0].created_at)
    return accepted


async def _settle(tx: Tx, drafts: Sequence[Draft]) -> list[Draft]:
    """The same drafts on the ways that they go."""
    unsettled = [(d.unsettled, d.message.created_at) for d in drafts if d.unsettled is not None]
    now = max(at for _, at in unsettled)
    routed = iter(await settle_all(tx, [one for one, _ in unsettled], now))
    return [draft if draft.unsettled is None else _on_way(draft, next(routed)) for draft in drafts]


def _on_way(draft: Draft, routed: Routed) -> Draft:
    message = msgspec.structs.replace(draft.message, queue=routed.queue)
    return draft._replace(message=message, tag=routed.tag, rule=routed.rule, unsettled=None)
