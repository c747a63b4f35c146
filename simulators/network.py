"""One simulated operator that joins SIMs, ESMEs and handsets: it carries segments, and receipts back.

Single-threaded, for one event loop. Nothing here sleeps: with zero latency a delivery happens in the next
turn of the loop. The network knows no AT command and no SMPP; those live in the simulated devices.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import random
from collections import defaultdict, deque
from functools import partial
from typing import TYPE_CHECKING

from drivers.base import ReceiptState
from simulators.fates import Carried, Fate, Fates
from simulators.handset import Handset
from simulators.traffic import NetworkReceipt, NetworkRefusal, NotNow, RefusalCause, keep_newest

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from simulators.traffic import Endpoint, NetworkMessage

MAX_WAITING = 1_000
"""Messages kept for one absent or full recipient, and receipts for one submitter; the next is dropped
(a message: with an UNDELIVERABLE receipt)."""


_LEAST_DIGITS = 7
"""Of a number by whose end somebody is meant."""
_SHORT = 8
"""Digits of numbers that have no country code."""


class Network:
    """The operator.

    Args:
        latency_s: from submit to delivery.
        receipt_delay_s: from delivery to the receipt.
        seed: same seed, same references.
        keep: newest entries kept in `accepted` and on each handset, and newest unknown numbers
            remembered, for a network that runs for days; None keeps all, as tests need.

    Attributes:
        accepted: every segment the network took, in order.
        accepted_total: how many that were, `keep` or not.
    """

    def __init__(
        self, *, latency_s: float = 0.0, receipt_delay_s: float = 0.0, seed: int = 0, keep: int | None = None
    ) -> None:
        self.latency_s = latency_s
        self.receipt_delay_s = receipt_delay_s
        self.accepted: list[NetworkMessage] = []
        self.accepted_total = 0
        self._keep = keep
        self._references = itertools.count(random.Random(seed).randrange(10**8, 10**9))
        self._endpoints: dict[str, Endpoint | None] = {}
        self._implicit: dict[str, Handset] = {}
        self._unreachable: set[str] = set()
        self._refused: dict[str, RefusalCause] = {}
        self._waiting: defaultdict[str, deque[Carried]] = defaultdict(deque)
        self._waiting_receipts: defaultdict[Endpoint, deque[NetworkReceipt]] = defaultdict(deque)
        self._fates = Fates()
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._closed = False

    def attach(self, number: str, endpoint: Endpoint) -> None:
        """Give a number to an endpoint; what waited for the number is delivered."""
        self._endpoints[_key(number)] = endpoint
        self.retry(endpoint)

    def detach(self, number: str) -> None:
        """The number is absent: messages for it wait for the next `attach`."""
        self._endpoints[_key(number)] = None

    def add_handset(self, number: str) -> Handset:
        """The handset with this number; made when it is not there yet."""
        handset = self._implicit.get(_key(number)) or self._make_handset(number)
        self._implicit.pop(_key(number), None)
        present = self._endpoints.setdefault(_key(number), handset)
        if not isinstance(present, Handset):
            raise TypeError("this number belongs to a SIM or an ESME")
        return present

    def find_handset(self, number: str) -> Handset:
        """The handset with this number, also by the digits that it ends in; a new one where nobody has it.

        Raises:
            TypeError: the number belongs to a SIM or an ESME.
        """
        tail = _key(number).lstrip("0")
        known = {**self._endpoints, **self._implicit}
        for key, endpoint in known.items():
            if isinstance(endpoint, Handset) and len(tail) >= _LEAST_DIGITS and key.endswith(tail):
                return endpoint
        return self.add_handset(number)

    def numbers(self) -> list[str]:
        """The numbers of SIMs and ESMEs."""
        return [
            f"+{key}" if len(key) > _SHORT else key
            for key, endpoint in self._endpoints.items()
            if not isinstance(endpoint, Handset)
        ]

    def set_unreachable(self, number: str, *, unreachable: bool = True) -> None:
        """Make deliveries to this number fail with an UNDELIVERABLE receipt, or succeed again."""
        (self._unreachable.add if unreachable else self._unreachable.discard)(_key(number))

    def refuse(self, number: str, cause: RefusalCause | None) -> None:
        """Refuse submits to this number at once, or take them again with None."""
        if cause is None:
            self._refused.pop(_key(number), None)
        else:
            self._refused[_key(number)] = cause

    async def submit(self, message: NetworkMessage, endpoint: Endpoint) -> str:
        """Take a segment and carry it.

        Args:
            message: the segment.
            endpoint: who gets the receipt.

        Returns:
            The network's reference for it, decimal digits.

        Raises:
            NetworkRefusal: not taken, and not in `accepted`.
        """
        key = _key(message.recipient)
        cause = self._refused.get(key) or (None if key else RefusalCause.UNASSIGNED_NUMBER)
        if cause is not None:
            raise NetworkRefusal(cause)
        reference = str(next(self._references))
        self.accepted.append(message)
        self.accepted_total += 1
        keep_newest(self.accepted, self._keep)
        self.notice()
        carried = Carried(reference, message, endpoint)
        self._fates.begin(carried)
        self._after(self.latency_s, partial(self._carry, carried))
        return reference

    def find_fate(self, reference: str) -> Fate | None:
        """What became of a segment; None when the network does not know, or knows no more."""
        return self._fates.find(reference)

    def take_back(self, reference: str) -> bool:
        """Forget a segment that is not delivered yet; there will be no receipt. False when it is too late."""
        carried = self._fates.find_changeable(reference)
        if carried is None:
            return False
        self._fates.end(carried, ReceiptState.DELETED)
        waiting = self._waiting.get(_key(carried.message.recipient))
        if waiting and carried in waiting:
            waiting.remove(carried)
        self.notice()
        return True

    def replace(self, reference: str, message: NetworkMessage) -> bool:
        """Deliver this instead, to the same recipient, unless it is too late."""
        carried = self._fates.find_changeable(reference)
        if carried is None:
            return False
        carried.message = dataclasses.replace(message, at=carried.message.at)
        return True

    def retry(self, endpoint: Endpoint) -> None:
        """The endpoint can take things again (as RP-SMMA of a SIM): hand it all that waits, in order."""
        for key in [key for key in self._waiting if self._endpoints.get(key) is endpoint]:
            for carried in self._waiting.pop(key):
                self._after(0.0, partial(self._carry, carried))
        for receipt in self._waiting_receipts.pop(endpoint, ()):
            self._after(0.0, partial(self._give_receipt, receipt, endpoint))

    def n_waiting(self, number: str) -> int:
        """Messages kept for a number that is absent or full."""
        return len(self._waiting.get(_key(number), ()))

    def notice(self) -> None:
        """Something observable changed: wake who waits in `wait_for`."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        """Return as soon as the condition holds; put an ``asyncio.timeout`` around it."""
        while not condition():
            await self._changed.wait()

    async def close(self) -> None:
        """Drop deliveries and receipts under way."""
        self._closed = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _carry(self, carried: Carried) -> None:
        if not self._fates.is_open(carried):
            return  # it was taken back
        key = _key(carried.message.recipient)
        if key in self._unreachable or len(self._waiting.get(key, ())) >= MAX_WAITING:
            self._settle(carried, ReceiptState.UNDELIVERABLE)
            return
        endpoint = self._endpoints[key] if key in self._endpoints else self._implicit_handset(key, carried)
        # Behind those that wait already, or the order of a sender's messages would be lost.
        if endpoint is None or self._waiting.get(key):
            self._waiting[key].append(carried)
            return
        carried.in_hand = True
        try:
            await endpoint.deliver(carried.message)
        except NotNow:
            carried.in_hand = False
            self._waiting[key].append(carried)
            return
        self._settle(carried, ReceiptState.DELIVERED)

    def _settle(self, carried: Carried, state: ReceiptState) -> None:
        done_at = self._fates.end(carried, state)
        if carried.message.report:
            receipt = NetworkReceipt(
                reference=carried.reference, message=carried.message, state=state, done_at=done_at
            )
            self._after(self.receipt_delay_s, partial(self._give_receipt, receipt, carried.submitter))

    async def _give_receipt(self, receipt: NetworkReceipt, endpoint: Endpoint) -> None:
        try:
            await endpoint.report(receipt)
        except NotNow:
            waiting = self._waiting_receipts[endpoint]
            if len(waiting) < MAX_WAITING:
                waiting.append(receipt)

    def _implicit_handset(self, key: str, carried: Carried) -> Handset:
        handset = self._implicit.get(key)
        if handset is None:
            handset = self._implicit[key] = self._make_handset(carried.message.recipient)
            if self._keep is not None and len(self._implicit) > self._keep:
                del self._implicit[next(iter(self._implicit))]
        return handset

    def _make_handset(self, number: str) -> Handset:
        return Handset(number, submit=self.submit, notice=self.notice, keep=self._keep)

    def _after(self, delay_s: float, step: Callable[[], Coroutine[None, None, None]]) -> None:
        if delay_s > 0:
            asyncio.get_running_loop().call_later(delay_s, self._start, step)
        else:
            self._start(step)

    def _start(self, step: Callable[[], Coroutine[None, None, None]]) -> None:
        if self._closed:
            return
        task = asyncio.get_running_loop().create_task(step())
        self._tasks.add(task)  # the loop itself holds tasks weakly
        task.add_done_callback(self._tasks.discard)


def _key(number: str) -> str:
    """One key for ``+86…``, ``0086…`` and ``86…``."""
    return number.removeprefix("+").removeprefix("00")
