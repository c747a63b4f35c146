"""Climbs the recovery ladder: asks `drivers.modem.recovery.ladder` for the next step, tells of it, and takes it."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING

from drivers.base import Fault, FaultKind
from drivers.modem.find.probe import find_speed, has_speed
from drivers.modem.recovery import rescue
from drivers.modem.recovery.ladder import Ladder, LadderPolicy, Rung, Step, Trouble

if TYPE_CHECKING:
    from drivers.at.port import AtPort
    from drivers.at.transport import OpenWire
    from drivers.modem.config import ModemConfig
    from drivers.modem.find.finder import Finder
    from drivers.modem.find.probe import Place
    from drivers.modem.report import Report

logger = logging.getLogger(__name__)

_DOES = {
    Rung.RESYNC: "The stick is asked for a sign of life.",
    Rung.SOFT_RESET: "It gets its factory settings.",
    Rung.RADIO_CYCLE: "Its radio is switched off and on.",
    Rung.REOPEN: "The port is opened anew.",
    Rung.MODEM_RESET: "The stick is restarted.",
    Rung.USB_REBIND: "Its USB device is unbound and bound again.",
    Rung.COMMAND: "The recovery command is run.",
    Rung.QUARANTINE: "Nothing has helped; it is left alone for a while.",
}
_JITTER = 0.25
"""Sticks that failed together must not come back together."""


class Climber:
    """One stick's recovery.

    Args:
        config: of the stick.
        report: where each rung is told.
        finder: knows where the stick is.
        open_wire: how its port is opened.

    Attributes:
        baudrate: at which the port is to be opened.
        was_in_service: the stick has worked since the program started.
    """

    def __init__(self, config: ModemConfig, report: Report, finder: Finder, open_wire: OpenWire) -> None:
        timing = config.timing
        self._config = config
        self._report = report
        self._finder = finder
        self._open_wire = open_wire
        self.was_in_service = False
        self._is_silent = False
        self.baudrate = config.baudrate
        self._ladder = Ladder(
            policy=LadderPolicy(
                reopen_s=timing.backoff_s,
                reopen_cap_s=timing.backoff_cap_s,
                quarantine_s=timing.quarantine_s,
                quarantine_cap_s=timing.quarantine_cap_s,
                calm_s=timing.calm_s,
            )
        )

    def note_in_service(self) -> None:
        """The stick works again."""
        self.was_in_service = True
        self._ladder = self._ladder.in_service(_now())

    async def note_resync(self) -> None:
        """The dialogue is asking for a sign of life by itself."""
        self._ladder = self._ladder.resynced()
        await self._tell(Rung.RESYNC, "An answer did not come.")

    async def choose(self, trouble: Trouble, fault: Fault, place: Place | None) -> Step:
        """The next step, told to whoever should know; the channel is down from now on.

        Cancel: the step counts as taken.
        """
        self._is_silent = trouble is Trouble.SILENT
        await self._report.down(fault)
        step, self._ladder = self._ladder.climb(trouble, _now(), self._able(place))
        await self._tell(step.rung, fault.detail)
        if step.rung is not Rung.REOPEN:
            detail = f"{fault.detail} {_DOES[step.rung]}"
            code = f"recovery_{step.rung}"
            retry_after_s = step.pause_s if step.rung is Rung.QUARANTINE else None
            await self._report.down(
                Fault(kind=FaultKind.CHANNEL, code=code, detail=detail, retry_after_s=retry_after_s)
            )
        return step

    async def take_over_port(self, step: Step, port: AtPort) -> None:
        """Take a step of `drivers.modem.recovery.ladder.OVER_PORT`. Raises WireError. Cancel: as its rescue."""
        match step.rung:
            case Rung.SOFT_RESET:
                await rescue.soft_reset(port)
            case Rung.RADIO_CYCLE:
                await rescue.cycle_radio(port)
            case _:
                raise AssertionError(step.rung)

    async def take(self, step: Step, place: Place | None) -> None:
        """Take any other step; the port is closed. Cancel: see `drivers.modem.recovery.rescue`."""
        timing, trouble = self._config.timing, None
        match step.rung:
            case Rung.REOPEN:
                await asyncio.sleep(_jittered(step.pause_s))
                if place is not None and self._is_silent and not self.was_in_service and has_speed(place):
                    await self._try_speeds(place)
                elif not self._finder.is_present():
                    await self._finder.wait_for_change(timing.absent_s, timing.poll_s)
            case Rung.QUARANTINE:
                # A stick that is plugged in anew deserves a new start at once.
                await self._finder.wait_for_change(_jittered(step.pause_s), timing.poll_s)
            case Rung.MODEM_RESET if place is not None:
                command = place.profile.reset_command
                trouble = await rescue.reset_stick(
                    self._open_wire, place.port, self.baudrate, command, timing.reset_answer_s
                )
                await self._await_start()
            case Rung.USB_REBIND if place is not None and place.usb is not None:
                trouble = await rescue.rebind_usb(self._finder.sysfs, place.usb, timing.poll_s)
                await self._await_start()
            case Rung.COMMAND:
                trouble = await rescue.run_command(self._config.recovery_command, self._environment(place))
                await self._await_start()
            case _:
                pass
        if trouble is not None:
            logger.warning("%s: recovery: %s", self._config.name, trouble)

    async def _try_speeds(self, place: Place) -> None:
        """A modem that never answered may be set to another speed."""
        self.baudrate = await find_speed(place, self._config.baudrate, self._open_wire)
        if self.baudrate != self._config.baudrate:
            detail = f"The modem answers at {self.baudrate} baud and not at {self._config.baudrate}."
            await self._report.notice(
                "other_speed", f"{detail} Write baudrate = {self.baudrate} into the config."
            )

    async def _await_start(self) -> None:
        """A stick that was restarted goes away first, and then it comes back; some never go away."""
        timing = self._config.timing
        if await self._finder.wait_for_change(timing.reset_s, timing.poll_s):
            await self._finder.wait_until_present(timing.reset_s + timing.absent_s, timing.poll_s)

    def _able(self, place: Place | None) -> frozenset[Rung]:
        able = {Rung.SOFT_RESET, Rung.RADIO_CYCLE}
        if place is not None and place.profile.reset_command:
            able.add(Rung.MODEM_RESET)
        if place is not None and rescue.may_rebind(self._finder.sysfs, place.usb):
            able.add(Rung.USB_REBIND)
        if self._config.recovery_command:
            able.add(Rung.COMMAND)
        return frozenset(able)

    def _environment(self, place: Place | None) -> dict[str, str]:
        return {
            "HONGYAN_CHANNEL": self._config.name,
            "HONGYAN_PORT": place.port if place else "",
            "HONGYAN_USB": (place.usb or "") if place else "",
        }

    async def _tell(self, rung: Rung, why: str) -> None:
        await self._report.notice(f"recovery_{rung}", f"{why} {_DOES[rung]}")
        await self._report.tell(recoveries=self._ladder.n_recoveries, last_recovery=rung.value)


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(1 - _JITTER, 1 + _JITTER)


def _now() -> float:
    return asyncio.get_running_loop().time()
