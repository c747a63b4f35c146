"""The SIM from "not known yet" to open, and how its PIN is entered.

Three wrong PINs lock a SIM. A refusal ends it at once, for good (`pin`). A SIM that was busy when the PIN
came is a doubt: it may have counted. Then the SIM is asked what it waits for and how many tries are left. Tries that
did not become fewer prove that nobody looked at the PIN, and it may be entered again. Where the stick does not tell
them it is entered once more, after a pause: a wrong PIN has then used two of three tries at most.
"""

from __future__ import annotations

import asyncio
import logging
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from drivers.at.responses import parse_cpin
from drivers.base import Fault, FaultKind
from drivers.errors import AtError, CmeError, CmsError, DeviceError, WireTimeout
from drivers.modem.asking import ask_without_final, try_request
from drivers.modem.faults import is_busy

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivers.at.port import AtPort
    from drivers.modem.bringup.pin import PinLedger
    from drivers.modem.config import ModemConfig

logger = logging.getLogger(__name__)

PIN_TIMEOUT_S = 20.0
BLIND_ENTRIES = 2
"""So often a PIN is entered when the stick does not tell how many tries are left."""
MOST_ENTRIES = 6
"""And so often when it does, and they do not become fewer."""
LONGEST_PAUSE_S = 10.0
"""Between two of these; the first is short."""

USABLE = frozenset({"READY", "SIM PIN2", "SIM PUK2"})
"""PIN2 guards things we never use."""
_CODES = (" PIN", " PUK")
"""So ends what a SIM says that asks for one."""
_VERDICTS = frozenset({5, 11, 12, 16, 17, 18})
"""+CME ERROR codes that say something of the PIN itself. Others may come of a SIM that needs none, and is starting."""
_TRIES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("AT+CPINR", re.compile(r"\+CPINR: ?SIM PIN, ?(\d+)")),  # 3GPP TS 27.007 8.65
    ("AT^CPIN?", re.compile(r"\^CPIN: ?[^,]*,[^,]*,[^,]*,(\d+)")),  # Huawei
    ('AT+QPINC="SC"', re.compile(r'\+QPINC: ?"SC", ?(\d+)')),  # Quectel
    ("AT+SPIC", re.compile(r"\+SPIC: ?(\d+)")),  # SIMCom
    ("AT#PCT", re.compile(r"#PCT: ?(\d+)")),  # Telit
    ("AT^SPIC", re.compile(r"\^SPIC: ?(\d+)")),  # Cinterion
    ("AT+ZPINPUK=?", re.compile(r"\+ZPINPUK: ?(\d+)")),  # ZTE
)
"""How makers tell the tries that are left for the PIN."""


async def is_shut(port: AtPort) -> bool:
    """Whether the SIM asks for a code, as one does that was reset. Raises and Cancel: as `AtPort.request`."""
    with suppress(WireTimeout):
        state = parse_cpin(await try_request(port, "AT+CPIN?") or ()) or ""
        return state not in USABLE and state.endswith(_CODES)
    return False


class StepFailed(Exception):
    """A step ends the bring-up."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.detail)
        self.fault = fault


class SimLock:
    """The lock of one SIM, in one bring-up.

    Args:
        pins: the PIN rule.
        patience_s: how long the SIM may be busy after power-on.
    """

    def __init__(self, port: AtPort, config: ModemConfig, pins: PinLedger, *, patience_s: float) -> None:
        self._port = port
        self._channel = config.name
        self._pin = config.pin
        self._pins = pins
        self._patience_s = patience_s
        self._timing = config.timing
        self._tries_command: tuple[str, re.Pattern[str]] | None = None
        self._knows_tries = True

    @property
    def longest_s(self) -> float:
        """How long `open` may take."""
        return 6 * self._patience_s + 4 * self._timing.command_s + 2 * PIN_TIMEOUT_S

    async def open(self) -> None:
        """Wait for the SIM, and open it where it asks for the PIN.

        Raises:
            StepFailed: it stays shut; CONFIG when a person must open it.
            DeviceError, WireTimeout: the stick does not say what the SIM waits for.

        Cancel: a PIN may have been entered; it counts as spent.
        """
        state = await self._await_sim(lambda told: told in USABLE or told.endswith(_CODES))
        if state not in USABLE and (state != "SIM PIN" or self._pin is None):
            # Said by some sticks while the SIM is starting, though it has no PIN.
            state = await self._await_sim(USABLE.__contains__, may_fail=True)
        if state in USABLE:
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
        pin = self._pin
        if pin is None:
            raise _config_fault("pin_missing", "The SIM needs a PIN and none is configured.")
        if not self._pins.may_enter(self._channel, pin):
            raise _config_fault(
                "pin_refused", "The configured PIN did not open the SIM; it is not tried again."
            )
        n_left = await self._count_tries()
        try:
            self._pins.spend(self._channel, pin)
        except OSError as error:
            detail = f"The PIN is not tried while that can't be recorded: {error.strerror}."
            raise StepFailed(Fault(kind=FaultKind.CHANNEL, code="pin_not_recorded", detail=detail)) from None
        for n in range(1, MOST_ENTRIES + 1):
            try:
                await self._port.request(f'AT+CPIN="{pin}"', timeout_s=PIN_TIMEOUT_S)
            except DeviceError as error:
                if await self._was_taken(error, n, n_left):
                    break
            else:
                break
        else:
            raise _unanswered()
        self._pins.accept(self._channel, pin)
        # Sticks say OK to the PIN some seconds before the SIM is ready.
        await self._await_sim(USABLE.__contains__)

    async def _was_taken(self, error: DeviceError, n: int, n_left: int | None) -> bool:
        """Whether the SIM is open though the PIN was not answered with OK; False when it may be entered again.

        Args:
            error: the answer to the n-th entry.
            n_left: tries that were left before the first; None when the stick does not tell.

        Raises:
            StepFailed: it may not be entered again.
        """
        assert self._pin is not None
        if not is_busy(error):
            is_verdict = not isinstance(error, CmeError | CmsError) or error.code in _VERDICTS
            if is_verdict or await self._await_sim(USABLE.__contains__, may_fail=True) not in USABLE:
                self._pins.refuse(self._channel, self._pin)
                raise _config_fault(
                    "pin_refused", "The SIM refused the configured PIN; it is not tried again."
                )
            return True
        # A doubt. Blindly it gets one more chance, and that must not come too early.
        blind = n_left is None
        await asyncio.sleep(self._patience_s if blind else min(LONGEST_PAUSE_S, self._timing.poll_s * 2**n))
        if (
            await self._await_sim(lambda told: told in USABLE or told.endswith(_CODES), may_fail=True)
            in USABLE
        ):
            return True
        is_untouched = n < BLIND_ENTRIES if n_left is None else (await self._count_tries() or 0) >= n_left
        if not is_untouched:
            raise _unanswered()
        logger.warning("%s: the SIM was not ready for its PIN, which is entered again", self._channel)
        return False

    async def _count_tries(self) -> int | None:
        """Tries left for the PIN; None when the stick does not tell."""
        commands = _TRIES if self._tries_command is None else (self._tries_command,)
        for command, pattern in commands if self._knows_tries else ():
            for line in await try_request(self._port, command) or ():
                if match := pattern.search(line):
                    self._tries_command = command, pattern
                    return int(match[1])
        self._knows_tries = self._tries_command is not None
        return None

    async def _await_sim(self, is_told: Callable[[str], bool], *, may_fail: bool = False) -> str:
        """What the SIM waits for; before it knows that itself it is NOT READY, and a line may be broken.

        Args:
            may_fail: give what was told last when the time is over.
        """
        deadline = _now() + self._patience_s
        while not is_told(state := await self._ask_state(deadline)):
            if _now() >= deadline:
                if may_fail:
                    break
                raise StepFailed(
                    Fault(kind=FaultKind.CHANNEL, code="sim_busy", detail="The SIM does not become ready.")
                )
            await asyncio.sleep(self._timing.poll_s)
        return state

    async def _ask_state(self, deadline: float) -> str:
        """What AT+CPIN? says; empty when it is refused: sticks that are starting know of no SIM, or of a bad one.

        Raises:
            DeviceError: so it is still at the deadline.
        """
        try:
            return parse_cpin(await ask_without_final(self._port, "AT+CPIN?")) or ""
        except (AtError, CmeError, CmsError):
            if _now() >= deadline:
                raise
            return ""


def _unanswered() -> StepFailed:
    return _config_fault(
        "pin_unanswered",
        "The SIM was busy whenever its PIN came; it is not tried again, for it may have counted.",
    )


def _config_fault(code: str, detail: str) -> StepFailed:
    return StepFailed(Fault(kind=FaultKind.CONFIG, code=code, detail=detail))


def _now() -> float:
    return asyncio.get_running_loop().time()
