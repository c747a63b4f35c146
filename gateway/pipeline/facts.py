"""Facts: what the store knows of the recipients of messages, as far as rules ask for it; a query or two for many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from gateway.policy.rules.number_limits import NumberLimit, limits_of
from gateway.policy.subject import NO_FACTS, Facts, Need, Subject
from gateway.store.acquaintance import find_acquainted
from gateway.store.consents import find_standings
from gateway.store.numbers import find_counts, find_failures
from gateway.store.ports import Tx
from gateway.store.routes import find_carriers
from gateway.store.suppressions import find_opt_outs
from gateway.store.touches import NewTouch, find_touches


class Known:
    """What was found, by recipient.

    Attributes:
        number_counts: how many messages each limit of numbers has let through so far, of all recipients.
    """

    def __init__(self, number_counts: Counter[str] | None = None) -> None:
        self.number_counts: Counter[str] = Counter() if number_counts is None else number_counts
        # The counts are the same ones for everybody, and count on.
        self._nothing = NO_FACTS if number_counts is None else Facts(number_counts=number_counts)
        self._facts: dict[str, Facts] = {}

    def of(self, recipient: str) -> Facts:
        """What is known of one."""
        return self._facts.get(recipient, self._nothing)

    def note(self, recipient: str, **found: Any) -> None:
        """Fields of `Facts` that are known of one."""
        self._facts[recipient] = self.of(recipient)._replace(**found)

    def count(self, new: NewTouch) -> None:
        """One more message is to go to a number."""
        self.note(new.recipient, touches=(*self.of(new.recipient).touches, new.touch))

    def count_number(self, number: str, limits: Sequence[NumberLimit]) -> None:
        """One more message is to go to a number, as limits of numbers count it."""
        self.number_counts.update(limit.name for limit in limits_of(number, limits))


async def load_facts(
    tx: Tx,
    wanted: Sequence[tuple[Subject, Collection[Need]]],
    now: datetime,
    *,
    claiming: bool = False,
    limits: Sequence[NumberLimit] = (),
) -> Known:
    """Look up what rules ask for.

    Args:
        wanted: of each message what its rules need (`gateway.policy.chain.Chain.needs`).
        now: the instant at which they are asked.
        claiming: they are asked right before the wire.
        limits: of `gateway.policy.rules.number_limits`, where they are among the rules.
    """
    by_need: dict[Need, list[Subject]] = {}
    for subject, needs in wanted:
        for need in needs:
            by_need.setdefault(need, []).append(subject)
    known = Known()
    if asked := by_need.get(Need.NUMBER_COUNTS):
        known = Known(await find_counts(tx, limits, {subject.recipient for subject in asked}, now))
    if asked := by_need.get(Need.OPT_OUTS):
        found = await find_opt_outs(tx, {subject.recipient for subject in asked})
        for recipient, scopes in found.items():
            known.note(recipient, opt_outs=scopes)
    await _load_consents(tx, known, by_need)
    if asked := by_need.get(Need.TOUCHES):
        await _load_touches(tx, known, {subject.recipient for subject in asked}, claiming=claiming)
    if asked := by_need.get(Need.CARRIER):
        for recipient, carrier in (await find_carriers(tx, {one.recipient for one in asked})).items():
            known.note(recipient, carrier=carrier)
    if asked := by_need.get(Need.DEAD_NUMBER):
        for recipient, failures in (await find_failures(tx, {one.recipient for one in asked})).items():
            known.note(recipient, failures=failures)
    return known


async def _load_consents(tx: Tx, known: Known, by_need: Mapping[Need, Sequence[Subject]]) -> None:
    if asked := by_need.get(Need.CONSENTS):
        for recipient, held in (await find_standings(tx, {one.recipient for one in asked})).items():
            known.note(recipient, consents=held)
    if asked := by_need.get(Need.ACQUAINTED):
        for recipient in await find_acquainted(tx, {one.recipient for one in asked}):
            known.note(recipient, is_acquainted=True)


async def _load_touches(tx: Tx, known: Known, recipients: Collection[str], *, claiming: bool) -> None:
    found = await find_touches(tx, recipients, only_out=claiming)
    for recipient in recipients if claiming else found:
        known.note(recipient, touches=found.get(recipient, ()), claiming=claiming)
