"""Check: what the rules would say of a message, one by one; nothing is sent or stored.

They are the rules that `gateway.pipeline.intake.accept` asks, with the same knowledge. So the next message of that kind
fares as the answer says, unless something changes in between.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from gateway.clock import Clock
from gateway.model.message import ApiKey, Category
from gateway.model.request import CheckRequest
from gateway.pipeline.facts import load_facts
from gateway.pipeline.intake.accept import Intake
from gateway.pipeline.intake.judge import judge_persons
from gateway.policy.decision import ALLOW, Finding, Outcome, finding_of
from gateway.policy.rules.number_limits import limits_in
from gateway.store.keys import find_key_named
from gateway.store.ports import Store, Tx


class MessageCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What would become of a message.

    Args:
        outcome: ``allow``, ``later``, ``review`` or ``refuse``.
        code: why, in one word; empty for ``allow``.
        detail: why, in a sentence.
        until: of ``later``: when it may go at the earliest.
        to: the recipient as it would be stored.
        text: as it would go out; null for a binary message.
        encoding: ``gsm7``, ``ucs2`` or ``binary``.
        segments: how many it would have.
        rules: what each rule says, in the order in which they are asked.
    """

    outcome: Outcome
    code: str
    detail: str
    until: datetime | None
    to: str
    category: Category
    brand: str
    text: str | None
    encoding: str
    segments: int
    rules: list[Finding]


async def check_message(
    store: Store, clock: Clock, intake: Intake, request: CheckRequest, *, key: ApiKey | None
) -> MessageCheck:
    """Ask every rule.

    Args:
        key: who asks; the message is one of his where the request names nobody else.

    Raises:
        InvalidRequest: a message like that would not be taken.
        StoreError: the store can't be read.
    """
    now = clock.now()
    if request.key is not None:
        wanted = request.key
        key = await store.read(lambda tx: find_key_named(tx, wanted, now))
    draft = intake.draft(request, key=key, joins=False)
    message, judged = draft.message, draft.judged
    assert judged is not None  # drafts of requests are judged

    async def ask(tx: Tx) -> tuple[Finding, list[Finding]]:
        [said] = await judge_persons(tx, [judged], now)
        asked = judged.subject._replace(text=request.text)
        needs = judged.chain.needs(asked)
        known = await load_facts(tx, [(asked, needs)], now, limits=limits_in(judged.chain))
        each = judged.chain.explain(asked, known.of(asked.recipient), now)
        return finding_of("", ALLOW if said is None else said.verdict), each

    verdict, rules = await store.read(ask)
    return MessageCheck(
        outcome=verdict.outcome,
        code=verdict.code,
        detail=verdict.detail,
        until=verdict.until,
        to=message.recipient,
        category=message.category,
        brand=message.brand,
        text=message.text,
        encoding=message.encoding,
        segments=message.n_segments,
        rules=rules,
    )
