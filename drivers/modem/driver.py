"""One SIM in one stick as a channel: keeps it alive over reconnects, sends segments, hands over what comes in."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from drivers.at.trace import TraceSwitch
from drivers.at.transport import open_serial
from drivers.base import (
    Accepted,
    Driver,
    EventSink,
    Fault,
    FaultKind,
    OutboundSegment,
    Refused,
    SubmitResult,
)
from drivers.errors import WireLost
from drivers.late import LateAnswers
from drivers.modem.bringup.pin import PROCESS_LEDGER, PinLedger
from drivers.modem.config import ModemConfig
from drivers.modem.find.finder import Finder, StickBook
from drivers.modem.profile import BadProfile
from drivers.modem.recovery.climber import Climber
from drivers.modem.report import LINK_DOWN, Report
from drivers.modem.session import Parts, Session
from drivers.modem.sims import SimLedger
from drivers.modem.ussd import UssdAnswer, UssdDesk
from drivers.traits import Traits

if TYPE_CHECKING:
    from drivers.at.transport import OpenWire
    from drivers.modem.messages.outbound import Exchange

logger = logging.getLogger(__name__)

TRAITS = Traits(kind="modem", references_repeat=True, times_trusted=True, in_turns=True)
"""Of every SIM: TP-MR counts to 255 and starts again, after a restart perhaps at once; TP-SCTS has its zone."""

SEVERAL = 3
"""Recipients whose messages failed before the stick is to blame for certain."""
GENTLE = 2
USSD_TIMEOUT_S = 30.0
"""Networks answer in a few seconds or not at all."""


class ModemDriver(Driver):
    """See `drivers.base.Driver` for the contract.

    Args:
        config: which stick.
        pins: the PIN rule's memory; all drivers of a process share one.
        sims: the memory of SIMs, shared alike.
        book: who has which stick, shared alike.
        open_wire: how the port is opened.

    Attributes:
        trace: put a listener in to hear every octet of the port, from now on.
    """

    def __init__(
        self,
        config: ModemConfig,
        *,
        pins: PinLedger = PROCESS_LEDGER,
        sims: SimLedger | None = None,
        book: StickBook | None = None,
        open_wire: OpenWire = open_serial,
    ) -> None:
        self._config = config
        self._pins = pins
        self._sims = sims or SimLedger()
        self._book = book or StickBook()
        self._open_wire = open_wire
        self.trace = TraceSwitch()
        self._report: Report | None = None
        self._late: LateAnswers | None = None
        self._session: Session | None = None
        self._draining = False
        self._gentle_left = GENTLE
        self._ussd = UssdDesk()
        self._exchanges: set[asyncio.Task[SubmitResult]] = set()

    @property
    def channel_id(self) -> str:
        """The channel's name."""
        return self._config.name

    @property
    def traits(self) -> Traits:
        """Those of every SIM."""
        return TRAITS

    @property
    def capacity(self) -> int:
        """One: a SIM sends one segment after the other."""
        return 1

    async def run(self, sink: EventSink) -> None:
        """Keep the stick in service until cancelled; returns by itself only after a CONFIG fault.

        Cancel: closes the port; a segment whose PDU is on the wire ends as `Uncertain`.
        """
        self._draining = False
        self._report = report = Report(self.channel_id, sink)
        try:
            finder = Finder(self._config, self._book, self._open_wire)
        except BadProfile as error:
            await report.down(Fault(kind=FaultKind.CONFIG, code="bad_profile", detail=f"{error}."))
            return
        climber = Climber(self._config, report, finder, self._open_wire)
        late = self._late = LateAnswers(self.channel_id, sink)
        parts = Parts(
            config=self._config,
            sink=sink,
            report=report,
            climber=climber,
            finder=finder,
            pins=self._pins,
            sims=self._sims,
            ussd=self._ussd,
            open_wire=self._open_wire,
            trace=self.trace,
            late=late,
        )
        # A task of its own, that can be told before it is cancelled: see `Session._heed_stop`.
        life = asyncio.create_task(self._live(parts))
        try:
            await asyncio.shield(life)
        except asyncio.CancelledError:
            parts.stopping.set()
            life.cancel()
            await asyncio.gather(life, return_exceptions=True)
            raise
        finally:
            await late.finish()

    async def _live(self, parts: Parts) -> None:
        while True:
            self._session = session = Session(parts)
            end = await session.run()
            if isinstance(end, Fault):
                return
            await parts.climber.take(end, session.place)

    async def submit(self, segment: OutboundSegment) -> SubmitResult:
        """Send one segment and wait for the network's answer.

        Cancel: before the PDU nothing has happened; after it the exchange goes on by itself, its outcome
        is logged and reported as `LateResult`, and the port takes no other command before its end.
        """
        if self._draining:
            return _refuse("draining", "The channel takes nothing new.")
        session, fault = self._session, self._report.fault if self._report else LINK_DOWN
        if fault is not None or session is None or session.outbound is None:
            return Refused(fault=fault or LINK_DOWN)
        exchange = session.outbound.exchange(segment)
        task = asyncio.create_task(self._send(exchange, session, segment))
        self._exchanges.add(task)
        task.add_done_callback(self._exchanges.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if exchange.pdu_left:
                exchange.is_abandoned = True
                task.add_done_callback(lambda done: self._report_orphan(segment, done))
            else:
                task.cancel()
            raise

    def renew(self, fault: Fault, *, n_recipients: int) -> None:
        """Have the recovery ladder climbed though the stick answers; see `drivers.abilities.Renews`.

        The messages to a single recipient may get the two gentlest rungs until one is accepted, and no more: higher up
        the stick is away for minutes, and what comes in with it.
        """
        if self._session is None or self._session.outbound is None:
            return
        if n_recipients < SEVERAL:
            if not self._gentle_left:
                return
            self._gentle_left -= 1
        self._session.renew(fault)

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
        if self._session is None or self._session.outbound is None or self._report is None:
            raise WireLost("the channel is not up", by_peer=False)
        maker = str(self._report.facts.get("manufacturer") or "")
        return await self._ussd.ask(self._session.outbound.port, code, timeout_s, maker=maker)

    async def _send(self, exchange: Exchange, session: Session, segment: OutboundSegment) -> SubmitResult:
        result = await exchange.run()
        session.note(result, segment)
        if isinstance(result, Accepted):
            self._gentle_left = GENTLE
        return result

    def _report_orphan(self, segment: OutboundSegment, done: asyncio.Task[SubmitResult]) -> None:
        if done.cancelled():
            return
        result = done.result()
        name = type(result).__name__
        logger.warning("%s: segment %s, nobody waiting: %s", self.channel_id, segment.segment_id, name)
        if self._late is not None:
            self._late.take(segment, result, abandoned=True)


def _refuse(code: str, detail: str) -> Refused:
    return Refused(fault=Fault(kind=FaultKind.CHANNEL, code=code, detail=detail))
