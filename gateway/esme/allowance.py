"""What the binds of one account share: its backlog, its rate, and whether it may submit something now."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from drivers.base import Concat
from drivers.pacing import TokenBucket
from drivers.smpp.server.submit import Submission, count_destinations, find_concat
from drivers.smpp.wire.constants import CommandStatus
from drivers.smpp.wire.pdus import SubmitMulti
from gateway.esme.account import EsmeAccount

_BURST_S: Final = 1.0
_TOGETHER_S: Final = 60.0
"""How long the parts of a text may be apart, as `gateway.esme.intake.PART_WAIT`."""
_MOST_BEGUN: Final = 1_000


class _Text(NamedTuple):
    """What the parts of one text have in common."""

    source: str
    destination: str
    width: int
    reference: int
    total: int


class _Begun(NamedTuple):
    """A text of which parts were taken."""

    until: float
    parts: set[int]


@dataclass(slots=True)
class AccountState:
    """See the module.

    Args:
        waiting: messages that the network does not have yet.
        in_hand: messages that were asked for and are not answered yet.
        n_binds: how many are open.
    """

    account: EsmeAccount
    bucket: TokenBucket | None
    waiting: int = 0
    in_hand: int = 0
    n_binds: int = 0
    _begun: OrderedDict[_Text, _Begun] = field(default_factory=OrderedDict)

    @classmethod
    def of(cls, account: EsmeAccount, now: float) -> AccountState:
        """As it begins."""
        rate = account.rate_per_s
        return cls(account, None if rate is None else TokenBucket(rate, max(1.0, rate * _BURST_S), now))

    def adopt(self, account: EsmeAccount, now: float) -> None:
        """Go by other limits from now on; a rate that is the same goes on where it is."""
        if account.rate_per_s != self.account.rate_per_s:
            self.bucket = AccountState.of(account, now).bucket
        self.account = account

    def refuse(self, body: Submission, now: float) -> CommandStatus | None:
        """What a submission is refused with; None takes it, and pays for each of its messages.

        A text that has begun is taken whole: what its other parts cost beyond the rate is paid by what comes behind it.
        """
        if self.waiting + self.in_hand >= self.account.max_waiting:
            return CommandStatus.RMSGQFUL
        if self.bucket is not None:
            concat = find_concat(body)
            if not self.bucket.available(now) and not self._goes_on(body, concat, now):
                return CommandStatus.RTHROTTLED
            self._note_part(body, concat, now)
            self.bucket.take(count_destinations(body), now)
        return None

    def _goes_on(self, body: Submission, concat: Concat | None, now: float) -> bool:
        """Whether it is the next part of a text that has begun; the same part again is none."""
        if concat is None or isinstance(body, SubmitMulti):
            return False
        begun = self._begun.get(_text_of(body, concat))
        return begun is not None and now < begun.until and concat.part not in begun.parts

    def _note_part(self, body: Submission, concat: Concat | None, now: float) -> None:
        if concat is None or isinstance(body, SubmitMulti):
            return
        text = _text_of(body, concat)
        begun = self._begun.pop(text, None)
        parts = begun.parts if begun is not None and now < begun.until else set()
        if concat.part in parts:  # another text under the same reference
            parts = set()
        parts.add(concat.part)
        self._begun[text] = _Begun(now + _TOGETHER_S, parts)
        if len(self._begun) > _MOST_BEGUN:
            self._begun.popitem(last=False)


def _text_of(body: Submission, concat: Concat) -> _Text:
    assert not isinstance(body, SubmitMulti)
    return _Text(body.source_addr, body.destination_addr, concat.width, concat.reference, concat.total)
