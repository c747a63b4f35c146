"""One ESME account: what it is owed, and the binds that may take it."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Protocol

from simulators.fault_plan import FaultPlan
from simulators.smsc.inquiries import Submissions
from simulators.smsc.misbehaviour import Mood
from simulators.smsc.receipts import MessageIds, write_receipt
from simulators.smsc.translate import write_deliver
from simulators.traffic import Endpoint, NotNow

if TYPE_CHECKING:
    from drivers.smpp.wire.pdus import DeliverSm
    from simulators.network import Network
    from simulators.traffic import NetworkMessage, NetworkReceipt

MAX_OWED = 100_000
"""Deliveries kept for one account; beyond that they stay in the network."""


class ReceivingBind(Protocol):
    """A bind that deliver_sm can go to."""

    def offer(self, body: DeliverSm) -> bool:
        """Send it, unless the bind's window is full."""
        ...


class Account(Endpoint):
    """Keeps each delivery until a bind has acknowledged it with status 0.

    Args:
        system_id: the login.
        password: compared as it is.
        number: what handsets write to.
        message_ids: see `MessageIds`.
        resend_s: pause before a delivery that was answered with an error is offered again.
        network: told of every change, and asked again for what did not fit.
        mood: of the SMSC: what happens to receipts; by default nothing.

    Attributes:
        submissions: what it may ask after.
    """

    def __init__(
        self,
        *,
        system_id: str,
        password: str,
        number: str,
        message_ids: MessageIds,
        resend_s: float,
        network: Network,
        mood: Mood | None = None,
    ) -> None:
        self._mood = mood or Mood(FaultPlan(system_id, ()))
        self.system_id = system_id
        self.password = password
        self.number = number
        self.message_ids = message_ids
        self.submissions = Submissions(network, number=number, via=system_id)
        self._resend_s = resend_s
        self._network = network
        self._waiting: deque[DeliverSm] = deque()
        self._binds: deque[ReceivingBind] = deque()
        self._n_owed = 0
        self._turned_away = False

    @property
    def n_owed(self) -> int:
        """Deliveries that no bind has acknowledged: waiting, on a wire, or to be sent again."""
        return self._n_owed

    async def deliver(self, message: NetworkMessage) -> None:
        """Take a segment that a handset wrote to this account's number."""
        self._owe(write_deliver(message))

    async def report(self, receipt: NetworkReceipt) -> None:
        """Take the receipt of a segment that this account submitted."""
        n, dialect = await self._mood.on_report(receipt.message.recipient)
        for _ in range(n):
            self._owe(write_receipt(receipt, self.message_ids, dialect))

    def add_bind(self, bind: ReceivingBind) -> None:
        """A receiver or transceiver is there; what waited goes out."""
        self._binds.append(bind)
        self.pump()

    def remove_bind(self, bind: ReceivingBind, unacknowledged: list[DeliverSm]) -> None:
        """A bind is gone; what it has not acknowledged goes out first, in the old order, on the next one."""
        self._binds.remove(bind)
        self._waiting.extendleft(reversed(unacknowledged))
        self.pump()

    def settle(self, body: DeliverSm, *, taken: bool) -> None:
        """A bind answered a delivery; one that was not taken is offered again after a pause."""
        if taken:
            self._n_owed -= 1
        else:
            asyncio.get_running_loop().call_later(self._resend_s, self._offer_again, body)
        self._network.notice()
        self.pump()
        if self._turned_away:
            self._turned_away = False
            self._network.retry(self)

    def pump(self) -> None:
        """Send what waits, turn by turn over the binds whose window has room."""
        full = 0
        while self._waiting and full < len(self._binds):
            bind = self._binds[0]
            self._binds.rotate(-1)
            if bind.offer(self._waiting[0]):
                self._waiting.popleft()
                full = 0
            else:
                full += 1

    def _owe(self, body: DeliverSm) -> None:
        if self._n_owed >= MAX_OWED:
            self._turned_away = True
            raise NotNow
        self._n_owed += 1
        self._waiting.append(body)
        self.pump()

    def _offer_again(self, body: DeliverSm) -> None:
        self._waiting.appendleft(body)
        self.pump()
