"""One look at a stick without taking it into service: who it is and whether it could send. Changes nothing on it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivers.at.port import AtPort, StickSilent
from drivers.at.responses import (
    StorageUse,
    parse_cops,
    parse_cpin,
    parse_cpms,
    parse_csca,
    parse_csq,
    parse_digits,
    parse_text,
)
from drivers.at.transport import open_serial
from drivers.errors import CmeError, CmsError, DeviceError, WireTimeout
from drivers.modem.asking import try_request
from drivers.modem.bringup.steps import read_registration
from drivers.modem.profile import GENERIC

if TYPE_CHECKING:
    from drivers.at.transport import OpenWire
    from drivers.modem.profile import Profile

ANSWER_S = 5.0
"""For one answer."""
SILENCE_S = 8.0
"""A stick that has not answered AT by then is not going to."""

NO_SIM = "NOT INSERTED"
"""In place of what AT+CPIN? says."""
_NO_SIM_CODES = frozenset({10, 13, 310, 313})


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkup:
    """What one look found; None where the stick does not say.

    Args:
        sim: what AT+CPIN? says (``READY``, ``SIM PIN`` ...), or `NO_SIM`.
        registration: ``<stat>`` of +CREG.
        has_smsc: the SIM knows a service centre.
        storage: use of the memory for messages.
    """

    maker: str | None = None
    model: str | None = None
    imei: str | None = None
    iccid: str | None = None
    sim: str | None = None
    registration: int | None = None
    operator: str | None = None
    signal_dbm: int | None = None
    has_smsc: bool | None = None
    storage: StorageUse | None = None


async def check_up(
    path: str, baudrate: int, profile: Profile = GENERIC, open_wire: OpenWire = open_serial
) -> Checkup | None:
    """Look at the stick behind a port.

    Returns:
        What was found; None when nothing there answers AT.

    Raises:
        PortBlocked, WireLost: the port can't be opened.

    Cancel: the port is closed.
    """
    port = AtPort(f"check of {path}", lambda _urc: None, command_timeout_s=ANSWER_S)
    await port.open(path, baudrate, open_wire)
    owner = asyncio.create_task(port.run())
    try:
        with suppress(WireTimeout, TimeoutError, StickSilent):
            async with asyncio.timeout(SILENCE_S):
                await try_request(port, "AT")
            return await _look(port, profile)
        return None
    finally:
        owner.cancel()
        await asyncio.gather(owner, return_exceptions=True)
        await port.close()


async def _look(port: AtPort, profile: Profile) -> Checkup:
    async def ask(command: str) -> tuple[str, ...]:
        try:
            return await try_request(port, command) or ()
        except WireTimeout:
            return ()

    await ask("AT+CMEE=1")
    sim = await _ask_sim(port)
    iccid = None
    for command in profile.iccid_commands:
        iccid = iccid or parse_digits(await ask(command))
    smsc = await ask("AT+CSCA?")
    return Checkup(
        maker=parse_text(await ask("AT+CGMI")),
        model=parse_text(await ask("AT+CGMM")),
        imei=parse_digits(await ask("AT+CGSN")),
        iccid=iccid,
        sim=sim,
        registration=await read_registration(port),
        operator=parse_cops(await ask("AT+COPS?")),
        signal_dbm=parse_csq(await ask("AT+CSQ")),
        has_smsc=parse_csca(smsc) is not None if smsc else None,
        storage=parse_cpms(await ask("AT+CPMS?")),
    )


async def _ask_sim(port: AtPort) -> str | None:
    try:
        return parse_cpin(await port.request("AT+CPIN?"))
    except (CmeError, CmsError) as error:
        return NO_SIM if error.code in _NO_SIM_CODES else None
    except (DeviceError, WireTimeout):
        return None
