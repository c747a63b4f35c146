"""Deliveries of the SMSC on their way to the sink: acknowledged only once they are stored.

They are handled side by side, up to a bound; beyond it the socket is not read until some are done.
"""

from __future__ import annotations

import asyncio
from datetime import tzinfo
from typing import Final

from drivers.base import EventSink, InboundPart, Receipt
from drivers.smpp.connection import SmppConnection
from drivers.smpp.inbound import Delivery, decode_part, decode_receipt, is_receipt
from drivers.smpp.incidents import Incidents
from drivers.smpp.session import RequestReceived
from drivers.smpp.wire.constants import CommandStatus
from drivers.smpp.wire.pdus import Body, DataSmResp, DeliverSm, DeliverSmResp

MOST_IN_HAND: Final = 500
"""Deliveries being stored at once."""
_READ_AGAIN: Final = 400


class Deliveries:
    """Deliveries in hand, over all connections of one run.

    Args:
        sink: where they go.
        zone: of the dates in receipts.
        incidents: told of what could not be stored or used.
    """

    def __init__(self, sink: EventSink, zone: tzinfo, incidents: Incidents) -> None:
        self._sink = sink
        self._zone = zone
        self._incidents = incidents
        self._tasks: set[asyncio.Task[None]] = set()
        self._holding: set[SmppConnection] = set()

    def start(self, connection: SmppConnection, request: RequestReceived, body: Delivery) -> None:
        """Begin to store one delivery; its answer follows by itself."""
        task = asyncio.create_task(self._deliver(connection, request, body))
        self._tasks.add(task)
        task.add_done_callback(self._finish)
        if len(self._tasks) >= MOST_IN_HAND:
            self._holding.add(connection)
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
            for task in set(self._tasks):
                task.cancel()

    async def _deliver(self, connection: SmppConnection, request: RequestReceived, body: Delivery) -> None:
        event = self._decode(body)
        status = CommandStatus.ROK
        if event is None:
            self._incidents.note_nameless_receipt()
        else:
            try:
                await self._sink.handle(event)
            except Exception as error:  # noqa: BLE001 - a supervisor: the SMSC keeps what we could not store
                self._incidents.note_failed_delivery(error)
                status = CommandStatus.RX_T_APPN
        response: Body = DeliverSmResp() if isinstance(body, DeliverSm) else DataSmResp()
        connection.respond(request, response, status)

    def _decode(self, body: Delivery) -> Receipt | InboundPart | None:
        return decode_receipt(body, self._zone) if is_receipt(body) else decode_part(body)

    def _finish(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if len(self._tasks) <= _READ_AGAIN:
            for connection in self._holding:
                connection.resume_reading()
            self._holding.clear()
