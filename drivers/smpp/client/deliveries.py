"""Deliveries of the SMSC on their way to the sink: acknowledged only once they are stored.

They are handled side by side, up to a bound; what one read brings beyond it waits its turn, and the socket
is not read again until all have had theirs.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, NamedTuple

from drivers.base import EventSink, InboundPart, Receipt
from drivers.smpp.alphabet import PLAIN, TextPlan
from drivers.smpp.client.evidence import is_labelled
from drivers.smpp.client.inbound import USUAL_RECEIPTS, Delivery, ReceiptRules, decode_delivery
from drivers.smpp.connection import SmppConnection
from drivers.smpp.incidents import Incidents
from drivers.smpp.session.machine import RequestReceived
from drivers.smpp.wire.constants import CommandStatus
from drivers.smpp.wire.pdus import Body, DataSmResp, DeliverSm, DeliverSmResp

MOST_AT_ONCE: Final = 500
"""Deliveries being stored at once."""
_STORED_WITHIN_S: Final = 1.0
"""What a cancelled sink gets to end in."""
_UNREAD_S: Final = 10.0
"""An answer younger than this may have been lost with its link."""
_COMES_AGAIN_S: Final = 600.0
"""How soon an SMSC that missed an answer delivers again; a person may write the same once more later."""


class _Delivered(NamedTuple):
    connection: SmppConnection
    request: RequestReceived
    body: Delivery


class _Unconfirmed:
    """What we have stored and the SMSC may not know it; a message has no name, so it is known by what it says."""

    def __init__(self) -> None:
        self._answered: dict[SmppConnection, deque[tuple[float, Delivery]]] = {}
        self._expected: dict[Delivery, float] = {}

    def note_stored(self, connection: SmppConnection, body: Delivery) -> None:
        """It is stored, and will be answered if the link still stands."""
        if connection not in self._answered:
            self._answered[connection] = deque(maxlen=MOST_AT_ONCE)
            connection.lost.add_done_callback(lambda _: self._note_lost(connection))
        self._answered[connection].append((_now(), body))

    def take(self, body: Delivery) -> bool:
        """Whether this is one of them that comes again; the next like it is another message."""
        return bool(self._expected) and self._expected.pop(body, 0.0) > _now()

    def _note_lost(self, connection: SmppConnection) -> None:
        now = _now()
        self._expected = {body: until for body, until in self._expected.items() if until > now}
        for at, body in self._answered.pop(connection):
            if now - at <= _UNREAD_S:
                self._expected[body] = now + _COMES_AGAIN_S


def _now() -> float:
    return asyncio.get_running_loop().time()


class Deliveries:
    """Deliveries in hand, over all connections of one run.

    Args:
        sink: where they go.
        incidents: told of what could not be stored or used.
        texts, receipts: what was agreed with the carrier.
    """

    def __init__(
        self,
        sink: EventSink,
        incidents: Incidents,
        texts: TextPlan = PLAIN,
        receipts: ReceiptRules = USUAL_RECEIPTS,
    ) -> None:
        self._sink = sink
        self._receipts = receipts
        self._incidents = incidents
        self._texts = texts
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: deque[_Delivered] = deque()
        self._held: set[SmppConnection] = set()
        self._unconfirmed = _Unconfirmed()

    def start(self, connection: SmppConnection, request: RequestReceived, body: Delivery) -> None:
        """Begin to store one delivery, now or in its turn; its answer follows by itself."""
        delivered = _Delivered(connection, request, body)
        if len(self._tasks) < MOST_AT_ONCE:
            self._spawn(delivered)
            return
        self._waiting.append(delivered)
        if connection not in self._held:
            self._held.add(connection)
            connection.hold_reading()

    async def finish(self, deadline: float) -> None:
        """Wait for those in hand until the loop's clock shows ``deadline``; cancel the rest.

        Cancel: cancels them all at once. What was cancelled is not acknowledged, and comes again.
        """
        try:
            async with asyncio.timeout_at(deadline):
                while self._tasks:
                    await asyncio.wait(set(self._tasks))
        except TimeoutError:
            pass
        finally:
            self._waiting.clear()
            for task in self._tasks:
                task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=_STORED_WITHIN_S)

    async def _deliver(self, delivered: _Delivered) -> None:
        if delivered.connection.lost.done():
            return  # can't be acknowledged any more: stored now, it would come twice
        body = delivered.body
        status = CommandStatus.ROK
        if not self._unconfirmed.take(body):
            try:
                await self._store(delivered.connection, body)
            except Exception as error:  # noqa: BLE001 - a supervisor: the SMSC keeps what we could not store
                self._incidents.note_failed_delivery(error)
                status = CommandStatus.RX_T_APPN
        response: Body = DeliverSmResp() if isinstance(body, DeliverSm) else DataSmResp()
        delivered.connection.respond(delivered.request, response, status)

    async def _store(self, connection: SmppConnection, body: Delivery) -> None:
        for event in decode_delivery(body, self._texts, self._receipts):
            if isinstance(event, Receipt):
                if not event.references and event.recipient is None:
                    self._incidents.note_nameless_receipt()
                if not event.understood:
                    self._incidents.note_odd_receipt(event.word)
            elif is_labelled(body.esm_class):
                self._incidents.note_labelled_text()
            await self._sink.handle(event)
            # A report may come as often as it likes.
            if isinstance(event, InboundPart) or event.otherwise is not None:
                self._unconfirmed.note_stored(connection, body)

    def _spawn(self, delivered: _Delivered) -> None:
        task = asyncio.create_task(self._deliver(delivered))
        self._tasks.add(task)
        task.add_done_callback(self._finish_one)

    def _finish_one(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._waiting:
            self._spawn(self._waiting.popleft())
            return
        for connection in self._held:
            connection.resume_reading()
        self._held.clear()
