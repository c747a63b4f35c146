"""From an open port to a stick that can send and receive: one pass, the same after every reconnect.

What a stick refuses is tolerated wherever SMS works without it.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivers.at.responses import (
    REGISTERED,
    REGISTRATION_NAMES,
    parse_cfun,
    parse_cnum,
    parse_cpin,
    parse_digits,
    parse_registration,
    parse_text,
)
from drivers.base import Fault, FaultKind
from drivers.errors import AtError, CmeError, CmsError, DeviceError
from drivers.modem.faults import classify_error
from drivers.modem.storage import StorageSetup, set_up_storage

if TYPE_CHECKING:
    from drivers.at.port import AtPort
    from drivers.modem.pin import PinLedger
    from drivers.modem.timing import ModemTiming

logger = logging.getLogger(__name__)

ICCID_COMMANDS = ("AT+CCID", "AT^ICCID?", "AT+QCCID", "AT+ICCID", "AT+CICCID")
"""Vendors' spellings; the first that gives digits counts."""

CNMI_LADDER = ("AT+CNMI=2,1,0,2,0", "AT+CNMI=2,1,0,1,0", "AT+CNMI=2,1,0,2", "AT+CNMI=2,1,0,1", "AT+CNMI=2,1")
"""Messages and, if the stick can, status reports are stored and told of: they then survive us. Failing that,
reports are handed over directly; the last rung is for sticks that know no reports at all."""

RADIO_TIMEOUT_S = 15.0
"""Switching the radio on takes a while on most sticks."""

_RADIO_OFF = frozenset({0, 4})
_SIM_BUSY = frozenset({14, 314})
_USABLE = frozenset({"READY", "SIM PIN2", "SIM PUK2"})
"""PIN2 guards things we never use."""


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
        storage: where messages are.
        numbers_errors: the stick tells errors by number; it forgets that when it restarts.
        acknowledges: directly delivered messages wait for AT+CNMA (message service phase 2+).
        notify_command: the AT+CNMI that was accepted; None when none was.
    """

    identity: Identity
    storage: StorageSetup
    numbers_errors: bool
    acknowledges: bool
    notify_command: str | None


class BringUp:
    """One bring-up over one port.

    Args:
        channel: the channel's name, for logs and the PIN rule.
        pin: of the SIM, if it has one.
        init_commands: the operator's own, sent after the greeting; refusals are logged.
    """

    def __init__(
        self,
        port: AtPort,
        *,
        channel: str,
        pin: str | None,
        pins: PinLedger,
        timing: ModemTiming,
        init_commands: tuple[str, ...] = (),
    ) -> None:
        self._port = port
        self._channel = channel
        self._pin = pin
        self._pins = pins
        self._timing = timing
        self._init_commands = init_commands
        self._numbers_errors = False

    async def run(self) -> Setup | Fault:
        """Do it all.

        Returns:
            What was found, or why the channel can't work; CONFIG when a person must mend it.

        Raises:
            WireLost, WireTimeout: the port died.

        Cancel: the stick is half set up; the next bring-up starts from the beginning.
        """
        try:
            await self._greet()
            await self._switch_radio_on()
            fault = await self._unlock() or await self._await_registration()
            return fault or await self._set_up_messages()
        except DeviceError as error:
            return classify_error(error)

    async def _greet(self) -> None:
        await self._port.request("ATE0")
        await self._try("ATV1")
        self._numbers_errors = await self._try("AT+CMEE=1") is not None
        for command in self._init_commands:
            if await self._try(command) is None:
                logger.warning("%s: init command %s refused", self._channel, command.partition("=")[0])

    async def _switch_radio_on(self) -> None:
        # Left off by another program, or by a stick that starts like that to save power.
        if parse_cfun(await self._try("AT+CFUN?") or ()) in _RADIO_OFF:
            await try_request(self._port, "AT+CFUN=1", timeout_s=RADIO_TIMEOUT_S)

    async def _unlock(self) -> Fault | None:
        state = parse_cpin(await self._patiently("AT+CPIN?"))
        if state in _USABLE:
            if self._pin is not None:
                self._pins.accept(self._channel, self._pin)
            return None
        if state == "SIM PIN":
            return await self._enter_pin()
        if state == "SIM PUK":
            return _config_fault("puk_required", "The SIM is locked and needs its PUK.")
        return _config_fault("sim_locked", "The SIM asks for a code other than its PIN.")

    async def _enter_pin(self) -> Fault | None:
        if self._pin is None:
            return _config_fault("pin_missing", "The SIM needs a PIN and none is configured.")
        if not self._pins.may_enter(self._channel, self._pin):
            return _config_fault(
                "pin_refused", "The configured PIN did not open the SIM; it is not tried again."
            )
        try:
            self._pins.spend(self._channel, self._pin)
        except OSError as error:
            detail = f"The PIN is not tried while that can't be recorded: {error.strerror}."
            return Fault(kind=FaultKind.CHANNEL, code="pin_not_recorded", detail=detail)
        try:
            await self._port.request(f'AT+CPIN="{self._pin}"', timeout_s=20.0)
        except DeviceError:
            return _config_fault("pin_refused", "The SIM refused the configured PIN; it is not tried again.")
        self._pins.accept(self._channel, self._pin)
        return await self._await_ready()

    async def _await_ready(self) -> Fault | None:
        # Sticks say OK to the PIN some seconds before the SIM is ready.
        deadline = _now() + self._timing.sim_busy_s
        while parse_cpin(await self._patiently("AT+CPIN?")) not in _USABLE:
            if _now() >= deadline:
                return Fault(kind=FaultKind.CHANNEL, code="sim_busy", detail="The SIM does not become ready.")
            await asyncio.sleep(self._timing.poll_s)
        return None

    async def _await_registration(self) -> Fault | None:
        deadline = _now() + self._timing.registration_s
        while (status := await read_registration(self._port)) not in REGISTERED:
            if _now() >= deadline:
                return not_registered(status)
            await asyncio.sleep(self._timing.poll_s)
        return None

    async def _set_up_messages(self) -> Setup:
        await self._patiently("AT+CMGF=0")
        acknowledges = await self._try("AT+CSMS=1") is not None
        storage = await set_up_storage(self._port)
        notify_command = await self._arm_notifications()
        await self._try("AT+COPS=3,0")
        return Setup(
            identity=await self._identify(),
            storage=storage,
            numbers_errors=self._numbers_errors,
            acknowledges=acknowledges,
            notify_command=notify_command,
        )

    async def _arm_notifications(self) -> str | None:
        for command in CNMI_LADDER:
            if await self._try(command) is not None:
                return command
        logger.warning("%s: no AT+CNMI accepted; messages are found by sweeps only", self._channel)
        return None

    async def _identify(self) -> Identity:
        iccid = None
        for command in ICCID_COMMANDS:
            iccid = parse_digits(await self._try(command) or ())
            if iccid:
                break
        return Identity(
            manufacturer=parse_text(await self._try("AT+CGMI") or ()),
            model=parse_text(await self._try("AT+CGMM") or ()),
            imei=parse_digits(await self._try("AT+CGSN") or ()),
            iccid=iccid,
            number=parse_cnum(await self._try("AT+CNUM") or ()),
        )

    async def _try(self, command: str) -> tuple[str, ...] | None:
        return await try_request(self._port, command)

    async def _patiently(self, command: str) -> tuple[str, ...]:
        """The answer, waiting for a SIM that is busy after power-on."""
        deadline = _now() + self._timing.sim_busy_s
        while True:
            try:
                return await self._port.request(command)
            except (CmeError, CmsError) as error:
                if error.code not in _SIM_BUSY or _now() >= deadline:
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


def not_registered(status: int | None) -> Fault:
    """The fault of a stick without a network."""
    name = REGISTRATION_NAMES.get(-1 if status is None else status, "unknown")
    return Fault(kind=FaultKind.CHANNEL, code="not_registered", detail=f"No network service: {name}.")


def _config_fault(code: str, detail: str) -> Fault:
    return Fault(kind=FaultKind.CONFIG, code=code, detail=detail)


def _now() -> float:
    return asyncio.get_running_loop().time()
