"""Drafts: messages that are ready to be stored, and the transaction that stores them as the rules have it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from gateway.model.actor import SYSTEM, Actor
from gateway.model.events import message_event
from gateway.model.lifecycle import Cause, moved
from gateway.model.message import Message, MessageError, MessageStatus, Segment
from gateway.pipeline.intake.judge import Judged, encode_findings, judge_persons
from gateway.pipeline.intake.numbers import note_numbers
from gateway.pipeline.intake.route import Routed, Unsettled, settle_all
from gateway.policy.chain import Judgement
from gateway.policy.decision import Refuse
from gateway.store.holds import Hold, hold_of, save_holds
from gateway.store.messages import save_messages, take_concat_ref
from gateway.store.ports import Tx
from gateway.store.sequences import join_sequence
from gateway.store.touches import save_touches
from gateway.store.webhooks import save_callbacks


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
        judged: what rules said so far; None for one that no rule is asked about.
    """

    message: Message
    segments: list[Segment]
    reference_bits: int = 8
    by: Actor = SYSTEM
    tag: int | None = None
    rule: str | None = None
    unsettled: Unsettled | None = None
    judged: Judged | None = None


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
    """Store messages inside another operation, as the rules have it."""
    if any(draft.unsettled is not None for draft in drafts):
        drafts = await _settle(tx, drafts)
    judgements = await _judge(tx, drafts)
    accepted, holds = [], []
    for draft, judgement in zip(drafts, judgements, strict=True):
        message = draft.message if judgement is None else _as_judged(draft.message, judgement)
        if (hold := _hold(message, judgement)) is not None:
            holds.append(hold)
        if message.n_segments > 1:
            reference = await take_concat_ref(tx, message.recipient, draft.reference_bits)
            message = msgspec.structs.replace(message, concat_ref=reference)
        tx.record(message_event(message, message.created_at, by=draft.by, rule=draft.rule))
        accepted.append(AcceptedMessage(message, draft.segments, draft.by))
    tags = [draft.tag for draft in drafts]
    hidden = {hold.message_id: hold.hidden_until_ms for hold in holds}
    await save_messages(tx, [(one.message, one.segments) for one in accepted], tags, hidden)
    if holds:
        await save_holds(tx, holds)
    for one in accepted:
        if one.message.sequence is not None and one.message.status is MessageStatus.QUEUED:
            await join_sequence(tx, one.message)
    if called := [one.message for one in accepted if one.message.callback_url is not None]:
        await save_callbacks(tx, [message.id for message in called], called[0].created_at)
    return accepted


async def _judge(tx: Tx, drafts: Sequence[Draft]) -> Sequence[Judgement | None]:
    if not drafts:
        return ()
    now = max(draft.message.created_at for draft in drafts)
    judged = [draft.judged for draft in drafts]
    judgements = await judge_persons(tx, judged, now)
    pairs = zip(judged, judgements, strict=True)
    touches = [one.touch(said) for one, said in pairs if one is not None and said is not None]
    await save_touches(tx, [touch for touch in touches if touch is not None])
    await note_numbers(tx, judged, judgements, now)
    return judgements


def _as_judged(message: Message, judgement: Judgement) -> Message:
    if not judgement.findings:
        return message
    message = msgspec.structs.replace(message, policy=encode_findings(judgement))
    if not isinstance(judgement.verdict, Refuse):
        return message
    error = MessageError(code=judgement.verdict.code, detail=judgement.verdict.detail)
    return moved(message, Cause.BLOCKED, error=error)


def _hold(message: Message, judgement: Judgement | None) -> Hold | None:
    if judgement is None or not judgement.findings or message.status is MessageStatus.BLOCKED:
        return None
    alike = (message.text, message.brand, message.category)
    return hold_of(message.id, judgement.findings, message.created_at, alike)


async def _settle(tx: Tx, drafts: Sequence[Draft]) -> list[Draft]:
    """The same drafts on the ways that they go."""
    unsettled = [(d.unsettled, d.message.created_at) for d in drafts if d.unsettled is not None]
    now = max(at for _, at in unsettled)
    routed = iter(await settle_all(tx, [one for one, _ in unsettled], now))
    return [draft if draft.unsettled is None else _on_way(draft, next(routed)) for draft in drafts]


def _on_way(draft: Draft, routed: Routed) -> Draft:
    message = msgspec.structs.replace(draft.message, queue=routed.queue)
    return draft._replace(message=message, tag=routed.tag, rule=routed.rule, unsettled=None)
