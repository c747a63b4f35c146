"""The drivers under test, each with the simulated other end it talks to."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from drivers.loopback import LoopbackConfig
from drivers.modem.config import ModemConfig
from drivers.modem.timing import ModemTiming
from drivers.registry import build_driver
from drivers.smpp.client.config import SmppConfig
from simulators.modem.modem import SimulatedModem
from simulators.network import Network
from simulators.smsc.server import SimulatedSmsc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from drivers.base import Driver

QUICK_S = 0.02
"""The network's time for an answer, and every pause that exists only to spare a real stick or SMSC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FarEnd:
    """What a test can see and do at the other end of the wire.

    Args:
        network: the simulated operator.
        number: the channel's own number, as handsets write to it.
        n_unacknowledged: inbound messages and receipts that came to the channel and were not acknowledged.
        n_links: binds, or programs that have the port open.
        hang_up: break the wire, as seen from the driver.
        come_back: let the driver connect again.
    """

    network: Network
    number: str
    n_unacknowledged: Callable[[], int]
    n_links: Callable[[], int]
    hang_up: Callable[[], Awaitable[None]]
    come_back: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """A driver that is not running yet; ``far`` is None for a driver with nothing behind it."""

    driver: Driver
    far: FarEnd | None = None

    @property
    def other_end(self) -> FarEnd:
        """``far`` where there must be one."""
        assert self.far is not None
        return self.far


@asynccontextmanager
async def loopback_rig(_: Path) -> AsyncIterator[Rig]:
    """The driver without a device."""
    yield Rig(driver=build_driver(LoopbackConfig(name="loop-1")))


@asynccontextmanager
async def smpp_rig(_: Path) -> AsyncIterator[Rig]:
    """An ESME and the simulated SMSC."""
    network = Network()
    async with SimulatedSmsc(network, latency_s=QUICK_S, resend_s=QUICK_S) as smsc:
        config = SmppConfig(
            name="smpp-1",
            host="127.0.0.1",
            port=smsc.port,
            system_id="hongyan",
            password="secret",
            source_address="10690000",
            backoff_s=(QUICK_S, QUICK_S),
        )
        far = FarEnd(
            network=network,
            number="10690000",
            n_unacknowledged=lambda: smsc.n_owed,
            n_links=lambda: smsc.n_binds,
            hang_up=smsc.stop,
            come_back=smsc.start,
        )
        yield Rig(driver=build_driver(config), far=far)
    await network.close()


@asynccontextmanager
async def modem_rig(folder: Path, dialect: str) -> AsyncIterator[Rig]:
    """A stick of one family and the simulated operator."""
    network = Network()
    number = "+8613900139000"
    async with SimulatedModem(
        network,
        number=number,
        dialect=dialect,
        link=folder / "modem",
        network_time_s=QUICK_S,
        noise_every_s=0.0,
        acknowledge_time_s=25 * QUICK_S,
    ) as modem:
        timing = ModemTiming(
            poll_s=QUICK_S, sweep_after_failure_s=QUICK_S, backoff_s=QUICK_S, backoff_cap_s=QUICK_S
        )

        def n_unacknowledged() -> int:
            waiting = modem.device._acknowledgement
            routed = waiting is not None and not waiting.done()
            return routed + sum(len(storage.slots) for storage in modem.device.storages.values())

        far = FarEnd(
            network=network,
            number=number,
            n_unacknowledged=n_unacknowledged,
            # The simulator keeps one handle of the terminal itself.
            n_links=lambda: _n_open(modem.port) - 1,
            hang_up=modem.stop,
            come_back=modem.start,
        )
        yield Rig(driver=build_driver(ModemConfig(name="sim-1", port=modem.port, timing=timing)), far=far)
    await network.close()


def _n_open(port: str) -> int:
    """Handles that this process has on a terminal."""
    device = Path(port).resolve()
    count = 0
    for handle in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the handle of the listing itself
            count += handle.readlink() == device
    return count
