"""Judge: what the rules say of new messages.

Rules of texts are asked before a text is planned, rules of persons in the transaction that stores the message.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, TypeGuard

import msgspec

from gateway.pipeline.facts import NOTHING_KNOWN, Known, load_facts
from gateway.policy.chain import Chain, Judgement, gravest
from gateway.policy.decision import Refuse
from gateway.policy.subject import Subject
from gateway.store.ports import Tx

_encode = msgspec.json.Encoder().encode


class Judged(NamedTuple):
    """A new message whose text was judged; what is left are the rules of persons.

    Args:
        subject: with the text that goes out.
        said: of its text.
    """

    chain: Chain
    subject: Subject
    said: Judgement

    def of(self, message_id: str) -> Judged:
        """The same, of the message with this id."""
        return self._replace(subject=self.subject._replace(message_id=message_id))


def judge_text(chain: Chain, subject: Subject, memo: dict[Subject, Judgement] | None = None) -> Judged:
    """Ask the rules of texts.

    Args:
        memo: of one request, in which many messages may have one text.
    """
    if memo is None or not chain.texts:
        said = chain.judge_text(subject)
    else:
        alike = subject._replace(recipient="", message_id="")
        found = memo.get(alike)
        said = memo[alike] = chain.judge_text(alike) if found is None else found
    return Judged(chain, subject._replace(text=said.text), said)


async def judge_persons(tx: Tx, judged: Sequence[Judged | None], now: datetime) -> list[Judgement | None]:
    """Ask the rules of persons in the transaction that stores the messages; None for those no rule is asked about.

    A text that was refused stays refused, and one that a person is to look at waits for that.
    """
    asked = [(one.subject, one.chain.needs(one.subject)) for one in judged if _is_open(one)]
    known = await load_facts(tx, asked, now) if any(needs for _, needs in asked) else NOTHING_KNOWN
    return [None if one is None else _judge_person(one, known, now) for one in judged]


def _is_open(one: Judged | None) -> TypeGuard[Judged]:
    return (
        one is not None and not isinstance(one.said.verdict, Refuse) and not one.chain.is_silent(one.subject)
    )


def _judge_person(one: Judged, known: Known, now: datetime) -> Judgement:
    if not _is_open(one):
        return one.said
    said = one.chain.judge_person(one.subject, known.of(one.subject.recipient), now)
    verdict = gravest(one.said.verdict, said.verdict)
    return Judgement(verdict, one.said.text, one.said.findings + said.findings)


def encode_findings(judgement: Judgement) -> bytes:
    """What is kept with the message."""
    return _encode(judgement.findings) if judgement.findings else b""
