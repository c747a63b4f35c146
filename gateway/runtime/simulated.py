"""A small simulated world inside this process, for a start without hardware: modems on ptys and an SMSC.

The channels over it are ordinary ones: the daemon opens the ptys and binds to the SMSC as it would for real.
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from gateway.settings.config import ModemSettings, SmppSettings
from gateway.settings.forms import Rate
from gateway.settings.secrets import Secret
from simulators.control import ControlPort
from simulators.fault_plan import FaultDesk
from simulators.modem.modem import SimulatedModem
from simulators.network import Network
from simulators.smsc.server import SimulatedSmsc

_KEEP = 1_000
_ACCOUNT = ("hongyan", "simulate")
_LATENCY_S = 0.3
_DIALECTS = ("huawei", "quectel", "simcom")


class SimulatedWorld(NamedTuple):
    """What the daemon has to add to its channels.

    Args:
        network: the operator that joins all of them; handsets can be added to it.
    """

    network: Network
    modems: tuple[ModemSettings, ...]
    smpp: tuple[SmppSettings, ...]


@asynccontextmanager
async def simulated_world(n_modems: int = 2, *, control: Path | None = None) -> AsyncIterator[SimulatedWorld]:
    """Run the simulators as long as the context lasts.

    Args:
        n_modems: how many sticks; they take turns in the dialects that we simulate.
        control: a file that holds the control port meanwhile, for `hongyan simulate reply`; None for no such port.
    """
    # References that differ from those of the last start: the store remembers them.
    network = Network(latency_s=_LATENCY_S, receipt_delay_s=_LATENCY_S, seed=secrets.randbits(32), keep=_KEEP)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(network.close)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hongyan-")))
        modems = [await _start_modem(stack, network, folder, i) for i in range(n_modems)]
        smsc = SimulatedSmsc(network, accounts=dict([_ACCOUNT]))
        await smsc.start()
        stack.push_async_callback(smsc.stop)
        if control is not None:
            await _open_control(stack, network, control)
        yield SimulatedWorld(network, tuple(modems), (_bind(smsc.port),))


async def _open_control(stack: AsyncExitStack, network: Network, file: Path) -> None:
    desk = FaultDesk(clock=asyncio.get_running_loop().time)
    port = await stack.enter_async_context(ControlPort(desk, network=network))
    _note_port(file, port.port)
    stack.callback(file.unlink, missing_ok=True)


def _note_port(file: Path, port: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{port}\n")


async def _start_modem(stack: AsyncExitStack, network: Network, folder: Path, i: int) -> ModemSettings:
    name, number = f"simulated-{i + 1}", f"+86138001380{i + 1:02}"
    modem = SimulatedModem(
        network,
        number=number,
        dialect=_DIALECTS[i % len(_DIALECTS)],
        link=folder / name,
        network_time_s=_LATENCY_S,
    )
    await modem.start()
    stack.push_async_callback(modem.stop)
    return ModemSettings(name=name, port=modem.port, number=number, rate=Rate(600, 60.0))


def _bind(port: int) -> SmppSettings:
    system_id, password = _ACCOUNT
    return SmppSettings(
        name="simulated-smsc",
        host="127.0.0.1",
        port=port,
        system_id=system_id,
        password=Secret(password),
        source_address="10690000",
    )
