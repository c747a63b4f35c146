"""Replacing: another text takes the place of one that waits, as the rules have it."""

from __future__ import annotations

from datetime import datetime

import msgspec

from gateway.model.message import Message, Segment
from gateway.pipeline.intake.judge import Judged, encode_findings, judge_persons
from gateway.policy.decision import Refuse
from gateway.store.esme import replace_message
from gateway.store.holds import drop_holds, hold_of, save_holds
from gateway.store.ports import Tx
from gateway.store.reviews import drop_decisions
from gateway.store.touches import drop_touches, save_touches


async def judge_and_replace(
    tx: Tx,
    before: Message,
    fresh: Message,
    segments: list[Segment],
    judged: Judged | None,
    now: datetime,
) -> Refuse | None:
    """Put a message in the place of the one with its id, which waits and of which no segment was ever tried.

    Whatever held the old text back, or let it go, says nothing of the new one: all rules are asked anew.

    Args:
        judged: the new text.

    Returns:
        Why it may not go; then the old one is left as it was.
    """
    said, touch = None, None
    if judged is not None:
        judged = judged._replace(subject=judged.subject._replace(message_id=fresh.id))
        [said] = await judge_persons(tx, [judged], now)
    if said is not None and isinstance(said.verdict, Refuse):
        return said.verdict
    hold = None
    if judged is not None and said is not None:
        touch = judged.touch(said)
        fresh = msgspec.structs.replace(fresh, policy=encode_findings(said))
        hold = hold_of(fresh.id, said.findings, now, (fresh.text, fresh.brand, fresh.category))
    await drop_holds(tx, [fresh.id])
    await drop_decisions(tx, [fresh.id])
    await drop_touches(tx, [fresh.id], recalled=True)
    hidden: dict[str, int] = {} if hold is None else {fresh.id: hold.hidden_until_ms}
    await replace_message(tx, before, fresh, segments, hidden)
    if hold is not None:
        await save_holds(tx, [hold])
    if touch is not None:
        await save_touches(tx, [touch])
    return None
