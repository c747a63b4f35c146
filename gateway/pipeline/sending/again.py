"""Again: rules are asked right before the wire, too. The world may have changed since a message was accepted."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from gateway.clock import Clock, truncate_ms
from gateway.model.lifecycle import Cause
from gateway.model.message import MessageError
from gateway.pipeline.facts import load_facts
from gateway.pipeline.sending.ending import end_messages
from gateway.policy.chain import Chain
from gateway.policy.decision import Allow, Refuse
from gateway.policy.subject import Subject
from gateway.store.holds import Hold, hold_back, hold_of
from gateway.store.ports import Tx
from gateway.store.queue import Due
from gateway.store.subjects import find_subjects


async def judge_again(tx: Tx, chain: Chain, due: Collection[Due], clock: Clock) -> set[str]:
    """End messages that rules refuse by now, and hold back those that are to go later; the ids of both."""
    asked = [one.message_id for one in due if chain.asks_again(one.category)]
    if not asked:
        return set()
    subjects = await find_subjects(tx, asked)
    refused, holds = await _ask(tx, chain, subjects, clock)
    for verdict, ids in refused.items():
        await end_messages(tx, ids, Cause.BLOCKED, error_of(verdict), clock)
    await hold_back(tx, holds)
    return {message_id for ids in refused.values() for message_id in ids} | {
        hold.message_id for hold in holds
    }


async def _ask(
    tx: Tx, chain: Chain, subjects: Sequence[Subject], clock: Clock
) -> tuple[dict[Refuse, list[str]], list[Hold]]:
    now = truncate_ms(clock.now())
    wanted = [(subject, chain.needs(subject, again=True)) for subject in subjects]
    known = await load_facts(tx, wanted, now)
    refused: dict[Refuse, list[str]] = {}
    holds = []
    for subject in subjects:
        verdict, _, findings = chain.judge_person(subject, known.of(subject.recipient), now, again=True)
        if isinstance(verdict, Allow):
            continue
        if isinstance(verdict, Refuse):
            refused.setdefault(verdict, []).append(subject.message_id)
        elif (hold := hold_of(subject.message_id, findings, now)) is not None:
            holds.append(hold)
    return refused, holds


def error_of(refused: Refuse) -> MessageError:
    """A refusal as a message keeps it."""
    return MessageError(code=refused.code, detail=refused.detail)
