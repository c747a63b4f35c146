"""Gate: the last look at the opt-out list, when the driver is the next to have a segment of marketing.

The claim has looked, too, but a message may be claimed ahead, wait for its turn, or be on its second segment. Where all
opt-outs go through this process, their numbers are known before they are committed, and only those are looked up.
Where other processes share the database the list is looked at for each segment, for all that come together at once,
and no opt-out commits between the look and the moment when the driver has the segment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from drivers.broken import where_broke
from drivers.paced_log import PacedLog
from gateway.clock import Clock
from gateway.errors import StoreError
from gateway.model.message import Category, Message
from gateway.policy.decision import Refuse
from gateway.policy.rules.opt_out import OptOut
from gateway.policy.subject import Facts, Subject
from gateway.store.ports import Store, Tx
from gateway.store.suppressions import find_opt_outs

_log = PacedLog(__name__, most=100)

MOST_REMEMBERED: Final = 100_000
"""Numbers that opted out while this process runs; then it forgets all, and looks up what is claimed by then."""


class _Look(NamedTuple):
    """A message that waits for a look at the list; the answer is in which scopes its recipient opted out."""

    recipient: str
    scopes: asyncio.Future[frozenset[str]]


class Gate:
    """Of all channels of a process.

    Attributes:
        rule: says whom an opt-out stops; may be replaced.
    """

    def __init__(self, store: Store, clock: Clock, rule: OptOut) -> None:
        self.rule = rule
        self._store = store
        self._clock = clock
        self._n_noted = 0
        self._noted: dict[str, int] = {}
        self._n_forgotten = 0
        self._waiting: list[_Look] = []
        self._looking: asyncio.Task[None] | None = None
        store.on_stop(self._note)

    @property
    def ticket(self) -> int:
        """To be taken when a message was claimed, for `lets_pass`."""
        return self._n_forgotten

    async def lets_pass(self, message: Message, ticket: int) -> bool:
        """Whether a segment may go to its driver now: before anything else is awaited."""
        if message.category is not Category.MARKETING:
            return True
        if not self._store.hears_all_stops:
            return not self._stops(message, await self._look(message.recipient))
        while True:
            noted = self._noted.get(message.recipient)  # before the ticket: see `_note`
            if noted is None and ticket == self._n_forgotten:
                return True
            if self._stops(message, await self._look(message.recipient)):
                return False
            if self._noted.get(message.recipient) == noted:
                return True

    def _note(self, recipients: Collection[str]) -> None:
        """Some opt out: it is not committed yet, and may never be. Called on the store's thread."""
        if len(self._noted) + len(recipients) > MOST_REMEMBERED:
            self._n_forgotten += 1  # before they are gone, for who reads in the other order
            self._noted.clear()
        self._n_noted += 1
        for recipient in recipients:
            self._noted[recipient] = self._n_noted

    def _stops(self, message: Message, scopes: frozenset[str]) -> bool:
        subject = Subject(
            message.recipient,
            message.category,
            message.created_at,
            None,
            message.brand,
            sender=message.sender,
        )
        return isinstance(self.rule.decide(subject, Facts(opt_outs=scopes), self._clock.now()), Refuse)

    async def _look(self, recipient: str) -> frozenset[str]:
        """Raises StoreError: nobody can say."""
        look = _Look(recipient, asyncio.get_running_loop().create_future())
        self._waiting.append(look)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_for_all(), name="opt-out looks")
        return await look.scopes

    async def _look_for_all(self) -> None:
        """Look for all that wait, and for those that come meanwhile, until nobody waits."""
        while self._waiting:
            looks, self._waiting = self._waiting, []
            recipients = {look.recipient for look in looks}

            async def op(tx: Tx, recipients: Collection[str] = recipients) -> dict[str, frozenset[str]]:
                return await find_opt_outs(tx, recipients)

            async def use(found: dict[str, frozenset[str]], looks: Sequence[_Look] = looks) -> None:
                for look in looks:
                    if not look.scopes.done():
                        look.scopes.set_result(found.get(look.recipient, frozenset()))
                await asyncio.sleep(0)  # whoever waited goes on now, up to where the driver has the segment

            try:
                await self._store.read_steady(op, use)
            except Exception as exc:  # noqa: BLE001 - they would wait for ever, and their channel with them
                known = isinstance(exc, StoreError)
                error = exc if known else StoreError(f"hongyan itself failed: {where_broke(exc)}")
                _log.warning("nobody could look at the opt-out list: %s", error)
                for look in looks:
                    if not look.scopes.done():
                        look.scopes.set_exception(error)
