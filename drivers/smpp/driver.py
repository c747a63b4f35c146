"""A bind to an SMSC as a channel: an ESME that keeps itself bound, submits segments, takes deliveries."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Final

from drivers.base import (
    Accepted,
    ChannelDown,
    ChannelInfo,
    ChannelUp,
    Driver,
    EventSink,
    Fault,
    FaultKind,
    OutboundSegment,
    Refused,
    SubmitResult,
    Uncertain,
)
from drivers.errors import EncodeError, SmppStatusError, WireError, WireTimeout
from drivers.pacing import Backoff
from drivers.smpp.alphabet import PLAIN, TextPlan
from drivers.smpp.connection import Answer, SmppConnection, Unanswered, connect
from drivers.smpp.deliveries import Deliveries
from drivers.smpp.faults import fault_for_bind, fault_for_status
from drivers.smpp.incidents import Incidents
from drivers.smpp.session import RequestReceived, ResponseReceived, SessionTimers
from drivers.smpp.text import AddressPlan, encode_segment
from drivers.smpp.wire.constants import Tag
from drivers.smpp.wire.fields import find_int_tlv
from drivers.smpp.wire.pdus import (
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    Body,
    DataSm,
    DeliverSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)

_BINDS: Final = {"transmitter": BindTransmitter, "receiver": BindReceiver, "transceiver": BindTransceiver}
Facts = dict[str, str | int | float | bool | None]

_UNBIND_S: Final = 1.0
"""Least time for the answer to unbind, and for the socket to close."""
_STABLE_S: Final = 10.0
"""A session that lived this long was a good one: the next try is soon again."""
_NOT_BOUND: Final = Fault(kind=FaultKind.CHANNEL, code="not_bound", detail="The bind is not up.")
_DRAINING: Final = Fault(kind=FaultKind.CHANNEL, code="draining", detail="The channel takes nothing new.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SmppConfig:
    """One bind.

    Args:
        name: the channel's name.
        bind: ``transmitter``, ``receiver`` or ``transceiver``.
        window: requests that may wait for their answers at once.
        source_address: sender of segments that ask for none.
        enquire_link_s: silence of the SMSC after which it is asked whether it lives.
        response_timeout_s: after which a submit without an answer is uncertain.
        bind_timeout_s: for the connection, and again for the answer to the bind.
        stop_grace_s: what a stop gives to segments and deliveries in flight.
        backoff_s: first and longest bound of the wait before the next try.
        addresses: type of number and numbering plan by form of address.
        texts: alphabet and ``data_coding`` of texts.
        zone: of the dates in receipts.
        tls: wrap the connection; None for plain TCP.
    """

    name: str
    host: str
    port: int = 2775
    system_id: str
    password: str = field(repr=False)
    system_type: str = ""
    bind: str = "transceiver"
    window: int = 10
    source_address: str = ""
    enquire_link_s: float = 30.0
    response_timeout_s: float = 60.0
    bind_timeout_s: float = 30.0
    stop_grace_s: float = 5.0
    backoff_s: tuple[float, float] = (1.0, 60.0)
    addresses: AddressPlan = field(default_factory=AddressPlan)
    texts: TextPlan = PLAIN
    zone: tzinfo = UTC
    tls: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        if self.bind not in _BINDS:
            raise ValueError(f"bind must be one of {', '.join(_BINDS)}")
        if self.window < 1:
            raise ValueError("window must be at least 1")


class SmppDriver(Driver):
    """See `drivers.base.Driver` for what it promises.

    Attributes:
        incidents: counters of what went otherwise than asked.
    """

    def __init__(self, config: SmppConfig) -> None:
        self._config = config
        self._connection: SmppConnection | None = None
        self._draining = False
        self.incidents = Incidents(config.name)

    @property
    def channel_id(self) -> str:
        """The channel's name."""
        return self._config.name

    @property
    def capacity(self) -> int:
        """The window; 0 on a receiver, which can't send."""
        return 0 if self._config.bind == "receiver" else self._config.window

    async def submit(self, segment: OutboundSegment) -> SubmitResult:
        """See `drivers.base.Driver.submit`.

        Cancel: before the PDU is queued nothing has happened; after that the exchange goes on, and its
            answer is logged and counted.
        """
        connection = self._connection
        if self._draining:
            return Refused(fault=_DRAINING)
        if connection is None or not self.capacity:
            return Refused(fault=_NOT_BOUND)
        try:
            config = self._config
            body = encode_segment(segment, config.source_address, config.addresses, config.texts)
            answer = await connection.exchange(body)
        except EncodeError as error:
            return Refused(fault=Fault(kind=FaultKind.PERMANENT, code="smpp_encode", detail=str(error)))
        return _result_of(answer)

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
        loop = asyncio.get_running_loop()
        self._draining = False
        deliveries = Deliveries(sink, self._config.zone, self.incidents, self._config.texts)
        backoff = Backoff(*self._config.backoff_s)
        reported: str | None = None
        try:
            while True:
                try:
                    connection, facts = await self._bind(deliveries)
                except SmppStatusError as error:
                    fault = fault_for_bind(error.command_status)
                except EncodeError as error:
                    fault = Fault(kind=FaultKind.CONFIG, code="smpp_encode", detail=str(error))
                except WireError as error:
                    fault = _fault_of_wire(error)
                else:
                    reported = None
                    bound_at = loop.time()
                    fault = await self._serve(connection, facts, deliveries, sink)
                    if loop.time() - bound_at >= _STABLE_S:
                        backoff.reset()
                if fault.code != reported:
                    reported = fault.code
                    await sink.handle(ChannelDown(fault=fault))
                if fault.kind is FaultKind.CONFIG:
                    return
                await asyncio.sleep(backoff.next_s())
        finally:
            await deliveries.finish(loop.time())

    async def _bind(self, deliveries: Deliveries) -> tuple[SmppConnection, Facts]:
        """Connect and bind; nothing stays open when it fails."""
        config = self._config
        connection = await connect(
            lambda: self._new_connection(deliveries),
            host=config.host,
            port=config.port,
            tls=config.tls,
            timeout_s=config.bind_timeout_s,
        )
        try:
            answer = await connection.ask(self._bind_request(), config.bind_timeout_s)
            if answer.command_status:
                raise SmppStatusError(answer.command_status)
        except BaseException:
            connection.close("not bound")
            raise
        return connection, self._facts(answer)

    async def _serve(
        self, connection: SmppConnection, facts: Facts, deliveries: Deliveries, sink: EventSink
    ) -> Fault:
        """Let segments through until the link is gone."""
        try:
            await sink.handle(ChannelInfo(facts=facts))
            self._connection = connection
            await sink.handle(ChannelUp())
            await asyncio.wait([connection.lost])
        finally:
            self._connection = None
            await self._part(connection, deliveries)
        return _fault_of_wire(connection.lost.result())

    async def _part(self, connection: SmppConnection, deliveries: Deliveries) -> None:
        """Finish what is in flight, unbind, and close; nothing to do when the link is gone already."""
        connection.stop_accepting()
        if connection.lost.done():
            return
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._config.stop_grace_s
        try:
            await connection.wait_idle(deadline)
            await deliveries.finish(deadline)
            await connection.ask(Unbind(), max(deadline - loop.time(), _UNBIND_S))
        except WireError:
            pass
        finally:
            connection.close("stopped")
        await asyncio.wait([connection.lost], timeout=_UNBIND_S)
        connection.abort("stopped")

    def _new_connection(self, deliveries: Deliveries) -> SmppConnection:
        config = self._config

        def on_request(connection: SmppConnection, request: RequestReceived) -> None:
            match request.body:
                case DeliverSm() | DataSm() as body:
                    deliveries.start(connection, request, body)
                case Unbind():
                    connection.stop_accepting()
                    parting = asyncio.create_task(self._let_go(connection, request))
                    connection.lost.add_done_callback(lambda _: parting.cancel())
                case _:
                    pass  # the session lets an SMSC ask nothing else

        return SmppConnection(
            capacity=config.window,
            response_timeout_s=config.response_timeout_s,
            timers=SessionTimers(enquire_link_s=config.enquire_link_s, response_s=config.response_timeout_s),
            on_request=on_request,
            incidents=self.incidents,
        )

    async def _let_go(self, connection: SmppConnection, request: RequestReceived) -> None:
        """The SMSC unbinds us: its answers to what is in flight come first, if they come."""
        await connection.wait_idle(asyncio.get_running_loop().time() + self._config.stop_grace_s)
        connection.respond(request, UnbindResp())
        connection.close("unbound by the SMSC")

    def _bind_request(self) -> Body:
        config = self._config
        return _BINDS[config.bind](
            system_id=config.system_id, password=config.password, system_type=config.system_type
        )

    def _facts(self, answer: ResponseReceived) -> Facts:
        config = self._config
        version = find_int_tlv(getattr(answer.body, "tlvs", ()), Tag.SC_INTERFACE_VERSION)
        return {
            "peer": f"{config.host}:{config.port}",
            "system_id": config.system_id,
            "smsc_system_id": getattr(answer.body, "system_id", "") or None,
            "bind": config.bind,
            "window": config.window,
            "interface_version": None if version is None else f"{version >> 4}.{version & 0xF}",
            "tls": config.tls is not None,
        }


def _result_of(answer: Answer) -> SubmitResult:
    match answer:
        case Unanswered(written=False):
            return Refused(fault=_NOT_BOUND)
        case Unanswered(code=code, detail=detail):
            return Uncertain(code=code, detail=detail)
        case ResponseReceived(command_status=0, body=SubmitSmResp(message_id=message_id)):
            return Accepted(reference=message_id or None)
        case ResponseReceived(command_status=status):
            return Refused(fault=fault_for_status(status))


def _fault_of_wire(error: WireError) -> Fault:
    code = "link_timeout" if isinstance(error, WireTimeout) else "link_lost"
    return Fault(kind=FaultKind.CHANNEL, code=code, detail=str(error))
