"""From an open port to a stick that can send and receive: step by step, the same after every reconnect.

Each step has its own time, a line in the log, and a remedy for people when it fails. What a stick refuses is
tolerated wherever SMS works without it.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from drivers.at.responses import (
    REGISTERED,
    REGISTRATION_NAMES,
    ROAMING_STATES,
    find_fields,
    parse_cfun,
    parse_cnum,
    parse_cpms,
    parse_digits,
    parse_registration,
    parse_text,
)
from drivers.base import Fault, FaultKind
from drivers.errors import AtError, CmeError, CmsError, DeviceError, WireTimeout
from drivers.modem.asking import Outcome, settle, try_request
from drivers.modem.bringup.message_setup import MessageSetup
from drivers.modem.bringup.restarts import Settings, read_settings
from drivers.modem.bringup.unlock import SimLock, StepFailed
from drivers.modem.faults import classify_error, is_busy
from drivers.modem.memories.habits import Habits

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from drivers.at.port import AtPort
    from drivers.modem.bringup.pin import PinLedger
    from drivers.modem.config import ModemConfig
    from drivers.modem.profile import Profile

logger = logging.getLogger(__name__)

RADIO_TIMEOUT_S = 15.0
"""Switching the radio on takes a while on most sticks."""

REMEDIES = {
    "greet": "check cable, port and baudrate",
    "identify": "check that no other program uses the stick",
    "radio": "pull the stick out and plug it in again",
    "sim": "check that the SIM sits well and opens in a telephone",
    "network": "check antenna and signal, and that the SIM is active and paid for",
    "messages": "update the stick's firmware or use another",
}
"""What a person can do when a step fails."""

T = TypeVar("T")

_RADIO_OFF = frozenset({0, 4})
INCOMING = 2
"""Place of the memory for new messages in AT+CPMS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who the stick and the SIM are; None where they don't say."""

    manufacturer: str | None = None
    model: str | None = None
    imei: str | None = None
    iccid: str | None = None
    number: str | None = None


@dataclass(slots=True, kw_only=True)
class Setup:
    """What bring-up found out.

    Args:
        identity: of stick and SIM.
        profile: of the stick's family.
        messages: what makes messages come; not all of it may be done yet.
        numbers_errors: the stick tells errors by number; it forgets that when it restarts.
        iccid_command: what told the SIM's number; None when nothing did.
        settings: as they were read back; see `drivers.modem.bringup.restarts`.
    """

    identity: Identity
    profile: Profile
    messages: MessageSetup
    numbers_errors: bool
    iccid_command: str | None = None
    settings: Settings = field(default_factory=Settings)

    def lost(self, now: Settings) -> frozenset[str]:
        """Names of settings that are not as they were; errors without numbers are none of ours in any case."""
        errors = self.settings.errors
        if errors is None and self.numbers_errors:
            errors = 1
        return replace(self.settings, errors=errors).lost(now)

    async def learn_settings(self, port: AtPort) -> None:
        """Read back what was set, so that a restart shows. Raises and Cancel: as `AtPort.request`."""
        use = parse_cpms(await try_request(port, "AT+CPMS?") or (), INCOMING)
        self.settings = await read_settings(port, use.name if use else None)


class BringUp:
    """One bring-up over one port.

    Args:
        config: of the channel.
        pins: the PIN rule.
        choose_profile: from what the stick says of itself to its profile.
        habits: what was learnt of the stick before.
    """

    def __init__(
        self,
        port: AtPort,
        config: ModemConfig,
        *,
        pins: PinLedger,
        choose_profile: Callable[[Iterable[str]], Profile],
        habits: Habits | None = None,
    ) -> None:
        self._port = port
        self._config = config
        self._channel = config.name
        self._pins = pins
        self._habits = habits or Habits()
        self._timing = config.timing
        self._choose_profile = choose_profile
        self._profile = choose_profile(())
        self._numbers_errors = False
        self._left: list[str] = []
        self._maker: str | None = None
        self._model: str | None = None
        self._iccid_command: str | None = None

    async def run(self) -> Setup | Fault:
        """Do it all.

        Returns:
            What was found, or why the channel can't work; CONFIG when a person must mend it.

        Raises:
            WireLost: the port died.

        Cancel: the stick is half set up; the next bring-up starts from the beginning.
        """
        timing = self._timing
        sim_s = timing.sim_busy_s + self._profile.boot_s
        try:
            await self._step("greet", self._greet(), 8 * timing.command_s)
            await self._step("identify", self._identify_stick(), 8 * timing.command_s)
            await self._step("radio", self._switch_radio_on(), timing.command_s + RADIO_TIMEOUT_S)
            sim = SimLock(self._port, self._config, self._pins, patience_s=sim_s)
            await self._step("sim", sim.open(), sim.longest_s)
            await self._step(
                "network", self._await_registration(), timing.registration_s + 3 * timing.command_s
            )
            return await self._step("messages", self._set_up_messages(), 2 * sim_s + 30 * timing.command_s)
        except StepFailed as error:
            return error.fault

    async def _step(self, name: str, work: Coroutine[None, None, T], timeout_s: float) -> T:
        began = _now()
        try:
            async with asyncio.timeout(timeout_s):
                found = await work
        except TimeoutError:
            raise StepFailed(_too_slow(name, timeout_s)) from None
        except WireTimeout as error:
            raise StepFailed(_too_slow(name, error.after_s)) from None
        except DeviceError as error:
            fault = classify_error(error)
            logger.warning("%s: bring-up: %s failed: %s: %s", self._channel, name, error, fault.detail)
            raise StepFailed(fault) from None
        logger.info("%s: bring-up: %s done after %.1f s", self._channel, name, _now() - began)
        return found

    async def _greet(self) -> None:
        await self._port.request("ATE0")
        await self._try("ATV1")
        self._numbers_errors = await self._try("AT+CMEE=1") is not None

    async def _identify_stick(self) -> None:
        info = await self._try("ATI") or ()
        self._maker = parse_text(await self._try("AT+CGMI") or ())
        self._model = parse_text(await self._try("AT+CGMM") or ())
        self._profile = self._choose_profile((*info, self._maker or "", self._model or ""))
        logger.info("%s: %s %s, profile %s", self._channel, self._maker, self._model, self._profile.name)
        for command in (*self._profile.init_commands, *self._config.init_commands):
            outcome = await settle(self._port, command)
            if outcome is Outcome.NOT_YET:
                self._left.append(command)
            elif outcome is Outcome.REFUSED:
                logger.warning("%s: init command %s refused", self._channel, command.partition("=")[0])

    async def _switch_radio_on(self) -> None:
        # Left off by another program, or by a stick that starts like that to save power.
        if parse_cfun(await self._try("AT+CFUN?") or ()) in _RADIO_OFF:
            await try_request(self._port, "AT+CFUN=1", timeout_s=RADIO_TIMEOUT_S)

    async def _await_registration(self) -> None:
        deadline = _now() + self._timing.registration_s
        while not may_send(status := await read_registration(self._port), roaming=self._config.roaming):
            if _now() >= deadline:
                raise StepFailed(not_registered(status))
            await asyncio.sleep(self._timing.poll_s)

    async def _set_up_messages(self) -> Setup:
        await self._patiently("AT+CMGF=0")
        await self._leave_ucs2()
        if (
            not self._numbers_errors
        ):  # sticks that are starting say ERROR; without numbers a busy SIM looks like a refusal
            self._numbers_errors = await self._try("AT+CMEE=1") is not None
        messages = MessageSetup(self._port, self._config, self._profile, self._habits, self._left)
        await messages.run(self._timing.sim_busy_s + self._profile.boot_s)
        await self._try("AT+COPS=3,0")
        if self._config.hang_up_calls:
            await self._try("AT+CRC=0")
        setup = Setup(
            identity=await self._identify_sim(),
            profile=self._profile,
            messages=messages,
            numbers_errors=self._numbers_errors,
            iccid_command=self._iccid_command,
        )
        await setup.learn_settings(self._port)
        return setup

    async def _leave_ucs2(self) -> None:
        """Another program may have left the character set at UCS2, where numbers are hex digits both ways."""
        fields = find_fields(await self._try("AT+CSCS?") or (), "+CSCS:")
        if fields and fields[0] in {"UCS2", _in_ucs2("UCS2")}:
            for name in ("IRA", "GSM", _in_ucs2("IRA"), _in_ucs2("GSM")):
                if await self._try(f'AT+CSCS="{name}"') is not None:
                    return

    async def _identify_sim(self) -> Identity:
        deadline = _now() + self._timing.sim_busy_s
        while (iccid := await self._ask_iccid()) == "":
            if _now() >= deadline:
                break
            await asyncio.sleep(self._timing.poll_s)
        return Identity(
            manufacturer=self._maker,
            model=self._model,
            imei=parse_digits(await self._try("AT+CGSN") or ()),
            iccid=iccid or None,
            number=parse_cnum(await self._try("AT+CNUM") or ()),
        )

    async def _ask_iccid(self) -> str | None:
        """The SIM's number; None when it is not told, and empty when the SIM is busy."""
        is_busy_now = False
        for command in self._profile.iccid_commands:
            try:
                iccid = parse_digits(await self._port.request(command))
            except (AtError, CmeError, CmsError) as error:
                is_busy_now |= is_busy(error)
                continue
            if iccid:
                self._iccid_command = command
                return iccid
        return "" if is_busy_now else None

    async def _try(self, command: str) -> tuple[str, ...] | None:
        return await try_request(self._port, command)

    async def _patiently(self, command: str) -> None:
        """Have something done that nothing works without: sticks that are starting refuse it in many ways."""
        deadline = _now() + self._timing.sim_busy_s + self._profile.boot_s
        while True:
            try:
                await self._port.request(command)
            except (AtError, CmeError, CmsError):
                if _now() >= deadline:
                    raise
            else:
                return
            await asyncio.sleep(self._timing.poll_s)


async def read_registration(port: AtPort) -> int | None:
    """``<stat>`` in the network that carries SMS: circuit switched, else LTE's or packet service's.

    Cancel: as `AtPort.request`.
    """
    best: int | None = None
    for command in ("AT+CREG?", "AT+CEREG?", "AT+CGREG?"):
        status = parse_registration(await try_request(port, command) or ())
        if status in REGISTERED:
            return status
        best = status if best is None else best
    return best


def may_send(status: int | None, *, roaming: bool) -> bool:
    """Whether segments may go out with this registration."""
    return status in REGISTERED and (roaming or status not in ROAMING_STATES)


def not_registered(status: int | None) -> Fault:
    """The fault of a stick without a network, or without one that it may use."""
    if status in ROAMING_STATES:
        detail = "Only a foreign network is there, and roaming = false."
        return Fault(kind=FaultKind.CHANNEL, code="roaming", detail=detail)
    name = REGISTRATION_NAMES.get(-1 if status is None else status, "unknown")
    return Fault(kind=FaultKind.CHANNEL, code="not_registered", detail=f"No network service: {name}.")


def _in_ucs2(text: str) -> str:
    return text.encode("utf-16-be").hex().upper()


def _too_slow(step: str, after_s: float) -> Fault:
    detail = f"Bring-up: {step} is not done after {after_s:g} s; {REMEDIES[step]}."
    return Fault(kind=FaultKind.CHANNEL, code=f"no_answer_{step}", detail=detail)


def _now() -> float:
    return asyncio.get_running_loop().time()
