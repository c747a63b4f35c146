"""An account at an SMSC as a channel: an ESME that keeps itself bound, submits segments, takes deliveries."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Final

from drivers.base import (
    ChannelDown,
    ChannelInfo,
    ChannelNotice,
    ChannelUp,
    Driver,
    EventSink,
    Fault,
    FaultKind,
    OutboundSegment,
    Receipt,
    Refused,
    SubmitResult,
)
from drivers.broken import refuse_broken, where_broke
from drivers.errors import CodecError, WireLost
from drivers.late import LateAnswers
from drivers.paced_log import PacedLog
from drivers.smpp.client.bind import RENEWING, Bind, Facts
from drivers.smpp.client.config import PAIR, SmppConfig
from drivers.smpp.client.deliveries import Deliveries
from drivers.smpp.client.requests import cancel, query, replace
from drivers.smpp.client.results import NOT_BOUND, result_of
from drivers.smpp.client.submit_rules import apply_rules
from drivers.smpp.connection import SmppConnection
from drivers.smpp.incidents import Incidents
from drivers.smpp.session.machine import ResponseReceived
from drivers.smpp.text import encode_segment
from drivers.traits import Traits

_log = PacedLog(__name__, most=100)
_DRAINING: Final = Fault(kind=FaultKind.CHANNEL, code="draining", detail="The channel takes nothing new.")

_NO_PARAMETERS: Final = Fault(
    kind=FaultKind.PERMANENT,
    code="no_parameters",
    detail="The message brings parameters along, and this bind speaks SMPP 3.3, which has none.",
)
"""Whoever knows of another bind asks it first; dropping them may break a law or a contract."""


class SmppDriver(Driver):
    """See `drivers.base.Driver` for what it promises.

    Attributes:
        incidents: counters of what went otherwise than asked.
    """

    def __init__(self, config: SmppConfig) -> None:
        self._config = config
        self._connection: SmppConnection | None = None
        self._binds: list[Bind] = []
        self._n_renewals = 0
        self._draining = False
        self.incidents = Incidents(config.name)

    @property
    def channel_id(self) -> str:
        """The channel's name."""
        return self._config.name

    @property
    def traits(self) -> Traits:
        """Those of an SMSC: ids of its own, in receipts spelled as it likes, and times in a zone of its own."""
        return Traits(
            kind="smpp",
            ids_in_dialects=True,
            takes_options=self._config.takes_parameters,
            in_turns=self._config.window == 1,
        )

    @property
    def capacity(self) -> int:
        """The window; 0 on a receiver, which can't send."""
        return 0 if self._config.bind == "receiver" else self._config.window

    async def submit(self, segment: OutboundSegment) -> SubmitResult:
        """See `drivers.base.Driver.submit`.

        Cancel: before the PDU is queued nothing has happened; after that the exchange goes on, and its
            answer is logged, counted, and reported as `LateResult`.
        """
        connection = self._connection
        if self._draining:
            return Refused(fault=_DRAINING)
        if connection is None or not self.capacity:
            return Refused(fault=NOT_BOUND)
        config = self._config
        if segment.carrier_options and not config.takes_parameters:
            return Refused(fault=_NO_PARAMETERS)
        try:
            body = encode_segment(segment, config.source_address, config.addresses, config.texts)
            body = apply_rules(body, segment, config.submit, datetime.now(UTC))
        except CodecError as error:
            return _cannot_encode(error)
        except Exception as error:  # noqa: BLE001 - nothing is on the wire yet, and nobody else is to suffer
            _log.warning("%s: segment %s: %s", config.name, segment.segment_id, where_broke(error))
            return refuse_broken(error)
        try:
            answer = await connection.exchange(body, segment)
        except CodecError as error:
            return _cannot_encode(error)
        return result_of(answer)

    async def query(self, reference: str, recipient: str, sender: str | None = None) -> Receipt:
        """Ask the SMSC what became of a message; see `drivers.smpp.client.requests.query`."""
        return await query(self._bound(), self._config, reference, recipient, sender)

    async def cancel(self, reference: str, recipient: str, sender: str | None = None) -> None:
        """Ask the SMSC to forget a message; see `drivers.smpp.client.requests.cancel`."""
        await cancel(self._bound(), self._config, reference, recipient, sender)

    async def replace(self, reference: str, segment: OutboundSegment) -> None:
        """Ask the SMSC to give a message another content; see `drivers.smpp.client.requests.replace`."""
        await replace(self._bound(), self._config, reference, segment)

    def renew(self, fault: Fault, *, n_recipients: int) -> None:
        """Unbind and bind anew, both halves of a pair; see `drivers.abilities.Renews`."""
        for bind in self._binds:
            bind.renew(fault)

    def _bound(self) -> SmppConnection:
        if self._connection is None or not self.capacity:
            raise WireLost("the bind is not up", by_peer=False)
        return self._connection

    async def drain(self, deadline: float) -> None:
        """Refuse new submits until the next `run`, and wait for those on the wire.

        Cancel: the refusal stays.
        """
        self._draining = True
        connection = self._connection
        if connection is not None:
            connection.stop_accepting()
            await connection.wait_idle(deadline)

    async def run(self, sink: EventSink) -> None:
        """Bind, serve, and bind again; returns only after a fault that a person must mend.

        Cancel: takes nothing new, gives what is in flight `stop_grace_s`, unbinds and closes.
        """
        config = self._config
        self._draining = False
        deliveries = Deliveries(sink, self.incidents, config.texts, config.receipts)
        late = LateAnswers(config.name, sink)
        pair = config.bind == PAIR

        def take_late(tag: object, answer: ResponseReceived, abandoned: bool) -> None:
            assert isinstance(tag, OutboundSegment)
            late.take(tag, result_of(answer), abandoned=abandoned)

        main = Bind(config, "transmitter" if pair else config.bind, deliveries, self.incidents, take_late)

        async def up(connection: SmppConnection, facts: Facts) -> None:
            connection.lost.add_done_callback(lambda _: self._forget(connection))
            await sink.handle(ChannelInfo(facts=facts))
            self._connection = connection
            await sink.handle(ChannelUp())

        async def down(fault: Fault) -> None:
            self._connection = None
            await sink.handle(ChannelDown(fault=fault))
            if fault.code == RENEWING:
                self._n_renewals += 1
                await sink.handle(ChannelInfo(facts={"renewals": self._n_renewals}))
                await sink.handle(ChannelNotice(code="session_renewed", detail=fault.detail))

        self._binds = [main]
        try:
            if pair:
                receiver = Bind(config, "receiver", deliveries, self.incidents, take_late)
                self._binds.append(receiver)
                await _first_of(main.run(up, down), _run_receiver(receiver, sink))
            else:
                await main.run(up, down)
        finally:
            self._connection = None
            self._binds = []
            await late.finish()
            await deliveries.finish(asyncio.get_running_loop().time())

    def _forget(self, connection: SmppConnection) -> None:
        if self._connection is connection:
            self._connection = None


def _cannot_encode(error: CodecError) -> Refused:
    return Refused(fault=Fault(kind=FaultKind.PERMANENT, code="smpp_encode", detail=str(error)))


async def _run_receiver(bind: Bind, sink: EventSink) -> None:
    """The receiving half of a pair: sending goes on without it, as the SMSC keeps what it has for us."""

    async def up(_: SmppConnection, facts: Facts) -> None:
        await sink.handle(ChannelInfo(facts={"receiver": facts["peer"]}))

    async def down(fault: Fault) -> None:
        await sink.handle(ChannelInfo(facts={"receiver": None}))
        if fault.kind is FaultKind.CONFIG:
            await sink.handle(ChannelDown(fault=fault))
        else:
            await sink.handle(ChannelNotice(code="receiver_down", detail=f"{fault.code}: {fault.detail}"))

    await bind.run(up, down)


async def _first_of(*jobs: Coroutine[object, object, None]) -> None:
    """Run both halves until one of them ends; the other ends with it.

    Cancel: cancels both and waits for them.
    """
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error
