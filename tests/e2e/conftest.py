"""A simulated operator with four modems and two SMSCs, and daemons on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from simulators.modem.fleet import start_modems
from simulators.modem.modem import SimulatedModem
from simulators.network import Network
from simulators.smsc.server import SimulatedSmsc
from tests.support.daemon import Daemon, modem_toml, smpp_toml


@dataclass
class World:
    network: Network
    modems: list[SimulatedModem]
    smscs: list[SimulatedSmsc]
    make_daemon: Callable[..., Daemon]

    @property
    def channels(self) -> str:
        """TOML of all channels."""
        modems = [
            modem_toml(f"sim-{i}", m.port, number=f'"{m.number}"') for i, m in enumerate(self.modems, 1)
        ]
        return "\n".join(modems + [smpp_toml(f"smsc-{i}", s.port) for i, s in enumerate(self.smscs, 1)])


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        network = Network(latency_s=0.01, receipt_delay_s=0.02)
        stack.push_async_callback(network.close)
        modems = await start_modems(network, 4, tmp_path / "modems", network_time_s=0.02)
        for modem in modems:
            stack.push_async_callback(modem.stop)
        smscs = [
            await stack.enter_async_context(SimulatedSmsc(network, number=f"1069{i}", latency_s=0.03))
            for i in (1, 2)
        ]

        def make_daemon(channels: str, extra: str = "") -> Daemon:
            daemon = Daemon(tmp_path, channels, extra)
            stack.push_async_callback(daemon.close)
            return daemon

        yield World(network, modems, smscs, make_daemon)
