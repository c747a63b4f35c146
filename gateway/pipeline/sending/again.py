"""Again: rules are asked right before the wire, too. The world may have changed since a message was accepted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from gateway.clock import Clock, truncate_ms
from gateway.model.lifecycle import Cause
from gateway.model.message import MessageError
from gateway.pipeline.facts import load_facts
from gateway.pipeline.sending.ending import end_messages
from gateway.policy.chain import Chain
from gateway.policy.decision import Allow, Refuse
from gateway.policy.subject import Facts, Need, Subject, Touch
from gateway.store.holds import Hold, hold_back, hold_of
from gateway.store.ports import Tx
from gateway.store.queue import Due
from gateway.store.subjects import find_subjects
from gateway.store.touches import NewTouch, put_off_touches, save_gone, touch_of


class Counted:
    """What one claim gives to numbers whose messages are counted.

    Attributes:
        left: messages that are too many only beside others of this claim, which may not be claimed in the end: they are
            asked about anew in the next one.
    """

    def __init__(self) -> None:
        self.left: set[str] = set()
        self._touches: dict[str, NewTouch] = {}
        self._by_recipient: dict[str, tuple[Touch, ...]] = {}

    def beside(self, subject: Subject, facts: Facts) -> Facts | None:
        """What is known of a number if those before it are claimed; None where there are none."""
        others = self._by_recipient.get(subject.recipient)
        return facts._replace(touches=facts.touches + others) if others else None

    def add(self, subject: Subject, now: datetime) -> None:
        """This one may be claimed."""
        new = touch_of(subject, now, is_out=True)
        self._touches[subject.message_id] = new
        others = self._by_recipient.get(subject.recipient, ())
        self._by_recipient[subject.recipient] = (*others, new.touch)

    async def keep(self, tx: Tx, claimed: Iterable[str]) -> None:
        """Keep what was claimed; it goes out now."""
        if self._touches:
            await save_gone(tx, [self._touches[one] for one in claimed if one in self._touches])


async def judge_again(tx: Tx, chain: Chain, due: Collection[Due], clock: Clock, counted: Counted) -> set[str]:
    """End messages that rules refuse by now, and hold back those that are to go later; the ids of both.

    Args:
        counted: of this claim; those that it leaves for the next one are among the ids, too.
    """
    in_order = sorted(due, key=lambda one: (one.candidate.rank, one.message_id))
    asked = [one.message_id for one in in_order if chain.asks_again(one.category)]
    if not asked:
        return set()
    subjects = await find_subjects(tx, asked)
    refused, holds = await _ask(tx, chain, subjects, clock, counted)
    for verdict, ids in refused.items():
        await end_messages(tx, ids, Cause.BLOCKED, error_of(verdict), clock)
    await hold_back(tx, holds)
    await put_off_touches(tx, [(one.message_id, one.until) for one in holds if one.until is not None])
    stopped = {message_id for ids in refused.values() for message_id in ids}
    return stopped | {hold.message_id for hold in holds} | counted.left


async def _ask(
    tx: Tx, chain: Chain, subjects: Sequence[Subject], clock: Clock, counted: Counted
) -> tuple[dict[Refuse, list[str]], list[Hold]]:
    now = truncate_ms(clock.now())
    wanted = [(subject, chain.needs(subject, again=True)) for subject in subjects]
    known = await load_facts(tx, wanted, now, claiming=True)
    refused: dict[Refuse, list[str]] = {}
    holds = []
    for subject in subjects:
        facts = known.of(subject.recipient)
        verdict, _, findings = chain.judge_person(subject, facts, now, again=True)
        if isinstance(verdict, Allow):
            _admit(chain, subject, facts, now, counted)
        elif isinstance(verdict, Refuse):
            refused.setdefault(verdict, []).append(subject.message_id)
        elif (hold := hold_of(subject.message_id, findings, now)) is not None:
            holds.append(hold)
    return refused, holds


def _admit(chain: Chain, subject: Subject, facts: Facts, now: datetime, counted: Counted) -> None:
    """Let a message be claimed, or leave it for the next claim."""
    if Need.TOUCHES not in chain.needs(subject):
        return
    beside = counted.beside(subject, facts)
    if beside is None or isinstance(chain.judge_person(subject, beside, now, again=True).verdict, Allow):
        counted.add(subject, now)
    else:
        counted.left.add(subject.message_id)


def error_of(refused: Refuse) -> MessageError:
    """A refusal as a message keeps it."""
    return MessageError(code=refused.code, detail=refused.detail)
