"""Reviews: a person lets a message go that a rule holds, or ends it; alone, or with all that are like it.

What is approved is asked about by the rules of persons again, right before the wire: who opted out meanwhile gets
nothing. Only that a person must look at it is not asked a second time.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from gateway.clock import Clock, truncate_ms
from gateway.errors import Conflict, NotFound
from gateway.model.actor import Actor
from gateway.model.events import make_event
from gateway.model.lifecycle import Cause
from gateway.model.message import MessageError
from gateway.pipeline.sending.ending import end_messages
from gateway.store.audit import record_audit
from gateway.store.holds import Hold
from gateway.store.messages import find_message
from gateway.store.ports import Tx
from gateway.store.reviews import (
    Alike,
    Decision,
    find_alike,
    find_decision,
    find_open,
    release,
    save_decisions,
)

DECIDED: Final = "review.decided"
"""The event that a person decided on a message."""
MOST_DECIDED: Final = 10_000
"""Messages of one decision: as many as a batch may have."""
REJECTED: Final = "rejected"


class Verdict(NamedTuple):
    """What a person decides.

    Args:
        all_of: what is decided with the message.
        reason: why, in a person's words; may be empty.
    """

    decision: Decision
    all_of: Alike = Alike.MESSAGE
    reason: str = ""


async def decide_review(tx: Tx, clock: Clock, message_id: str, verdict: Verdict, *, by: Actor) -> int:
    """Decide on messages in review, inside another operation; on how many.

    Raises:
        NotFound: no such message.
        Conflict: it is not in review; the detail says what is.
    """
    hold = await find_open(tx, message_id)
    if hold is None:
        raise await _not_open(tx, message_id)
    now = truncate_ms(clock.now())
    holds = await find_alike(tx, hold, verdict.all_of, MOST_DECIDED)
    ids = [one.message_id for one in holds]
    if verdict.decision is Decision.APPROVED:
        released = set(await release(tx, ids, now))
        holds = [one for one in holds if one.message_id in released]
    else:
        await end_messages(tx, ids, Cause.BLOCKED, _rejected(verdict.reason), clock, by=by)
    await save_decisions(tx, holds, verdict.decision, str(by), verdict.reason, now)
    for one in holds:
        tx.record(make_event(DECIDED, now, one.message_id, _told(one, verdict, by)))
    details = {"all_of": verdict.all_of.value, "n": len(holds), "rule": hold.rule, "code": hold.code}
    await record_audit(tx, by, f"review.{verdict.decision.value}", message_id, details, at=now)
    return len(holds)


def _told(hold: Hold, verdict: Verdict, by: Actor) -> dict[str, str]:
    return {
        "id": hold.message_id,
        "decision": verdict.decision.value,
        "rule": hold.rule,
        "code": hold.code,
        "reason": verdict.reason,
        "by": str(by),
    }


def _rejected(reason: str) -> MessageError:
    detail = "A person looked at it and rejected it"
    return MessageError(code=REJECTED, detail=f"{detail}: {reason}" if reason else f"{detail}.")


async def _not_open(tx: Tx, message_id: str) -> NotFound | Conflict:
    message = await find_message(tx, message_id)
    if message is None:
        return NotFound("no message has this id")
    decided = await find_decision(tx, message_id)
    if decided is not None:
        return Conflict(f"{decided.decided_by} {decided.decision.value} it already")
    return Conflict(f"the message is {message.status.value} and waits for no decision")
