"""What tells that a stick has restarted, or may have: lines that it says by itself, and settings that it forgot.

One notion for all of it: "is this still the session that I set up?" Some lines say for certain that it is not. Others
are said after a restart and at other times, too: they are a reason to read the settings back at once, which is done
every few seconds anyway (`drivers.modem.recovery.health`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivers.at.responses import find_fields, parse_cmee, parse_int
from drivers.at.unsolicited import RESTART_LINES
from drivers.modem.asking import try_request

if TYPE_CHECKING:
    from collections.abc import Iterable

    from drivers.at.port import AtPort

_CERTAIN = (
    "SYSSTART", "^SYSSTART", "+SYSSTART",  # Cinterion, u-blox
    "MODEM:STARTUP", "*ATREADY", "AT-Command Interpreter ready", "UNDER-VOLTAGE POWER DOWN",
    "UNDER-VOLTAGE WARNNING POWER DOWN", "OVER-VOLTAGE POWER DOWN", "^SHUTDOWN", "+SHUTDOWN", "+KSUP: 0", "+WIND: 3",
)  # fmt: skip
_PERHAPS = (
    "^BOOT", "*PSUTTZ", "+CPIN", "+SIM:", "^SIMST", "+QUSIM", "+QIND: SMS DONE", "+QIND: PB DONE", "+CFUN", "+PBREADY",
    "Call Ready", "SMS Ready", "SMS DONE", "PB DONE", "+STIN", "+WIND", "+KSUP", "+EIND", "+PACSP", "^START", "IIII",
    "^SSIM", "#QSS", "+USIM", "^SCKS", "SIM READY",
)  # fmt: skip
"""Said after a start, and by some sticks all the time."""


def is_restart(line: str) -> bool:
    """Whether a line says that all that was set is forgotten, or is about to be."""
    return line in RESTART_LINES or line.startswith(_CERTAIN)


def may_be_restart(line: str) -> bool:
    """Whether a line is a reason to read the settings back."""
    return line.startswith(_PERHAPS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Some of what bring-up set, as the stick tells it; None where it does not.

    Args:
        errors: of AT+CMEE.
        text_mode: of AT+CMGF.
        service: of AT+CSMS.
        notify: of AT+CNMI.
        memory: where new messages go.
    """

    errors: int | None = None
    text_mode: int | None = None
    service: int | None = None
    notify: tuple[str, ...] | None = None
    memory: str | None = None

    def lost(self, now: Settings) -> frozenset[str]:
        """Names of what was otherwise before; what is not told, then or now, is not lost."""
        names = ("errors", "text_mode", "service", "notify", "memory")
        before_and_now = ((name, getattr(self, name), getattr(now, name)) for name in names)
        return frozenset(name for name, old, new in before_and_now if None not in {old, new} and old != new)


RESTARTED = frozenset({"errors", "text_mode"})
"""Nothing but a restart changes these; the others a stick may change by itself, and they are just set again."""


async def read_settings(port: AtPort, memory: str | None) -> Settings:
    """Read them back, by a few commands that ask nothing of the network.

    Args:
        memory: what AT+CPMS? just said, which health asks anyway.

    Raises and Cancel: as `AtPort.request`; refusals are tolerated.
    """
    notify = find_fields(await try_request(port, "AT+CNMI?") or (), "+CNMI:")
    return Settings(
        text_mode=_first(await try_request(port, "AT+CMGF?") or (), "+CMGF:"),
        service=_first(await try_request(port, "AT+CSMS?") or (), "+CSMS:"),
        notify=None if notify is None else tuple(notify),
        memory=memory or None,
        errors=parse_cmee(await try_request(port, "AT+CMEE?") or ()),
    )


def _first(lines: Iterable[str], prefix: str) -> int | None:
    fields = find_fields(lines, prefix)
    return parse_int(fields[0]) if fields else None
