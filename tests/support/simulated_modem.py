"""A simulated modem with somebody at its port."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from drivers.base import Encoding
from drivers.codec.gsm7 import encode_gsm7
from drivers.codec.tpdu import SmsSubmit, encode_submit
from simulators.modem.modem import SimulatedModem
from tests.support.terminal import DEADLINE_S, open_terminal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from simulators.network import Network
    from tests.support.terminal import Terminal

SIM = "+8613800138000"
PHONE = "+8613900139000"


def submit_tpdu(text: str = "hello", *, to: str = PHONE, report: bool = False) -> bytes:
    """An SMS-SUBMIT in one part."""
    return encode_submit(
        SmsSubmit(tp_da=to, encoding=Encoding.GSM7, payload=encode_gsm7(text), tp_srr=report)
    )


@asynccontextmanager
async def modem_at(network: Network, **options: Any) -> AsyncIterator[tuple[SimulatedModem, Terminal]]:
    """A quiet modem and somebody at its port, echo off, errors in numbers."""
    async with SimulatedModem(network, number=SIM, noise_every_s=0.0, **options) as modem:
        with open_terminal(modem.port) as terminal:
            await terminal.ask("ATE0+CMEE=1")
            yield modem, terminal


async def wait_for(network: Network, condition: Callable[[], bool]) -> None:
    """Wait for a change in the network or on its handsets, with a deadline."""
    async with asyncio.timeout(DEADLINE_S):
        await network.wait_for(condition)
