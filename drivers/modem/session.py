"""One open port, from opening to its end: bring-up, service, and what ends it.

Trouble that leaves the port usable is met on the spot (`drivers.modem.recovery.ladder.OVER_PORT`) and brought up again;
anything else ends the session with the step that comes next.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from drivers.at.doubt import Doubt
from drivers.at.port import AtPort, StickSilent
from drivers.at.responses import parse_digits
from drivers.at.transport import PortBlocked
from drivers.base import Accepted, Fault, FaultKind, Refused, SubmitResult
from drivers.errors import DriverError, WireLost, WireTimeout
from drivers.modem.asking import try_request
from drivers.modem.bringup.restarts import RESTARTED, is_restart, may_be_restart
from drivers.modem.bringup.steps import BringUp, Setup, may_send, not_registered
from drivers.modem.bringup.unlock import is_shut
from drivers.modem.faults import SIM_GONE, classify_error
from drivers.modem.find.finder import StickTaken
from drivers.modem.find.probe import Place, Who
from drivers.modem.memories.habits import Habits
from drivers.modem.messages.inbound import Inbound, tell_unfinished
from drivers.modem.messages.outbound import Outbound
from drivers.modem.recovery.endings import first_unwell, worst
from drivers.modem.recovery.health import Health, Unwell, Vitals, glance, watch
from drivers.modem.recovery.ladder import OVER_PORT, Step, Trouble
from drivers.modem.report import LINK_DOWN, RESYNC, Report

if TYPE_CHECKING:
    from drivers.at.trace import Trace
    from drivers.at.transport import OpenWire
    from drivers.at.unsolicited import Urc
    from drivers.base import EventSink, OutboundSegment
    from drivers.late import LateAnswers
    from drivers.modem.bringup.pin import PinLedger
    from drivers.modem.config import ModemConfig
    from drivers.modem.find.finder import Finder
    from drivers.modem.recovery.climber import Climber
    from drivers.modem.sims import SimLedger
    from drivers.modem.ussd import UssdDesk

logger = logging.getLogger(__name__)

_UNANSWERED = Fault(
    kind=FaultKind.CHANNEL, code="unanswered", detail="Nothing that is sent is answered any more."
)
_WITHOUT_NUMBER = frozenset({"at_error", "no_prompt", "cms_unknown", "cme_unknown"})
RENEWALS = 3
"""So often in a row settings are set again that don't stay; then the stick has its own way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a session is made of; the same for all sessions of a driver.

    Args:
        config: which stick.
        sink: where messages and receipts go.
        report: where the channel's state goes.
        climber: its recovery.
        finder: where it is.
        pins, sims: what is remembered of PINs and SIMs.
        ussd: whose answers come unasked.
        open_wire: how the port is opened.
        trace: hears every octet.
        late: takes answers to segments whose `submit` is over.
        doubt: what the stick still owes when its port is opened anew.
        stopping: the driver is being cancelled.
        habits: what was learnt of the stick.
    """

    config: ModemConfig
    sink: EventSink
    report: Report
    climber: Climber
    finder: Finder
    pins: PinLedger
    sims: SimLedger
    ussd: UssdDesk
    open_wire: OpenWire
    trace: Trace
    late: LateAnswers
    doubt: Doubt = field(default_factory=Doubt)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    habits: Habits = field(default_factory=Habits)


class Session:
    """See the module; used once.

    Attributes:
        outbound: sends segments; None while the stick is not in service.
        place: where the stick is; None until it was found.
    """

    def __init__(self, parts: Parts) -> None:
        self.outbound: Outbound | None = None
        self.place: Place | None = None
        self._parts = parts
        self._config = parts.config
        self._report = parts.report
        self._vitals = Vitals()
        self._changed = asyncio.Event()
        self._is_silent = False
        self._complaint: Fault | None = None
        self._out_of_service_since: float | None = None
        self._look_soon = asyncio.Event()
        self._setup: Setup | None = None
        self._n_renewed = 0
        self._inbound = Inbound(parts.config, parts.sink, parts.report, parts.habits)

    async def run(self) -> Step | Fault:
        """Serve until it goes no further.

        Returns:
            The recovery step to be taken with the port closed; or the CONFIG fault that a person must mend.

        Cancel: the port is closed; a segment whose PDU is on the wire ends as `Uncertain`.
        """
        parts = self._parts
        port = AtPort(
            self._config.name,
            self._on_urc,
            on_silence=self._on_silence,
            on_stray=self._on_stray,
            command_timeout_s=self._config.timing.command_s,
            trace=parts.trace,
            doubt=parts.doubt,
        )
        self._port = port
        end: Step | Fault | None = None
        errors: BaseExceptionGroup[DriverError] | None = None
        try:
            self.place = await parts.finder.find()
            await port.open(self.place.port, parts.climber.baudrate, parts.open_wire)
            async with asyncio.TaskGroup() as group:
                owner = group.create_task(port.run())
                end = await self._serve_until_stuck(port)
                owner.cancel()
        except* DriverError as group_of_errors:
            errors = group_of_errors
        finally:
            self._leave_service()
            await port.close()
            parts.finder.release()
        self._heed_stop()
        if end is not None:
            return end
        assert errors is not None
        return await self._end_of(worst(errors))

    def note(self, result: SubmitResult, segment: OutboundSegment) -> None:
        """Learn from the outcome of a segment."""
        self._vitals.note(result, segment.recipient)
        if segment.report and isinstance(result, Accepted):
            self._inbound.note_sent()
        if isinstance(result, Refused):
            self._note_refusal(result.fault)
        if isinstance(result, Refused) and result.fault.code in SIM_GONE:
            # The stick lost its SIM or restarted unnoticed: only a new bring-up helps.
            self._complain(result.fault)
        elif self._vitals.is_unwell:
            self._complain(_UNANSWERED)

    def _note_late(self, segment: OutboundSegment, result: SubmitResult, abandoned: bool) -> None:
        self._vitals.note_late(result)
        self._parts.late.take(segment, result, abandoned=abandoned)

    def _note_refusal(self, fault: Fault) -> None:
        if fault.code in _WITHOUT_NUMBER:  # as factory settings have it
            self._look_soon.set()
        if fault.code == "cms_330" and self._setup is not None:
            self._setup.messages.renew_centre()
            self._inbound.wake()

    def renew(self, fault: Fault) -> None:
        """Everything that is sent fails, though the stick answers: end the service, and do something about it."""
        if self._complaint is None:
            detail = f"Everything that is sent fails, the last time with {fault.code}."
            self._complain(Fault(kind=FaultKind.CHANNEL, code="nothing_sent", detail=detail))

    def _heed_stop(self) -> None:
        # Before Python 3.13 a task group that fails while its task is being cancelled forgets that.
        if self._parts.stopping.is_set():
            raise asyncio.CancelledError

    async def _end_of(self, error: DriverError) -> Step | Fault:
        if isinstance(error, StickTaken):
            detail = f"{str(error).capitalize()}."
            if self._parts.climber.was_in_service:  # so the configuration is right; things were plugged about
                fault = Fault(kind=FaultKind.CHANNEL, code="stick_taken", detail=detail)
                return await self._parts.climber.choose(Trouble.BLOCKED, fault, self.place)
            fault = Fault(kind=FaultKind.CONFIG, code="stick_taken", detail=detail)
            await self._report.down(fault)
            return fault
        trouble = {StickSilent: Trouble.SILENT, PortBlocked: Trouble.BLOCKED, WireLost: Trouble.GONE}.get(
            type(error), Trouble.UNWELL
        )
        return await self._parts.climber.choose(trouble, classify_error(error), self.place)

    async def _serve_until_stuck(self, port: AtPort) -> Step | Fault:
        while True:
            fault = await self._serve(port)
            self._leave_service()
            await self._report.down(fault)
            if fault.kind is FaultKind.CONFIG:
                return fault
            step = await self._parts.climber.choose(Trouble.UNWELL, fault, self.place)
            if step.rung not in OVER_PORT:
                return step
            with suppress(WireTimeout):
                await self._parts.climber.take_over_port(step, port)

    async def _serve(self, port: AtPort) -> Fault:
        """Bring the stick up and keep it in service; why that ended."""
        fault: Fault | None = None
        try:
            setup = await self._bring_up(port)
            async with asyncio.TaskGroup() as group:
                self._complaint = None
                self._vitals.start_anew()
                outbound = Outbound(
                    port,
                    channel=self._config.name,
                    answer_timeout_s=self._config.answer_timeout_s or setup.profile.answer_timeout_s,
                    prompt_timeout_s=setup.profile.prompt_timeout_s,
                    on_late=self._note_late,
                )
                await self._enter_service(outbound, setup)
                group.create_task(self._inbound.run(port, setup))
                group.create_task(self._mind())
                group.create_task(
                    watch(
                        port,
                        self._config.keepalive_s,
                        partial(self._note_health, setup),
                        lambda: outbound.last_answer,
                        setup.iccid_command,
                        self._look_soon,
                    )
                )
        except* Unwell as errors:
            fault = first_unwell(errors)
        self._heed_stop()
        assert fault is not None
        return fault

    async def _bring_up(self, port: AtPort) -> Setup:
        finder, place = self._parts.finder, self.place
        assert place is not None
        outcome = await BringUp(
            port,
            self._config,
            pins=self._parts.pins,
            choose_profile=lambda answers: finder.choose_profile(place.usb_id, answers),
            habits=self._parts.habits,
        ).run()
        if isinstance(outcome, Fault):
            raise Unwell(outcome)
        return outcome

    async def _enter_service(self, outbound: Outbound, setup: Setup) -> None:
        identity, place = setup.identity, self.place
        assert place is not None
        self._parts.finder.note_identity(Who(imei=identity.imei, iccid=identity.iccid))
        self._out_of_service_since = None
        self._parts.climber.note_in_service()
        await self._report.tell(
            port=place.port,
            usb=place.usb,
            manufacturer=identity.manufacturer,
            model=identity.model,
            profile=setup.profile.name,
            imei=identity.imei,
            iccid=identity.iccid,
            number=self._config.number or identity.number,
            smsc_known=setup.messages.has_smsc,
        )
        self._parts.habits.note_stick(identity.imei)
        self._setup = setup
        await tell_unfinished(self._report, setup.messages)
        if identity.iccid is not None and self._parts.sims.note(self._config.name, identity.iccid):
            detail = f"The SIM was swapped; the one that ends in {identity.iccid[-4:]} is in the stick now."
            await self._report.notice("sim_swapped", detail)
        self.outbound = outbound
        await self._report.up()
        logger.info("%s: up: %s %s", self._config.name, identity.manufacturer, identity.model)

    def _leave_service(self) -> None:
        self.outbound = None
        self._parts.finder.release_sim()
        self._report.fault = self._report.fault or LINK_DOWN

    def _on_urc(self, urc: Urc) -> None:
        self._note_line(urc.line)
        self._inbound.on_urc(urc)
        self._parts.ussd.on_urc(urc)

    def _on_stray(self, line: str) -> None:
        self._note_line(line)
        self._inbound.on_stray(line)

    def _note_line(self, line: str) -> None:
        """It may tell that the stick has restarted."""
        if self.outbound is None:
            return
        if is_restart(line):
            self._port.wire_lost(f"the stick restarted: {line[:20]}")
        elif may_be_restart(line):
            self._look_soon.set()

    def _on_silence(self, silent: bool) -> None:
        self._is_silent = silent
        if silent and self._report.fault is None:
            # From this moment on; it is told as soon as the loop comes to it.
            self._report.fault = RESYNC
        if not silent:  # what it said meanwhile was not heard
            self._inbound.sweep_soon()
        self._changed.set()

    def _complain(self, fault: Fault) -> None:
        self._complaint = fault
        self._report.fault = self._report.fault or fault
        self._changed.set()

    async def _mind(self) -> None:
        """Tell of silences, and end the service for what was complained of."""
        is_told = False
        while True:
            await self._changed.wait()
            self._changed.clear()
            is_told = is_told and self._is_silent
            if self._is_silent and self._report.fault is RESYNC and not is_told:
                is_told = True
                await self._parts.climber.note_resync()
                await self._report.down(RESYNC)
            if self._complaint is not None and not self._is_silent:
                raise Unwell(self._complaint)
            if not self._is_silent and self._report.fault is RESYNC:
                await self._report.up()

    async def _says_again(self, command: str, iccid: str | None) -> bool:
        """Whether the SIM's number was no misread."""
        with suppress(WireTimeout):
            return parse_digits(await try_request(self._port, command) or ()) == iccid
        return False

    async def _compare_settings(self, setup: Setup, health: Health) -> None:
        """Is this still the session that was set up?"""
        lost = setup.lost(health.settings)
        if lost:  # a line may have been broken
            lost &= setup.lost((await glance(self._port)).settings)
        if lost & RESTARTED:
            raise WireLost("the stick restarted unnoticed", by_peer=True)
        if not lost:
            self._n_renewed = 0
        elif self._n_renewed < RENEWALS:
            self._n_renewed += 1
            names = ", ".join(sorted(lost))
            logger.warning(
                "%s: the stick forgot what was set (%s); it is set again", self._config.name, names
            )
            setup.messages.renew()
            self._inbound.wake()
        else:
            await setup.learn_settings(self._port)

    async def _note_health(self, setup: Setup, health: Health) -> None:
        await self._compare_settings(setup, health)
        self._inbound.note_use(health.storage)
        if health.is_glance:
            return
        if health.iccid not in {None, setup.identity.iccid}:
            assert setup.iccid_command is not None  # it was asked a moment ago
            if await self._says_again(setup.iccid_command, health.iccid):
                raise WireLost("another SIM is in the stick now", by_peer=True)
        await self._report.tell(**health.facts(), error_rate=self._vitals.error_rate)
        now = asyncio.get_running_loop().time()
        if health.registration is not None and not may_send(
            health.registration, roaming=self._config.roaming
        ):
            since = self._out_of_service_since
            self._out_of_service_since = now if since is None else since
            if await is_shut(self._port):
                raise WireLost("the SIM asks for its code again", by_peer=True)
            fault = not_registered(health.registration)
            await self._report.down(fault)
            if since is not None and now - since > self._config.timing.registration_s:
                raise Unwell(fault)
        elif self._out_of_service_since is not None:
            self._out_of_service_since = None
            await self._report.up()
