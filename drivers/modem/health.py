"""Is the stick alive and in service? A look every few seconds, which keeps the port awake as well."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivers.at.responses import REGISTERED, REGISTRATION_NAMES, parse_cmee, parse_cops, parse_csq
from drivers.modem.bringup import read_registration, try_request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from drivers.at.port import AtPort

OPERATOR_TIMEOUT_S = 30.0
"""Sticks that search for a network answer AT+COPS? late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What one look found; None where the stick does not say."""

    signal_dbm: int | None
    registration: int | None
    operator: str | None
    settings_lost: bool = False
    """It tells errors without numbers again: it restarted unnoticed."""

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


async def look(port: AtPort) -> Health:
    """Ask the stick once. Raises and Cancel as `AtPort.request`; refusals are tolerated."""
    return Health(
        signal_dbm=parse_csq(await try_request(port, "AT+CSQ") or ()),
        registration=await read_registration(port),
        operator=parse_cops(await try_request(port, "AT+COPS?", timeout_s=OPERATOR_TIMEOUT_S) or ()),
        settings_lost=parse_cmee(await try_request(port, "AT+CMEE?") or ()) == 0,
    )


async def watch(port: AtPort, every_s: float, on_health: Callable[[Health], Awaitable[None]]) -> None:
    """Look at once and then every ``every_s`` seconds, until cancelled.

    Raises:
        WireLost, WireTimeout: the stick does not answer: the port should be opened anew.

    Cancel: as `AtPort.request`.
    """
    while True:
        await on_health(await look(port))
        await asyncio.sleep(every_s)
