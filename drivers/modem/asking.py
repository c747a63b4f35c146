"""Commands that a stick may refuse, or not be ready for, or answer without an end."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from drivers.errors import AtError, CmeError, CmsError, WireTimeout
from drivers.modem.faults import is_busy

if TYPE_CHECKING:
    from drivers.at.port import AtPort

NO_FINAL_S = 5.0
"""For the OK behind an answer that is there; some sticks never say it."""


class Outcome(Enum):
    """What came of one step of the set-up."""

    DONE = auto()
    NOT_YET = auto()
    """The stick is not ready for it; it comes back by itself."""
    REFUSED = auto()


async def try_request(
    port: AtPort, command: str, *, timeout_s: float | None = None
) -> tuple[str, ...] | None:
    """The answer to a command that the stick may refuse; None when it does. Raises and Cancel as the port's."""
    try:
        return await port.request(command, timeout_s=timeout_s)
    except (AtError, CmeError, CmsError):
        return None


async def settle(port: AtPort, command: str) -> Outcome:
    """Have something set. Raises and Cancel as the port's, but for refusals."""
    try:
        await port.request(command)
    except (AtError, CmeError, CmsError) as error:
        return Outcome.NOT_YET if is_busy(error) else Outcome.REFUSED
    return Outcome.DONE


async def ask_without_final(port: AtPort, command: str) -> tuple[str, ...]:
    """The answer to a question, also of a stick that leaves the OK out (Wavecom M1306 behind ``+CPIN: READY``).

    Raises and Cancel: as `AtPort.request`.
    """
    try:
        return await port.request(command, timeout_s=NO_FINAL_S)
    except WireTimeout as error:
        if not error.lines:
            raise
        return error.lines
