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
from gateway.policy.decision import Allow, Outcome, Refuse, Review
from gateway.policy.subject import Facts, Need, Subject, Touch
from gateway.store.holds import Hold, hold_back, hold_of
from gateway.store.ports import Tx
from gateway.store.queue import Due
from gateway.store.reviews import find_approved
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
    asked = [one for one in due if chain.asks_again(one.category)]
    if not asked:
        return set()
    in_order = sorted(asked, key=lambda one: (one.candidate.rank, one.message_id))
    subjects = await find_subjects(tx, [one.message_id for one in in_order])
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
    judge = _Judge(tx, chain, now, [subject.message_id for subject in subjects])
    for subject in subjects:
        facts = known.of(subject.recipient)
        said = await judge.ask(subject, facts)
        if said is None:
            await _admit(judge, subject, facts, counted)
        elif isinstance(said, Refuse):
            refused.setdefault(said, []).append(subject.message_id)
        else:
            holds.append(said)
    return refused, holds


class _Judge:
    """Asks about the messages of one claim.

    Args:
        message_ids: of them.
    """

    def __init__(self, tx: Tx, chain: Chain, now: datetime, message_ids: Sequence[str]) -> None:
        self._tx, self.chain, self.now = tx, chain, now
        self._message_ids = message_ids
        self._approved: set[str] | None = None

    async def ask(self, subject: Subject, facts: Facts) -> Refuse | Hold | None:
        """Why a message may not go; None where it may.

        What a person let go is held for no person again. It may still have to wait for its time.
        """
        verdict, _, findings = self.chain.judge_person(subject, facts, self.now, again=True)
        if isinstance(verdict, Allow):
            return None
        if isinstance(verdict, Refuse):
            return verdict
        if isinstance(verdict, Review) and await self._is_approved(subject.message_id):
            findings = tuple(finding for finding in findings if finding.outcome is not Outcome.REVIEW)
        alike = (subject.text, subject.brand, subject.category)
        return hold_of(subject.message_id, findings, self.now, alike)

    async def _is_approved(self, message_id: str) -> bool:
        if self._approved is None:
            self._approved = await find_approved(self._tx, self._message_ids)
        return message_id in self._approved


async def _admit(judge: _Judge, subject: Subject, facts: Facts, counted: Counted) -> None:
    """Let a message be claimed, or leave it for the next claim."""
    if Need.TOUCHES not in judge.chain.needs(subject):
        return
    beside = counted.beside(subject, facts)
    if beside is None or await judge.ask(subject, beside) is None:
        counted.add(subject, judge.now)
    else:
        counted.left.add(subject.message_id)


def error_of(refused: Refuse) -> MessageError:
    """A refusal as a message keeps it."""
    return MessageError(code=refused.code, detail=refused.detail)
