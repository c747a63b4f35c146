"""Waiting for: what waits for a person who opts out is blocked at once, not at its turn."""

from __future__ import annotations

from typing import Final, NamedTuple

from gateway.clock import Clock, truncate_ms
from gateway.model.lifecycle import Cause
from gateway.pipeline.sending.again import error_of
from gateway.pipeline.sending.ending import end_messages
from gateway.policy.decision import Refuse
from gateway.policy.rules.opt_out import OptOut
from gateway.policy.subject import Facts
from gateway.store.ports import Tx
from gateway.store.subjects import find_marketing_for, find_subjects

_LOOKED_AT: Final = 500
"""Messages to a person that are looked at in one transaction; others wait for the writer meanwhile."""


class Seek(NamedTuple):
    """Where to look for messages that an opt-out stops.

    Args:
        scope: of the opt-out.
        recipients: under which the person may stand in the store; the first is looked for, then the others.
        before: of the first's messages those with a smaller id; None for all.
    """

    scope: str
    recipients: tuple[str, ...]
    before: str | None = None


async def block_waiting(tx: Tx, clock: Clock, seek: Seek, rule: OptOut) -> Seek | None:
    """Block marketing that waits and that an opt-out stops, newest first; where to go on, None at the end.

    Args:
        rule: says what is stopped.
    """
    while seek.recipients:
        found = await find_marketing_for(tx, seek.recipients[0], before=seek.before, limit=_LOOKED_AT)
        await _block(tx, clock, found.ids, seek.scope, rule)
        if found.last is not None:
            return seek._replace(before=found.last)
        seek = seek._replace(recipients=seek.recipients[1:], before=None)
    return None


async def _block(tx: Tx, clock: Clock, waiting: list[str], scope: str, rule: OptOut) -> None:
    now, facts = truncate_ms(clock.now()), Facts(opt_outs=frozenset({scope}))
    stopped: dict[Refuse, list[str]] = {}
    for subject in await find_subjects(tx, waiting):
        verdict = rule.decide(subject, facts, now)
        if isinstance(verdict, Refuse):
            stopped.setdefault(verdict, []).append(subject.message_id)
    for verdict, ids in stopped.items():
        await end_messages(tx, ids, Cause.BLOCKED, error_of(verdict), clock)
