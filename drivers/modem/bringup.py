"""From an open port to a stick that can send and receive: step by step, the same after every reconnect.

Each step has its own time, a line in the log, and a remedy for people when it fails. What a stick refuses is
tolerated wherever SMS works without it.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from drivers.at.responses import (
    REGISTERED,
    REGISTRATION_NAMES,
    ROAMING_STATES,
    parse_cfun,
    parse_cnum,
    parse_cpin,
    parse_csca,
    parse_digits,
    parse_registration,
    parse_text,
)
from drivers.base import Fault, FaultKind
from drivers.errors import AtError, CmeError, CmsError, DeviceError, WireTimeout
from drivers.modem.faults import classify_error, is_busy
from drivers.modem.storage import StorageSetup, set_up_storage

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from drivers.at.port import AtPort
    from drivers.modem.config import ModemConfig
    from drivers.modem.pin import PinLedger
    from drivers.modem.profile import Profile

logger = logging.getLogger(__name__)

RADIO_TIMEOUT_S = 15.0
"""Switching the radio on takes a while on most sticks."""
PIN_TIMEOUT_S = 20.0

REMEDIES = {
    "greet": "check cable, port and baudrate",
    "identify": "check that no other program uses the stick",
    "radio": "pull the stick out and plug it in again",
    "sim": "check that the SIM sits well and opens in a telephone",
    "network": "check antenna and signal, and that the SIM is active and paid for",
    "smsc": 'set smsc = "+..." to the operator\'s service centre',
    "messages": "update the stick's firmware or use another",
}
"""What a person can do when a step fails."""

T = TypeVar("T")

_RADIO_OFF = frozenset({0, 4})
_USABLE = frozenset({"READY", "SIM PIN2", "SIM PUK2"})
"""PIN2 guards things we never use."""
_CODES = (" PIN", " PUK")
"""So ends what a SIM says that asks for one."""
_INTERNATIONAL, _NATIONAL = 145, 129


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who the stick and the SIM are; None where they don't say."""

    manufacturer: str | None = None
    model: str | None = None
    imei: str | None = None
    iccid: str | None = None
    number: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What bring-up found out.

    Args:
        identity: of stick and SIM.
        profile: of the stick's family.
        storage: where messages are.
        numbers_errors: the stick tells errors by number; it forgets that when it restarts.
        acknowledges: directly delivered messages wait for AT+CNMA (message service phase 2+).
        notify_command: the AT+CNMI that was accepted; None when none was.
        has_smsc: the SIM knows a service centre; None when it does not say.
        iccid_command: what told the SIM's number; None when nothing did.
    """

    identity: Identity
    profile: Profile
    storage: StorageSetup
    numbers_errors: bool
    acknowledges: bool
    notify_command: str | None
    has_smsc: bool | None
    iccid_command: str | None = None


class _Failed(Exception):
    """A step ends the bring-up."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.detail)
        self.fault = fault


class BringUp:
    """One bring-up over one port.

    Args:
        config: of the channel.
        pins: the PIN rule.
        choose_profile: from what the stick says of itself to its profile.
    """

    def __init__(
        self,
        port: AtPort,
        config: ModemConfig,
        *,
        pins: PinLedger,
        choose_profile: Callable[[Iterable[str]], Profile],
    ) -> None:
        self._port = port
        self._config = config
        self._channel = config.name
        self._pin = config.pin
        self._pins = pins
        self._timing = config.timing
        self._choose_profile = choose_profile
        self._profile = choose_profile(())
        self._numbers_errors = False
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
            await self._step("sim", self._unlock(), 3 * sim_s + 2 * timing.command_s + PIN_TIMEOUT_S)
            await self._step(
                "network", self._await_registration(), timing.registration_s + 3 * timing.command_s
            )
            has_smsc = await self._step("smsc", self._set_service_centre(), 4 * timing.command_s)
            return await self._step("messages", self._set_up_messages(has_smsc), 30 * timing.command_s)
        except _Failed as error:
            return error.fault

    async def _step(self, name: str, work: Coroutine[None, None, T], timeout_s: float) -> T:
        began = _now()
        try:
            async with asyncio.timeout(timeout_s):
                found = await work
        except TimeoutError:
            raise _Failed(_too_slow(name, timeout_s)) from None
        except WireTimeout as error:
            raise _Failed(_too_slow(name, error.after_s)) from None
        except DeviceError as error:
            fault = classify_error(error)
            logger.warning("%s: bring-up: %s failed: %s: %s", self._channel, name, error, fault.detail)
            raise _Failed(fault) from None
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
            if await self._try(command) is None:
                logger.warning("%s: init command %s refused", self._channel, command.partition("=")[0])

    async def _switch_radio_on(self) -> None:
        # Left off by another program, or by a stick that starts like that to save power.
        if parse_cfun(await self._try("AT+CFUN?") or ()) in _RADIO_OFF:
            await try_request(self._port, "AT+CFUN=1", timeout_s=RADIO_TIMEOUT_S)

    async def _unlock(self) -> None:
        state = await self._await_sim(lambda told: told in _USABLE or told.endswith(_CODES))
        if state in _USABLE:
            if self._pin is not None:
                self._pins.accept(self._channel, self._pin)
        elif state == "SIM PIN":
            await self._enter_pin()
        elif state == "SIM PUK":
            raise _config_fault(
                "puk_required", "The SIM is locked and needs its PUK; open it in a telephone."
            )
        else:
            raise _config_fault("sim_locked", "The SIM asks for a code other than its PIN.")

    async def _enter_pin(self) -> None:
        if self._pin is None:
            raise _config_fault("pin_missing", "The SIM needs a PIN and none is configured.")
        if not self._pins.may_enter(self._channel, self._pin):
            raise _config_fault(
                "pin_refused", "The configured PIN did not open the SIM; it is not tried again."
            )
        try:
            self._pins.spend(self._channel, self._pin)
        except OSError as error:
            detail = f"The PIN is not tried while that can't be recorded: {error.strerror}."
            raise _Failed(Fault(kind=FaultKind.CHANNEL, code="pin_not_recorded", detail=detail)) from None
        try:
            await self._port.request(f'AT+CPIN="{self._pin}"', timeout_s=PIN_TIMEOUT_S)
        except DeviceError as error:
            if not is_busy(error):
                self._pins.refuse(self._channel, self._pin)
            raise _config_fault(
                "pin_refused", "The SIM refused the configured PIN; it is not tried again."
            ) from None
        self._pins.accept(self._channel, self._pin)
        # Sticks say OK to the PIN some seconds before the SIM is ready.
        await self._await_sim(_USABLE.__contains__)

    async def _await_sim(self, is_told: Callable[[str], bool]) -> str:
        """What the SIM waits for; before it knows that itself it is NOT READY, and a line may be broken."""
        deadline = _now() + self._timing.sim_busy_s + self._profile.boot_s
        while not is_told(state := parse_cpin(await self._patiently("AT+CPIN?")) or ""):
            if _now() >= deadline:
                raise _Failed(
                    Fault(kind=FaultKind.CHANNEL, code="sim_busy", detail="The SIM does not become ready.")
                )
            await asyncio.sleep(self._timing.poll_s)
        return state

    async def _await_registration(self) -> None:
        deadline = _now() + self._timing.registration_s
        while not may_send(status := await read_registration(self._port), roaming=self._config.roaming):
            if _now() >= deadline:
                raise _Failed(not_registered(status))
            await asyncio.sleep(self._timing.poll_s)

    async def _set_service_centre(self) -> bool | None:
        answer = await self._try("AT+CSCA?")
        known = parse_csca(answer or ())
        wanted = self._config.smsc
        if wanted is not None and known != wanted:
            kind = _INTERNATIONAL if wanted.startswith("+") else _NATIONAL
            await self._port.request(f'AT+CSCA="{wanted}",{kind}')
            logger.info("%s: the service centre's number was set", self._channel)
            return True
        if answer is not None and known is None:
            logger.warning("%s: the SIM knows no service centre; %s", self._channel, REMEDIES["smsc"])
        return None if answer is None else known is not None

    async def _set_up_messages(self, has_smsc: bool | None) -> Setup:
        await self._patiently("AT+CMGF=0")
        acknowledges = await self._try("AT+CSMS=1") is not None
        storage = await set_up_storage(self._port, self._profile.storages)
        notify_command = await self._arm_notifications()
        await self._try("AT+COPS=3,0")
        if self._config.hang_up_calls:
            await self._try("AT+CRC=0")
        return Setup(
            identity=await self._identify_sim(),
            profile=self._profile,
            storage=storage,
            numbers_errors=self._numbers_errors,
            acknowledges=acknowledges,
            notify_command=notify_command,
            has_smsc=has_smsc,
            iccid_command=self._iccid_command,
        )

    async def _arm_notifications(self) -> str | None:
        for command in self._profile.cnmi:
            if await self._try(command) is not None:
                return command
        logger.warning("%s: no AT+CNMI accepted; messages are found by sweeps only", self._channel)
        return None

    async def _identify_sim(self) -> Identity:
        iccid = None
        for command in self._profile.iccid_commands:
            iccid = parse_digits(await self._try(command) or ())
            if iccid:
                self._iccid_command = command
                break
        return Identity(
            manufacturer=self._maker,
            model=self._model,
            imei=parse_digits(await self._try("AT+CGSN") or ()),
            iccid=iccid,
            number=parse_cnum(await self._try("AT+CNUM") or ()),
        )

    async def _try(self, command: str) -> tuple[str, ...] | None:
        return await try_request(self._port, command)

    async def _patiently(self, command: str) -> tuple[str, ...]:
        """The answer, waiting for a SIM that is busy after power-on."""
        deadline = _now() + self._timing.sim_busy_s + self._profile.boot_s
        while True:
            try:
                return await self._port.request(command)
            except (CmeError, CmsError) as error:
                if not is_busy(error) or _now() >= deadline:
                    raise
            await asyncio.sleep(self._timing.poll_s)


async def try_request(
    port: AtPort, command: str, *, timeout_s: float | None = None
) -> tuple[str, ...] | None:
    """The answer to a command that the stick may refuse; None when it does. Raises and Cancel as the port's."""
    try:
        return await port.request(command, timeout_s=timeout_s)
    except (AtError, CmeError, CmsError):
        return None


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


def _config_fault(code: str, detail: str) -> _Failed:
    return _Failed(Fault(kind=FaultKind.CONFIG, code=code, detail=detail))


def _too_slow(step: str, after_s: float) -> Fault:
    detail = f"Bring-up: {step} is not done after {after_s:g} s; {REMEDIES[step]}."
    return Fault(kind=FaultKind.CHANNEL, code=f"no_answer_{step}", detail=detail)


def _now() -> float:
    return asyncio.get_running_loop().time()
