"""Numbers: what is kept of the recipients of messages that the rules let through."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from gateway.pipeline.intake.judge import Judged
from gateway.policy.chain import Judgement
from gateway.policy.decision import Refuse
from gateway.policy.rules.number_limits import limits_in
from gateway.policy.rules.numbers import dead_in
from gateway.policy.subject import Need
from gateway.store.numbers import count_numbers, note_tries
from gateway.store.ports import Tx


async def note_numbers(
    tx: Tx, judged: Sequence[Judged | None], said: Sequence[Judgement | None], now: datetime
) -> None:
    """Count messages under ``[[number_limits]]``, and those by which a dead number is tried once again.

    Args:
        judged: messages that are stored together.
        said: what all rules say of each; None for nothing.
    """
    chain = next((one.chain for one in judged if one is not None), None)
    if chain is None:
        return
    limits, dead = limits_in(chain), dead_in(chain)
    if not limits and dead is None:
        return
    counted, tried = [], []
    for one, judgement in zip(judged, said, strict=True):
        if one is None or (judgement is not None and isinstance(judgement.verdict, Refuse)):
            continue
        needs = one.chain.needs(one.subject)
        if Need.NUMBER_COUNTS in needs:
            counted.append(one.subject.recipient)
        if Need.DEAD_NUMBER in needs:
            tried.append(one.subject.recipient)
    if counted:
        await count_numbers(tx, limits, counted, now)
    if tried and dead is not None:
        await note_tries(tx, set(tried), fewest=dead.after, now=now)
