"""Many simulated modems under stable names, for the demo, for tests and as a program of its own."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from itertools import cycle, islice
from typing import TYPE_CHECKING

from simulators.control import ControlPort
from simulators.fault_plan import FaultDesk
from simulators.modem.dialect import DIALECTS
from simulators.modem.modem import SimulatedModem
from simulators.network import Network
from simulators.scenario import Scenario, arm

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
    desk: FaultDesk | None = None,
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
        desk: where faults for them are handed in, by the names ``sim-1`` …

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
            desk=desk,
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
    scenario: Scenario | None = None,
    control_port: int | None = None,
    announce: Callable[[str], None],
) -> None:
    """Run ``n`` modems on one network until cancelled, and say where each is.

    Args:
        scenario: what goes wrong with them.
        control_port: where faults are taken while it runs, 0 for any free port; None for nowhere.
        announce: called with lines for people.

    Cancel: the ports hang up and their names are removed.
    """
    async with AsyncExitStack() as stack:
        network = Network(keep=KEEP)
        stack.push_async_callback(network.close)
        desk = FaultDesk(clock=asyncio.get_running_loop().time, seed=scenario.seed if scenario else 0)
        modems = await start_modems(
            network, n, directory, dialects=dialects, network_time_s=network_time_s, desk=desk
        )
        stack.push_async_callback(_stop, modems)
        for modem in modems:
            announce(f"{modem.port}  {modem.number}  {modem.device.dialect.model}")
        if scenario is not None:
            announce(
                f"{arm(scenario, desk)} of {len(scenario.faults)} faults armed. {scenario.about}".rstrip()
            )
        if control_port is not None:
            control = ControlPort(
                desk, port=control_port, stats=lambda: {"taken": network.accepted_total}, network=network
            )
            await stack.enter_async_context(control)
            announce(f"control on 127.0.0.1:{control.port}")
        await asyncio.get_running_loop().create_future()
