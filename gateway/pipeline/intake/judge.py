"""Judge: what the rules say of new messages.

Rules of texts are asked before a text is planned, rules of persons in the transaction that stores the message.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from gateway.pipeline.facts import Known, load_facts
from gateway.policy.chain import Chain, Judgement, gravest
from gateway.policy.decision import Finding, Later, Outcome, Refuse
from gateway.policy.rules.number_limits import limits_in
from gateway.policy.subject import Need, Subject
from gateway.store.ports import Tx
from gateway.store.touches import NewTouch, touch_of

_encode = msgspec.json.Encoder().encode


class Judged(NamedTuple):
    """A new message whose text was judged; what is left are the rules of persons.

    Args:
        subject: with the text that goes out.
        said: of its text; None where no rule of texts is asked.
    """

    chain: Chain
    subject: Subject
    said: Judgement | None = None

    @property
    def is_open(self) -> bool:
        """Whether rules of persons are still to be asked."""
        refused = self.said is not None and isinstance(self.said.verdict, Refuse)
        return not refused and not self.chain.is_silent(self.subject)

    def touch(self, judgement: Judgement) -> NewTouch | None:
        """What it counts as for its number, by what was said of it; None where it does not count."""
        verdict = judgement.verdict
        if Need.TOUCHES not in self.chain.needs(self.subject) or isinstance(verdict, Refuse):
            return None
        at = verdict.until if isinstance(verdict, Later) else self.subject.at
        return touch_of(self.subject, at, is_out=False)


def judge_text(chain: Chain, subject: Subject, memo: dict[Subject, Judgement]) -> Judged:
    """Ask the rules of texts.

    Args:
        memo: of one request, in which many messages may have one text.
    """
    if not chain.texts:
        return Judged(chain, subject)
    alike = subject.of_anybody()
    said = memo.get(alike)
    if said is None:
        said = memo[alike] = chain.judge_text(alike)
    return Judged(chain, subject if said.text == subject.text else subject.with_text(said.text), said)


def keep_text(judged: Judged, text: str | None) -> Judged:
    """The same of a message whose text goes out as it came, whatever rules would write: a warning says so."""
    if judged.subject.text == text:
        return judged
    said = judged.said
    if said is not None:
        findings = (_not_rewritten(one) if one.outcome is Outcome.REWRITE else one for one in said.findings)
        said = said._replace(text=text, findings=tuple(findings))
    return judged._replace(subject=judged.subject.with_text(text), said=said)


def _not_rewritten(finding: Finding) -> Finding:
    detail = "It came with a header of its sender's own, so its text stays as it came."
    return Finding(rule=finding.rule, outcome=Outcome.WARN, code="not_rewritten", detail=detail)


async def judge_persons(tx: Tx, judged: Sequence[Judged | None], now: datetime) -> list[Judgement | None]:
    """Ask the rules of persons in the transaction that stores the messages; None where nobody says anything.

    A text that was refused stays refused, and one that a person is to look at waits for that. Messages to one number
    are judged one after the other: each counts for those behind it.
    """
    is_open = [one is not None and one.is_open for one in judged]
    if not any(is_open):
        return [None if one is None else one.said for one in judged]
    asked = [one for one, is_asked in zip(judged, is_open, strict=True) if one is not None and is_asked]
    wanted = [(one.subject, one.chain.needs(one.subject)) for one in asked]
    known = await load_facts(tx, wanted, now, limits=limits_in(asked[0].chain))
    return [
        None if one is None else _judge_person(one, known, now) if is_asked else one.said
        for one, is_asked in zip(judged, is_open, strict=True)
    ]


def _judge_person(one: Judged, known: Known, now: datetime) -> Judgement:
    said = one.chain.judge_person(one.subject, known.of(one.subject.recipient), now)
    if one.said is not None:
        verdict = gravest(one.said.verdict, said.verdict)
        said = Judgement(verdict, one.said.text, one.said.findings + said.findings)
    if (touch := one.touch(said)) is not None:
        known.count(touch)
    is_counted = known.number_counts and Need.NUMBER_COUNTS in one.chain.needs(one.subject)
    if is_counted and not isinstance(said.verdict, Refuse):
        known.count_number(one.subject.recipient, limits_in(one.chain))
    return said


def encode_findings(judgement: Judgement) -> bytes:
    """What is kept with the message."""
    return _encode(judgement.findings) if judgement.findings else b""
