"""Many simulated modems under stable names, for the demo, for tests and as a program of its own."""

from __future__ import annotations

import asyncio
from itertools import cycle, islice
from typing import TYPE_CHECKING

from simulators.modem.dialect import DIALECTS
from simulators.modem.modem import SimulatedModem
from simulators.network import Network

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

FIRST_NUMBER = 8613800138000
KEEP = 10_000
"""Entries a long-running network remembers."""


async def start_modems(
    network: Network,
    n: int,
    directory: Path,
    *,
    dialects: Sequence[str] = tuple(DIALECTS),
    pin: str | None = None,
    network_time_s: float = 0.0,
    noise_every_s: float = 3.0,
) -> list[SimulatedModem]:
    """Start ``n`` modems with the ports ``directory/sim-1`` … and numbers that follow one another.

    Args:
        network: the operator they all use.
        n: how many.
        directory: made when it is missing.
        dialects: used in turn.
        pin: as for `SimulatedModem`, the same for all; so are the others.
        network_time_s: from the end of a PDU to ``+CMGS``.
        noise_every_s: how often lines such as ``^RSSI`` come by themselves; 0 for never.

    Returns:
        The modems, started; the caller stops them.

    Raises:
        OSError: no more terminals, or the directory can't be written; none is left running.
    """
    modems = [
        SimulatedModem(
            network,
            number=f"+{FIRST_NUMBER + place}",
            dialect=dialect,
            pin=pin,
            link=directory / f"sim-{place}",
            network_time_s=network_time_s,
            noise_every_s=noise_every_s,
        )
        for place, dialect in enumerate(islice(cycle(dialects), n), start=1)
    ]
    try:
        for modem in modems:
            await modem.start()
    except BaseException:
        await _stop(modems)
        raise
    return modems


async def _stop(modems: Sequence[SimulatedModem]) -> None:
    for modem in modems:
        await modem.stop()


async def run_modems(
    *,
    n: int,
    directory: Path,
    dialects: Sequence[str] = tuple(DIALECTS),
    network_time_s: float = 0.0,
    announce: Callable[[str], None],
) -> None:
    """Run ``n`` modems on one network until cancelled, and say where each is.

    Cancel: the ports hang up and their names are removed.
    """
    network = Network(keep=KEEP)
    modems = await start_modems(network, n, directory, dialects=dialects, network_time_s=network_time_s)
    try:
        for modem in modems:
            announce(f"{modem.port}  {modem.number}  {modem.device.dialect.model}")
        await asyncio.get_running_loop().create_future()
    finally:
        await _stop(modems)
        await network.close()
