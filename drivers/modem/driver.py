"""One SIM in one stick as a channel: keeps it alive over reconnects, sends segments, hands over what comes in."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from drivers.at.port import AtPort
from drivers.at.transport import open_serial
from drivers.at.unsolicited import RESTART_LINES
from drivers.base import (
    ChannelDown,
    ChannelInfo,
    ChannelUp,
    Driver,
    DriverEvent,
    EventSink,
    Fault,
    FaultKind,
    OutboundSegment,
    Refused,
    SubmitResult,
)
from drivers.errors import DriverError, WireLost
from drivers.modem.bringup import BringUp, Setup, not_registered
from drivers.modem.faults import SIM_GONE, classify_error
from drivers.modem.health import Health, watch
from drivers.modem.inbound import Inbound, deliver
from drivers.modem.outbound import Exchange, keep_link_open
from drivers.modem.pin import PROCESS_LEDGER, PinLedger
from drivers.modem.timing import ModemTiming
from drivers.modem.ussd import UssdAnswer, UssdDesk
from drivers.pacing import Backoff

if TYPE_CHECKING:
    from drivers.at.transport import OpenWire
    from drivers.at.unsolicited import Urc

logger = logging.getLogger(__name__)

USSD_TIMEOUT_S = 30.0
"""Networks answer in a few seconds or not at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModemConfig:
    """One stick.

    Args:
        name: the channel's name.
        port: path of the serial port; best a stable one such as those under ``/dev/serial``.
        baudrate: ignored by USB sticks.
        pin: of the SIM; None when it asks for none.
        number: the SIM's own, E.164.
        answer_timeout_s: how long the network may take to answer a segment.
        keepalive_s: between two looks at the stick's health.
        init_commands: extra AT commands at each bring-up.
        timing: the waits nobody needs to change but tests.
    """

    name: str
    port: str
    baudrate: int = 115200
    pin: str | None = field(default=None, repr=False)
    number: str | None = None
    answer_timeout_s: float = 60.0
    keepalive_s: float = 30.0
    init_commands: tuple[str, ...] = ()
    timing: ModemTiming = field(default_factory=ModemTiming)


class _SessionOver(DriverError):
    """Ends the tasks of a session for a reason that is no wire error."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.detail)
        self.fault = fault


class ModemDriver(Driver):
    """See `drivers.base.Driver` for the contract.

    Args:
        config: which stick.
        pins: the PIN rule's memory; all drivers of a process share one.
        open_wire: how the port is opened.
    """

    def __init__(
        self,
        config: ModemConfig,
        *,
        pins: PinLedger = PROCESS_LEDGER,
        open_wire: OpenWire = open_serial,
    ) -> None:
        self._config = config
        self._pins = pins
        self._open_wire = open_wire
        self._backoff = Backoff(config.timing.backoff_s, config.timing.backoff_cap_s)
        self._port: AtPort | None = None
        self._fault: Fault | None = Fault(
            kind=FaultKind.CHANNEL, code="link_down", detail="The channel is not up."
        )
        self._reported_down: str | None = None
        self._draining = False
        self._link_kept_open = False
        self._numbers_errors = False
        self._ussd = UssdDesk()
        self._exchanges: set[asyncio.Task[SubmitResult]] = set()
        self._out_of_service_since: float | None = None
        self._facts: dict[str, str | int | float | bool | None] = {}

    @property
    def channel_id(self) -> str:
        """The channel's name."""
        return self._config.name

    @property
    def capacity(self) -> int:
        """One: a SIM sends one segment after the other."""
        return 1

    async def run(self, sink: EventSink) -> None:
        """Keep the stick in service until cancelled; returns by itself only after a CONFIG fault.

        Cancel: closes the port; a segment whose PDU is on the wire ends as `Uncertain`.
        """
        self._draining = False
        self._reported_down = None
        self._backoff.reset()
        while True:
            fault = await self._session(sink)
            await self._go_down(sink, fault)
            if fault.kind is FaultKind.CONFIG:
                return
            await asyncio.sleep(self._backoff.next_s())

    async def submit(self, segment: OutboundSegment) -> SubmitResult:
        """Send one segment and wait for the network's answer.

        Cancel: before the PDU nothing has happened; after it the exchange goes on by itself, its outcome
        is logged, and the port takes no other command before its end.
        """
        port = self._port
        if self._draining:
            return _refuse("draining", "The channel takes nothing new.")
        if self._fault is not None or port is None:
            return Refused(fault=self._fault or _link_down())
        exchange = Exchange(
            port, segment, channel=self.channel_id, answer_timeout_s=self._config.answer_timeout_s
        )
        task = asyncio.create_task(self._send(exchange, port, segment))
        self._exchanges.add(task)
        task.add_done_callback(self._exchanges.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if exchange.pdu_left:
                task.add_done_callback(lambda done: self._log_orphan(segment, done))
            else:
                task.cancel()
            raise

    async def drain(self, deadline: float) -> None:
        """Refuse new submits and wait for those on the wire.

        Cancel: stays drained.
        """
        self._draining = True
        loop = asyncio.get_running_loop()
        if self._exchanges:
            await asyncio.wait(self._exchanges, timeout=max(0.0, deadline - loop.time()))

    async def ussd(self, code: str, timeout_s: float = USSD_TIMEOUT_S) -> UssdAnswer:
        """Ask the network by a USSD code, beside the segments.

        Raises:
            WireLost: the channel is not up.
            (others): see `drivers.modem.ussd.UssdDesk.ask`.

        Cancel: the network's answer is ignored when it comes.
        """
        if self._port is None:
            raise WireLost("the channel is not up", by_peer=False)
        maker = str(self._facts.get("manufacturer") or "")
        return await self._ussd.ask(self._port, code, timeout_s, maker=maker)

    async def _send(self, exchange: Exchange, port: AtPort, segment: OutboundSegment) -> SubmitResult:
        try:
            if segment.more_to_come and not self._link_kept_open:
                self._link_kept_open = True
                await keep_link_open(port)
        except DriverError as error:
            return Refused(fault=classify_error(error))
        result = await exchange.run()
        if isinstance(result, Refused) and result.fault.code in SIM_GONE and port is self._port:
            # The stick lost its SIM or restarted unnoticed: only a new bring-up helps.
            self._fault = result.fault
            port.wire_lost(f"stick needs a new start: {result.fault.code}")
        return result

    async def _session(self, sink: EventSink) -> Fault:
        """One life of the port, from opening to its end, and why it ended."""
        config = self._config
        inbound = Inbound(config.name, sink, config.timing)

        def on_urc(urc: Urc) -> None:
            if urc.line in RESTART_LINES and self._port is port:
                port.wire_lost(f"the stick restarted: {urc.line}")
            inbound.on_urc(urc)
            self._ussd.on_urc(urc)

        port = AtPort(config.name, on_urc, command_timeout_s=config.timing.command_s)
        fault = _link_down()
        try:
            await port.open(config.port, config.baudrate, self._open_wire)
            async with asyncio.TaskGroup() as group:
                group.create_task(port.run())
                setup = await self._bring_up(port)
                await self._go_up(sink, port, setup)
                group.create_task(inbound.run(port, setup))
                group.create_task(
                    watch(port, config.keepalive_s, lambda health: self._note_health(sink, health))
                )
        except* DriverError as errors:
            fault = _first_fault(errors)
        finally:
            self._port = None
            self._fault = self._fault or _link_down()
            await port.close()
        return fault

    async def _bring_up(self, port: AtPort) -> Setup:
        config = self._config
        outcome = await BringUp(
            port,
            channel=config.name,
            pin=config.pin,
            pins=self._pins,
            timing=config.timing,
            init_commands=config.init_commands,
        ).run()
        if isinstance(outcome, Fault):
            raise _SessionOver(outcome)
        return outcome

    async def _go_up(self, sink: EventSink, port: AtPort, setup: Setup) -> None:
        identity = setup.identity
        self._facts = {
            "port": self._config.port,
            "manufacturer": identity.manufacturer,
            "model": identity.model,
            "imei": identity.imei,
            "iccid": identity.iccid,
            "number": self._config.number or identity.number,
        }
        self._backoff.reset()
        self._port = port
        self._fault = None
        self._reported_down = None
        self._link_kept_open = False
        self._numbers_errors = setup.numbers_errors
        self._out_of_service_since = None
        await self._emit(sink, ChannelInfo(facts=dict(self._facts)))
        await self._emit(sink, ChannelUp())
        logger.info("%s: up: %s %s", self.channel_id, identity.manufacturer, identity.model)

    async def _go_down(self, sink: EventSink, fault: Fault) -> None:
        self._fault = fault
        if self._reported_down == fault.code:
            return
        self._reported_down = fault.code
        logger.warning("%s: down: %s: %s", self.channel_id, fault.code, fault.detail)
        await self._emit(sink, ChannelDown(fault=fault))

    async def _note_health(self, sink: EventSink, health: Health) -> None:
        facts = self._facts | health.facts()
        if health.settings_lost and self._numbers_errors:
            raise WireLost("the stick restarted unnoticed", by_peer=True)
        if facts != self._facts:
            self._facts = facts
            await self._emit(sink, ChannelInfo(facts=dict(facts)))
        now = asyncio.get_running_loop().time()
        if not health.in_service:
            since = self._out_of_service_since
            self._out_of_service_since = now if since is None else since
            await self._go_down(sink, not_registered(health.registration))
            if since is not None and now - since > self._config.timing.registration_s:
                raise _SessionOver(not_registered(health.registration))
        elif self._out_of_service_since is not None:
            self._out_of_service_since = None
            self._fault = None
            self._reported_down = None
            await self._emit(sink, ChannelUp())

    async def _emit(self, sink: EventSink, event: DriverEvent) -> None:
        await deliver(sink, event, self.channel_id)

    def _log_orphan(self, segment: OutboundSegment, done: asyncio.Task[SubmitResult]) -> None:
        if not done.cancelled():
            result = type(done.result()).__name__
            logger.warning("%s: segment %s, nobody waiting: %s", self.channel_id, segment.segment_id, result)


def _first_fault(errors: BaseExceptionGroup[DriverError]) -> Fault:
    leaves: list[DriverError] = []
    pending: list[BaseException] = [errors]
    while pending:
        error = pending.pop()
        if isinstance(error, BaseExceptionGroup):
            pending.extend(error.exceptions)
        elif isinstance(error, DriverError):
            leaves.append(error)
    for leaf in leaves:
        if isinstance(leaf, _SessionOver):
            return leaf.fault
    return classify_error(leaves[0])


def _link_down() -> Fault:
    return Fault(kind=FaultKind.CHANNEL, code="link_down", detail="The channel is not up.")


def _refuse(code: str, detail: str) -> Refused:
    return Refused(fault=Fault(kind=FaultKind.CHANNEL, code=code, detail=detail))
