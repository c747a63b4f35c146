"""Is the stick alive and in service? A look every few seconds, which keeps the port awake as well.

A stick that answers late is slow: it is looked at again. One that does not answer AT at all is dead, and the
port says so by itself (`drivers.at.transaction.Hung`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from drivers.at.responses import (
    REGISTERED,
    REGISTRATION_NAMES,
    parse_cops,
    parse_cpms,
    parse_csq,
    parse_digits,
)
from drivers.base import Accepted, Fault, FaultKind, Refused, SubmitResult, Uncertain
from drivers.errors import DriverError, WireTimeout
from drivers.modem.asking import try_request
from drivers.modem.bringup.restarts import Settings, read_settings
from drivers.modem.bringup.steps import INCOMING, read_registration

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from drivers.at.port import AtPort
    from drivers.at.responses import StorageUse

OPERATOR_TIMEOUT_S = 30.0
"""Sticks that search for a network answer AT+COPS? late."""
SLOW_LOOKS = 3
"""Looks in a row without an answer, though AT is answered, before the stick counts as unwell."""
BUSY_FACTOR = 10
"""A stick that answers segments is alive: who it is and how its signal is are asked so much less often then. Whether it
is still set up is asked all the same."""
GLANCE_GAP_S = 5.0
"""At least so long between two looks that something made us take at once."""
UNANSWERED = 2
"""Recipients whose segments had no answer from the network in a row before the stick counts as unwell."""
ALL_OF_ONE = 4
"""Segments of one recipient after which it does, too."""
REMEMBERED = 20
"""Segments of which the error rate is told."""


class Unwell(DriverError):
    """The stick answers and does not do its work."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.detail)
        self.fault = fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What one look found; None where the stick does not say."""

    signal_dbm: int | None
    registration: int | None
    operator: str | None
    storage: StorageUse | None = None
    """Of the memory for new messages."""
    settings: Settings = field(default_factory=Settings)
    """What bring-up set, as it is now."""
    iccid: str | None = None
    """Of the SIM that is in it now."""
    is_glance: bool = False
    """Only the storage and the settings were asked for."""

    @property
    def in_service(self) -> bool:
        """It is registered, or will not say."""
        return self.registration is None or self.registration in REGISTERED

    def facts(self) -> dict[str, str | int | None]:
        """In the spelling of `drivers.base.ChannelInfo`."""
        return {
            "signal_dbm": self.signal_dbm,
            "registration": None
            if self.registration is None
            else REGISTRATION_NAMES.get(self.registration, "unknown"),
            "operator": self.operator,
        }


class Vitals:
    """What the outcomes of segments say of a stick. Pure."""

    def __init__(self) -> None:
        self._failed: deque[bool] = deque(maxlen=REMEMBERED)
        self._unanswered: list[str] = []

    def note(self, result: SubmitResult, recipient: str) -> None:
        """Take the outcome of a segment to a recipient; what is the segment's own fault says nothing."""
        match result:
            case Accepted():
                self._unanswered.clear()
                self._failed.append(False)
            case Uncertain():
                self._unanswered.append(recipient)
                self._failed.append(True)
            case Refused(fault=fault) if fault.kind is not FaultKind.PERMANENT:
                self._unanswered.clear()
                self._failed.append(True)
            case _:
                self._unanswered.clear()

    def note_late(self, result: SubmitResult) -> None:
        """Take the network's answer to a segment that had counted as unanswered."""
        if not isinstance(result, Uncertain):
            self._unanswered.clear()
            if isinstance(result, Accepted) and self._failed:
                self._failed[-1] = False

    @property
    def error_rate(self) -> float | None:
        """Share of failures among the last segments, 0..1; None before the first."""
        return round(sum(self._failed) / len(self._failed), 2) if self._failed else None

    @property
    def is_unwell(self) -> bool:
        """Nothing that is sent is answered any more."""
        return len(set(self._unanswered)) >= UNANSWERED or len(self._unanswered) >= ALL_OF_ONE

    def start_anew(self) -> None:
        """The stick was brought up again: its silence of before is over."""
        self._unanswered.clear()


async def look(port: AtPort, iccid_command: str | None = None) -> Health:
    """Ask the stick once. Raises and Cancel as `AtPort.request`; refusals are tolerated.

    Args:
        iccid_command: to which it answers with the SIM's number; None when it does not.
    """
    iccid = None if iccid_command is None else parse_digits(await try_request(port, iccid_command) or ())
    signal_dbm = parse_csq(await try_request(port, "AT+CSQ") or ())
    registration = await read_registration(port)
    operator = parse_cops(await try_request(port, "AT+COPS?", timeout_s=OPERATOR_TIMEOUT_S) or ())
    health = await glance(port)
    return replace(
        health,
        iccid=iccid,
        signal_dbm=signal_dbm,
        registration=registration,
        operator=operator,
        is_glance=False,
    )


async def glance(port: AtPort) -> Health:
    """Ask only whether the stick is still set up, and how full it is. Raises and Cancel as `look`."""
    storage = parse_cpms(await try_request(port, "AT+CPMS?") or (), INCOMING)
    settings = await read_settings(port, storage.name if storage else None)
    return Health(
        signal_dbm=None, registration=None, operator=None, storage=storage, settings=settings, is_glance=True
    )


async def watch(
    port: AtPort,
    every_s: float,
    on_health: Callable[[Health], Awaitable[None]],
    last_sign: Callable[[], float],
    iccid_command: str | None = None,
    soon: asyncio.Event | None = None,
) -> None:
    """Look at once and then every ``every_s`` seconds, until cancelled.

    Args:
        on_health: told of each look that was answered.
        last_sign: when the stick last did its work, by the loop's clock; while that is recent, it is only glanced at.
        iccid_command: as for `look`; when that alone is not answered any more, it is asked no more.
        soon: set to have it glanced at without waiting.

    Raises:
        Unwell: AT is answered, and our questions are not, again and again.
        WireLost: the stick does not answer at all.

    Cancel: as `AtPort.request`.
    """
    loop = asyncio.get_running_loop()
    soon = soon or asyncio.Event()
    n_slow, looked, is_early = 0, -BUSY_FACTOR * every_s, False
    while True:
        now = loop.time()
        is_busy = now - last_sign() < every_s and now - looked < BUSY_FACTOR * every_s
        try:
            if (is_busy or is_early) and not n_slow:
                health = await glance(port)
            else:
                health = await look(port, iccid_command)
                looked = now
        except WireTimeout as error:
            if n_slow and iccid_command and iccid_command.startswith(error.what):
                iccid_command = None  # it does all else, and segments need no more
            n_slow += 1
            if n_slow >= SLOW_LOOKS:
                raise Unwell(_unresponsive(error)) from None
        else:
            n_slow = 0
            await on_health(health)
        is_early = await _wait(soon, every_s)


async def _wait(soon: asyncio.Event, every_s: float) -> bool:
    """Until the next look; whether something hurried it."""
    gap_s = min(GLANCE_GAP_S, every_s)
    await asyncio.sleep(gap_s)
    with suppress(TimeoutError):
        async with asyncio.timeout(every_s - gap_s):
            await soon.wait()
            soon.clear()
            return True
    return False


def _unresponsive(error: WireTimeout) -> Fault:
    detail = f"The stick answers AT and no more: {error}."
    return Fault(kind=FaultKind.CHANNEL, code="no_answer", detail=detail)
