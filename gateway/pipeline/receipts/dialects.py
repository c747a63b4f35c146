"""Which dialect the receipts of an account speak: learned from those that found their segment, kept in the store.

An SMSC may answer in hex and report in decimal, and much more. Which of a receipt's spellings fits is seen when one
does; what was seen often enough goes first from then on, so that another message's id is not hit by chance.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from drivers.base import Receipt
from gateway.pipeline.receipts.match import same_handset
from gateway.store.ports import Tx
from gateway.store.receipts import Match, count_dialect, load_dialects

LEARNED = 3
"""Matches after which a dialect is known, if none of the others was seen half as often."""
ENOUGH = 20
"""Matches after which no more are counted on disk: the verdict stands."""
AS_GIVEN = "as-is"
"""The dialect of an SMSC that has but one spelling."""
TRUNCATED = "truncated"
"""The dialect of an SMSC that cuts its ids in receipts."""
ALIKE = "alike"
"""The dialect of an SMSC that adds or leaves out signs, or zeros to a width of its own."""


class Dialects:
    """What was seen so far, per account."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[str, int]] = {}
        self._learned: dict[str, str | None] = {}

    async def load(self, tx: Tx, account: str) -> None:
        """Read what earlier runs saw; once."""
        if account not in self._seen:
            self._seen[account] = await load_dialects(tx, account)
            self._learned[account] = _judge(self._seen[account])

    def forget(self, account: str) -> None:
        """Read anew what was seen, when it is needed."""
        self._seen.pop(account, None)
        self._learned.pop(account, None)

    def learned(self, account: str) -> str | None:
        """The dialect that an account speaks; None while that is not clear."""
        return self._learned.get(account)

    async def count(self, tx: Tx, account: str, dialect: str) -> None:
        """A receipt in this dialect has found its segment: keep that, unless it is long known."""
        if self._seen.get(account, {}).get(dialect, 0) < ENOUGH:
            await count_dialect(tx, account, dialect)

    def note(self, account: str, dialect: str) -> None:
        """The same in memory, once it is on disk."""
        seen = self._seen.get(account)
        if seen is None:  # forgotten meanwhile: it will be read
            return
        seen[dialect] = seen.get(dialect, 0) + 1
        self._learned[account] = _judge(seen)

    def choose(self, account: str, receipt: Receipt) -> list[str]:
        """A receipt's id as spelled in the dialect of its account; nothing while that is not clear."""
        learned = self.learned(account)
        if learned is None:
            return []
        return [
            reference
            for reference, dialect in zip(receipt.references, receipt.dialects, strict=False)
            if dialect == learned
        ]

    def rank(self, account: str, receipt: Receipt, matches: Sequence[Match]) -> list[Match]:
        """Matches by how likely their spelling is, as the driver ordered them.

        Where the learned dialect names one to that handset, it is the only one: settled before, the receipt is its
        repeat, and not that of a message whose id another dialect would write so.
        """
        if len(matches) < 2 or not receipt.dialects:
            return list(matches)
        learned = self.learned(account)
        spoken = dict(zip(receipt.references, receipt.dialects, strict=True))
        meant = [
            match
            for match in matches
            if spoken[match.reference or ""] == learned
            and same_handset(match.recipient, receipt.recipient, strict=False)
        ]
        order = {reference: position for position, reference in enumerate(receipt.references)}
        return sorted(meant or matches, key=lambda match: order[match.reference or ""])

    def certain(self, account: str, receipt: Receipt) -> set[str]:
        """The references of a receipt that are no guess: as agreed, in the learned dialect, or as given."""
        if receipt.agreed:
            return set(receipt.references)
        spoken = self.learned(account) or AS_GIVEN
        return {
            reference
            for reference, dialect in zip(receipt.references, receipt.dialects, strict=False)
            if dialect == spoken
        }


def _judge(seen: Mapping[str, int]) -> str | None:
    if not seen:
        return None
    best = max(seen, key=lambda dialect: seen[dialect])
    others = sum(seen.values()) - seen[best]
    return best if seen[best] >= LEARNED and seen[best] >= 2 * others else None


def dialect_of(receipt: Receipt, match: Match) -> str | None:
    """The dialect that a match speaks for; None where the receipt's spelling says nothing."""
    if not receipt.dialects or match.reference is None:
        return None
    for reference, dialect in zip(receipt.references, receipt.dialects, strict=True):
        if reference == match.reference:
            return dialect
    given = {plain_id(reference) for reference in receipt.references}
    return ALIKE if plain_id(match.reference) in given else TRUNCATED


def plain_id(reference: str) -> str:
    """An id without what carriers add and leave out: signs, zeros in front, case."""
    return _SIGNS.sub("", reference).lstrip("0").lower()


_SIGNS = re.compile(r"[\W_]+")
